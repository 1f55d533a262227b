"""Whether `textrec read` knows a picture of one line from one of several.

Usage: python benchmarks/kinds.py ARCHIVES SCRATCH [FOLDER]

ARCHIVES and SCRATCH as of pages.py. From each upright test page come pictures as people cut them with a mouse: a box
around a line of the truth, one around two to five that follow each other, and the page itself, if it has several lines.
Each box has some room around it, in which bits of neighbours are. Those that are taken for the other are written into
FOLDER, to look at.
"""

import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from machine import ROOT, save
from PIL import Image
from true_pages import TruePage, pages_of

from textrec.reading.recognizer import Recognizer, boxed_finder

BOXES = 2  # of a line, and of several, of each page
ROOM = 0.25  # of a line's height, at most


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    source, scratch, *folders = (Path(argument).resolve() for argument in sys.argv[1:])
    recognizer, finder = Recognizer.load(ROOT / "models/latin.ckpt"), boxed_finder()
    right: dict[str, Counter[str]] = {}
    for corpus, page in pages_of(source, scratch):
        counts = right.setdefault(corpus, Counter())
        for number, (kind, picture) in enumerate(_pictures(page)):
            _, one = recognizer.look(picture, finder)
            known = (kind == "line") == one
            counts[f"{kind}s"] += 1
            counts[f"{kind}s known"] += known
            if folders and not known:
                folders[0].mkdir(parents=True, exist_ok=True)
                picture.save(folders[0] / f"{corpus}-{page.name}-{number}-{kind}.png")
    for corpus, counts in right.items():
        print(f"{corpus:9} {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}", flush=True)
    save("kinds", right)


def _pictures(page: TruePage) -> Iterator[tuple[str, Image.Image]]:
    rng = np.random.default_rng(zlib.crc32(page.name.encode()))
    lines = [line.outline for line in page.lines]
    for first in rng.permutation(len(lines))[:BOXES]:
        yield "line", _cut(page.image, lines[first : first + 1], rng)
    if len(lines) < 2:
        return
    for first in rng.permutation(len(lines) - 1)[:BOXES]:
        yield "page", _cut(page.image, lines[first : first + int(rng.integers(2, 6))], rng)
    yield "page", page.image


def _cut(image: Image.Image, outlines: list[np.ndarray], rng: np.random.Generator) -> Image.Image:
    points = np.concatenate(outlines)
    room = rng.uniform(0, ROOM, 4) * np.ptp(outlines[0][:, 1])
    (left, top), (right, bottom) = points.min(axis=0) - room[:2], points.max(axis=0) + room[2:]
    return image.crop(
        (max(0, int(left)), max(0, int(top)), min(image.width, int(right)), min(image.height, int(bottom)))
    )


if __name__ == "__main__":
    main()
