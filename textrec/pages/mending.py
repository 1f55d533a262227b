"""Pictures as training never shows them, made such as it does: dark ink on light, even paper, and nothing beside it.

A clean scan stays as it is. What is mended: light ink on dark, the table around a page, grey and uneven paper, hard
shadows, faint ink, what shines through, ruled and squared paper, frames.
"""

import math
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

# In grey levels, of 255, where nothing else is said.
CLEAN = 236  # paper of a clean scan, but for a tenth: so are 120 lines of IAM, and the forms of the sample
FAINTEST = 30  # contrast of what is taken for ink
WRITTEN = 0.01  # of the picture: fainter ink that takes so much is writing, not stains
WEAK = 90  # ink of a clean scan that is strengthened: none of those lines has less
PAPER, INK = 250, 75  # of mended pictures: about IAM's
TENTH = 1.28  # standard deviations from the middle to the lightest tenth
NOISE = 2.0  # standard deviations of the paper: what is no darker is pressed by half, or more, towards it
THROUGH = 0.15  # of the ink, likewise: what shines through, and stains
UNEVEN = 40  # between places of the paper: more than that is the edge of a shadow
PALE = 12  # how much darker than paper its rules are at least

LOOK = 400  # pixels at least of the longer side of the small picture that is looked at, where there are so many
THIN = 20  # pixels at least of its shorter side, likewise
STROKE = 7  # pixels of the small picture that strokes have at most, where they are told from shadows
PAPER_LOOK = 80  # pixels at least of the longer side of the picture in which the paper is looked at
BOLD, FINE = 9, 5  # pixels of it that strokes have at most, in a line and in a page
MOSTLY = 0.6  # of a row that is dark, at the edge of a picture, where it is no part of the page
RULE = 0.3  # of the picture's width, or height: straight lines of that length are no strokes
TALL = 0.85  # of the height of a picture of one line: strokes are shorter
LONG = 2.5  # times the height, likewise: short words have straight rows, too
THICK = 0.1  # of the height of a picture of one line: rules of the corpora have up to 0.08, rows of joined letters more
SHORTEST = 20  # pixels of a rule
MANY = 5  # rules down a picture: fewer may be the uprights of letters


def mended(image: Image.Image) -> Image.Image:
    """Dark ink on evenly lit, light paper, from a picture of mode L; its edges may be cut off."""
    image = _without_edges(_dark_on_light(image))
    return _evened(image, BOLD if max(image.size) > 2 * min(image.size) else FINE)


def mended_line(image: Image.Image) -> Image.Image:
    """The same of a line that was cut out, which has no edges that are not its own."""
    return _evened(_dark_on_light(image), BOLD)


def reduced(image: Image.Image, side: int = LOOK) -> Image.Image:
    """The image with a longer side of `side` to twice as many pixels, where it has so many, by means of squares.

    A strip keeps a height in which text can be seen.
    """
    return image.reduce(max(1, min(max(image.size) // side, min(image.size) // THIN)))


def _dark_on_light(image: Image.Image) -> Image.Image:
    """The picture, or its negative where its ink is light: paper takes most room, and strokes are the thinner part."""
    small = np.asarray(reduced(image), np.float32)
    low, middle, high = np.percentile(small, [0.5, 50, 99.5])
    if middle >= (low + high) / 2 or middle >= 128:
        return image
    dark: Any = ndimage.black_tophat(small, STROKE)
    light: Any = ndimage.white_tophat(small, STROKE)
    return ImageOps.invert(image) if light.sum() > dark.sum() else image


def _evened(image: Image.Image, thick: int) -> Image.Image:
    """Dark ink on evenly lit, light paper; a clean scan as it is. thick: see `_paper`.

    How dark paper, its noise and the ink are is seen in a small picture, in which lines are about as high as in crops.
    """
    paper, small = _paper(image, thick), reduced(image)
    dark = _darkness(np.asarray(small, np.float32), _enlarged(paper, small))
    light, usual = np.percentile(dark, [10, 50])  # no ink is so light
    noise, dark = (usual - light) / TENTH, np.maximum(dark - usual, 0)
    written = dark[ndimage.uniform_filter(dark, 2) > max(4 * noise, FAINTEST / 2)]
    ink = np.percentile(written, 75) if written.size else 0
    clean = np.percentile(paper, 10) >= CLEAN and np.ptp(paper) < UNEVEN
    if clean and not FAINTEST <= ink < WEAK:
        return image
    seen = ink >= FAINTEST or written.size > WRITTEN * dark.size
    gain = max(1, (PAPER - INK) / ink) if seen else 1
    pale = max(NOISE * noise, THROUGH * ink, 1)
    gains = _enlarged((gain * dark**2 / (dark**2 + pale**2)).astype(np.float32), image)
    dark = gains * (_darkness(np.asarray(image, np.float32), _paper_of(image, paper)) - usual)
    return Image.fromarray(np.clip(PAPER - dark, 0, PAPER).astype(np.uint8))


def _darkness(pixels: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """How much darker than its paper each pixel is, in grey levels on paper such as PAPER."""
    return PAPER * (1 - pixels / np.maximum(paper, 1))


def _enlarged(values: np.ndarray, image: Image.Image) -> np.ndarray:
    """Values of a smaller picture, float32, at each pixel of the image."""
    return np.asarray(Image.fromarray(values).resize(image.size, Image.Resampling.BILINEAR))


def _paper_of(image: Image.Image, tiny: np.ndarray) -> np.ndarray:
    """How bright the paper is at each pixel, float32 (height, width), from what `_paper` says of a tiny picture.

    Where a shadow has a hard edge, what is as bright as the paper in it, or brighter, is paper.
    """
    paper = _enlarged(tiny, image)
    low = ndimage.minimum_filter(tiny, 5)
    steep = ndimage.maximum_filter(tiny, 5) - low > UNEVEN
    if not steep.any():
        return paper
    pixels, low = np.asarray(image, np.float32), _enlarged(low, image)
    shadow = (_enlarged(steep.astype(np.float32), image) > 0) & (pixels >= 0.85 * low)
    return np.where(shadow, np.clip(pixels, low, paper), paper)


def _paper(image: Image.Image, thick: int) -> np.ndarray:
    """How bright the paper is at each place of a tiny picture, float32: what lies between strokes up to so `thick`."""
    tiny = np.asarray(reduced(image, PAPER_LOOK), np.float32)
    # Padded, or a shadow that ends at the edge would be closed there as a stroke is.
    closed = ndimage.grey_closing(np.pad(tiny, thick, "edge"), size=(thick, thick))[thick:-thick, thick:-thick]
    return ndimage.gaussian_filter(ndimage.median_filter(closed, 3, mode="nearest"), 0.6, mode="nearest")


def _without_edges(image: Image.Image) -> Image.Image:
    """Cut off rows and columns at the edges that are dark for the most part: the table below, the scanner's lid.

    What is dark and holds strokes is the page in a shadow.
    """
    small = reduced(image)
    pixels = np.asarray(small, np.float32)
    dark = pixels < np.median(pixels) / 2
    (left, right), (top, bottom) = _light(dark.mean(0)), _light(dark.mean(1))
    edges = pixels[:, :left], pixels[:, right:], pixels[:top], pixels[bottom:]
    left, right, top, bottom = (
        place if not _strokes(edge) else whole
        for edge, place, whole in zip(edges, (left, right, top, bottom), (0, small.width, 0, small.height), strict=True)
    )
    if (left, top, right, bottom) == (0, 0, *small.size):
        return image
    across, down = image.width / small.width, image.height / small.height
    return image.crop(
        (math.ceil(left * across), math.ceil(top * down), math.floor(right * across), math.floor(bottom * down))
    )


def _strokes(edge: np.ndarray) -> bool:
    """Whether dark pixels, float (height, width), have darker strokes in them."""
    if min(edge.shape) < 3:
        return False
    paper = ndimage.grey_closing(edge, size=(9, 9), mode="nearest")
    share = float(((paper - edge > FAINTEST / 2) & (edge < 0.7 * paper)).mean())
    return 0.01 < share < 0.3


def _light(dark: np.ndarray) -> tuple[int, int]:
    """The first row and the one behind the last that are light, from how much of each is dark, float (rows,)."""
    light = np.flatnonzero(dark < MOSTLY)
    if len(light) < 3:
        return 0, len(dark)
    first, last = int(light[0]), int(light[-1]) + 1
    return first + (first > 0), last - (last < len(dark))  # and one more, of which a part may be dark


def without_rules(image: Image.Image) -> Image.Image:
    """Paper without the lines that are printed on it, along and across, and without a frame; strokes over them stay.

    For pictures of a line or of a page: a letter alone may be straight for as long.
    """
    pixels, (width, height) = np.asarray(image), image.size
    across = _ruled(pixels, max(RULE * width, min(LONG * height, TALL * width)))
    pixels = pixels if across is None else across
    down = _ruled(pixels.T, max(RULE * height, min(TALL * height, 0.25 * width)), many=True)
    pixels = pixels if down is None else down.T
    return image if across is None and down is None else Image.fromarray(pixels)


def _ruled(pixels: np.ndarray, length: float, *, many: bool = False) -> np.ndarray | None:
    """Grey uint8 (height, width) without its rules along the rows, of that length or more; None where it has none.

    many: a few of them are taken for strokes, but for those at the edges, which are a frame's.
    """
    size = round(length)
    if size < SHORTEST:
        return None
    dark = np.median(pixels[::4, ::4]) - pixels.astype(np.int16)
    mask = dark > PALE
    thick = ndimage.maximum_filter1d(mask, 3, axis=0)  # or a rule that is not quite level would be many short ones
    runs = ndimage.uniform_filter1d(thick.astype(np.float32), size, axis=1, mode="constant") > 0.98
    if many:
        runs &= _many_or_beside(np.count_nonzero(runs, axis=1) > 0)[:, None]
    if not runs.any():
        return None
    rules = ndimage.maximum_filter1d(runs, size, axis=1) & mask
    heights = _run_heights(mask)
    usual = np.percentile(heights[rules], 40) if rules.any() else len(pixels)
    if usual > THICK * len(pixels):
        return None  # words, joined, or a dark area
    # What is thicker or darker than they are is a stroke.
    rule = (heights <= 1.5 * usual + 1) & (dark <= 1.5 * np.median(dark[rules]) + PALE)
    gone = ndimage.maximum_filter1d(rules & rule, 3, axis=0) & (rule | ~mask)
    reach = 2 * int(np.ceil(1.5 * usual + 2)) + 1
    return np.where(gone, ndimage.grey_closing(pixels, (reach, 1)), pixels)


def _many_or_beside(rows: np.ndarray) -> np.ndarray:
    """Of bool (rows,), those that are True in MANY runs or more, or near an end."""
    places, ends = np.arange(len(rows)), 0.05 * len(rows)
    beside = (places < ends) | (places >= len(rows) - ends)
    many = np.count_nonzero(np.diff(rows.astype(int), prepend=0) > 0) >= MANY
    return rows if many else rows & beside


def _run_heights(mask: np.ndarray) -> np.ndarray:
    """How many pixels one above the other are True with each pixel of bool (height, width); 0 where it is not."""
    heights = np.where(mask, -1, 0)
    for rows in (range(len(mask)), reversed(range(len(mask)))):
        run = np.zeros(mask.shape[1], int)
        for row in rows:
            run = (run + 1) * mask[row]
            heights[row] += run
    return heights
