"""What a job reads: the pictures of folders, patterns, lists, tar files and buckets, in units that are read at once."""

import contextlib
import os
import re
import sys
import tarfile
from bisect import bisect_right
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from textrec.archives.fetch import TIMEOUT, redact
from textrec.base.runtime import TextrecError, describe, leave_signals_to_parent, signals_waiting
from textrec.pages.pictures import SUFFIXES, count_pages

STDIN = "-"
LIST, TAR = ".txt", ".tar"
SEVERAL = {".pdf", ".tif", ".tiff"}  # may have more pages than one
PATTERN = set("*?[")
WEB = ("http://", "https://")
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
END = bytes(tarfile.BLOCKSIZE)  # of a tar file
GROUP = 10_000  # rows of a plan that are in memory at once, about


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
        return shown(self.url)

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


def is_here(url: str) -> bool:
    """Whether it is a path of this machine, and no address."""
    return "://" not in url


def shown(url: str) -> str:
    """A path or an address as it may be told: without what may be secret in it; bytes that are no text as escapes."""
    if any(web in url for web in WEB):
        url = redact(url)
    elif not is_here(url):  # in names of a bucket ? and # may stand
        url = re.sub(r"\?\S*=.*", "", re.sub(r"://[^/]*@", "://", url))
    return escaped(url)


def escaped(name: str) -> str:
    """A name of which bytes that are no text are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of fsspec for a path or an address, and its name there; servers are not waited for too long.

    Raises whatever fsspec and its parts do.
    """
    if is_here(url):
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(url))  # noqa: PTH100, PTH111 -- as bytes may be
    connect, read = TIMEOUT
    options: dict[str, Any] = {"use_listings_cache": False}  # of a million names it would be large
    if url.startswith("s3://"):
        options["config_kwargs"] = {"connect_timeout": connect, "read_timeout": read}
        options["max_concurrency"] = 1  # of requests for one file, of which it would first ask the size
    elif url.startswith(WEB):
        from aiohttp import ClientTimeout

        options["client_kwargs"] = {"timeout": ClientTimeout(total=None, sock_connect=connect, sock_read=read)}
    return url_to_fs(url, **options)


# ---- plans ----

TEXT = pa.binary()  # UTF-8, and bytes that are none
PLAN = pa.schema(
    [
        ("unit", pa.int32()),
        ("url", TEXT),
        ("member", TEXT),
        ("start", pa.int64()),
        ("size", pa.int64()),
        ("first", pa.int32()),
        ("last", pa.int32()),
    ]
)


class Plan:
    """The file of a plan, of which a part is in memory. sizes: pages of each unit as far as is known, int64 (units,).

    Raises whatever pyarrow does where the file is not one of `write_plan`.
    """

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        sizes: list[np.ndarray] = []
        self._begins: list[int] = []  # the first unit of each group of rows, which has whole units
        for group in range(self._file.num_row_groups):
            rows = self._file.read_row_group(group, ["unit", "first", "last"])
            units, first, last = (rows[name].fill_null(1).to_numpy() for name in ("unit", "first", "last"))
            self._begins.append(int(units[0]))
            sizes.append(np.bincount(units - units[0], last - first + 1).astype(int))
        self.sizes = np.concatenate(sizes)
        self._group, self._rows = -1, pa.table({})

    def items(self, unit: int) -> list[Item]:
        """The items of a unit."""
        group = bisect_right(self._begins, unit) - 1
        if group != self._group:
            self._group, self._rows = group, self._file.read_row_group(group)
        units = self._rows["unit"].to_numpy()
        start, end = np.searchsorted(units, [unit, unit + 1]).tolist()
        rows = self._rows.slice(start, end - start).drop_columns("unit").to_pylist()
        return [Item(**row | {name: _decoded(row[name]) for name in ("url", "member")}) for row in rows]


class Left(NamedTuple):
    """What is in no plan: how many files, as they are no pictures by their names, and which sources have no picture."""

    files: int = 0
    sources: Sequence[str] = ()


def write_plan(path: Path, sources: Sequence[str], size: int) -> Left:
    """Write all items of `sources` to a file, in units of `size` pages each; what is left.

    Raises TextrecError where a source cannot be listed, or none has a picture.
    """
    seen: set[bytes] = set()
    empty: list[str] = []
    left = unit = 0
    room = size
    with pq.ParquetWriter(path, PLAN, compression="zstd") as file, contextlib.closing(_PageCounter()) as counter:
        rows: list[tuple[Any, ...]] = []

        def write() -> None:
            columns = zip(PLAN, zip(*rows, strict=True), strict=True)
            file.write_table(pa.table([pa.array(values, field.type) for field, values in columns], schema=PLAN))
            rows.clear()

        for item in _items_of(sources, empty):
            if item is None:
                left += 1
                continue
            name = blake2b(b"\0".join(filter(None, (_encoded(item.url), _encoded(item.member)))), digest_size=16)
            if name.digest() in seen:
                continue
            seen.add(name.digest())
            for part in _parts(item, size, counter):
                if part.pages > room:
                    unit, room = unit + 1, size
                    if len(rows) >= GROUP:
                        write()
                room -= part.pages
                rows.append((unit, _encoded(part.url), _encoded(part.member), *part[2:]))
        if rows:
            write()
    if not seen:
        known = ", ".join(sorted(SUFFIXES))
        raise TextrecError(f"{', '.join(map(shown, sources))}: no picture there; known are {known}, and {TAR} of them")
    return Left(left, empty)


def _encoded(name: str | None) -> bytes | None:
    return None if name is None else name.encode("utf-8", "surrogateescape")


def _decoded(name: bytes | None) -> str | None:
    return None if name is None else name.decode("utf-8", "surrogateescape")


# ---- sources ----


def _items_of(sources: Iterable[str], empty: list[str]) -> Iterator[Item | None]:
    """The pictures of all sources, with the lines of a list in its place; None for each file that is none.

    To `empty` sources, and lines of lists, are added that have no picture.
    """
    for source in sources:
        listed = source == STDIN or _name(source).endswith(LIST)
        yield from _seen(source, _of_list(source, empty) if listed else _items(source), empty)


def _seen(source: str, items: Iterable[Item | None], empty: list[str]) -> Iterator[Item | None]:
    count = 0
    for item in items:
        count += item is not None
        yield item
    if not count:
        empty.append(shown(source))


def _of_list(source: str, empty: list[str]) -> Iterator[Item | None]:
    if source == STDIN:
        if sys.stdin is None:
            raise TextrecError(f"{STDIN}: standard input is closed; give it a list of paths or addresses")
        yield from _of_lines(sys.stdin.buffer, empty)
    else:
        with _listing(source):
            files, path = filesystem(source)
            with files.open(path, "rb") as file:
                yield from _of_lines(file, empty)


def _of_lines(lines: Iterable[bytes], empty: list[str]) -> Iterator[Item | None]:
    for line in lines:
        if source := line.removeprefix(BOM_UTF8).strip().decode("utf-8", "surrogateescape"):
            yield from _seen(source, _items(source), empty)


def _items(source: str) -> Iterator[Item | None]:
    """The pictures of a source but lists, in order of their names; None for each file that is none."""
    name = _name(source)
    if name.endswith(COMPRESSED):
        raise TextrecError(f"{shown(source)}: of a compressed tar file no member can be read alone; unpack it to .tar")
    with _listing(source):
        files, path = filesystem(source)
        pattern = bool(PATTERN & set(path))
        one = PurePosixPath(name).suffix in SUFFIXES and not pattern
        # What a server has under such a name is seen when it is read: a list may have millions, and asking takes time.
        if source.startswith(WEB) or (one and not is_here(source)):
            yield from _of_file(source)
        elif files.isdir(path):
            for found in _below(files, path):
                yield from _of_file(found) if _known(found) else (None,)
        elif one or files.exists(path):
            yield from _of_file(_address(files, path))
        elif pattern:
            yield from _matching(files, path)
        else:
            raise TextrecError(f"{shown(source)}: no such file, folder or bucket")


def _name(source: str) -> str:
    """What tells of which kind a source is: its name in lower case."""
    return shown(source).lower()


def _known(url: str) -> bool:
    """Whether a file is a picture, or a tar file of such, by its name."""
    return PurePosixPath(url).suffix.lower() in {TAR, *SUFFIXES}


def _matching(files: Any, pattern: str) -> Iterator[Item | None]:
    """The pictures of files, and of folders, that match."""
    for path, details in sorted(files.glob(pattern, detail=True).items()):
        if details["type"] == "directory" or (details.get("islink") and files.isdir(path)):
            for found in _below(files, path):
                yield from _of_file(found) if _known(found) else (None,)
        else:
            yield from _of_file(_address(files, path))


def _below(files: Any, folder: str) -> Iterator[str]:
    """All files below a folder, in order of their names; what it does not let be seen is an error."""
    if not isinstance(files, LocalFileSystem):
        yield from (_address(files, path) for path in files.find(folder))
        return

    def stop(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=stop):
        folders.sort()
        yield from (os.path.join(place, name) for name in sorted(names))  # noqa: PTH118 -- a million times


def _address(files: Any, path: str) -> str:
    return path if isinstance(files, LocalFileSystem) else files.unstrip_protocol(path)


def _of_file(url: str) -> Iterator[Item | None]:
    """A picture, or those of a tar file."""
    if not _name(url).endswith(TAR):
        yield Item(url)
        return
    files, path = filesystem(url)
    try:
        # Members are asked for one after the other, so that of a file of this machine only their heads are read.
        with files.open(path, "rb") as file, tarfile.open(None, "r:", file) as archive:
            for member in archive:
                if not member.isfile():
                    continue
                picture = PurePosixPath(member.name).suffix.lower() in SUFFIXES
                yield Item(url, member.name, member.offset_data, member.size) if picture else None
            file.seek(archive.offset)
            if file.read(len(END)) != END:  # a damaged head in the middle is an end for tarfile, too
                raise tarfile.ReadError(f"no head of a member at byte {archive.offset:,}")
    except tarfile.TarError as error:
        raise TextrecError(f"{shown(url)}: not a whole tar file ({error}); get it again") from None


class _PageCounter:
    """Counts the pages of files in a process of its own, as decoders may crash at damaged ones."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def count(self, path: str) -> int | None:
        """See `count_pages`; None as well where the process dies."""
        with signals_waiting():
            if self._pool is None:
                context = get_context("spawn")
                self._pool = ProcessPoolExecutor(1, context, initializer=leave_signals_to_parent)
            counted = self._pool.submit(count_pages, path)
        try:
            return counted.result()
        except BrokenProcessPool:
            self.close()
            return None

    def close(self) -> None:
        """End the process."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None


def _parts(item: Item, size: int, counter: _PageCounter) -> Iterator[Item]:
    """A file of many pages in parts, where that is told without fetching it."""
    several = item.suffix in SEVERAL and item.member is None and is_here(item.url)
    count = counter.count(item.url) if several else None
    if not count:
        yield item
        return
    for first in range(1, count + 1, size):
        yield item._replace(first=first, last=min(first + size - 1, count))


# ---- errors ----


@contextlib.contextmanager
def _listing(source: str) -> Iterator[None]:
    """Whatever keeps a source from being listed becomes one line, without secrets."""
    try:
        yield
    except TextrecError:
        raise
    except Exception as error:
        raise TextrecError(f"{shown(source)}: {reason(error)}") from None


def reason(error: Exception) -> str:
    """Why a file could not be had: one line, without secrets, and with a remedy where credentials are wanting."""
    name, status = type(error).__name__, getattr(error, "status", None)
    if isinstance(error, ImportError):
        return "this kind of address needs a package more: run `pip install textrec[cluster]`"
    if refused(error):
        return "refused; are credentials for it set, as fsspec wants them, and may they read it?"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(status, int):  # of an answer of HTTP
        return f"HTTP {status} {getattr(error, 'message', '')}".strip()
    if isinstance(error, OSError) and error.strerror:
        return describe(OSError(error.errno, error.strerror))
    text = re.sub(r"\S+://\S+", lambda found: shown(found[0]), " ".join(str(error).split()))
    return f"{name}: {escaped(text)}" if text else name


def refused(error: Exception) -> bool:
    """Whether a bucket wants other credentials."""
    name = type(error).__name__
    unnumbered = isinstance(error, PermissionError) and not error.errno  # else it is of this machine
    return unnumbered or any(word in name for word in ("Credential", "Token", "Auth"))
