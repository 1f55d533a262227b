"""Damaged pictures, XML and models for `textrec read`: each must be read or give one line, and never a traceback.

Usage: python benchmarks/fuzz.py [MINUTES, default 10]

A child process reads them one after the other, so that a crash of a decoder is found as well; it is told by its seed.
"""

import io
import itertools
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from machine import ROOT
from PIL import Image

sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]
LEFT = 16 << 20  # pixels: a picture whose header is damaged may say that it is larger, which takes time, and no more


def examples() -> dict[str, bytes]:
    """Sound files of all kinds, by a name with their suffix."""
    from networks import recognizer
    from text_images import LINE
    from xml_pages import ALTO_SOURCE, PAGE_SOURCE

    files = {}
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "PDF"):
        for mode in ("L", "RGB", "P", "RGBA", "I;16", "1"):
            buffer = io.BytesIO()
            image = Image.fromarray(np.asarray(LINE, np.uint16) * 257) if mode == "I;16" else LINE.convert(mode)
            try:
                image.save(buffer, kind)
            except (OSError, KeyError, ValueError):  # not all can write all
                continue
            files[f"{mode.replace(';', '')}.{kind.lower()}"] = buffer.getvalue()
    buffer = io.BytesIO()
    LINE.save(buffer, "TIFF", compression="tiff_lzw", save_all=True, append_images=[LINE])
    files["pages.tiff"] = buffer.getvalue()
    files["page.xml"], files["alto.xml"] = PAGE_SOURCE.encode(), ALTO_SOURCE.encode()
    with tempfile.TemporaryDirectory() as folder:
        recognizer().save(Path(folder, "model.ckpt"))
        files["model.ckpt"] = Path(folder, "model.ckpt").read_bytes()
    return files


def damage(content: bytes, random: np.random.Generator) -> bytes:
    """Change, drop, double or cut off bytes, more often near the beginning, where headers are."""
    data = bytearray(content)
    for _ in range(min(8, random.geometric(0.4))):
        if not data:
            break
        place = int(min(random.integers(len(data)), random.integers(len(data)), random.integers(1 << 12)))
        length = int(random.integers(1, 33))
        match random.integers(5):
            case 0 | 1:
                data[place] = random.integers(256)
            case 2:
                data[place : place + length] = b""
            case 3:
                data[place:place] = data[place : place + length]
            case 4:
                data[place : place + length] = random.bytes(length)
    return bytes(data[: random.integers(len(data) + 1)]) if random.random() < 0.1 else bytes(data)


def child(folder: Path, seed: int) -> None:
    """Read damaged files, from a seed on, for ever; a line of JSON for each."""
    import torch
    from networks import line_recognizer
    from text_images import LINE

    from textrec import cli
    from textrec.base.runtime import TextrecError
    from textrec.pages import pictures
    from textrec.reading import sheets
    from textrec.reading.recognizer import Recognizer, boxed_finder

    warnings.simplefilter("ignore")  # Pillow's, of odd metadata
    logging.disable()
    torch.set_num_threads(1)
    pictures.MOST_PIXELS = LEFT
    LINE.resize((200, 100)).save(folder / "scan.png")  # whose size the XML has
    files = list(examples().items())
    lines = line_recognizer(max_width=4000, max_height=2000)
    for number in itertools.count(seed):
        random = np.random.default_rng(number)
        name, content = files[number % len(files)]
        path = folder / name
        path.write_bytes(damage(content, random))
        print(json.dumps({"seed": number, "name": name}), flush=True)
        if path.suffix == ".ckpt":
            try:
                Recognizer.load(path)
                told = []
            except TextrecError as error:
                told = [str(error)]
        else:
            sheet = sheets.open_sheet(str(path), None, lines, boxed_finder(), None)
            cli._read(lines, [sheet], batch_size=2, greedy=True)
            if sheet.xml:
                target = folder / "out" / path.name
                with sheets.writing(target, of=path.name):
                    sheets.write_xml(sheet, target, least=0.0, only_empty=False, keep=False)
            problems = [line.problem for line in sheet.reading.lines] if sheet.reading else []
            told = [problem for problem in (sheet.error, *problems) if problem]
        if any("\n" in line or "Traceback" in line or "not foreseen" in line for line in told):
            raise ValueError(told)
        print(json.dumps({"told": len(told)}), flush=True)


def main() -> None:
    """Read damaged files for so many minutes; end with 1 where one was not answered by a line."""
    end = time.monotonic() + 60 * float(sys.argv[1] if len(sys.argv) > 1 else 10)
    seed, counts, failures = 0, Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            command = [sys.executable, __file__, "--child", folder, str(seed)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            begun: dict[str, object] = {}
            for line in process.stdout:
                record = json.loads(line)
                if "seed" in record:
                    begun, seed = record, record["seed"] + 1
                else:
                    kind = str(begun["name"]).rpartition(".")[2]
                    counts[kind, "told" if record["told"] else "read"] += 1
                    begun = {}
                if time.monotonic() > end and not begun:
                    break
            stopped = time.monotonic() > end and not begun
            process.kill()
            _, err = process.communicate()
            if not stopped:
                failures.append((begun, process.returncode, err))
                print(f"FAILED at {begun}: exit code {process.returncode}\n{err}", flush=True)
    for (kind, answer), count in sorted(counts.items()):
        print(f"{kind:6} {answer} {count}")
    print(f"{counts.total()} files, {len(failures)} not answered by a line")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    child(Path(sys.argv[2]), int(sys.argv[3])) if sys.argv[1:2] == ["--child"] else main()
