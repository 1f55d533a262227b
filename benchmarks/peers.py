"""The same lines read by this project's model and by what people install instead: one run, one table.

Usage: python benchmarks/peers.py MODEL FILE[:LANGUAGE] ... [--python PYTHON] [--learned FILE [--minutes MINUTES]]

The test lines of each sample file FILE are written as pictures, black ink on white, which every reader is given:

    textrec greedy, textrec joint   `Recognizer.read_crops` of the checkpoint MODEL greedily, and by the search
    rapidocr    recognition alone, by the model that the package brings; no detector, so no resizing for one
    tesseract   --psm 7, with its model of LANGUAGE (eng; fra ...)
    kraken      what `ketos train`, all else by default, makes in MINUTES (25) of all cores of the training lines of the
                file --learned, which are to be those of MODEL; each is seen once an epoch, whatever its share

A peer that is not installed is skipped, and a line says why: rapidocr is looked for in the interpreter PYTHON, kraken
beside it, so that they can have an environment of their own (pip install rapidocr onnxruntime kraken).
textrec reads batches of 32 lines, one on each core; the others one line at a time, in a process of one thread on each
core. Of the seconds those for a line a core are taken off, in which next to all is beginning. What was read is
normalised as the truth is, by charset.normalize; `plain_cer` is without accents on either side.
"""

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import ROOT, save
from PIL import Image

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.records import Prediction
from textrec.base.runtime import usable_cores
from textrec.datasets.samples import Split, read_split
from textrec.reading.recognizer import Recognizer
from textrec.reports.metrics import EvaluateParams, measure

SPLIT = "test"
CHECKS = 200  # val lines that kraken validates on
EVERY = 1000  # lines that kraken learns from between two validations; what it learns after the last is lost
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}
RAPIDOCR = """
import json, sys, rapidocr, rapidocr._version
changes = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.use_preprocess_img": False}
engine = rapidocr.RapidOCR(params=changes | {"Global.log_level": "error"})
texts = ["".join(engine(path, use_det=False, use_cls=False).txts or ()) for path in sys.argv[1:]]
rec = engine.cfg.Rec
model = f"{rapidocr.__path__[0]}/models/{rec.ocr_version.value}_rec_{rec.model_type.value}.onnx"
print(json.dumps([texts, rapidocr._version.__version__, model]))
"""


class Reader(NamedTuple):
    """A way to read: from paths of pictures and a language to texts; its version, and its model of a language."""

    read: Callable[[list[str], str], list[str]]
    version: str
    model: Callable[[str], Path]


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--learned")
    parser.add_argument("--minutes", type=float, default=25.0)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        found = readers(given, Path(scratch))
        for file, _, language in (argument.partition(":") for argument in given.files):
            split, name = read_split(file, SPLIT), Path(file).stem
            pictures = draw(split, range(len(split)), Path(scratch) / name)
            for reader in found:
                row = {"lines": name, "reader": reader, "version": found[reader].version}
                rows.append(row | figures(found[reader], split, pictures, language or "eng"))
                print(described(rows[-1]), flush=True)
    save("peers", {"learned": given.learned and Path(given.learned).stem, "minutes": given.minutes, "rows": rows})


def readers(given: argparse.Namespace, scratch: Path) -> dict[str, Reader]:
    """Ours, and the peers that are installed."""
    recognizer = Recognizer.load(given.model)

    def read(greedy: bool, pictures: list[str], _language: str) -> list[str]:
        crops = [255 - np.asarray(Image.open(path)) for path in pictures]
        return [reading.text for reading in recognizer.read_crops(crops, batch_size=32, greedy=greedy)]

    ours = {"greedy": True, "joint": False}
    found = {
        f"textrec {name}": Reader(partial(read, how), "", lambda _: Path(given.model)) for name, how in ours.items()
    }
    for make in (rapidocr, tesseract, kraken):
        try:
            found[make.__name__] = make(given, scratch)
        except OSError as error:
            print(f"{make.__name__}: skipped, {error}", flush=True)
    return found


def rapidocr(given: argparse.Namespace, scratch: Path) -> Reader:
    """By the script RAPIDOCR."""
    blank = scratch / "blank.png"
    Image.new("L", (99, 48), 255).save(blank)
    _, version, model = json.loads(run(given.python, "-c", RAPIDOCR, str(blank)))

    def read(part: list[str], _language: str) -> list[str]:
        return json.loads(run(given.python, "-c", RAPIDOCR, *part))[0]

    return Reader(side_by_side(read), f"{version}, {Path(model).stem}", lambda _: Path(model))


def tesseract(_given: argparse.Namespace, _scratch: Path) -> Reader:
    """By the command, which takes a list of pictures and puts a form feed between what it reads in them."""
    version, known = run("tesseract", "--version").split()[1], run("tesseract", "--list-langs")

    def read(part: list[str], language: str) -> list[str]:
        listed = Path(part[0]).with_suffix(".list")
        listed.write_text("\n".join(part))
        return run("tesseract", str(listed), "-", "--psm", "7", "-l", language).split("\f")

    return Reader(side_by_side(read), version, lambda language: Path(known.split('"')[1]) / f"{language}.traineddata")


def kraken(given: argparse.Namespace, scratch: Path) -> Reader:
    """By the command, which writes a text for each picture, once its model is trained."""
    commands = Path(given.python).absolute().parent
    version = run(str(commands / "kraken"), "--version").split()[-1]
    if not given.learned:
        raise OSError("--learned is not given")
    weights = learn(str(commands / "ketos"), given.learned, given.minutes, scratch)

    def read(part: list[str], _language: str) -> list[str]:
        pairs = [word for path in part for word in ("-i", path, f"{path}.txt")]
        options = ["--no-segmentation", "--num-line-workers", "0", "-m", str(weights)]
        run(str(commands / "kraken"), "-d", "cpu", *pairs, "ocr", *options)
        return [Path(f"{path}.txt").read_text(encoding="utf-8") for path in part]

    return Reader(side_by_side(read), version, lambda _: weights)


def learn(ketos: str, learned: str, minutes: float, scratch: Path) -> Path:
    """Train for so many minutes; the weights of the best validation."""
    train, val = read_split(learned, "train"), read_split(learned, "val")
    checks = np.linspace(0, len(val) - 1, min(CHECKS, len(val))).astype(int).tolist()
    for name, split, indices in (("train", train, range(len(train))), ("val", val, checks)):
        (scratch / f"{name}.list").write_text("\n".join(draw(split, indices, scratch / name)))
    command = [ketos, "-d", "cpu", "--threads", str(usable_cores()), "--workers", "0", "train", "-f", "path"]
    command += ["-q", "fixed", "-N", "99999", "-F", str(min(1.0, EVERY / len(train))), "-o", str(scratch / "kraken")]
    command += ["-t", str(scratch / "train.list"), "-e", str(scratch / "val.list")]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, timeout=60 * minutes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    found, weights = list((scratch / "kraken").glob("checkpoint_*-*.ckpt")), scratch / "kraken.safetensors"
    if not found:
        raise OSError(f"no validation in {minutes} minutes of training")
    best = max(found, key=lambda path: path.stem.split("-")[1:])
    print(f"kraken: of {len(found)} checkpoints {best.name}", flush=True)
    run(ketos, "convert", "-o", str(weights), str(best))
    return weights


def draw(split: Split, indices: Iterable[int], folder: Path) -> list[str]:
    """Write lines as pictures, each with its text beside it, as kraken has it; their paths."""
    folder.mkdir()
    paths = {index: folder / f"{index:06}.png" for index in indices}
    for index, path in paths.items():
        Image.fromarray(255 - split.image(index)).save(path)
        path.with_suffix(".gt.txt").write_text(split.text[index], encoding="utf-8")
    return list(map(str, paths.values()))


def figures(reader: Reader, split: Split, pictures: list[str], language: str) -> dict[str, Any]:
    """Error rates of a reader, its speed, and the size of its model."""
    cores, start = usable_cores(), time.perf_counter()
    reader.read(pictures[:cores], language)
    begun = time.perf_counter()
    texts = reader.read(pictures, language)
    seconds = (time.perf_counter() - begun) - (begun - start)
    charset = load("charset", CharsetParams, ROOT / "params.yaml")
    read = [charset.normalized(text) for text in texts]
    return {
        **rates(split, split.text, read),
        "plain_cer": rates(split, list(map(plain, split.text)), list(map(plain, read)))["cer"],
        "lines_per_second": (len(pictures) - cores) / seconds,
        "model_mb": reader.model(language).stat().st_size / 1e6,
    }


def rates(split: Split, truths: list[str], texts: list[str]) -> dict[str, Any]:
    """CER and WER with their intervals, as `metrics.measure` has them."""
    rows = zip(split.id, split.writer, truths, texts, strict=True)
    found = [Prediction(name, writer, True, truth, text, 1.0, [], {}) for name, writer, truth, text in rows]
    return measure(found, load("evaluate", EvaluateParams, ROOT / "params.yaml"))


def plain(text: str) -> str:
    """Without accents."""
    return "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))


def described(row: dict[str, Any]) -> str:
    """One line to print."""
    errors = "  ".join(f"{name} {row[name]:6.1%}" for name in ("cer", "plain_cer", "wer"))
    rest = f"{row['lines_per_second']:6.1f} lines/s  {row['model_mb']:5.1f} MB  {row['version']}"
    return f"{row['lines']:14} {row['reader']:15} {errors}  {rest}"


def side_by_side(read: Callable[[list[str], str], list[str]]) -> Callable[[list[str], str], list[str]]:
    """The same in parts, one on each core."""

    def in_parts(pictures: list[str], language: str) -> list[str]:
        size = math.ceil(len(pictures) / usable_cores())
        parts = [pictures[start : start + size] for start in range(0, len(pictures), size)]
        with ThreadPoolExecutor(len(parts)) as pool:
            return [text for texts in pool.map(lambda part: read(part, language), parts) for text in texts]

    return in_parts


def run(*command: str) -> str:
    """What a command prints, on one thread; OSError, with the last line that it says, where it fails."""
    process = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, check=False)
    if process.returncode:
        raise OSError(f"{Path(command[0]).name}: {(process.stderr.strip().splitlines() or ['it failed'])[-1]}")
    return process.stdout


if __name__ == "__main__":
    main()
