"""Pictures of handwriting as people have them: files of all kinds in, grey images out."""

import contextlib
import itertools
import math
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from textrec.base.runtime import TextrecError, describe
from textrec.pages.mending import FAINTEST, reduced

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif"}
SUFFIXES |= {".pgm", ".ppm", ".pdf", ".heic", ".heif"}
MOST_PIXELS = 80_000_000  # of a picture: an A3 page at 600 dpi has 70 million; below Pillow's own limit
PDF, PDF_DPI = b"%PDF-", 300  # as IAM's scans
TIFF = {b"II", b"MM"}  # how it begins
NO_PAGE = 0b101  # bits of TIFF's NewSubfileType: a smaller copy, as pyramids have them, and a mask
PDFIUM = threading.Lock()  # which is for one thread at a time
BITS = (8, 10, 12, 14, 16)  # that scanners know of a grey, in files that have room for 16 and more
ACROSS = range(5, 9)  # EXIF orientations of pictures that are stored on their side
HEIC = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}  # brands, ISO/IEC 23008-12


class Picture(NamedTuple):
    """A page of a file: `page` counts from 1, None where there can be but one; image: mode L, upright."""

    path: str
    page: int | None
    image: Image.Image


# ---- files ----


def open_pictures(path: str | Path, *, start: int = 1) -> Iterator[Picture]:
    """The pages of an image or PDF, from page `start` on; threads may do so at once.

    Raises TextrecError where the file is missing, empty, no picture, damaged, or has a picture of over MOST_PIXELS.
    """
    path = Path(path)
    pages = _pdf_pages if _is_pdf(path) else _image_pages
    with _telling(path):
        for number, image in pages(path, start):
            yield Picture(str(path), number, image)


def _is_pdf(path: Path) -> bool:
    """Whether a file is a PDF, by how it begins; else Pillow is ready for it."""
    try:
        if path.stat().st_size == 0:
            raise TextrecError(f"{path}: an empty file")
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise TextrecError(describe(error)) from None
    if head[4:8] == b"ftyp" and head[8:12] in HEIC:
        _take_heic(path)
    return PDF in head


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Have whatever keeps a picture from being read be a TextrecError."""
    try:
        yield
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


def count_pages(path: str | Path) -> int | None:
    """How many pages a file has; None where that can be but one, and where it cannot be read."""
    with contextlib.suppress(Exception), Path(path).open("rb") as file:
        head = file.read(1024)
        if PDF in head:
            with _open_pdf(Path(path)) as document:
                return len(document)
        if head[:2] in TIFF:
            file.seek(0)
            with Image.open(file) as image:
                count = len(page_frames(image))
                return count if count > 1 else None
    return None


def page_frames(image: Image.Image) -> list[int]:
    """Which frames of an image, from 0, are pages: of a TIFF those that are no smaller copy of one, and no mask.

    Of an animation it is the first. The frame that is open may be another then.
    """
    count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    frames = []
    for index in range(count) if count > 1 else []:
        image.seek(index)
        if not image.getexif().get(ExifTags.Base.NewSubfileType, 0) & NO_PAGE:
            frames.append(index)
    return frames or [0]


def _image_pages(path: Path, start: int) -> Iterator[tuple[int | None, Image.Image]]:
    for number, image in _frames_of(path, start):
        yield number, gray(image)


def _frames_of(path: Path, start: int) -> Generator[tuple[int | None, Image.Image]]:
    """The pages of an image, from page `start` on, each while it is the one that Pillow has open."""
    # Given a path, Pillow maps an uncompressed file into memory, and scrambles it where it is to be turned.
    with path.open("rb") as file, Image.open(file) as image:
        frames = page_frames(image)
        for number, index in enumerate(frames[start - 1 :], start=start):
            image.seek(index)
            if math.prod(image.size) > MOST_PIXELS:
                raise Image.DecompressionBombError
            yield (number if len(frames) > 1 else None), image


def _pdf_pages(path: Path, start: int) -> Iterator[tuple[int, Image.Image]]:
    for index in itertools.count(start - 1):
        with _open_pdf(path) as document:
            if index >= len(document):
                return
            page = document[index]
            image = page.render(scale=_pdf_scale(page)).to_pil()
        yield index + 1, gray(image)


def _pdf_scale(page: Any) -> float:
    """Pixels for a point of a page of a PDF: of a large one, as photographs become by many programs, less."""
    return min(PDF_DPI / 72, math.sqrt(MOST_PIXELS / math.prod(page.get_size())))


@contextlib.contextmanager
def _open_pdf(path: Path) -> Iterator[Any]:
    import pypdfium2

    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise TextrecError(f"{path}: is protected by a password; save it without one") from None
            raise
        with contextlib.closing(document):
            yield document


def picture_size(path: str | Path, number: int = 1) -> tuple[tuple[int, int], int]:
    """Width and height in pixels of page `number` as it stands upright, and the EXIF orientation by which it is stored.

    The orientation is 1 where it is stored as it stands. Raises TextrecError as `open_pictures` does, but may not
    notice what is damaged behind a file's head.
    """
    path = Path(path)
    with _telling(path):
        if _is_pdf(path):
            with _open_pdf(path) as document:
                page = document[number - 1]
                width, height = (math.ceil(side * _pdf_scale(page)) for side in page.get_size())
            return (width, height), 1
        with contextlib.closing(_frames_of(path, number)) as frames:
            _, image = next(frames)
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            if orientation not in range(1, 9):
                orientation = 1
            width, height = image.size
        if orientation in ACROSS and image.format != "TIFF":  # whose size is the upright one already
            width, height = height, width
        return (width, height), orientation


def _first_line(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # which names an object of Python's
        return "of no kind that is known"
    return (str(error) or type(error).__name__).splitlines()[0]


def gray(image: Image.Image | np.ndarray) -> Image.Image:
    """Any image as mode L, upright: turned as its EXIF says, what is transparent on paper, more bits as 8.

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
        most = max(values.max(), 1e-9)
        white = next((2**bits - 1 for bits in BITS if most < 2**bits and image.mode != "F"), most)
        return Image.fromarray(np.clip(np.nan_to_num(255 * values / white), 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image if image.mode == "L" else _contrasting(image.convert("RGB"))


def _contrasting(image: Image.Image) -> Image.Image:
    """The brightness of a picture, mode RGB; or one of its colours, where ink and paper are of one brightness."""
    grey = image.convert("L")
    small = reduced(image)
    kinds = [_contrast(kind) for kind in (small.convert("L"), *small.split())]
    best = int(np.argmax(kinds[1:]))
    return image.getchannel(best) if kinds[1 + best] > max(2 * kinds[0], FAINTEST) else grey


def _contrast(image: Image.Image) -> float:
    return float(np.ptp(np.percentile(np.asarray(image), [0.5, 99.5])))


def _on_paper(image: Image.Image) -> Image.Image:
    """What is drawn on nothing, mode RGBA, on white, or on black where it is drawn in light colours."""
    colour, opacity = np.asarray(image.convert("RGB").convert("L"), float), np.asarray(image.getchannel("A"), float)
    mean = (colour * opacity).sum() / max(opacity.sum(), 1)
    paper = 0 if mean > 127 and opacity.mean() < 127 else 255
    return Image.fromarray(((colour * opacity + paper * (255 - opacity)) / 255).round().astype(np.uint8))
