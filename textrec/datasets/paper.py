"""Written lines on paper: what else is on it, the margins that crops have, and how scans and photographs look."""

import io
import math
from typing import Annotated, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field

from textrec.base.params import Params
from textrec.pages.cutting import Bounds, resample, rows_of_line

Share = Annotated[float, Field(ge=0, le=1)]

# Margins before and behind the ink in shares of its height, as in the crops of 4,755 training lines of IAM.
MARGIN, MARGIN_SPREAD = 0.14, 0.05
WIDEST = 0.4
LARGER = 0.05  # standard deviation of the size of a line's letters, which is about the same everywhere
CUT = 0.1  # of the ink's height, at most, that a tight crop cuts off tails
STROKE = 96  # ink of that much and more counts as such
BEST_QUALITY = 75  # of JPEG: better ones leave no marks


class Writing(NamedTuple):
    """A line as written: `ink` uint8 (height, width), 255 where there is most; x-ranges [start, end) of its `words`.

    It stands on the row `base`, about three times as large as in a crop.
    """

    ink: np.ndarray
    words: list[tuple[int, int]]
    base: int


class PaperParams(Params):
    """How many lines have what, as shares of all; then how much of it there is."""

    neighbours: Share
    """Bits of the lines above and below."""
    cut: Share
    """Lines cut tight above, and as many below: through tails."""
    rules: Share
    """Ruled or squared paper, pale: reading takes such rules out, but for a few."""
    underlines: Share
    """Words that are underlined."""
    strokes: Share
    """Words with a stroke through them that stay legible."""
    bleed: Share
    """The other side of the sheet."""
    grey: Share
    """Paper that is not white throughout."""
    darkest: Annotated[float, Field(ge=0, le=0.7)]
    """How much of white such paper lacks, at most."""
    texture: Share
    """How uneven paper and ink are, at most."""
    faintest: Share
    """Darkness of ink, at least."""
    blur: Share
    """Of each pixel that is the mean of its neighbours, at most."""
    jpeg: Share
    """JPEG marks."""
    jpeg_quality: Annotated[int, Field(ge=1, le=BEST_QUALITY)]
    """At least."""


def crop(
    writing: Writing, params: PaperParams, *, height: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """A crop of a written line: uint8 (height, width), white ink on black; and the x-ranges of its words in it."""
    writing, size, bounds = _bounded(writing, params, rng)
    left, top, _, bottom = bounds
    ink = _written_over(writing, size, params, rng)
    cover = _reduced(ink, bounds, height)
    shape = height, cover.shape[1]
    scale = height / (bottom - top)
    paper = _paper(shape, params, rng)
    if rng.random() < params.rules:
        paper = np.maximum(paper, _rules(shape, (writing.base - top) * scale, rng))
    if rng.random() < params.bleed:
        paper = np.maximum(paper, _reduced(_other_side(ink, rng), bounds, height) * rng.uniform(0.03, 0.15))
    dark = cover * rng.uniform(params.faintest, 1) * (1 - params.texture * rng.random() * _uneven(shape, rng))
    pixels = _blurred(paper + (1 - paper) * dark, params.blur * rng.random())
    places = [(round((start - left) * scale), round((end - left) * scale)) for start, end in writing.words]
    words = tuple((max(0, min(start, shape[1] - 1)), max(1, min(end, shape[1]))) for start, end in places)
    return (255 * pixels).astype(np.uint8), words


def _bounded(writing: Writing, params: PaperParams, rng: np.random.Generator) -> tuple[Writing, int, Bounds]:
    """A line on a canvas with room around it, the height of its ink, and the bounds of its crop."""
    rows = np.flatnonzero(writing.ink.max(axis=1) > STROKE)
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, len(writing.ink))
    size = bottom - top
    left, right = np.clip(rng.normal(MARGIN, MARGIN_SPREAD, 2), 0, WIDEST) * size
    room = int(WIDEST * size) + 1
    ink = np.pad(writing.ink[top:bottom], room)
    upper, lower = rows_of_line(ink.sum(axis=1, dtype=float))
    middle, reach = (upper + lower) / 2, (lower - upper) / 2 * math.exp(rng.normal(0, LARGER))
    if rng.random() < params.cut:
        ink[: room + int(rng.uniform(0, CUT) * size)] = 0
    if rng.random() < params.cut:
        ink[room + size - int(rng.uniform(0, CUT) * size) :] = 0
    words = [(start + room, end + room) for start, end in writing.words]
    first, last = min(start for start, _ in words), max(end for _, end in words)
    bounds = (first - left, middle - reach, last + right, middle + reach)
    return Writing(ink, words, writing.base - top + room), size, bounds


def _reduced(ink: np.ndarray, bounds: Bounds, height: int) -> np.ndarray:
    """What is within the bounds, float32 (height, width) in [0, 1]."""
    return resample(Image.fromarray(255 - ink), bounds, height).astype(np.float32) / 255


# ---- ink ----


def _written_over(writing: Writing, size: int, params: PaperParams, rng: np.random.Generator) -> np.ndarray:
    """The ink with that of other lines, and what is drawn under and through words."""
    ink, words = writing.ink, writing.words
    if rng.random() < params.neighbours:
        ink = _reach_in(ink, words, size, rng)
    ink = _struck(ink, words, writing.base, size, params, rng)
    if rng.random() < params.jpeg:
        ink = _jpeg(ink, int(rng.integers(params.jpeg_quality, BEST_QUALITY + 1)))
    return ink


def _reach_in(ink: np.ndarray, words: list[tuple[int, int]], size: int, rng: np.random.Generator) -> np.ndarray:
    """With words of the line once more, in another order, above it, below it, or both, so far off that few show."""
    own, ink = ink, ink.copy()
    gap = np.zeros((len(ink), size // 2), np.uint8)
    for above in ((True,), (False,), (True, False))[rng.integers(3)]:
        order = [words[index] for index in rng.permutation(len(words))]
        line = np.concatenate([part for start, end in order for part in (own[:, start:end], gap)], axis=1)
        line = np.roll(line, int(rng.integers(line.shape[1])), axis=1)[:, : ink.shape[1]]
        away = round(size * rng.uniform(0.8, 1.15))
        source, target = (line[away:], ink[:-away]) if above else (line[:-away], ink[away:])
        target = target[:, : line.shape[1]]
        np.maximum(target, source, out=target)
    return ink


def _struck(
    ink: np.ndarray, words: list[tuple[int, int]], base: int, size: int, params: PaperParams, rng: np.random.Generator
) -> np.ndarray:
    """With lines under words and through words."""
    image = Image.fromarray(ink)
    for share, up in ((params.underlines, -0.12), (params.strokes, 0.2)):
        for index in np.flatnonzero(rng.random(len(words)) < share):
            start, end = words[index]
            left, middle, right = base - size * (up + rng.normal(0, 0.03, 3))
            line = [(start, left), ((start + end) / 2, (left + middle + right) / 3), (end, right)]
            ImageDraw.Draw(image).line(line, fill=255, width=int(rng.integers(3, 8)), joint="curve")
    return np.asarray(image)


def _other_side(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The ink mirrored and moved."""
    return np.roll(ink[:, ::-1], (int(rng.integers(-20, 21)), int(rng.integers(ink.shape[1]))), (0, 1))


def _jpeg(ink: np.ndarray, quality: int) -> np.ndarray:
    """As it comes out of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(255 - ink).save(file, "JPEG", quality=quality)
    return 255 - np.asarray(Image.open(file))


# ---- paper ----


def _paper(shape: tuple[int, int], params: PaperParams, rng: np.random.Generator) -> np.ndarray:
    """How dark paper is, float32 (height, width) in [0, 1]."""
    if rng.random() >= params.grey:
        return np.zeros(shape, np.float32)
    height, width = shape
    level = params.darkest * rng.random() ** 2  # most is pale
    fine = rng.standard_normal(shape, np.float32)
    coarse = _smooth(rng.standard_normal((1 + height // 2, 1 + width // 2), np.float32), shape)
    grain = params.texture * rng.random() ** 2 * 0.06 * (fine + 1.5 * coarse)
    return np.clip(level * (1 - params.texture * _uneven(shape, rng)) + grain, 0, 1)


def _uneven(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Smooth random numbers in [0, 1], float32 (height, width)."""
    return _smooth(rng.random((3, 2 + shape[1] // 20), np.float32), shape)


def _smooth(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Points, float32 in rows and columns, and what lies between them, float32 (height, width)."""
    height, width = shape
    return np.asarray(Image.fromarray(points).resize((width, height), Image.Resampling.BILINEAR))


def _rules(shape: tuple[int, int], base: float, rng: np.random.Generator) -> np.ndarray:
    """Ruled or squared paper, float32 (height, width) in [0, 1]; one of its lines is near the base line."""
    height, width = shape
    squared = rng.random() < 0.5
    distance = height * (rng.uniform(0.4, 0.8) if squared else 1.5)
    base += rng.normal(0, 0.05) * height
    thick = rng.uniform(0.4, 1.0)
    tilt = rng.normal(0, 0.01) * (np.arange(width) - width / 2)
    away = np.arange(height)[:, None] - base - tilt
    pale = np.clip(thick + 0.5 - np.abs(away - distance * np.rint(away / distance)), 0, 1)
    if squared:
        across = np.arange(width) - rng.random() * distance
        pale = np.maximum(pale, np.clip(thick + 0.5 - np.abs(across - distance * np.rint(across / distance)), 0, 1))
    return (pale * rng.uniform(0.05, 0.25)).astype(np.float32)


def _blurred(pixels: np.ndarray, share: float) -> np.ndarray:
    """Each pixel mixed with those around it."""
    around = np.pad(pixels, 1, "edge")
    around = around[:-2] + around[1:-1] + around[2:]
    around = (around[:, :-2] + around[:, 1:-1] + around[:, 2:]) / 9
    return pixels + (around - pixels) * share
