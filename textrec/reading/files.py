"""What `textrec read` is given, opened: crops of pictures, of pages, and of the lines of PAGE and ALTO XML."""

import glob
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tqdm import tqdm

from textrec.base.runtime import TextrecError, describe
from textrec.pages.page_alto import Page, crop_line, is_page, read_page, write_page
from textrec.pages.pictures import SUFFIXES, Crop, open_pictures

if TYPE_CHECKING:  # torch takes seconds to import, in which a wrong option or Ctrl-C is to be answered
    from textrec.reading.recognizer import Reading, Recognizer


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
    """The files that the command line names, of folders those with a known suffix, in order of their names."""
    for argument in arguments:
        if argument == "-":
            yield from (line for text in sys.stdin if (line := text.rstrip("\n")))
        elif Path(argument).is_dir():
            found = sorted(str(path) for path in Path(argument).rglob("*") if path.suffix.lower() in SUFFIXES)
            yield from found or [argument]
        elif not Path(argument).exists() and (matches := sorted(glob.glob(argument, recursive=True))):  # noqa: PTH207
            yield from matches
        else:
            yield argument


def open_file(path: str, recognizer: "Recognizer") -> Opened:
    """Make crops of a file's pages or lines for a recogniser; what cannot be read becomes an entry that says why."""
    start = time.perf_counter()
    opened = Opened([])
    try:
        if path.lower().endswith(".xml") and is_page(path):
            return _open_xml(path, recognizer)
        if Path(path).is_dir():
            raise TextrecError(f"no picture in this folder; known are {', '.join(sorted(SUFFIXES))}")
        for picture in open_pictures(path):
            opened.entries.append(_entry(Entry(path, picture.page), picture.image, recognizer, start))
            start = time.perf_counter()
    except TextrecError as error:
        opened.entries.append(Entry(path, error=str(error).removeprefix(f"{path}: ")))
    except OSError as error:
        opened.entries.append(Entry(path, error=describe(error).removeprefix(f"{path}: ")))
    return opened


def _open_xml(path: str, recognizer: "Recognizer") -> Opened:
    if recognizer.paragraphs:
        raise TextrecError("lines of XML are read by a model of lines, this is one of paragraphs")
    xml = read_page(path)
    image = next(open_pictures(xml.image)).image
    if image.size != xml.image_size:
        raise TextrecError(
            f"{xml.image} is to be turned, by its EXIF: coordinates do not say which way; store it upright"
        )
    pixels = np.asarray(image)
    opened = Opened([], xml)
    for line in xml.lines:
        entry, start = Entry(path, line=line.id, error=line.problem), time.perf_counter()
        if line.clipped and not line.problem:
            tqdm.write(f"warning: {entry.name}: {line.clipped} points outside of the image were moved", file=sys.stderr)
        if line.problem is None:
            entry = _entry(entry, Image.fromarray(crop_line(pixels, line)), recognizer, start)
        opened.entries.append(entry)
    return opened


def _entry(entry: Entry, image: Image.Image, recognizer: "Recognizer", start: float) -> Entry:
    try:
        entry.crop = recognizer.crop(image)
    except TextrecError as error:
        entry.error = str(error)
    entry.seconds = time.perf_counter() - start
    return entry


def write_xml(xml: Page, opened: Opened, folder: Path | None, least: float) -> None:
    """Write what was read with a confidence of `least` or more into the file, or one of its name in `folder`."""
    readings = {
        index: (entry.reading.text, entry.reading.confidence)
        for index, entry in enumerate(opened.entries)
        if entry.reading and entry.reading.confidence >= least
    }
    write_page(xml, folder / Path(xml.path).name if folder else xml.path, readings)
