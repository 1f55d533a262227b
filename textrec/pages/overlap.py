"""How many lines are found: outlines that cover each other, one to one."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from textrec.pages.ribbons import covered

LEAST = 0.5  # of what two outlines cover together, for them to be of the same line


class Counts(NamedTuple):
    """Lines that there are, that were found, and that are right, of one page or of many."""

    true: int = 0
    found: int = 0
    right: int = 0

    def __add__(self, other: Self) -> "Counts":  # pyright: ignore[reportIncompatibleMethodOverride]
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def recall(self) -> float:
        """The share of the lines that were found; 1 where there are none."""
        return self.right / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        """The share of what was found that is a line; 1 where nothing was."""
        return self.right / self.found if self.found else 1.0


def overlaps(outlines: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """Intersection over union of each outline, float64 (N, 2), with each of others: (len(outlines), len(others))."""
    shares = np.zeros((len(outlines), len(others)))
    for row, one in zip(shares, outlines, strict=True):
        for column, other in enumerate(others):
            low, high = np.minimum(one.min(axis=0), other.min(axis=0)), np.maximum(one.max(axis=0), other.max(axis=0))
            if ((high - low) >= np.ptp(one, axis=0) + np.ptp(other, axis=0)).any():
                continue  # they are apart
            corner = np.floor(low)
            width, height = (np.ceil(high) - corner + 1).astype(int).tolist()
            both = [covered((height, width), polygon - corner) for polygon in (one, other)]
            row[column] = np.logical_and(*both).sum() / np.logical_or(*both).sum()
    return shares


def counted(truth: Sequence[np.ndarray], found: Sequence[np.ndarray], least: float = LEAST) -> Counts:
    """Compare what was found with the truth; of the pairs that could be, as many as can be together."""
    shares = overlaps(truth, found)
    rows, columns = linear_sum_assignment(shares >= least, maximize=True)
    return Counts(len(truth), len(found), int((shares[rows, columns] >= least).sum()))
