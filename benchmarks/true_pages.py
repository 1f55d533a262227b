"""Test pages with the truth of their lines, as they are and as people hand them in; other benchmarks read them."""

import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ablation import prepare, run
from box import LATIN
from learn_from import CORPORA
from PIL import Image
from scipy import ndimage

from textrec.archives.raw import read_form_image
from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.records import read_forms
from textrec.datasets.ground_truth import ImportPages, find_pages, unpacked
from textrec.datasets.layouts import handwriting
from textrec.datasets.truth_report import Report
from textrec.pages.page_alto import page_pixels, read_page

SKEW = 10.0  # degrees, one way or the other
TILT, AROUND = 0.06, 0.04  # of a page's size: how far a camera moves its corners at most, and how much else it shows
LAMP, SHADE, SOFT = 0.3, 0.4, 0.02  # light that the far end lacks, and a shadow; how wide its edge is, of the picture
BLUR, NOISE = 0.7, 4.0  # pixels; of 255


class TrueLine(NamedTuple):
    """Outline and baseline of a line, float64 (N, 2), in pixels, and its text; "": nobody has transcribed it."""

    outline: np.ndarray
    baseline: np.ndarray | None
    text: str


class TruePage(NamedTuple):
    """A page, mode L, and its lines, as the truth orders them."""

    name: str
    image: Image.Image
    lines: list[TrueLine]


# ---- where they come from ----


def pages_of(source: Path, scratch: Path, most: int | None = None) -> Iterator[tuple[str, TruePage]]:
    """(corpus, page): the test forms of IAM, below their print, and the test pages of CORPORA; or `most` of each.

    Texts are normalised, as those of lines are, but none is left out for its characters, its ink or its width, as it is
    from what is learned. Lines without an outline would be left out; of these pages all have one. `source` holds the
    archives; what is made of them stays in `scratch`.
    """
    folder = scratch / "pages"
    if not (folder / "data/interim/iam.jsonl").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "textrec").exists():
            prepare(folder)
        changes = {"data.path": str(source), "data.ground_truth": CORPORA, "parse_iam.on_bad_line": "skip"}
        run(folder, LATIN | changes | {"import_pages.on_bad_input": "skip"}, "download", "parse_iam")
    yield from (("iam", page) for page in islice(_forms(folder), most))
    yield from _transcribed(folder, most)


def _forms(folder: Path) -> Iterator[TruePage]:
    for form in read_forms(folder / "data/interim/iam.jsonl"):
        if form.split == "test":
            image, places = handwriting(form, read_form_image(folder / "data/raw/iamdb.zip", form.id))
            lines = zip(places, form.lines, strict=True)
            # Baselines by the feet of words are too rough: by them lines are read worse than by their outlines alone.
            yield TruePage(form.id, image, [TrueLine(outline, None, line.text) for (outline, _), line in lines])


def _transcribed(folder: Path, most: int | None) -> Iterator[tuple[str, TruePage]]:
    file = folder / "params.yaml"
    params, truth = load("import_pages", ImportPages, file), load("charset", CharsetParams, file)
    with unpacked(folder / "data/raw/ground_truth.zip") as root:
        found = find_pages(root, params, Report())
        pages = [page for page, lines in found if page.split == "test" and any(line.text for line in lines)]
        for corpus in dict.fromkeys(page.corpus for page in pages):
            for page in islice((page for page in pages if page.corpus == corpus), most):
                xml = read_page(root / page.path)
                lines = [
                    TrueLine(line.polygon, line.baseline, truth.normalized(line.text or ""))
                    for line in xml.lines
                    if not line.problem
                ]
                name = page.path.removesuffix(".xml").replace("/", " ")
                yield corpus, TruePage(name, Image.fromarray(page_pixels(xml)), lines)


# ---- what becomes of them ----


def varied(page: TruePage, name: str) -> TruePage:
    """One of VARIANTS of a page, always the same, with its lines moved along."""
    return VARIANTS[name](page, np.random.default_rng(zlib.crc32(page.name.encode())))


def _skewed(page: TruePage, random: np.random.Generator) -> TruePage:
    return _moved(page, _turn(SKEW * random.choice([-1, 1])), border=int(np.median(np.asarray(page.image))))


def _quarters(count: int) -> Callable[[TruePage, np.random.Generator], TruePage]:
    return lambda page, _: _moved(page, _turn(90 * count))


def _photo(page: TruePage, random: np.random.Generator) -> TruePage:
    """On a dark table, from an oblique angle, under a lamp, in the shadow of who takes it."""
    corners = _corners(page.image.size)
    shifts = random.uniform(-TILT, TILT, (4, 2)) * page.image.size
    page = _moved(page, _through(corners, corners + shifts), border=int(random.uniform(40, 110)), around=AROUND)
    width, height = page.image.size
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(width, height)
    light = np.ones((height, width), np.float32)
    for dark, edge in ((LAMP, 1.0), (SHADE, SOFT)):
        angle = random.uniform(0, 2 * np.pi)
        across = (x - x.mean()) * np.cos(angle) + (y - y.mean()) * np.sin(angle)
        light *= 1 - dark / (1 + np.exp(-across / edge * 4))
    pixels = ndimage.gaussian_filter(np.asarray(page.image) * light, BLUR)
    pixels = pixels + random.normal(0, NOISE, pixels.shape)
    return page._replace(image=Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8)))


VARIANTS: dict[str, Callable[[TruePage, np.random.Generator], TruePage]] = {
    "upright": lambda page, _: page,
    "skewed": _skewed,
    **{f"turned {90 * count}": _quarters(count) for count in (1, 2, 3)},
    "photo": _photo,
}


def _corners(size: tuple[int, int]) -> np.ndarray:
    return np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * np.array(size, float)


def _turn(degrees: float) -> np.ndarray:
    """The map that turns clockwise by so much."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([(cos, -sin, 0), (sin, cos, 0), (0, 0, 1)])


def _through(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The projective map that brings four points, float64 (4, 2), to four others."""
    rows = [
        row
        for (x, y), (u, v) in zip(points.tolist(), others.tolist(), strict=True)
        for row in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))
    ]
    return np.append(np.linalg.solve(rows, others.ravel()), 1).reshape(3, 3)


def _moved(page: TruePage, there: np.ndarray, *, border: int = 255, around: float = 0.0) -> TruePage:
    """A page by a projective map, in a picture that holds all of it, with so much of its size in grey around it."""
    corners = _projected(there, _corners(page.image.size))
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = around * (high - low)
    width, height = np.ceil(high - low + 2 * margin - 1e-6).astype(int).tolist()
    there = np.array([(1, 0, margin[0] - low[0]), (0, 1, margin[1] - low[1]), (0, 0, 1)]) @ there
    back = np.linalg.inv(there)
    coefficients = (back / back[2, 2]).ravel()[:8].tolist()
    method, resampling = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    image = page.image.transform((width, height), method, coefficients, resampling, fillcolor=border)
    lines = [
        line._replace(
            outline=_projected(there, line.outline),
            baseline=None if line.baseline is None else _projected(there, line.baseline),
        )
        for line in page.lines
    ]
    return page._replace(image=image, lines=lines)


def _projected(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y, depth = matrix @ np.column_stack([points, np.ones(len(points))]).T
    return np.column_stack([x / depth, y / depth])
