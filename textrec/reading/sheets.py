"""Pages of files, opened: the lines of pictures and of PAGE and ALTO XML, cut out to be read."""

import contextlib
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image
from tqdm import tqdm

from textrec.base.runtime import TextrecError, describe, usable_cores
from textrec.network.memory import give_back
from textrec.pages.new_lines import NewLine
from textrec.pages.page_alto import Page, PageLine, crop_line, is_page, page_pixels, read_page, write_page
from textrec.pages.pictures import SUFFIXES, open_pictures
from textrec.pages.ribbons import covered
from textrec.pages.xml_edit import Element
from textrec.reading.files import is_picture, on_disk
from textrec.reading.page_reading import LineReading, PageReading

if TYPE_CHECKING:  # torch takes seconds to import, in which a wrong option or Ctrl-C is to be answered
    from textrec.network.finder import LineFinder
    from textrec.network.trained import Reading
    from textrec.pages.text_area import Crop
    from textrec.reading.pages import Way
    from textrec.reading.recognizer import Kind, Recognizer

REPORT = Path(tempfile.gettempdir()) / "textrec-read.log"
SHORT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory", re.IGNORECASE)
FIRST, GROWTH, MOST = 8, 4, 512  # pages of files that are opened together: at first, times as many then, at most
WINDOW = 8  # batches: so many crops are in memory at once, and sorted by size
HALF = 0.5  # of a line, for it to be in a region
Outcome = Literal["read", "empty", "rejected", "failed"]


@dataclass
class Sheet:
    """A page of a file: what is to be read of it, or what is wrong with it; in the end what was read.

    number: the page of its file, from 1; None where that has but one. whole: whether it is read at once, as a picture
    of one line is. xml: its file of PAGE or ALTO; found: the regions of that to which the last lines, which it does not
    know, belong.
    """

    path: str
    number: int | None = None
    way: "Way | None" = None
    whole: bool = False
    xml: Page | None = None
    found: list[Element] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0
    reading: PageReading | None = None

    @property
    def name(self) -> str:
        """Path, and page where there are several."""
        return self.path + (f", page {self.number}" if self.number else "")

    def line_name(self, line: LineReading) -> str:
        """What a line of it is called."""
        return self.name if self.whole else f"{self.name}, line {line.id}"

    @property
    def source(self) -> tuple[Path, int | None]:
        """Its picture's file, and the page of that."""
        return (self.xml.image, self.xml.number) if self.xml else (Path(on_disk(self.path)), self.number)

    @property
    def crops(self) -> "list[Crop]":
        """What is to be read."""
        return self.way.crops if self.way else []

    def take(self, readings: "Iterator[Reading | str]") -> None:
        """Keep what was read of `crops`, or why it could not be."""
        from textrec.reading.pages import read_way

        if self.way:
            self.reading, self.way = read_way(self.way, readings), None


def outcome(line: LineReading, least: float) -> Outcome:
    """What came of a line: a text with a confidence of `least` or more, none, a less sure one, or an error."""
    if line.problem:
        return "failed"
    if not line.text:
        return "empty"
    return "read" if line.confidence >= least else "rejected"


def read_files(
    pages: Iterable[tuple[str, int | None]],
    recognizer: "Recognizer",
    finder: "LineFinder",
    *,
    kind: "Kind | None",
    batch_size: int,
    greedy: bool,
    cores: int | None = None,
) -> Iterator[list[Sheet]]:
    """Read pages of files, some together, in their order; what memory they took goes back once the next are asked for.

    Some are read before the next are opened: both at once would be no faster, and take twice the memory. cores: that
    open them; None: all.
    """
    import torch

    count, size, pages = FIRST, WINDOW * batch_size, iter(pages)
    # Each by one thread of torch: they are as many as there are cores.
    with ThreadPoolExecutor(cores or usable_cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def opened(page: tuple[str, int | None]) -> Sheet:
            return open_sheet(*page, recognizer, finder, kind)

        while some := list(islice(pages, count)):
            sheets = list(pool.map(opened, some))
            crops = sum(len(sheet.crops) for sheet in sheets)
            count = max(FIRST, min(GROWTH * count, MOST, size * len(sheets) // max(crops, 1)))
            _read(recognizer, sheets, batch_size=batch_size, greedy=greedy)
            yield sheets
            give_back()


def open_sheet(
    path: str, number: int | None, recognizer: "Recognizer", finder: "LineFinder", kind: "Kind | None"
) -> Sheet:
    """Cut out the lines of a page of a file; what cannot be read says why.

    That is so for whatever is unforeseen, too: one page's trouble is not the others'.
    """
    start = time.perf_counter()
    sheet = Sheet(path, number)
    try:
        if not is_picture(path) and is_page(path):
            _open_xml(sheet, recognizer, finder)
        elif Path(path).is_dir():
            raise TextrecError(f"no picture in this folder; known are {', '.join(sorted(SUFFIXES))}")
        else:
            picture = next(open_pictures(on_disk(path), start=number or 1), None)
            if picture is None:
                raise TextrecError(f"has no page {number} any more")
            sheet.way, sheet.whole = recognizer.look(picture.image, finder, kind)
    except TextrecError as error:
        sheet.error = str(error).replace(on_disk(path), path).removeprefix(f"{path}: ")
    except OSError as error:
        sheet.error = describe(error).removeprefix(f"{path}: ")
    except Exception as error:
        sheet.error = unforeseen(error)
    sheet.seconds = time.perf_counter() - start
    return sheet


def _read(recognizer: "Recognizer", sheets: list[Sheet], *, batch_size: int, greedy: bool) -> None:
    """Read all crops, those of like size together; where that fails each alone, so that one's trouble is its own."""
    start = time.perf_counter()
    crops = [crop for sheet in sheets for crop in sheet.crops]

    def alone(crop: "Crop") -> "Reading | str":
        try:
            return recognizer.read_prepared([crop], batch_size=1, greedy=greedy)[0]
        except Exception as error:
            return unforeseen(error)

    try:
        readings: list[Reading | str] = [*recognizer.read_prepared(crops, batch_size=batch_size, greedy=greedy)]
    except Exception as error:
        if out_of_memory(error) and batch_size > 1:
            remedy = "reading one at a time, a smaller one is faster"
            tell(f"warning: not enough memory for --batch-size {batch_size}; {remedy}")
        readings = [alone(crop) for crop in crops]
    share = (time.perf_counter() - start) / max(len(crops), 1)
    found = iter(readings)
    for sheet in sheets:
        sheet.seconds += share * len(sheet.crops)
        sheet.take(found)


def tell(message: str) -> None:
    """Say something on standard error, on one line whatever a file is called."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    tqdm.write(shown, file=sys.stderr)


def unforeseen(error: Exception) -> str:
    """What is told of an error that nobody thought of; the rest of it is kept in REPORT."""
    if out_of_memory(error):
        return "not enough memory for it; reduce it or cut it into parts"
    name = f"{type(error).__name__} that was not foreseen"
    try:
        with REPORT.open("a", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except OSError as problem:
        return f"{name} ({error}); no report of it could be written: {describe(problem)}"
    return f"{name}; please send {REPORT}, which says where it came up"


def out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice: numpy's and Python's MemoryError, or torch's and onnxruntime's by their words."""
    return isinstance(error, MemoryError) or bool(SHORT_OF_MEMORY.search(str(error)))


def _open_xml(sheet: Sheet, recognizer: "Recognizer", finder: "LineFinder") -> None:
    from textrec.reading.pages import Way

    if recognizer.paragraphs:
        raise TextrecError("lines of XML are read by a model of lines, this is one of paragraphs")
    xml = sheet.xml = read_page(sheet.path)
    pixels = page_pixels(xml)
    if xml.guess:
        tqdm.write(f"warning: {sheet.path}: {xml.guess}", file=sys.stderr)
    crops: list[Crop] = []
    lines = []
    for line in xml.lines:
        problem = line.problem
        if line.clipped and not problem:
            told = f"warning: {sheet.path}, line {line.id}: {line.clipped} points outside of the image were moved"
            tqdm.write(told, file=sys.stderr)
        if problem is None:
            try:
                crops.append(recognizer.crop_line(crop_line(pixels, line)))
            except TextrecError as error:
                problem = str(error)
        lines.append(LineReading(line.id, line.polygon, _baseline(line), problem=problem))
    regions = iter(lines)
    blocks = [[next(regions) for _ in block] for _, block in groupby(xml.lines, key=lambda line: line.element.parent)]
    if xml.empty_regions:
        more = _in_regions(sheet, xml, recognizer.find_lines(Image.fromarray(pixels), finder))
        blocks += more.page.blocks
        crops += more.crops
    sheet.way = Way(PageReading(xml.image_size, 0, blocks), crops)


def _in_regions(sheet: Sheet, xml: Page, way: "Way") -> "Way":
    """Of the lines that were found those that lie in regions without lines for the most part, region by region."""
    from textrec.reading.pages import Way

    width, height = xml.image_size
    insides = [covered((height, width), region.polygon) for region in xml.empty_regions]
    within: list[list[tuple[LineReading, Crop | None]]] = [[] for _ in insides]
    given = iter(way.crops)
    outside = 0
    for line in way.page.lines:
        crop = None if line.problem else next(given)
        x, y = line.baseline.astype(int).clip(0, (width - 1, height - 1)).T
        shares = [inside[y, x].mean() for inside in insides]
        if max(shares) > HALF:
            within[int(np.argmax(shares))].append((line, crop))
        else:
            outside += 1
    if outside:
        tqdm.write(
            f"note: {sheet.path}: {outside} lines outside of the regions without lines are left", file=sys.stderr
        )
    for region, block in zip(xml.empty_regions, within, strict=True):
        sheet.found += [region.element] * len(block)
    blocks = [[line for line, _ in block] for block in within if block]
    crops = [crop for block in within for _, crop in block if crop]
    return Way(PageReading(xml.image_size, 0, blocks), crops)


def _baseline(line: PageLine) -> np.ndarray:
    """A line's baseline; where the XML has none, the lower edge of its outline, which may have no points."""
    if line.baseline is not None or not len(line.polygon):
        return np.zeros((0, 2)) if line.baseline is None else line.baseline
    (left, _), (right, bottom) = line.polygon.min(axis=0), line.polygon.max(axis=0)
    return np.array([(left, bottom), (right, bottom)])


def accepted(page: PageReading, least: float) -> PageReading:
    """The page as it is written down: without the texts of lines that are less sure than `least`."""

    def shown(line: LineReading) -> dict[str, str]:
        rejected = outcome(line, least) == "rejected"
        return {"problem": f"less sure than {least:g}: {line.confidence:.2f}", "text": ""} if rejected else {}

    return page.filled([shown(line) for line in page.lines])


def write_xml(sheet: Sheet, target: Path, *, least: float, only_empty: bool, keep: bool) -> None:
    """Write what was read into the XML file or another.

    only_empty: lines that have a text already stay as they are.
    keep: a file that is written over is kept once, as it was before the first time, with `.bak` behind its name.
    """
    if not (sheet.xml and sheet.reading):
        return
    lines, known = sheet.reading.lines, sheet.xml.lines
    readings = {
        index: (line.text, line.confidence)
        for index, line in enumerate(lines[: len(known)])
        if outcome(line, least) == "read" and not (only_empty and (known[index].text or "").strip())
    }
    found: dict[Element, list[NewLine]] = {}
    for region, line in zip(sheet.found, lines[len(known) :], strict=True):
        text = line.text if outcome(line, least) == "read" else None
        found.setdefault(region, []).append(NewLine(line.outline, line.baseline, text, line.confidence))
    backup = target.with_name(f"{target.name}.bak")
    if keep and target == sheet.xml.path and not backup.exists():
        shutil.copy2(target, backup)
    write_page(sheet.xml, target, readings, found)


@contextlib.contextmanager
def writing(target: Path, *, of: str) -> Iterator[None]:
    """Have whatever keeps a file `of` another from being written be a TextrecError that names both."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError):
            error.filename = None  # a temporary file's
        reason = describe(error) if isinstance(error, OSError) else unforeseen(error)
        reason = str(error).removeprefix(f"{of}: ") if isinstance(error, TextrecError) else reason
        raise TextrecError(f"{of}: not written to {target}: {reason}") from None
