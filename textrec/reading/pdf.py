"""PDFs of pictures and PDFs as they are, with what was read of them as text that is not seen, at its place."""

import contextlib
import io
import logging
import math
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import img2pdf
import numpy as np
import pikepdf
from pikepdf import Dictionary, Name, Page, Pdf
from PIL import ExifTags, Image

from textrec.base.runtime import TextrecError, atomic, describe
from textrec.pages.page_coordinates import inverse, moved
from textrec.pages.pictures import open_pictures, page_frames
from textrec.pages.ribbons import covered
from textrec.pages.xml_edit import plain
from textrec.reading.glyphless import EM, GlyphlessFont, width
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.pdf_text import inherited, remove_unseen
from textrec.reading.places import Word, find_words

if TYPE_CHECKING:
    from typing_extensions import Buffer

# How a picture is to be shown, in degrees clockwise, by EXIF's orientation. What is not JPEG is turned already where
# img2pdf has Pillow decode it, and is not where it takes the bytes as they are.
AS_IT_IS = {1: "none"}
JPEG_TURNS = AS_IT_IS | {3: "180", 6: "90", 8: "270"}
CURVED = 0.1  # of a line's height: how far its baseline may be from a straight one
NO_SIZE = (0.0, 0.0, 612.0, 792.0)  # points: a page that gives no size, as pdfium takes it


class SearchablePdf:
    """A PDF in the making: each page of `source` as it is, some with text laid over them. Use it as a context.

    source: a PDF, or a picture, of one page or several. A picture's bytes are kept where PDF has such; any other
    picture, as one with transparency, becomes grey. target: written where the context ends, as a whole, and not at all
    where it ends by an error; it may be `source`.

    To enter it raises TextrecError where source is missing, damaged or an encrypted PDF, to leave it OSError where
    target cannot be written.
    """

    def __init__(self, source: str | Path, target: str | Path) -> None:
        self._source, self._target = Path(source), Path(target)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._pdf = _opened(self._source, stack)
            self._font = GlyphlessFont(self._pdf)
            self._stack = stack.pop_all()
        return self

    def add(self, number: int | None, page: PageReading) -> None:
        """Lay what was read of a page over it, in place of text that is not seen, and but where none is that is.

        number: from 1, None where the source has but one.
        """
        if not page.text.strip():
            return
        target = self._pdf.pages[(number or 1) - 1]
        to_points = _to_points(target, page.size)
        seen = moved(remove_unseen(self._pdf, target), inverse(to_points))
        parts = [part for line in page.lines for part in _parts(line, seen)]
        if not parts:
            return
        font = self._font_name(target)
        shown = [self._shown(part, to_points, font) for part in parts]
        content = "\n".join(["q BT 3 Tr", *shown, "ET Q\n"])  # 3: neither filled nor stroked
        # Before the page's own content, which may leave any state behind; what is not seen covers nothing.
        target.contents_add(content.encode(), prepend=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is None:
                self._font.finish()
                with atomic(self._target) as temporary:
                    _save(self._pdf, temporary)

    def _font_name(self, page: Page) -> str:
        """The font's name on a page, whose resources may be those of other pages, too."""
        resources = inherited(page.obj, Name.Resources)
        if resources is None:
            resources = page.obj[Name.Resources] = Dictionary()
        if Name.Font not in resources:
            resources[Name.Font] = Dictionary()
        fonts = resources[Name.Font]
        name = "/Textrec"
        while name in fonts and fonts[name].objgen != self._font.reference.objgen:  # of an earlier reading
            name += "-"
        fonts[name] = self._font.reference
        return name

    def _shown(self, part: Word, to_points: np.ndarray, font: str) -> str:
        """The operators that write a part of a line, as long as its baseline and as high as its polygon."""
        text = plain(part.text)
        begin, end = part.baseline[[0, -1]] @ to_points[:2] + to_points[2]
        length = math.hypot(*(end - begin)) or 1.0
        cos, sin = (end - begin) / length
        size = float(np.ptp(part.polygon @ to_points[:2] @ (-sin, cos))) or 1.0
        stretch = 100 * length * EM / (size * width(text))  # percent
        matrix = " ".join(f"{value:.5f}" for value in (cos, sin, -sin, cos, *begin))
        # The blank stands alone, so that pdfium does not take what begins at one height for one line.
        code, blank = self._font.encoded(text), self._font.encoded(" ")
        return f"{font} {size:.3f} Tf {stretch:.3f} Tz {matrix} Tm <{code}> Tj <{blank}> Tj"


def _parts(line: LineReading, seen: np.ndarray) -> list[Word]:
    """A line's words; all as one, by which readers of PDF know a line, where the baseline is straight.

    seen: the middles of characters that the page shows as text, float64 (N, 2) in pixels; words that are such are left.
    """
    words = find_words(line)
    if not words:
        return []
    baseline = np.concatenate([word.baseline for word in words])
    along = baseline[-1] - baseline[0]
    length = max(math.hypot(*along), 1)
    along, across = along / length, np.array([-along[1], along[0]]) / length
    there, letter = seen[_within(seen, line.outline)] @ along, length / len(line.text)
    beside = [word for word in words if not _is_seen(word.text, word.baseline @ along, there, letter)]
    if len(beside) < len(words) or np.ptp(baseline @ across) > CURVED * np.ptp(line.outline @ across):
        return beside
    polygon = np.concatenate([word.polygon for word in words])
    return [Word(line.text.strip(), line.confidence, baseline, polygon)]


def _is_seen(text: str, reach: np.ndarray, there: np.ndarray, letter: float) -> bool:
    """Whether half of a word's characters are where characters are seen, or next to them.

    reach: from where to where the word is along its line, float64 (M,); there: where such characters are, float64 (N,);
    letter: how far they are from each other.
    """
    ends = np.linspace(reach[0], reach[-1], len(text) + 1)
    away = np.abs((ends[1:] + ends[:-1])[:, None] / 2 - there)
    return bool((away <= letter).any(axis=1).mean() >= 0.5)


def _within(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points lie within a polygon, bool (N,)."""
    low, high = np.floor(polygon.min(axis=0)), np.ceil(polygon.max(axis=0))
    inside = ((points >= low) & (points <= high)).all(axis=1)
    if inside.any():
        width, height = (high - low + 1).astype(int)
        x, y = np.rint(points[inside] - low).astype(int).T
        inside[inside] = covered((height, width), polygon - low)[y, x]
    return inside


# ---- where pixels are ----


def _to_points(page: Page, size: tuple[int, int]) -> np.ndarray:
    """From pixels of a page's picture to points of its PDF: float64 (3, 2), of x, of y, and of where both are 0."""
    left, bottom, right, top = _shown_box(page)
    across, up = np.array([right - left, 0]), np.array([0, top - bottom])
    x, y, corner = {
        0: (across, -up, (left, top)),
        90: (up, across, (left, bottom)),
        180: (-across, up, (right, bottom)),
        270: (-up, -across, (right, top)),
    }[int(int(inherited(page.obj, Name.Rotate) or 0) / 90) % 4 * 90]  # in whole quarters, as pdfium takes it
    return np.stack([x / size[0], y / size[1], corner])


def _shown_box(page: Page) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of what pdfium renders of a page: its MediaBox, as far as its CropBox leaves it."""
    media = _box(page, Name.MediaBox) or NO_SIZE
    crop = _box(page, Name.CropBox) or media
    return max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3])


def _box(page: Page, name: Name) -> tuple[float, float, float, float] | None:
    """A box of a page, whichever corners it is given by; None where it has none, or an empty one."""
    box = inherited(page.obj, name)
    if box is None or len(box) != 4:
        return None
    x, y = sorted((float(box[0]), float(box[2]))), sorted((float(box[1]), float(box[3])))
    return (x[0], y[0], x[1], y[1]) if x[0] < x[1] and y[0] < y[1] else None


# ---- sources ----


def _opened(source: Path, stack: ExitStack) -> Pdf:
    """The PDF of a source, open as long as the stack."""
    try:
        with source.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise TextrecError(describe(error)) from None
    if b"%PDF-" not in head:
        return stack.enter_context(pikepdf.open(stack.enter_context(_of_pictures(source))))
    encrypted = f"{source}: an encrypted PDF, to which no text can be added; save it without its password"
    try:
        pdf = stack.enter_context(pikepdf.open(source))
    except pikepdf.PasswordError:
        raise TextrecError(encrypted) from None
    except pikepdf.PdfError as error:
        raise TextrecError(f"{source}: not a PDF that can be read ({str(error).splitlines()[0]})") from None
    if pdf.is_encrypted:
        raise TextrecError(encrypted)
    return pdf


@contextlib.contextmanager
def _of_pictures(source: Path) -> Iterator[BinaryIO]:
    """A file, for as long, that is a PDF of the pages of a picture, of an animation the first."""
    logging.getLogger("img2pdf").setLevel(logging.CRITICAL)  # what it refuses is no news
    with tempfile.TemporaryFile() as file:
        try:
            options = _options(source)
            img2pdf.convert(source, outputstream=file, nodate=True, **options)
        except Exception:  # decoders of damaged files raise whatever comes up
            file.seek(0)
            file.truncate()
            pages = [_png(picture.image) for picture in open_pictures(source)]
            try:
                img2pdf.convert(pages, outputstream=file, nodate=True)
            except ValueError as error:
                raise TextrecError(f"{source}: PDF can have no such page ({error})") from None
        yield file


def _options(source: Path) -> dict[str, Any]:
    """Which of a picture's pages img2pdf is to take, and how it is to turn them.

    Raises KeyError where it would show others, or one that is not upright, or on no paper, on which white is not seen.
    """
    with Image.open(source) as image:
        frames, turns = page_frames(image), []
        for index in frames:
            image.seek(index)
            if image.format == "PNG":
                image.load()  # its EXIF may be behind its pixels
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            turns.append((JPEG_TURNS if image.format in {"JPEG", "MPO"} else AS_IT_IS)[orientation])
            if image.has_transparency_data:
                raise KeyError(image.mode)
        if frames not in ([0], [*range(getattr(image, "n_frames", 1))]):
            raise KeyError(*frames)
    return {"first_frame_only": frames == [0], "rotation": img2pdf.Rotation[turns[0]]}


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


# ---- saving ----


class _NotingFile(io.BufferedWriter):
    """A file that keeps what goes wrong as its `error`: a write that raises has qpdf abort the whole process."""

    error: Exception | None = None

    def write(self, data: "Buffer", /) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except Exception as error:
                self.error = error
        return memoryview(data).nbytes

    def flush(self) -> None:
        try:
            super().flush()
        except Exception as error:
            self.error = error


def _save(pdf: Pdf, path: Path) -> None:
    # In a thread of its own: in the main one Ctrl-C would raise in a write.
    with _NotingFile(io.FileIO(path, "w")) as file, ThreadPoolExecutor(1) as thread:
        thread.submit(pdf.save, file, deterministic_id=True).result()
    if file.error:
        raise file.error
