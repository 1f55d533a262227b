"""Where lines and words are in a picture, as files say it: boxes and points of pixels.

A word is where its line's place and the usual widths of characters say.
"""

import itertools
import re
import statistics
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from textrec.reading.page_reading import LineReading, PageReading

# Of the mean lower-case letter: Hershey's script font (package Hershey-Fonts), rounded to halves. Its digits are drawn
# as wide as capitals, which hands do not do.
NARROW, LETTER, WIDE = 0.5, 1.0, 1.5
NARROW_ONES = frozenset("fijlt.,:;!'’‘|·")  # noqa: RUF001 -- the quotation marks of print
WIDE_ONES = frozenset("mw-–—…&%@")  # noqa: RUF001 -- and its dashes
FULL = 2.0  # of a character that Unicode calls wide, as those of Chinese


Box = tuple[int, int, int, int]  # left, top, right and bottom in pixels of a picture, and within it


def pixels(points: np.ndarray, page: PageReading) -> list[tuple[int, int]]:
    """Points rounded to pixels within the picture."""
    within = np.clip(np.rint(points), 0, np.array(page.size) - 1).astype(int)
    return [(x, y) for x, y in within.tolist()]


def box_of(points: np.ndarray, page: PageReading) -> Box:
    """Left, top, right and bottom of the box around points, in pixels within the picture."""
    (left, top), (right, bottom) = pixels(np.stack([points.min(axis=0), points.max(axis=0)]), page)
    return left, top, right, bottom


def box_of_lines(lines: Sequence[LineReading], page: PageReading) -> Box:
    """The same around the outlines of lines."""
    return box_of(np.concatenate([line.outline for line in lines]), page)


class Word(NamedTuple):
    """A word of a line: its text without blanks, and its confidence in [0, 1].

    baseline: float64 (M, 2), the word's part of the line's, in writing direction, M of 2 or more. polygon: float64
    (N, 2), its part of the line's outline.
    """

    text: str
    confidence: float
    baseline: np.ndarray
    polygon: np.ndarray


def find_words(line: LineReading) -> list[Word]:
    """The words of a line as they are written: its text spread along its baseline by the widths of its characters.

    A word is as sure as its characters are on average, or as its line where theirs are not known.
    """
    baseline = _baseline(line)
    ends = [0.0, *itertools.accumulate(map(usual_width, line.text))]
    known = line.characters if len(line.characters) == len(line.text) else (line.confidence,) * len(line.text)
    words = []
    for match in re.finditer(r"\S+", line.text):
        start, end = match.span()
        part = _part(baseline, ends[start] / ends[-1], ends[end] / ends[-1])
        words.append(Word(match[0], statistics.fmean(known[start:end]), part, _between(line.outline, part)))
    return words


def usual_width(character: str) -> float:
    """How wide a character is, in mean lower-case letters."""
    base = unicodedata.normalize("NFD", character)[0]
    if base in NARROW_ONES:
        return NARROW
    if unicodedata.east_asian_width(base) in "WF":
        return FULL
    return WIDE if base in WIDE_ONES or base.isupper() else LETTER


def _baseline(line: LineReading) -> np.ndarray:
    """The line's, or where that has no length the lower edge of the box around it."""
    if len(line.baseline) > 1 and np.ptp(line.baseline, axis=0).max() > 0:
        return line.baseline
    (left, _), (right, bottom) = line.outline.min(axis=0), line.outline.max(axis=0)
    return np.array([(left, bottom), (right, bottom)])


def _part(baseline: np.ndarray, start: float, end: float) -> np.ndarray:
    """The part of a polyline between two shares of its length, in [0, 1]."""
    reached = np.append(0, np.hypot(*np.diff(baseline, axis=0).T).cumsum())
    shares = reached / reached[-1]
    inner = shares[(shares > start) & (shares < end)]
    places = np.concatenate([[start], inner, [end]])
    return np.column_stack([np.interp(places, shares, values) for values in baseline.T])


def _between(outline: np.ndarray, part: np.ndarray) -> np.ndarray:
    """What of an outline lies between the ends of a part of its baseline; all where there is nothing."""
    direction = part[-1] - part[0]
    cut = _beyond(_beyond(outline, part[0], direction), part[-1], -direction)
    return cut if len(cut) > 2 else outline


def _beyond(polygon: np.ndarray, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The part of a polygon in a half-plane, from a point on in a direction (Sutherland and Hodgman)."""
    sides = (polygon - point) @ direction
    kept = []
    for index, (corner, side) in enumerate(zip(polygon, sides, strict=True)):
        before, other = polygon[index - 1], sides[index - 1]
        if (side > 0) != (other > 0):
            kept.append(before + (corner - before) * other / (other - side))
        if side > 0:
            kept.append(corner)
    return np.array(kept).reshape(-1, 2)
