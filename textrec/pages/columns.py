"""Lines that were found as one over two columns, as in tables, are parted where the columns of their page begin."""

from collections.abc import Sequence

import numpy as np

from textrec.pages.reading_order import levelled, slope_of

BEGIN, NEAR = 6, 0.3  # lines that begin so many heights from each other: there a column may begin
BESIDE = 0.5  # heights from one line's level to another's: they stand side by side
APART = 1.0  # height: what is nearer ends beside a line; of neither part of a line less is left
REACH = 1.5  # heights before a column begins in which the line left of it may end
UNSURE = 0.97  # probability of a line's core: between words it has more for the most part


def part_at_columns(ribbons: Sequence[np.ndarray], cores: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Lines, see `pages.ribbons`, parted at columns that others show: of which one begins beside another line.

    cores: float (n,) for each ribbon, how sure it is of n places, as far from each other, from its begin to its end.
    """
    if len(ribbons) < BEGIN:
        return list(ribbons)
    lines, slope = levelled(ribbons), slope_of(ribbons)
    left, right, level, heights = lines.T
    beside = (np.abs(level[:, None] - level) < BESIDE * heights[:, None]) & (right < (left + APART * heights)[:, None])
    np.fill_diagonal(beside, False)
    begins = _begins(left, beside.any(axis=1), float(np.median(heights)))
    return [
        part
        for one, core, height in zip(ribbons, cores, heights.tolist(), strict=True)
        for part in _parted(one, _ends(one, core, begins, slope, height))
    ]


def _begins(left: np.ndarray, beside: np.ndarray, height: float) -> list[float]:
    """Where columns begin, levelled, by where lines do and which of these are beside others."""
    near = np.abs(left[:, None] - left) <= NEAR * height
    found: list[float] = []
    for index in np.argsort(-near.sum(axis=1), kind="stable"):
        enough = near[index].sum() >= BEGIN and beside[near[index]].any()
        if enough and all(abs(left[index] - other) > APART * height for other in found):
            found.append(float(left[index]))
    return sorted(found)


def _ends(one: np.ndarray, core: np.ndarray, begins: list[float], slope: float, height: float) -> list[float]:
    """Where a line is to be parted: of each column's reach where it is the least sure, if it is unsure there."""
    x = np.linspace(one[0, 0], one[-1, 0], len(core))
    levelled_x = x + slope * np.interp(x, one[:, 0], one[:, 1])
    ends: list[float] = []
    for begin in begins:
        within = np.flatnonzero((levelled_x >= begin - REACH * height) & (levelled_x <= begin))
        first, last = (ends[-1] if ends else one[0, 0]) + APART * height, one[-1, 0] - APART * height
        if not len(within) or x[within[0]] < first or x[within[-1]] > last:
            continue  # it begins or ends there, or nearly
        place = within[core[within].argmin()]
        if core[place] < UNSURE:
            ends.append(float(x[place]))
    return ends


def _parted(one: np.ndarray, ends: list[float]) -> list[np.ndarray]:
    x, *others = one.T
    places = np.union1d(x, ends)
    dense = np.column_stack([places, *(np.interp(places, x, values) for values in others)])
    stops = [*np.searchsorted(places, ends).tolist(), len(places) - 1]
    return [dense[start : stop + 1] for start, stop in zip([0, *stops[:-1]], stops, strict=True)]
