"""Where a page has small letters in no line: a line finder sees pages at one size, and misses small print."""

from typing import Any

import numpy as np
from scipy import ndimage

AROUND, DARKER = 31, 40  # pixels around one, than whose mean ink is so much darker, of 255
LEAST, MOST = 4, 20  # pixels of small letters, of their height; what is smaller is dust, or the dot of an i
WIDEST = 28  # pixels
ACROSS, DOWN = 12, 8  # pixels from one to the next, beside and below each other
MANY = 12  # of them together are print


def fine_print(page: np.ndarray, lines: np.ndarray) -> list[tuple[slice, slice]]:
    """Boxes of a page, uint8 (H, W) as `ribbons.reduced_page` gives it, with many small letters, rows and columns.

    lines: what lines that were found cover of it, bool (H, W); what is in them is no letter here.
    """
    ink = ndimage.uniform_filter(page.astype(np.float32), AROUND, mode="nearest") - page > DARKER
    labelled: Any = ndimage.label(ink, np.ones((3, 3)))
    boxes: Any = ndimage.find_objects(labelled[0])
    letters = np.array([(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in boxes])
    letters = letters.reshape(-1, 4)
    high, wide = letters[:, 1] - letters[:, 0], letters[:, 3] - letters[:, 2]
    letters = letters[(high >= LEAST) & (high <= MOST) & (wide <= WIDEST)]
    if len(letters) < MANY:
        return []
    centres = (letters[:, :2].mean(axis=1).astype(int), letters[:, 2:].mean(axis=1).astype(int))
    letters, centres = letters[~lines[centres]], tuple(places[~lines[centres]] for places in centres)
    near = np.zeros(page.shape, bool)
    for top, bottom, left, right in letters.tolist():
        near[max(0, top - DOWN // 2) : bottom + DOWN // 2, max(0, left - ACROSS // 2) : right + ACROSS // 2] = True
    clusters: Any = ndimage.label(near)
    counts = np.bincount(clusters[0][centres], minlength=clusters[1] + 1)
    return [box for box, count in zip(ndimage.find_objects(clusters[0]), counts[1:], strict=True) if count >= MANY]
