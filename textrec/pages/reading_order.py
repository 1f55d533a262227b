"""The order in which a person reads the lines of a page, and where one block of them ends."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

FEWEST = 2  # lines of a column
TRIM = 1.2  # heights that a line may reach into the next column, at most a fifth of its length
SHARED = 0.3  # of the lower of two columns that are beside the other
BESIDE = 0.5  # heights from one line's level to another's: they stand side by side
TALL = 2.0  # times as high as lines of columns mostly are: no line of theirs
FAR = 1.8  # times as far as lines mostly are: another block


def reading_order(ribbons: Sequence[np.ndarray]) -> list[list[int]]:
    """Indices of lines, see `pages.ribbons`, in blocks, as they are read.

    Where an empty strip parts lines into columns, notes in a margin among them, the left one is read first; where it
    parts some of them, what is above of those, they, and what is below; else lines are read from above to below (a
    recursive XY cut, Nagy and Seth 1984). A page that is skewed is levelled before.
    """
    if not len(ribbons):
        return []
    lines = levelled(ribbons)
    order = _ordered(np.lexsort((lines[:, 0], lines[:, 2])), lines)
    steps = [lines[b, 2] - lines[a, 2] for a, b in pairwise(order)]
    usual = float(np.median([step for step in steps if step > 0] or [0]))
    blocks = [[order[0]]]
    for (_, index), step in zip(pairwise(order), steps, strict=True):
        if -BESIDE * lines[index, 3] < step <= FAR * usual:
            blocks[-1].append(index)
        else:
            blocks.append([index])
    return blocks


def slope_of(ribbons: Sequence[np.ndarray]) -> float:
    """How many pixels a page's lines, of which there is one at least, go down for a pixel across."""
    spans = np.array([one[-1, :2] - one[0, :2] for one in ribbons])
    return float(np.median(spans[:, 1] / spans[:, 0].clip(1e-9)))


def levelled(ribbons: Sequence[np.ndarray]) -> np.ndarray:
    """Left and right end, level and height of each line, float64 (n, 4), once the page's skew is taken out."""
    slope = slope_of(ribbons)
    return np.array(
        [
            (
                one[0, 0] + slope * one[0, 1],  # across the slope, on which what stands left stays left
                one[-1, 0] + slope * one[-1, 1],
                np.median(one[:, 1] - slope * one[:, 0]),
                np.median(one[:, 2]),
            )
            for one in ribbons
        ]
    )


def _ordered(some: np.ndarray, lines: np.ndarray) -> list[int]:
    """The order of some lines, given by level."""
    if columns := _columns(some, lines):
        return [index for column in columns for index in _ordered(column, lines)]
    if found := _longest(some, lines):
        start, stop = found
        return [index for part in np.split(some, [start, stop]) if len(part) for index in _ordered(part, lines)]
    rows: list[list[int]] = []
    for index in some.tolist():
        height = min(lines[index, 3], lines[rows[-1][0], 3]) if rows else 0
        if rows and lines[index, 2] - lines[rows[-1][0], 2] < BESIDE * height:
            rows[-1].append(index)
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda index: lines[index, 0])]


def _longest(some: np.ndarray, lines: np.ndarray) -> tuple[int, int] | None:
    """Where most lines that are columns begin and end, if some do."""
    left, right, level, height = lines[some].T
    beside = (np.abs(level[:, None] - level) < height) & (right[:, None] < left + TRIM * height)
    if beside.sum() < FEWEST:
        return None
    ranges = ((start, start + size) for size in range(len(some) - 1, 1, -1) for start in range(len(some) - size + 1))
    return next((one for one in ranges if _columns(some[slice(*one)], lines)), None)


def _columns(some: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """What is left and right of the widest strip that no line crosses, if those are columns side by side."""
    trim = np.minimum(TRIM * lines[some, 3], (lines[some, 1] - lines[some, 0]) / 5)
    begin, end = lines[some, 0] + trim, lines[some, 1] - trim
    by_left = np.argsort(begin)
    gaps = begin[by_left[1:]] - np.maximum.accumulate(end[by_left])[:-1]
    for place in np.argsort(-gaps, kind="stable") + 1:
        if gaps[place - 1] < 0:
            break
        left, right = (some[np.sort(part)] for part in (by_left[:place], by_left[place:]))
        tops, feet = zip(*((lines[part, 2].min(), lines[part, 2].max()) for part in (left, right)), strict=True)
        common = min(feet) - max(tops)
        lower = min(foot - top for top, foot in zip(tops, feet, strict=True))
        if min(len(left), len(right)) >= FEWEST and common > SHARED * lower and _alike(some, lines, tops, feet):
            return left, right
    return None


def _alike(some: np.ndarray, lines: np.ndarray, tops: Sequence[float], feet: Sequence[float]) -> bool:
    """Whether no line above or below where two columns are beside each other is far higher than those there are.

    So handwriting below a letterhead is of none of its columns.
    """
    level, height = lines[some, 2:].T
    beside = (level >= max(tops)) & (level <= min(feet))
    return bool(height[~beside].max(initial=0) <= TALL * np.median(height[beside]))
