"""Whole pages by what people install instead: the pages of pages.py, upright, judged as textrec's are.

Usage: python benchmarks/page_peers.py ARCHIVES SCRATCH [--python PYTHON] [--pages PAGES]

ARCHIVES and SCRATCH as of pages.py; PAGES: so many of each corpus. As in peers.py a peer that is not installed is
skipped, and a line says why; kraken and rapidocr are looked for beside, and in, the interpreter PYTHON:

    kraken      finds lines alone: `segment -bl`, by the model that the package brings
    rapidocr    finds and reads, all by default; each of its boxes is a line, in its order
    tesseract   the same, with its model of English or French; of its lines the words' boxes are united

kraken imports torchvision, whose wheels for processors alone are not everywhere. That of PyPI asks for operators that a
torch without GPU lacks; a file torchvision_cpu.pth in the site-packages of PYTHON keeps it from that, of one line:

    import sys, types; sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")

Seconds are of one core for a page, without what beginning takes: that of the first page for each core is taken off.
"""  # noqa: E501 -- a line of a .pth file cannot be broken

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from judging import FoundLine, described, figures, judged
from machine import ROOT, save
from peers import run, side_by_side
from true_pages import TruePage, pages_of

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.runtime import usable_cores

ENGLISH = ("iam", "stanford")  # the other corpora are French
RAPIDOCR = """
import json, sys, rapidocr, rapidocr._version
changes = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error"}
engine = rapidocr.RapidOCR(params=changes)
pages = []
for path in sys.argv[1:]:
    found = engine(path)
    boxes = [] if found.boxes is None else found.boxes.tolist()
    pages.append(list(zip(boxes, found.txts or ())))
print(json.dumps([pages, rapidocr._version.__version__]))
"""


class Peer(NamedTuple):
    """A way to find lines, and to read them where `reads`: of paths of pictures and a language the lines of each."""

    find: Callable[[list[str], str], list[list[FoundLine]]]
    version: str
    reads: bool = True


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pages", type=int)
    given = parser.parse_args()
    peers = installed(given.python)
    pages: defaultdict[str, list[TruePage]] = defaultdict(list)
    for corpus, page in pages_of(given.source.resolve(), given.scratch.resolve(), given.pages):
        pages[corpus].append(page)
    rows: list[dict[str, Any]] = []
    for corpus, some in pages.items():
        with tempfile.TemporaryDirectory() as folder:
            pictures = [f"{folder}/{number:04}.png" for number in range(len(some))]
            for page, picture in zip(some, pictures, strict=True):
                page.image.save(picture)
            for name, peer in peers.items():
                rows.append(
                    {"corpus": corpus, "peer": name, "version": peer.version, **measured(peer, corpus, some, pictures)}
                )
                seconds = rows[-1]["core_seconds"]
                told = f"{seconds:.1f} s on one core" if seconds else ""
                print(f"{corpus:9} {name:10} {described(rows[-1])}  {told}", flush=True)
    save("page_peers", rows)


def measured(peer: Peer, corpus: str, pages: list[TruePage], pictures: list[str]) -> dict[str, Any]:
    """Figures of a peer on the pages of a corpus."""
    language, cores = "eng" if corpus in ENGLISH else "fra", usable_cores()
    start = time.perf_counter()
    peer.find(pictures[:cores], language)
    begun = time.perf_counter()
    found = peer.find(pictures, language)
    seconds = (time.perf_counter() - begun) - (begun - start)
    truth = load("charset", CharsetParams, ROOT / "params.yaml")
    read = [[line._replace(text=truth.normalized(line.text)) for line in lines] for lines in found]
    row = figures([judged(page, lines) for page, lines in zip(pages, read, strict=True)])
    row["core_seconds"] = seconds * cores / (len(pages) - cores) if len(pages) > cores else None
    texts = ("cer", "cer_low", "cer_high", "any_order", "there")
    return row if peer.reads else {name: value for name, value in row.items() if name not in texts}


# ---- the peers ----


def installed(python: str) -> dict[str, Peer]:
    """Those of the peers that there are."""
    found = {}
    for make in (kraken, rapidocr, tesseract):
        try:
            found[make.__name__] = make(python)
        except OSError as error:
            print(f"{make.__name__}: skipped, {error}", flush=True)
    return found


def kraken(python: str) -> Peer:
    """By the command, which writes a file of JSON for each picture."""
    command = str(Path(python).absolute().parent / "kraken")
    version = run(command, "--version").split()[-1]

    def find(part: list[str], _language: str) -> list[list[FoundLine]]:
        pairs = [word for path in part for word in ("-i", path, f"{path}.json")]
        run(command, "-d", "cpu", *pairs, "segment", "-bl")
        pages = [json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))["lines"] for path in part]
        return [
            [FoundLine(np.array(line["boundary"], float), "") for line in lines if line["boundary"]] for lines in pages
        ]

    return Peer(side_by_side(find), version, reads=False)


def rapidocr(python: str) -> Peer:
    """By the script RAPIDOCR."""
    _, version = json.loads(run(python, "-c", RAPIDOCR))

    def find(part: list[str], _language: str) -> list[list[FoundLine]]:
        pages, _ = json.loads(run(python, "-c", RAPIDOCR, *part))
        return [[FoundLine(np.array(box), text) for box, text in lines] for lines in pages]

    return Peer(side_by_side(find), version)


def tesseract(_python: str) -> Peer:
    """By the command, which takes a list of pictures and writes a table of the words of all."""
    version = run("tesseract", "--version").split()[1]

    def find(part: list[str], language: str) -> list[list[FoundLine]]:
        listed = Path(part[0]).with_suffix(".list")
        listed.write_text("\n".join(part))
        table = run("tesseract", str(listed), "-", "-l", language, "tsv")
        words = [
            row for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE) if row["text"]
        ]
        pages: list[list[FoundLine]] = [[] for _ in part]
        for place, line in groupby(
            words, lambda row: [int(row[f"{of}_num"]) for of in ("page", "block", "par", "line")]
        ):
            pages[place[0] - 1].append(_united(list(line)))
        return pages

    return Peer(side_by_side(find), version)


def _united(words: list[dict[str, str]]) -> FoundLine:
    left, top, width, height = np.array(
        [[int(word[name]) for name in ("left", "top", "width", "height")] for word in words]
    ).T
    low, high = (left.min(), top.min()), ((left + width).max(), (top + height).max())
    box = np.array([low, (high[0], low[1]), high, (low[0], high[1])], float)
    return FoundLine(box, " ".join(word["text"] for word in words))


if __name__ == "__main__":
    main()
