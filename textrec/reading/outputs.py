"""What `textrec read` writes: streams to standard output, and files in a folder."""

import codecs
import contextlib
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from PIL import ImageDraw, ImageFont

from textrec.base.runtime import TextrecError, atomic
from textrec.pages.pictures import open_pictures
from textrec.reading.formats import DOCUMENTS, record
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.sheets import Sheet, accepted, outcome, writing

STROKE, NUMBER = 1000, 12  # of the longer side of a page, how wide strokes are; and how many times as high numbers
COLOURS = ("#c00000", "#0050d0", "#007020")
COLUMNS = ("path", "page", "line", "text", "confidence", "accepted", "milliseconds", "error")


class Output(Protocol):
    """Takes pages as they are read."""

    def write(self, sheet: Sheet) -> None:
        """Write what was read of a page, or that it could not be read."""
        ...


# ---- to standard output ----


class JsonLines:
    """An object for each page; page, error and lines only where there are such."""

    def __init__(self, least: float) -> None:
        self._least = least
        # In UTF-8 only what is no text is escaped, as JSON does; elsewhere JSON's own escapes are the only good ones.
        self._ascii = codecs.lookup(sys.stdout.encoding).name != "utf-8"

    def write(self, sheet: Sheet) -> None:
        """Print a line of JSON."""
        print(json.dumps(self._record(sheet), ensure_ascii=self._ascii))

    def _record(self, sheet: Sheet) -> dict[str, Any]:
        page = sheet.reading
        where = {"path": sheet.path} | ({"page": sheet.number} if sheet.number else {})
        milliseconds = {"milliseconds": round(1000 * sheet.seconds, 1)}
        if page is None:
            return where | {"error": sheet.error}
        whole = record(page, sheet.path, sheet.number)
        accept = [{"accepted": outcome(line, self._least) == "read"} for line in page.lines]
        if not sheet.whole:
            lines = [line | more for line, more in zip(whole["lines"], accept, strict=True)]
            return whole | {"lines": lines} | milliseconds
        ((line, more),) = zip(page.lines, accept, strict=True)
        if line.problem:
            return where | {"error": line.problem}
        told = whole["lines"][0]
        return where | {name: told[name] for name in ("text", "confidence", "characters")} | more | milliseconds


class Text:
    """The lines of each page, a blank one between blocks; a form feed between pages.

    Of pictures that are read at once a line each, as they can be counted then.
    """

    def __init__(self, least: float) -> None:
        self._least, self._feed = least, ""

    def write(self, sheet: Sheet) -> None:
        """Print the text."""
        text = accepted(sheet.reading, self._least).text if sheet.reading else ""
        if sheet.whole or not sheet.reading:
            print(text)
        else:
            print(self._feed + text)
            self._feed = "\f"


class Csv:
    """A table with a row for each line."""

    def __init__(self, least: float) -> None:
        self._least, self._table = least, csv.writer(sys.stdout, lineterminator="\n")
        self._table.writerow(COLUMNS)

    def write(self, sheet: Sheet) -> None:
        """Print the rows of a page."""
        where = {"path": sheet.path, "page": sheet.number or ""}
        lines = sheet.reading.lines if sheet.reading else []
        if not lines:
            self._row(where | {"error": sheet.error or ""})
        for line in lines:
            self._row(where | self._of_line(sheet, line) | {"line": "" if sheet.whole else line.id})

    def _of_line(self, sheet: Sheet, line: LineReading) -> dict[str, Any]:
        if line.problem:
            return {"error": line.problem}
        milliseconds = round(1000 * sheet.seconds / len(sheet.reading.lines), 1) if sheet.reading else ""
        accept = outcome(line, self._least) == "read"
        return {
            "text": line.text,
            "confidence": round(line.confidence, 4),
            "accepted": accept,
            "milliseconds": milliseconds,
        }

    def _row(self, values: Mapping[str, Any]) -> None:
        self._table.writerow([values.get(name, "") for name in COLUMNS])


class Tsv:
    """Tesseract's table."""

    def __init__(self, least: float) -> None:
        self._least, self._count = least, 0
        print(DOCUMENTS["tsv"].head, end="")

    def write(self, sheet: Sheet) -> None:
        """Print the rows of a page, whose number counts all that there are."""
        self._count += 1
        if sheet.reading:
            print(DOCUMENTS["tsv"].of_page(accepted(sheet.reading, self._least), sheet.path, self._count), end="")


STREAMS: Mapping[str, Callable[[float], Output]] = {"jsonl": JsonLines, "text": Text, "csv": Csv, "tsv": Tsv}

# ---- files ----

FILES = ("page", "alto", "hocr", "pdf")


class Files:
    """A file of a format for each page, or for all pages of a file, at its place in a folder, whole or not at all.

    places: of each path that is read its file's, without a suffix.
    """

    def __init__(self, kind: str, places: Mapping[str, Path], least: float) -> None:
        self._kind, self._places, self._least = kind, places, least
        self._several = kind == "pdf" or DOCUMENTS[kind].several
        self._stack = contextlib.ExitStack()
        self._path: str | None = None  # of which a file is open, or could not be written
        self._add: Callable[[int | None, PageReading], None] | None = None
        self._failed = False

    def target(self, path: str, number: int | None) -> Path:
        """The file of a page."""
        place = self._places[path]
        page = f"-{number:04d}" if number and not self._several else ""
        return place.with_name(f"{place.name}{page}{'.pdf' if self._kind == 'pdf' else DOCUMENTS[self._kind].suffix}")

    def write(self, sheet: Sheet) -> None:
        """Write a page; of one that could not be read, or whose XML says as much itself, nothing.

        What is open must be of its own file, see `leave`. Raises TextrecError where a file cannot be written, once.
        """
        self._path = sheet.path
        if self._failed or not sheet.reading or (sheet.xml and not self._several):
            return
        source, number = sheet.source
        target = self.target(sheet.path, sheet.number)
        with self._telling(target):
            if self._add is None:
                self._add = self._stack.enter_context(_opened(self._kind, source, target))
            self._add(number, accepted(sheet.reading, self._least))
            if not self._several:
                self._stack.close()

    def leave(self, sheet: Sheet) -> None:
        """Finish the file that is open, but where this page goes there, too; raises TextrecError as `close` does."""
        if sheet.path != self._path or not self._several:
            self.close()

    def close(self) -> None:
        """Finish the file that is open; TextrecError where it cannot be written."""
        try:
            if self._path is not None:
                with self._telling(self.target(self._path, None)):
                    self._stack.close()
        finally:
            self._path, self._add, self._failed = None, None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)  # after an error what is half written goes

    @contextlib.contextmanager
    def _telling(self, target: Path) -> Iterator[None]:
        try:
            with writing(target, of=self._path or ""):
                yield
        except TextrecError as error:
            self._failed, self._add = True, None
            with contextlib.suppress(TextrecError):
                self._stack.__exit__(TextrecError, error, None)  # what is half written goes
            self._stack = contextlib.ExitStack()
            raise


@contextlib.contextmanager
def _opened(kind: str, source: Path, target: Path) -> Iterator[Callable[[int | None, PageReading], None]]:
    """A file that is there once it is complete, to which pages are added."""
    if kind == "pdf":
        from textrec.reading.pdf import SearchablePdf

        with SearchablePdf(source, target) as pdf:
            yield pdf.add
        return
    document, name = DOCUMENTS[kind], os.path.relpath(source, target.parent)
    with atomic(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(document.head)
        yield lambda number, page: print(document.of_page(page, name, number), file=file, end="")
        file.write(document.tail)


# ---- pictures ----


def draw(sheet: Sheet, place: Path) -> None:
    """Draw the lines of a page, with their numbers, as a picture for a person; TextrecError where that cannot be."""
    if not sheet.reading:
        return
    target = place.with_name(f"{place.name}{f'-{sheet.number:04d}' if sheet.number else ''}.png")
    source, number = sheet.source
    with writing(target, of=sheet.path):
        image = next(open_pictures(source, start=number or 1)).image.convert("RGB")
        pen = ImageDraw.Draw(image)
        width = max(1, max(image.size) // STROKE)
        font = ImageFont.load_default(NUMBER * width)
        for index, line in enumerate(sheet.reading.lines, start=1):
            colour = COLOURS[index % len(COLOURS)]
            outline, baseline = (
                [tuple(point) for point in points.tolist()] for points in (line.outline, line.baseline)
            )
            if outline:
                pen.line([*outline, outline[0]], fill=colour, width=width)
                pen.text(outline[0], str(index), fill=colour, font=font, anchor="lb")
            pen.line(baseline, fill=colour, width=width)
        with atomic(target) as temporary:
            image.save(temporary, format="PNG")
