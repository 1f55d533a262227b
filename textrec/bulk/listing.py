"""What a job reads: the pictures of folders, patterns, lists, tar files and buckets, in units that are read at once."""

import contextlib
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from textrec.archives.fetch import redact
from textrec.base.runtime import TextrecError, describe
from textrec.pages.pictures import SUFFIXES, count_pages

STDIN = "-"
LIST, TAR = ".txt", ".tar"
SEVERAL = {".pdf", ".tif", ".tiff"}  # may have more pages than one
PATTERN = set("*?[")
WEB = ("http://", "https://")
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Item(NamedTuple):
    """A picture: a file of its own, or so many bytes of a tar file; of the pages of a file all, or some.

    url: of the file; a path where it is of this machine. member: its name in the tar file that `url` is.
    start, size: in bytes, where it lies in that. first, last: its pages, from 1; None: all that it has.
    """

    url: str
    member: str | None = None
    start: int | None = None
    size: int | None = None
    first: int | None = None
    last: int | None = None

    @property
    def source(self) -> str:
        """The file's name without what may be secret in a URL."""
        return redact(self.url) if "://" in self.url else self.url

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.source}, {self.member}" if self.member else self.source

    @property
    def suffix(self) -> str:
        """Of its name, in lower case."""
        return PurePosixPath(self.member or self.source).suffix.lower()

    @property
    def pages(self) -> int:
        """How many pages it has, as far as is known."""
        return 1 if self.first is None or self.last is None else self.last - self.first + 1

    def singly(self) -> "Iterator[Item]":
        """Its pages, each as an item, where it is known which there are."""
        if self.first is None or self.last is None:
            yield self
        else:
            yield from (self._replace(first=page, last=page) for page in range(self.first, self.last + 1))


PLAN = pa.schema(
    [
        ("unit", pa.int32()),
        ("url", pa.string()),
        ("member", pa.string()),
        ("start", pa.int64()),
        ("size", pa.int64()),
        ("first", pa.int32()),
        ("last", pa.int32()),
    ]
)


def plan(sources: Sequence[str], size: int) -> tuple[pa.Table, int]:
    """A table of all items of `sources`, as PLAN has it, in units of `size` pages each; and how many files were left,
    as they are no pictures by their names.

    Raises TextrecError where a source cannot be listed, or has no picture.
    """
    seen: set[tuple[str, str | None]] = set()
    columns: dict[str, list[Any]] = {name: [] for name in PLAN.names}
    unit, room, left = 0, size, 0
    for source in _sources(sources):
        for item in _items(source):
            if item is None:
                left += 1
                continue
            if (item.url, item.member) in seen:
                continue
            seen.add((item.url, item.member))
            for part in _parts(item, size):
                if part.pages > room:
                    unit, room = unit + 1, size
                room -= part.pages
                for name, value in zip(PLAN.names, (unit, *part), strict=True):
                    columns[name].append(value)
    if not seen:
        known = ", ".join(sorted(SUFFIXES))
        raise TextrecError(f"{', '.join(map(redact, sources))}: no picture there; known are {known}, and {TAR} of them")
    return pa.table(columns, PLAN), left


def items_of(table: pa.Table) -> list[Item]:
    """The items of some rows of a plan."""
    return [Item(**row) for row in table.drop_columns("unit").to_pylist()]


def _sources(sources: Iterable[str]) -> Iterator[str]:
    """The sources, with the lines of a list in its place."""
    for source in sources:
        if source == STDIN:
            yield from _lines(sys.stdin)
        elif source.lower().endswith(LIST):
            with _listing(source), fsspec.open(source, "rt", encoding="utf-8") as file:
                yield from _lines(file)  # pyright: ignore[reportArgumentType] -- it is opened by `with`
        else:
            yield source


def _lines(file: Iterable[str]) -> Iterator[str]:
    return filter(None, (line.strip() for line in file))


def _items(source: str) -> Iterator[Item | None]:
    """The pictures of a source, in order of their names; None for each file that is none."""
    if source.lower().endswith(COMPRESSED):
        raise TextrecError(f"{redact(source)}: of a compressed tar file no member can be read alone; unpack it to .tar")
    if source.startswith(WEB):  # which has no folders
        yield from _of_file(source)
        return
    with _listing(source):
        files, path = url_to_fs(source)
        if PATTERN & set(path) and not files.exists(path):
            found = files.glob(path)
            named = True
        else:
            named = not files.isdir(path)
            if named and not files.exists(path):
                raise TextrecError(f"{redact(source)}: no such file, folder or bucket")
            found = [path] if named else files.find(path)
        for path in sorted(found):
            url = path if isinstance(files, LocalFileSystem) else files.unstrip_protocol(path)
            suffix = PurePosixPath(path).suffix.lower()
            if suffix == TAR or suffix in SUFFIXES or named:
                yield from _of_file(url)
            else:
                yield None


def _of_file(url: str) -> Iterator[Item | None]:
    """A picture, or those of a tar file."""
    if not redact(url).lower().endswith(TAR):
        yield Item(url)
        return
    try:
        # Members are asked for one after the other, so that of a file of this machine only their heads are read.
        with fsspec.open(url, "rb") as file, tarfile.open(None, "r:", file) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
            for member in archive:
                if not member.isfile():
                    continue
                picture = PurePosixPath(member.name).suffix.lower() in SUFFIXES
                yield Item(url, member.name, member.offset_data, member.size) if picture else None
    except tarfile.TarError as error:
        raise TextrecError(f"{redact(url)}: not a whole tar file ({error}); get it again") from None


def _parts(item: Item, size: int) -> Iterator[Item]:
    """A file of many pages in parts, where that is told without fetching it."""
    count = count_pages(item.url) if item.suffix in SEVERAL and item.member is None and "://" not in item.url else None
    if not count:
        yield item
        return
    for first in range(1, count + 1, size):
        yield item._replace(first=first, last=min(first + size - 1, count))


@contextlib.contextmanager
def _listing(source: str) -> Iterator[None]:
    """Whatever keeps a source from being listed becomes one line, without secrets."""
    try:
        yield
    except TextrecError:
        raise
    except Exception as error:
        raise TextrecError(f"{redact(source)}: {reason(error)}") from None


def reason(error: Exception) -> str:
    """Why a file could not be had: one line, without secrets, and with a remedy where credentials are wanting."""
    name = type(error).__name__
    if isinstance(error, ImportError):
        return "this kind of address needs a package more: run `pip install textrec[cluster]`"
    if isinstance(error, PermissionError) or "Credential" in name or "Token" in name or "Auth" in name:
        return "refused; are credentials for it set, as fsspec wants them, and may they read it?"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return describe(OSError(error.errno, error.strerror))
    return f"{name}: {redact(' '.join(str(error).split()))}" if str(error) else name
