"""Where a line was found over blank paper of which the finder is not sure: what lies beyond is another's."""

import numpy as np
from scipy import ndimage

AROUND = 31  # pixels around one, whose mean ink is darker than
DARKER = 25  # by so much at least, of 255
ROWS = np.linspace(-0.9, 0.3, 16)[:, None]  # where ink is looked for, of what a line reaches above and below
# Wide enough is a gap of so many heights in which the finder is somewhere less sure than this, with so many heights of
# the line at one of its ends at most. The latter of these part page numbers from the line beside them.
WIDE = ((1.5, 0.7, np.inf), (2.0, 0.9, 1.7))
LEFT = 0.3  # heights of the line at either end at least


def darkness(page: np.ndarray) -> np.ndarray:
    """By how much each pixel of a page, uint8 (H, W), is darker than what is around it, float32 (H, W), of 255."""
    return ndimage.uniform_filter(page.astype(np.float32), AROUND, mode="nearest") - page


def gaps(line: np.ndarray, sure: np.ndarray, ink: np.ndarray) -> list[slice]:
    """The gaps at which a line is to be parted, of its places.

    line: a ribbon, see `pages.ribbons`, float64 (N, 4), one place a column; sure: probability of its core there, (N,);
    ink: bool (H, W), what is ink of the page that it lies on.
    """
    x, y, above, below = line.T
    rows = (y + ROWS * np.where(ROWS < 0, above, below)).astype(int).clip(0, len(ink) - 1)
    blank, _ = ndimage.label(~ink[rows, x.astype(int)].any(axis=0))  # pyright: ignore
    height = np.median(above)
    found = []
    for (gap,) in ndimage.find_objects(blank):
        wide, end = (gap.stop - gap.start) / height, min(gap.start, len(x) - gap.stop) / height
        least = sure[gap].min()
        if end >= LEFT and any(wide >= width and least < unsure and end <= most for width, unsure, most in WIDE):
            found.append(gap)
    return found
