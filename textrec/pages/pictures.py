"""Pictures of handwriting as people have them, brought to what models are trained on: crops of white ink on black.

A clean scan is cut and resampled just as the crops of the datasets are (`cutting.resample`). What those never are, is
mended first: light ink on dark, uneven light, faint ink, wide margins, dust.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps
from scipy import ndimage

from textrec.base.runtime import TextrecError, describe
from textrec.pages.cutting import Bounds, resample

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif"}
SUFFIXES |= {".pgm", ".ppm", ".pdf", ".heic", ".heif"}
MOST_PIXELS = 80_000_000  # of a picture: an A3 page at 600 dpi has 70 million; below Pillow's own limit
PDF_DPI = 300  # as IAM's scans
HEIC = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}  # brands, ISO/IEC 23008-12

# In grey levels, of 255. Training sees paper down to 0.03 of white and ink that varies by 0.2 of its brightness.
FAINTEST = 30  # contrast of what is taken for ink
UNEVEN = 40  # between places of the paper, that is evened out
DIM = 190  # paper darker than that is brightened
WEAK = 90  # contrast of ink that is strengthened
PAPER, INK = 245, 75  # of mended pictures: about IAM's

LOOK = (
    400  # pixels at least of the longer side of the small picture in which ink is looked for, where there are so many
)
SPECKS = 0.005  # of the ink: the smallest pieces that together are no more than that are dust
PAPER_LOOK = 80  # likewise, in which the paper is looked at
MOSTLY = 0.6  # of a row that is dark, at the edge of a picture, where it is no part of the page
LEAST = 12  # pixels of ink in the small picture
STROKES = 0.9  # of the height of what hangs together: lines do not follow each other more closely
WORD = 2.5  # of the distance of lines: text of several lines is wider, or a colon would be two
MARGIN = 0.35  # line heights that are left around the ink: the datasets' crops have less, so those are not cut


class Picture(NamedTuple):
    """A page of a file: `page` counts from 1, None where there can be but one; image: mode L, upright.

    turned: whether it is stored in another way, as its EXIF says.
    """

    path: str
    page: int | None
    image: Image.Image
    turned: bool


class Crop(NamedTuple):
    """What a model reads: pixels uint8 (height, width), white ink on black, and how many `lines` there seem to be.

    Where there is no ink, `lines` is 0.
    """

    pixels: np.ndarray
    lines: int


# ---- files ----


def open_pictures(path: str | Path) -> Iterator[Picture]:
    """The pages of an image or PDF, one after the other.

    Raises TextrecError where the file is missing, empty, no picture, damaged, or has a page of over MOST_PIXELS.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise TextrecError(f"{path}: an empty file")
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise TextrecError(describe(error)) from None
    if head[4:8] == b"ftyp" and head[8:12] in HEIC:
        _take_heic(path)
    pages = _pdf_pages(path) if b"%PDF-" in head else _image_pages(path)
    try:
        for number, image, turned in pages:
            yield Picture(str(path), number, image, turned)
    except TextrecError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TextrecError(f"{path}: more than {MOST_PIXELS:,} pixels; reduce it or cut it into parts") from None
    except Exception as error:  # decoders of damaged files raise whatever comes up
        raise TextrecError(f"{path}: not a picture that can be read ({_first_line(error)})") from None


def _take_heic(path: Path) -> None:
    """Have Pillow open HEIC, by a package that is not always there for its licence and its size."""
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise TextrecError(f"{path}: a HEIC picture; run `pip install pillow-heif`, or save it as JPEG") from None
    register_heif_opener()


def _image_pages(path: Path) -> Iterator[tuple[int | None, Image.Image, bool]]:
    # Given a path, Pillow maps an uncompressed file into memory, and scrambles it where it is to be turned.
    with path.open("rb") as file, Image.open(file) as image:
        count = getattr(image, "n_frames", 1) if image.format in {"TIFF", "MPO"} else 1  # of an animation the first
        for index in range(1 if image.format == "MPO" else count):
            if count > 1:
                image.seek(index)
            if math.prod(image.size) > MOST_PIXELS:
                raise Image.DecompressionBombError
            upright = gray(image)  # before its EXIF is asked for, which a PNG may have behind its pixels
            yield (index + 1 if count > 1 else None), upright, image.getexif().get(ExifTags.Base.Orientation, 1) != 1


def _pdf_pages(path: Path) -> Iterator[tuple[int, Image.Image, bool]]:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    try:
        for index in range(len(document)):
            page, scale = document[index], PDF_DPI / 72
            if page.get_width() * page.get_height() * scale**2 > MOST_PIXELS:
                raise Image.DecompressionBombError
            image = page.render(scale=scale, grayscale=True).to_pil()  # pyright: ignore[reportArgumentType]
            yield index + 1, image.convert("L"), False
    finally:
        document.close()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def gray(image: Image.Image | np.ndarray) -> Image.Image:
    """Any image as mode L, upright: turned as its EXIF says, what is transparent on paper, 16 bits as 8.

    An array is uint8 or uint16 (height, width), or uint8 (height, width, 3 or 4), of whatever colour.
    Raises TextrecError where it has no pixels or is of another kind.
    """
    if isinstance(image, np.ndarray):
        kinds = {(2, "uint8"), (2, "uint16"), (3, "uint8")}
        if (image.ndim, image.dtype.name) not in kinds or (image.ndim == 3 and image.shape[2] not in (3, 4)):
            known = "uint8 or uint16 (height, width), or uint8 (height, width, 3 or 4)"
            raise TextrecError(f"an image is {image.dtype} {image.shape}; it must be {known}")
        if not image.size:
            raise TextrecError(f"an image has no pixels: {image.shape}")
        image = Image.fromarray(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        # 16 bits, or a scale of its own
        values = values / 257 if image.mode != "F" and values.max() <= 65535 else 255 * values / max(values.max(), 1e-9)
        return Image.fromarray(np.clip(np.nan_to_num(values), 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image if image.mode == "L" else image.convert("L")


def _on_paper(image: Image.Image) -> Image.Image:
    """What is drawn on nothing, mode RGBA, on white, or on black where it is drawn in light colours."""
    colour, opacity = np.asarray(image.convert("RGB").convert("L"), float), np.asarray(image.getchannel("A"), float)
    mean = (colour * opacity).sum() / max(opacity.sum(), 1)
    paper = 0 if mean > 127 and opacity.mean() < 127 else 255
    return Image.fromarray(((colour * opacity + paper * (255 - opacity)) / 255).round().astype(np.uint8))


# ---- from a picture to a crop ----


def prepare(image: Image.Image, *, line_height: int, paragraph: bool) -> Crop:
    """The text of a picture, mode L, at `line_height` pixels a line: of one line, or of several where `paragraph`."""
    image = _mended(image)
    found = _look(image)
    if found is None:
        return Crop(np.zeros((line_height, line_height), np.uint8), 0)
    bounds, lines = found
    if 2 * (bounds[2] - bounds[0]) < image.width:  # a small part of it, which is looked at closely
        image = image.crop((math.floor(bounds[0]), math.floor(bounds[1]), math.ceil(bounds[2]), math.ceil(bounds[3])))
        bounds, lines = _look(image) or ((0, 0, *image.size), lines)
    return Crop(resample(image, bounds, line_height * (lines if paragraph else 1)), lines)


def _look(image: Image.Image) -> tuple[Bounds, int] | None:
    """Where the text of a picture is, with a margin, and how many lines there seem to be; None where there is none."""
    small = _reduced(image, LOOK)  # over whole pixels: its edges are the picture's
    ink = _ink(small)
    if ink is None:
        return None
    mask, (left, top, right, bottom) = ink
    lines = count_lines(mask[top:bottom, left:right])
    margin = MARGIN * (bottom - top) / lines
    across, down = image.width / small.width, image.height / small.height
    return (
        max(0.0, (left - margin) * across),
        max(0.0, (top - margin) * down),
        min(float(image.width), (right + margin) * across),
        min(float(image.height), (bottom + margin) * down),
    ), lines


def count_lines(ink: np.ndarray) -> int:
    """How many lines of text bool (height, width) holds, which ends where the ink does: by how often its rows recur.

    Of IAM's paragraphs of 3 to 13 lines it counts 99 % right, of its lines more than 99.8 %.
    """
    rows = ndimage.gaussian_filter1d(ink.sum(1).astype(float), max(1.0, min(len(ink) / 56, 2.0)))
    rows -= rows.mean()
    height = len(rows)
    alike = np.correlate(rows, rows, "full")[height - 1 :] * height / np.arange(height, 0, -1)
    alike = alike / max(alike[0], 1e-9)
    least = max(4, height // 20, round(STROKES * _stroke_height(ink)))  # or an e would be three lines
    lag = np.arange(least, max(least, int(min(0.75 * height, ink.shape[1] / WORD))))
    peaks = lag[(alike[lag] >= alike[lag - 1]) & (alike[lag] > alike[lag + 1]) & (alike[lag] > 0.15)]
    if not peaks.size:
        return 1
    pitch = peaks[alike[peaks] > 0.7 * alike[peaks].max()][0]
    return max(1, round(height / pitch + 0.4))  # the first line's ascenders and the last one's descenders are missing


def _pieces(ink: np.ndarray) -> tuple[np.ndarray, int]:
    """What hangs together in bool (height, width), also by corners: int (height, width), 0 beside; and how many."""
    labelled: Any = ndimage.label(ink, np.ones((3, 3)))  # typed as if it gave a number alone
    return labelled


def _stroke_height(ink: np.ndarray) -> float:
    """How high what hangs together is, in pixels: half of the ink is in higher pieces."""
    labels, count = _pieces(ink)
    objects: Any = ndimage.find_objects(labels)
    heights = np.array([rows.stop - rows.start for rows, _ in objects])
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(heights)
    return float(heights[order][np.searchsorted(np.cumsum(sizes[order]), sizes.sum() / 2)])


def _mended(image: Image.Image) -> Image.Image:
    """Dark ink on evenly lit, light paper, without the dark edges that scanners leave; a clean scan as it is."""
    small = np.asarray(_reduced(image, LOOK), np.float32)
    low, middle, high = np.percentile(small, [0.5, 50, 99.5])
    if middle < (low + high) / 2 and middle < 128:  # paper takes more room than ink
        image = ImageOps.invert(image)
    image = _without_edges(image)
    paper = _paper(image)
    small = _reduced(image, LOOK)
    below = np.asarray(Image.fromarray(paper).resize(small.size)) - np.asarray(small, np.float32)
    depth = float(ndimage.uniform_filter(below, 2).max())
    even = paper.max() - paper.min() < UNEVEN and np.median(paper) > DIM
    if even and not FAINTEST <= depth < WEAK:
        return image
    paper = np.asarray(Image.fromarray(paper).resize(image.size, Image.Resampling.BILINEAR))
    gain = (PAPER - INK) / depth if FAINTEST <= depth < WEAK else PAPER / np.maximum(paper, 1)
    return Image.fromarray(np.clip(PAPER - (paper - np.asarray(image, np.float32)) * gain, 0, 255).astype(np.uint8))


def _without_edges(image: Image.Image) -> Image.Image:
    """Cut off rows and columns at the edges that are dark for the most part: the table below, the scanner's lid."""
    small = _reduced(image, LOOK)
    pixels = np.asarray(small, np.float32)
    dark = pixels < np.median(pixels) / 2
    (left, right), (top, bottom) = _light(dark.mean(0)), _light(dark.mean(1))
    if (left, top, right, bottom) == (0, 0, *small.size):
        return image
    across, down = image.width / small.width, image.height / small.height
    edges = (left * across, top * down, right * across, bottom * down)
    return image.crop((math.ceil(edges[0]), math.ceil(edges[1]), math.floor(edges[2]), math.floor(edges[3])))


def _light(dark: np.ndarray) -> tuple[int, int]:
    """The first row and the one behind the last that are light, from how much of each is dark, float (rows,)."""
    light = np.flatnonzero(dark < MOSTLY)
    if len(light) < 3:
        return 0, len(dark)
    first, last = int(light[0]), int(light[-1]) + 1
    return first + (first > 0), last - (last < len(dark))  # and one more, of which a part may be dark


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """The image with a longer side of `side` to twice as many pixels, where it has so many, by means of squares."""
    return image.reduce(max(1, max(image.size) // side))


def _paper(image: Image.Image) -> np.ndarray:
    """How bright the paper is at each place of a tiny picture, float32: what lies between strokes."""
    tiny = np.asarray(_reduced(image, PAPER_LOOK), np.float32)
    closed = ndimage.grey_closing(tiny, size=(5, 5), mode="nearest")
    return ndimage.gaussian_filter(closed, 2, mode="nearest").astype(np.float32)


def _ink(small: Image.Image) -> tuple[np.ndarray, tuple[int, int, int, int]] | None:
    """Where the ink is in a small picture: bool (height, width), and the box around it; None where there is none."""
    dark = 255 - np.asarray(small, np.float32)
    paper = np.median(dark)
    noise = 1.4826 * np.median(np.abs(dark - paper))
    most = ndimage.uniform_filter(dark, 2).max() - paper
    if most < FAINTEST:
        return None
    mask = dark > paper + max(0.35 * most, 4 * noise, FAINTEST / 2)
    labels, count = _pieces(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    order = np.argsort(sizes)
    dust = order[np.cumsum(sizes[order]) <= SPECKS * sizes.sum()]
    sizes[dust] = 0
    if sizes.sum() < LEAST:
        return None
    mask = (sizes > 0)[labels]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
