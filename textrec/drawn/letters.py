"""The embedded sample's transcribed pages: letters by the people of `pen`, with the PAGE XML that transcribers export.

Lines have an outline and a baseline or, as some programs leave it, a baseline alone; their truth has the typographic
quotes of print.
"""

import itertools
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from textrec.base.runtime import atomic, parallel_map
from textrec.base.zips import zip_info
from textrec.drawn.handwriting import photographed
from textrec.drawn.pen import Ink, stamp, writer
from textrec.drawn.prose import broken_into_lines, sentences

PAGES = {"train": 14, "val": 3, "test": 4}  # one by each writer, none of whom writes anything else of the sample
LINES = 8  # on a page
WIDTH, PITCH, TOP, LEFT = 2300, 165, 220, 160  # pixels, drawn at 300 dpi and stored at half of that
HEIGHT = TOP + PITCH * (LINES + 1)
NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"


class Letter(NamedTuple):
    """A page before it is drawn."""

    id: str
    split: str
    writer: int


def write_letters(path: Path, *, seed: int) -> None:
    """Write a zip with `letters/SPLIT/DOCUMENT/page.jpg` and `page.xml`; same seed, same bytes."""
    splits = itertools.chain.from_iterable([split] * count for split, count in PAGES.items())
    letters = [Letter(f"letter-{index:02d}", split, index) for index, split in enumerate(splits)]
    drawn = parallel_map(
        partial(_draw, seed=seed), letters, total=len(letters), description="writing letters", unit="page"
    )
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for letter, (jpeg, xml) in zip(letters, drawn, strict=True):
            for name, content in (("page.jpg", jpeg), ("page.xml", xml)):
                archive.writestr(zip_info(f"letters/{letter.split}/{letter.id}/{name}"), content)


def _draw(letter: Letter, *, seed: int) -> tuple[bytes, bytes]:
    """The page's half-size grey JPEG and its XML."""
    hand = writer(letter.writer, seed=seed + 3_000_000)
    rng = np.random.Generator(np.random.PCG64((seed, 6, letter.writer)))
    text = " ".join(itertools.islice(sentences(letter.split, rng), LINES))
    lines = broken_into_lines(text, hand.line_length)[:LINES]
    paper = np.zeros((HEIGHT, WIDTH), np.uint8)
    places = []
    for number, line in enumerate(lines):
        ink, x, y = hand.write(line, rng), LEFT + rng.normal(0, 15), TOP + PITCH * number + rng.normal(0, 6)
        stamp(paper, ink, x=x, y=y)
        places.append(_place(ink, hand.slope, x, y))
    return photographed(paper, hand, rng), _xml(lines, places, baselines_alone=letter.writer % 5 == 3)


def _place(ink: Ink, slope: float, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
    """Outline and baseline of a line in pixels of the stored image, int (n, 2)."""
    (left, top), (right, bottom) = ink.points.min(axis=0), ink.points.max(axis=0)
    ends = np.array([left - 12, right + 12])
    baseline = np.stack([ends + x, slope * ends + y], axis=1)
    above, below = np.array([0, top - 14]), np.array([0, min(bottom + 14, 0.4 * PITCH)])
    outline = np.concatenate([np.add(baseline, above), np.add(baseline, below)[::-1]])
    return _stored(outline), _stored(baseline)


def _stored(points: np.ndarray) -> np.ndarray:
    return np.rint(points / 2).clip(0, (WIDTH // 2 - 1, HEIGHT // 2 - 1)).astype(int)


def _xml(lines: list[str], places: list[tuple[np.ndarray, np.ndarray]], *, baselines_alone: bool) -> bytes:
    root = ElementTree.Element("PcGts", {"xmlns": NAMESPACE})
    width, height = WIDTH // 2, HEIGHT // 2
    size = {"imageWidth": str(width), "imageHeight": str(height)}
    page = ElementTree.SubElement(root, "Page", {"imageFilename": "page.jpg", **size})
    region = ElementTree.SubElement(page, "TextRegion", id="r1")
    ElementTree.SubElement(region, "Coords", points=f"0,0 {width},0 {width},{height} 0,{height}")
    for number, (text, (outline, baseline)) in enumerate(zip(lines, places, strict=True), start=1):
        line = ElementTree.SubElement(region, "TextLine", id=f"l{number}")
        if not baselines_alone:
            ElementTree.SubElement(line, "Coords", points=_points(outline))
        ElementTree.SubElement(line, "Baseline", points=_points(baseline))
        equiv = ElementTree.SubElement(line, "TextEquiv")
        ElementTree.SubElement(equiv, "Unicode").text = _typographic(text)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _points(points: np.ndarray) -> str:
    return " ".join(f"{x},{y}" for x, y in points.tolist())


def _typographic(text: str) -> str:
    return re.sub(r'"(?=\w)', "\u201c", text).replace('"', "\u201d").replace("'", "\u2019")
