"""Crops cut out of an image, levelled and resampled: the same for training and for reading."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from pydantic import Field
from scipy import ndimage
from scipy.spatial import KDTree

from textrec.base.params import Params

Bounds = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the stored image


class CropParams(Params):
    """How lines and paragraphs are cut."""

    line_height: int = Field(ge=8, le=256)  # pixels a line of text


BODY = 0.2  # of a line's ink is above its body, and as much below: tails, dots, bits of neighbours
TAILS = 1.3  # heights of the body that are left above it and below
FAR = 0.02  # of the ink above, and below, may be cut off; so little in a line of text, but not in rows of dashes


def rows_of_line(ink: np.ndarray) -> tuple[float, float]:
    """From which row to which a line is cut out, so that its letters have about the size of those of any line.

    What stands out does not make them smaller. 300 steps on IAM's lines from the model in the box gave CER of its CTC
    head on val lines of 10.1 % where lines are cut from the highest tail to the lowest, and with TAILS of 1.9, 1.5, 1.2
    and 1.0 10.9, 9.4, 9.2 and 9.4 %; larger letters take longer to read. ink: how much each row has, (H,), not nothing.
    Rows outside of it may be meant.
    """
    total = np.append(0.0, np.cumsum(ink, dtype=float))
    shares = np.array([FAR, BODY, 1 - BODY, 1 - FAR])
    highest, top, bottom, lowest = np.interp(shares * total[-1], total, np.arange(len(total)))
    height = max((1 + 2 * TAILS) * (bottom - top), lowest - highest)
    return float(top + bottom - height) / 2, float(top + bottom + height) / 2


def resample(image: Image.Image, bounds: Bounds, height: int) -> np.ndarray:
    """Inverted pixels within `bounds`, `height` pixels high and as wide as keeps the proportion; uint8.

    What is above or below the image is paper.
    """
    left, top, right, bottom = bounds
    above, below = max(0, math.ceil(-top)), max(0, math.ceil(bottom - image.height))
    if above or below:
        image = ImageOps.expand(image, (0, above, 0, below), int(np.median(np.asarray(image))))
    width = max(1, round(height * (right - left) / (bottom - top)))
    box = (left, top + above, right, bottom + above)
    return np.invert(np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box)))


# ---- lines of a page ----

LEVEL = 1.0  # pixels that a baseline may go up and down to be taken for level
LONGEST = 50_000  # pixels that a baseline may have: a slip of the pen has more
NEAR = 0.5  # of the outline's shorter side: a baseline that lies farther outside of it for the most part is not its own

ABOVE, BELOW = 0.8, 0.35  # of the distance of lines: what a line without outline takes of it


class Strip(NamedTuple):
    """A line cut out of its page: pixels uint8 (height, width), level; `baseline` is a row of it, None: not known."""

    pixels: np.ndarray
    baseline: float | None


def cut_line(image: np.ndarray, outline: np.ndarray, baseline: np.ndarray | None) -> Strip:
    """Cut a line out of its page, level along its baseline, what lies outside of its outline filled with paper.

    image: grey, uint8 (H, W), dark ink on light paper or the other way round. outline: float64 (N, 2), x and y in
    pixels, within the image and not without area. baseline: float64 (M, 2), straight or bent, in writing direction.
    One that runs leftwards and has its text below is turned round; one that is not near the outline is left out.
    """
    corner = np.floor(outline.min(axis=0)).astype(int)
    width, height = np.floor(outline.max(axis=0)).astype(int) + 1 - corner  # points are pixels: the last one counts
    crop = image[corner[1] : corner[1] + height, corner[0] : corner[0] + width]
    outline = outline - corner
    mask = Image.new("1", crop.shape[::-1])
    ImageDraw.Draw(mask).polygon([tuple(point) for point in outline.tolist()], fill=1, outline=1)
    inside, row = np.asarray(mask), None
    own = None if baseline is None else _own_curve(baseline - corner, outline)
    if own and np.ptp(own.points[:, 1]) < LEVEL and own.up[:, 1].mean() < 0:
        row = float(own.points[:, 1].mean())
    elif own:
        places, row = _along(own, outline)
        crop = ndimage.map_coordinates(crop, places, order=1, mode="nearest")
        inside = ndimage.map_coordinates(inside.astype(np.uint8), places, order=0) > 0
    if row is not None and not len(crop) / 3 < row < len(crop):
        row = None  # it is above the text, or goes through its middle, as some draw it
    return Strip(np.where(inside, crop, _paper(crop, inside)).astype(np.uint8), row)


class _Curve(NamedTuple):
    """A baseline at each pixel of its length, in writing direction: `points` and unit vectors `up`, float64 (N, 2)."""

    points: np.ndarray
    up: np.ndarray

    def offsets(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where on its length, and how far above it, float64 (N, 2) points lie; also before its ends and behind."""
        _, nearest = KDTree(self.points).query(points)
        away = points - self.points[nearest]
        along = -self.up[nearest][:, ::-1] * (1, -1)
        return nearest + (away * along).sum(1), (away * self.up[nearest]).sum(1)


def _own_curve(baseline: np.ndarray, outline: np.ndarray) -> _Curve | None:
    low, high = outline.min(axis=0), outline.max(axis=0)
    reach = NEAR * (high - low).min()
    curve = _curve(baseline, reach)
    if curve is None or ((curve.points < low - reach) | (curve.points > high + reach)).any(1).mean() > 0.5:
        return None
    _, above = curve.offsets(outline)
    leftwards = curve.points[-1, 0] < curve.points[0, 0]
    return _curve(baseline[::-1], reach) if leftwards and -above.min() > above.max() else curve


def _curve(baseline: np.ndarray, smoothing: float) -> _Curve | None:
    """A baseline without the kinks of its drawing; None where it has no length, or one that no page has.

    smoothing: standard deviation of a Gaussian along it, in pixels; where that is about as much as text is high, the
    verticals of what stands on it do not cross.
    """
    steps = np.linalg.norm(np.diff(baseline, axis=0), axis=1)
    baseline, steps = baseline[np.append(True, steps > 0)], steps[steps > 0]
    length = float(steps.sum())
    if not 2 <= length <= LONGEST:
        return None
    places = np.append(0, np.cumsum(steps))
    at = np.linspace(0, length, round(length) + 1)
    dense = np.column_stack([np.interp(at, places, axis) for axis in baseline.T])
    if smoothing:
        size = min(round(4 * smoothing), len(dense) - 1)
        longer = np.pad(dense, ((size, size), (0, 0)), "reflect", reflect_type="odd")  # its ends stay where they are
        dense = ndimage.gaussian_filter1d(longer, smoothing, axis=0)[size:-size]
    along = np.gradient(dense, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return _Curve(dense, np.column_stack([along[:, 1], -along[:, 0]]))


def _along(curve: _Curve, outline: np.ndarray) -> tuple[np.ndarray, float]:
    """Where in the page the pixels of a strip lie that holds the outline: y and x, float64 (2, height, width).

    Also the row of the strip that is the baseline.
    """
    along, above = curve.offsets(outline)
    columns = np.arange(np.floor(along.min()), np.floor(along.max()) + 1)
    rows = np.arange(np.ceil(above.max()), np.floor(above.min()) - 1, -1)
    within = np.clip(np.rint(columns).astype(int), 0, len(curve.points) - 1)
    beyond = columns - within  # straight on, behind its ends
    points, up = curve.points[within], curve.up[within]
    points = points + beyond[:, None] * np.column_stack([-up[:, 1], up[:, 0]])
    places = points[None] + rows[:, None, None] * up[None]
    return places.transpose(2, 0, 1)[::-1], float(rows[0])


def bands(baselines: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """Outlines of lines that have but baselines, float64 (N, 2): as high as the distance to the next line allows.

    None where a baseline has no length. Ones of a line that no other is above or below of are as high as the others.
    """
    curves = [_curve(baseline, 0.0) for baseline in baselines]
    pitches = [_pitch(curve, [other for other in curves if other and other is not curve]) for curve in curves if curve]
    known = [pitch for pitch in pitches if pitch]
    usual = float(np.median(known)) if known else None
    outlines: list[np.ndarray | None] = []
    for baseline, curve in zip(baselines, curves, strict=True):
        if curve is None:
            outlines.append(None)
            continue
        pitch = pitches.pop(0) or usual or len(curve.points) / 12
        pitch = min(pitch, 1.5 * usual) if usual else pitch  # beside a blank line
        smooth = _curve(baseline, pitch) or curve
        below = smooth.points - BELOW * pitch * smooth.up
        outlines.append(np.concatenate([smooth.points + ABOVE * pitch * smooth.up, below[::-1]]))
    return outlines


def _pitch(curve: _Curve, others: list[_Curve]) -> float | None:
    """How far the next line is that stands above or below of this one, in pixels; None where there is none."""
    length, distances = len(curve.points), []
    for other in others:
        along, above = curve.offsets(other.points[:: max(1, len(other.points) // 50)])
        beside = (along > 0) & (along < length)
        if beside.any():
            distances.append(abs(float(np.median(above[beside]))))
    return min((distance for distance in distances if distance >= 4), default=None)


def _paper(crop: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The grey of the paper in each column, float64 (width,).

    Ink covers far less than half of a line, so the median within the outline is paper, light or dark; taken in pieces
    as wide as the line is high and joined, it follows the shadow across a photograph.
    """
    height, width = crop.shape
    centres, greys = [], []
    for left, right in pairwise(np.linspace(0, width, max(width // height, 1) + 1).round().astype(int)):
        pixels = crop[:, left:right][inside[:, left:right]]
        if pixels.size:
            centres.append((left + right - 1) / 2)
            greys.append(np.median(pixels))
    return np.interp(np.arange(width), centres, greys) if greys else np.full(width, np.median(crop))
