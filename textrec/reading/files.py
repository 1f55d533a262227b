"""What `textrec read` is given, opened: crops of pictures, of pages, and of the lines of PAGE and ALTO XML."""

import codecs
import contextlib
import glob
import io
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from tqdm import tqdm

from textrec.base.runtime import TextrecError, describe
from textrec.pages.page_alto import Page, crop_line, is_page, page_image, page_pixels, read_page, write_page
from textrec.pages.pictures import SUFFIXES, open_pictures
from textrec.pages.text_area import Crop

if TYPE_CHECKING:  # torch takes seconds to import, in which a wrong option or Ctrl-C is to be answered
    from textrec.reading.recognizer import Reading, Recognizer


REPORT = Path(tempfile.gettempdir()) / "textrec-read.log"
STDIN = "-"
PICTURE = re.compile(rb"\A%PDF-|\AP[1-6]\s|[\x01-\x08\x0e-\x1a]")  # all but PDF and PGM begin with such bytes, too
SHORT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory", re.IGNORECASE)


@dataclass
class Entry:
    """A picture, or a line of an XML file: its crop, or what is wrong with it; in the end what was read."""

    path: str
    page: int | None = None
    line: str | None = None
    crop: Crop | None = None
    error: str | None = None
    seconds: float = 0.0
    reading: "Reading | None" = None

    def outcome(self, least: float) -> Literal["read", "empty", "rejected", "failed"]:
        """What came of it: a text with a confidence of `least` or more, none, a less sure one, or an error."""
        if self.error:
            return "failed"
        if not self.reading or not self.reading.text:
            return "empty"
        return "read" if self.reading.confidence >= least else "rejected"

    @property
    def name(self) -> str:
        """Path, and page or line where there are several."""
        return self.path + (f", page {self.page}" if self.page else "") + (f", line {self.line}" if self.line else "")


@dataclass
class Opened:
    """A file: its pages or lines; of an XML file what it says, each of whose lines has an entry."""

    entries: list[Entry]
    xml: Page | None = None


def paths(arguments: Sequence[str]) -> Iterator[str]:
    """The files that the command line names, of folders those of `files_of`, in order of their names."""
    for argument in arguments:
        if argument == STDIN:
            yield from _named_on_stdin()
        elif os.path.isdir(argument):  # noqa: PTH112 -- Path's raises where a name is too long, or not to be looked at
            yield from files_of(argument) or [argument]
        elif not os.path.lexists(argument) and (matches := sorted(glob.glob(argument, recursive=True))):  # noqa: PTH207
            yield from matches
        else:
            yield argument


def _named_on_stdin() -> Iterator[str]:
    """The files that standard input lists, as it comes: one a line, or as `find -print0` does; STDIN for a picture."""
    if sys.stdin is None:
        raise TextrecError(f"{STDIN}: standard input is closed; give it a list of files, or a picture")
    stream = cast(io.BufferedReader, sys.stdin.buffer)
    head = stream.peek()
    if PICTURE.search(head):
        yield STDIN
        return
    if head.removeprefix(codecs.BOM_UTF8).startswith(b"<"):
        raise TextrecError(f"{STDIN}: standard input is XML, into which the text is written: give the name of its file")
    end, rest = b"\0" if b"\0" in head else b"\n", b""
    stream.read(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
    while block := stream.read1():
        *names, rest = (rest + block).split(end)
        yield from filter(None, map(_listed, names))
    yield from filter(None, [_listed(rest)])


def _listed(name: bytes) -> str:
    """A name of a list, also where it is no text; a file that is called as STDIN is, by another name of it."""
    path = os.fsdecode(name.rstrip(b"\r"))
    return os.path.join(os.curdir, path) if path == STDIN else path  # noqa: PTH118 -- Path's would be the same name


@contextlib.contextmanager
def _on_disk(path: str) -> Iterator[str]:
    """A file's path; of the picture that is STDIN, the path of a file that holds it for as long."""
    if path != STDIN:
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="textrec-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        try:
            yield file.name
        except TextrecError as error:
            raise TextrecError(str(error).replace(file.name, STDIN)) from None


def files_of(folder: str) -> list[str]:
    """The pictures, PDFs and files of PAGE and ALTO below a folder, but for pictures that are such a file's image."""
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in {*SUFFIXES, ".xml"})
    pages, images = set(), set()
    for path in found:
        if path.suffix.lower() == ".xml":
            try:
                if is_page(path):
                    pages.add(path)
                    images.add(os.path.realpath(page_image(path) or path))
            except Exception:  # which is told when it is opened
                pages.add(path)
    pictures = {path for path in found if path.suffix.lower() in SUFFIXES and os.path.realpath(path) not in images}
    return [str(path) for path in found if path in pages | pictures]


def open_file(path: str, recognizer: "Recognizer") -> Opened:
    """Make crops of a file's pages or lines for a recogniser; what cannot be read becomes an entry that says why.

    That is so for whatever is unforeseen, too: one file's trouble is not the others'.
    """
    start = time.perf_counter()
    opened = Opened([])
    try:
        if path.lower().endswith(".xml") and is_page(path):
            return _open_xml(path, recognizer)
        if Path(path).is_dir():
            raise TextrecError(f"no picture in this folder; known are {', '.join(sorted(SUFFIXES))}")
        with _on_disk(path) as file:
            for picture in open_pictures(file):
                opened.entries.append(_entry(Entry(path, picture.page), partial(recognizer.crop, picture.image), start))
                start = time.perf_counter()
    except TextrecError as error:
        opened.entries.append(Entry(path, error=str(error).removeprefix(f"{path}: ")))
    except OSError as error:
        opened.entries.append(Entry(path, error=describe(error).removeprefix(f"{path}: ")))
    except Exception as error:
        opened.entries.append(Entry(path, error=unforeseen(error)))
    return opened


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


def _open_xml(path: str, recognizer: "Recognizer") -> Opened:
    if recognizer.paragraphs:
        raise TextrecError("lines of XML are read by a model of lines, this is one of paragraphs")
    xml = read_page(path)
    pixels = page_pixels(xml)
    if xml.guess:
        tqdm.write(f"warning: {path}: {xml.guess}", file=sys.stderr)
    opened = Opened([], xml)
    for line in xml.lines:
        entry, start = Entry(path, line=line.id, error=line.problem), time.perf_counter()
        if line.clipped and not line.problem:
            tqdm.write(f"warning: {entry.name}: {line.clipped} points outside of the image were moved", file=sys.stderr)
        if line.problem is None:
            entry = _entry(entry, lambda line=line: recognizer.crop_line(crop_line(pixels, line)), start)
        opened.entries.append(entry)
    return opened


def _entry(entry: Entry, cut: Callable[[], Crop], start: float) -> Entry:
    """Give an entry its crop, or what is wrong with it."""
    try:
        entry.crop = cut()
    except TextrecError as error:
        entry.error = str(error)
    entry.seconds = time.perf_counter() - start
    return entry


def write_xml(
    xml: Page, entries: Sequence[Entry], target: Path, *, least: float, only_empty: bool, keep: bool
) -> str | None:
    """Write what was read, an entry for each line, into the file or another; what is wrong where that cannot be.

    only_empty: lines that have a text already stay as they are.
    keep: a file that is written over is kept once, as it was before the first time, with `.bak` behind its name.
    """
    readings = {
        index: (entry.reading.text, entry.reading.confidence)
        for index, (entry, line) in enumerate(zip(entries, xml.lines, strict=True))
        if entry.reading and entry.outcome(least) == "read" and not (only_empty and (line.text or "").strip())
    }
    backup = target.with_name(f"{target.name}.bak")
    try:
        if keep and target == xml.path and not backup.exists():
            shutil.copy2(target, backup)
        write_page(xml, target, readings)
    except OSError as error:
        error.filename = None  # a temporary file's
        return f"not written to {target}: {describe(error)}"
    except Exception as error:
        return f"not written to {target}: {unforeseen(error)}"
    return None


def targets(inputs: Sequence[str], folder: Path) -> dict[str, Path]:
    """Where each XML file goes in a folder: by its path below what all of them share."""
    parents = [Path(path).absolute().parent for path in inputs]
    common = os.path.commonpath(parents) if parents else ""
    return {path: folder / Path(path).absolute().relative_to(common) for path in inputs}
