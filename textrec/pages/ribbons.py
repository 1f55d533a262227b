"""Lines of text as ribbons, ribbons as maps of pixels, and back: what a line finder learns, and what it gives.

A ribbon is float64 (N, 4): points of a baseline from left to right, x and y in pixels, and how far the line reaches
above and below of each.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from textrec.pages.columns import part_at_columns

# Of what a line reaches above its baseline: where its core lies, half of how thick that is, and what it lacks at either
# end, so that the cores of lines do not touch, also of neighbouring columns; of its length at most.
RISE, HALF, INDENT, MOST_INDENT = 0.3, 0.18, 0.3, 0.15
THINNEST = 0.75  # pixels, half of a core
WINDOW = 3.0  # heights: outlines jump from letter to letter, ribbons follow them over so much
STEP = 0.5  # heights from one point of a ribbon to the next

# Of a core that is found: columns in which it is two, one above the other, for it to be parted, and how often; its
# length at least, in heights.
DOUBLE, PARTINGS, SHORTEST = 0.1, 3, 0.6
LOWEST = 2.0  # pixels above the baseline
LEAST, SURE = 0.3, 0.7  # probability: what hangs together has it everywhere; and on average where it is highest

LONGEST = 1200  # pixels of the longer side of a page, as a line finder sees it


def reduced_page(image: Image.Image) -> tuple[np.ndarray, float]:
    """A page, mode L, as a line finder sees it, uint8 (H, W), and by what its sides were multiplied, at most 1."""
    scale = min(1.0, LONGEST / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BOX) if scale < 1 else image), scale


class Maps(NamedTuple):
    """Of each pixel of a page, float32 (H, W): whether it is of a line's core, and how far the line reaches above and
    below from there, in pixels; the latter say something within cores alone.
    """

    core: np.ndarray
    above: np.ndarray
    below: np.ndarray


def ribbon(outline: np.ndarray, baseline: np.ndarray) -> np.ndarray | None:
    """The ribbon of a line by its outline, float64 (N, 2), and its baseline, (M, 2); None where it is not level enough.

    Outlines follow letters, ribbons the line.
    """
    corner = np.floor(outline.min(axis=0)).astype(int)
    width, height = (np.ceil(outline.max(axis=0)).astype(int) + 1 - corner).tolist()
    baseline = baseline[np.argsort(baseline[:, 0], kind="stable")]
    if np.ptp(baseline[:, 1]) > np.ptp(baseline[:, 0]):
        return None
    inside = covered((height, width), outline - corner)
    columns = np.flatnonzero(inside.any(axis=0))
    x = columns + corner[0] + 0.5
    y = np.interp(x, *baseline.T)
    above = y - inside.argmax(axis=0)[columns] - corner[1]
    below = height - inside[::-1].argmax(axis=0)[columns] + corner[1] - y
    tall = max(float(np.median(above)), 1.0)
    smooth = [_smooth(values, WINDOW * tall) for values in (above, below)]
    dense = np.column_stack([x, _smooth(y, tall), np.maximum(smooth[0], 1), np.maximum(smooth[1], 0)])
    return dense[_sparse(len(dense), tall)]


def covered(shape: tuple[int, int], *polygons: np.ndarray) -> np.ndarray:
    """Which pixels of so many rows and columns polygons cover, any of them, bool."""
    mask = Image.new("1", (shape[1], shape[0]))
    canvas = ImageDraw.Draw(mask)
    for polygon in polygons:
        canvas.polygon([tuple(point) for point in polygon.tolist()], fill=1, outline=1)
    return np.asarray(mask)


def outline_of(ribbon: np.ndarray) -> np.ndarray:
    """The polygon that a ribbon covers, float64 (2 * N, 2)."""
    x, y, above, below = ribbon.T
    return np.concatenate([np.column_stack([x, y - above]), np.column_stack([x, y + below])[::-1]])


def line_maps(ribbons: Iterable[np.ndarray], shape: tuple[int, int]) -> Maps:
    """The maps of a page with these lines, which may reach beyond it."""
    maps = Maps(*(np.zeros(shape, np.float32) for _ in Maps._fields))
    for points in ribbons:
        height = float(np.median(points[:, 2]))
        indent = min(INDENT * height, MOST_INDENT * (points[-1, 0] - points[0, 0]))
        first, last = points[0, 0] + indent, points[-1, 0] - indent
        columns = np.arange(max(0, int(first)), min(shape[1], int(last) + 1))
        y, above, below = (np.interp(columns + 0.5, points[:, 0], values) for values in points.T[1:])
        centre, half = y - RISE * above, max(HALF * height, THINNEST)
        rows = np.floor(centre).astype(int) + np.arange(-int(half) - 1, int(half) + 2)[:, None]
        within = (np.abs(rows + 0.5 - centre) <= half) & (rows >= 0) & (rows < shape[0])
        place = rows[within], np.broadcast_to(columns, rows.shape)[within]
        maps.core[place] = 1
        for values, reach in ((maps.above, (1 - RISE) * above), (maps.below, below + RISE * above)):
            values[place] = np.broadcast_to(reach, rows.shape)[within]
    return maps


def find_ribbons(maps: Maps) -> list[np.ndarray]:
    """The lines of a page by its maps, in no order.

    What is less sure than SURE is none: of what was found on val pages with less than 0.6 one in twenty was a line.
    """
    found = [line for part in _parts(maps.core > LEAST) for line in _found(maps, *part, LEAST, PARTINGS)]
    return part_at_columns([ribbon for ribbon, _ in found], [core for _, core in found])


def _parts(core: np.ndarray) -> list[tuple[tuple[slice, slice], np.ndarray]]:
    """What hangs together, each by the box around it and its pixels there."""
    labels: np.ndarray = ndimage.label(core, np.ones((3, 3)))[0]  # pyright: ignore
    boxes = ndimage.find_objects(labels)
    return [(box, labels[box] == number) for number, box in enumerate(boxes, start=1)]


def _found(
    maps: Maps, box: tuple[slice, slice], core: np.ndarray, least: float, partings: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lines of what hangs together, and how sure each is from its begin to its end."""
    columns = np.flatnonzero(core.any(axis=0))
    begins = np.diff(core.astype(np.int8), axis=0, prepend=0) == 1
    if partings and (begins.sum(axis=0)[columns] > 1).mean() > DOUBLE:  # of two lines: what both are less sure of parts
        least = (least + 1) / 2
        parts = [
            ((_within(box[0], rows), _within(box[1], columns)), pixels)
            for (rows, columns), pixels in _parts(core & (maps.core[box] > least))
        ]
        return [found for part in parts for found in _found(maps, *part, least, partings - 1)]
    weights = maps.core[box] * core
    weights = (weights / weights.sum(axis=0).clip(1e-9))[:, columns]
    rows = np.arange(len(core))[:, None] + box[0].start + 0.5
    centre, above, below = (
        (weights * values).sum(axis=0) for values in (rows, maps.above[box][:, columns], maps.below[box][:, columns])
    )
    height = float(np.median(above)) / (1 - RISE)
    sure = maps.core[box].max(axis=0, where=core, initial=0)[columns]
    if len(columns) < SHORTEST * height or height < LOWEST or sure.mean() < SURE:
        return []
    above, below = (_smooth(values, WINDOW * height) for values in (above, below))
    centre = _smooth(centre, STEP * height)
    x = columns + box[1].start + 0.5
    rise = above * RISE / (1 - RISE)
    dense = np.column_stack([x, centre + rise, above + rise, np.maximum(below - rise, 0)])
    ends = dense[[0, -1]]
    ends[:, 0] += [-INDENT * height, INDENT * height]
    return [
        (np.concatenate([ends[:1], dense[_sparse(len(dense), height)], ends[1:]]), np.pad(sure, round(INDENT * height)))
    ]


def _within(outer: slice, inner: slice) -> slice:
    return slice(outer.start + inner.start, outer.start + inner.stop)


def _smooth(values: np.ndarray, window: float) -> np.ndarray:
    size = int(window) | 1
    return ndimage.gaussian_filter1d(ndimage.median_filter(values, size, mode="nearest"), size / 4, mode="nearest")


def _sparse(count: int, height: float) -> np.ndarray:
    """Which of so many points, a pixel apart, a ribbon has: one each STEP, the last one too."""
    return np.unique(np.append(np.arange(0, count, max(1, int(STEP * height))), count - 1))
