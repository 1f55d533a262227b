"""The files that `textrec read` is given, and those that it writes, by their names."""

import codecs
import glob
import io
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TextIO, cast

from textrec.base.runtime import TextrecError
from textrec.pages.page_alto import is_page
from textrec.pages.page_images import page_image
from textrec.pages.pictures import SUFFIXES, count_pages

STDIN = "-"
PICTURE = re.compile(rb"\A%PDF-|\AP[1-6]\s|[\x01-\x08\x0e-\x1a]")  # all but PDF and PGM begin with such bytes, too


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


def pages_of(path: str) -> Iterator[tuple[str, int | None]]:
    """A file's path with the number of each of its pages; with None where it has but one, or cannot be read."""
    count = count_pages(on_disk(path)) if is_picture(path) else None
    yield from ((path, number) for number in range(1, count + 1)) if count else [(path, None)]


def is_picture(path: str) -> bool:
    """Whether a file is none of XML, by its name."""
    return not path.lower().endswith(".xml")


def on_disk(path: str) -> str:
    """A file's path; of the picture that is STDIN, that of a file which holds it until the process ends."""
    return _kept(sys.stdin).name if path == STDIN else path


@lru_cache(maxsize=1)
def _kept(stream: TextIO) -> "tempfile._TemporaryFileWrapper[bytes]":
    file = tempfile.NamedTemporaryFile(prefix="textrec-")  # noqa: SIM115 -- it goes with the process
    shutil.copyfileobj(stream.buffer, file)
    file.flush()
    return file


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


def files_of(folder: str) -> list[str]:
    """The pictures, PDFs and files of PAGE and ALTO below a folder, but for pictures of which such files have all pages
    for their image.
    """
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in {*SUFFIXES, ".xml"})
    pages, images = set(), Counter()
    for path in found:
        if path.suffix.lower() == ".xml":
            try:
                if is_page(path):
                    pages.add(path)
                    images[os.path.realpath(page_image(path) or path)] += 1
            except Exception:  # which is told when it is opened
                pages.add(path)

    def known(path: Path) -> bool:
        count = images[os.path.realpath(path)]
        return count > 0 and count >= (count_pages(path) or 1)

    pictures = {path for path in found if path.suffix.lower() in SUFFIXES and not known(path)}
    return [str(path) for path in found if path in pages | pictures]


def targets(inputs: Sequence[str], folder: Path) -> dict[str, Path]:
    """Where each file goes in a folder, without a suffix: by its path below what all of them share.

    Those whose names would be the same keep their suffixes.
    """
    parents = [Path(path).absolute().parent for path in inputs]
    common = os.path.commonpath(parents) if parents else ""
    places = {path: folder / Path(path).absolute().relative_to(common) for path in inputs}
    names = Counter(place.with_suffix("") for place in places.values())
    return {
        path: place if names[place.with_suffix("")] > 1 else place.with_suffix("") for path, place in places.items()
    }
