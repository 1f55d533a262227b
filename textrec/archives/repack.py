"""Archives that others made, read with suspicion and rewritten as plain zip files whose bytes depend on contents alone.

Nothing is ever written under a member's name: members are streams, read in pieces of `CHUNK`, so memory stays flat.
"""

import contextlib
import errno
import functools
import gzip
import re
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tqdm import tqdm

from textrec.base.runtime import TextrecError, named
from textrec.base.zips import DAMAGE, zip_info

CHUNK = 1 << 20  # bytes
REMEDY = "fetch the archive anew from a source you trust"
ENCRYPTED = 0x1  # general purpose flag of a zip member, APPNOTE.TXT 4.4.4


class Allowance:
    """How many bytes an archive may still unpack to; counted as they come, for a header may lie."""

    def __init__(self, path: Path, max_unpacked_gib: float) -> None:
        self.path = path
        self._limit = max_unpacked_gib
        self._left = int(max_unpacked_gib * 2**30)

    def read(self, stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
        """Yield the bytes of `stream` in pieces; TextrecError where it is damaged or the allowance is spent."""
        while True:
            with _damage(self.path):
                piece = stream.read(CHUNK)
            if not piece:
                return
            self._left -= len(piece)
            if self._left < 0:
                raise TextrecError(
                    f"{self.path}: unpacks to more than data.max_unpacked_gib = {self._limit}; "
                    "raise it if you trust the archive"
                )
            yield piece


@dataclass(frozen=True)
class Member:
    """A regular file in an archive: its name and declared size (bytes)."""

    name: str
    size: int
    allowance: Allowance
    open: Callable[[], IO[bytes]]

    def __str__(self) -> str:
        return f"{self.allowance.path}: {self.name}"

    def read(self) -> Iterator[bytes]:
        """Yield the contents in pieces; TextrecError where they are damaged or too many."""
        with _damage(self.allowance.path):
            stream = self.open()
        with stream:
            yield from self.allowance.read(stream)


@contextlib.contextmanager
def open_members(path: Path, *, scratch: Path, max_unpacked_gib: float) -> Iterator[list[Member]]:
    """Yield the regular files of an archive, in its order; they can be read while it is open.

    It may be a folder, whose files are those in the folders below, too. A file is a zip file where its name ends in
    `.zip` or `.npz` (NumPy's, of arrays), else a compressed tar.

    A compressed tar cannot be read out of order, so it is first unpacked to a nameless file in the folder `scratch`.
    Raises TextrecError where the archive is damaged, encrypted, unpacks to more than `max_unpacked_gib`, or holds a
    link, a device, a name that leads out of its folder, or a name twice.
    """
    if path.is_dir():
        kind = _folder_members(path, max_unpacked_gib)
    elif path.suffix in (".zip", ".npz"):
        kind = _zip_members(path, max_unpacked_gib)
    else:
        kind = _tar_members(path, max_unpacked_gib, scratch)
    with kind as members:
        names: set[str] = set()
        for member in members:
            if member.name in names:
                raise TextrecError(f"{member} stands twice; {REMEDY}")
            names.add(member.name)
        yield members


@contextlib.contextmanager
def _folder_members(path: Path, max_unpacked_gib: float) -> Iterator[list[Member]]:
    allowance = Allowance(path, max_unpacked_gib)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    yield [
        Member(file.relative_to(path).as_posix(), file.stat().st_size, allowance, functools.partial(file.open, "rb"))
        for file in files
    ]


@contextlib.contextmanager
def _zip_members(path: Path, max_unpacked_gib: float) -> Iterator[list[Member]]:
    allowance = Allowance(path, max_unpacked_gib)
    with _damage(path):
        archive = zipfile.ZipFile(path)
    with archive:
        members = []
        for info in archive.infolist():
            _check_name(path, info.orig_filename)
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            _check_kind(path, info.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
            if info.flag_bits & ENCRYPTED:
                raise TextrecError(f"{path}: {info.filename} is encrypted; give an archive without a password")
            if not info.is_dir():
                members.append(Member(info.filename, info.file_size, allowance, functools.partial(archive.open, info)))
        yield members


@contextlib.contextmanager
def _tar_members(path: Path, max_unpacked_gib: float, scratch: Path) -> Iterator[list[Member]]:
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=scratch) as unpacked:
        with named(scratch):
            _gunzip(path, unpacked, Allowance(path, max_unpacked_gib))
        allowance = Allowance(path, max_unpacked_gib)  # anew: what is read now is a second time, and longer if sparse
        with _damage(path):
            archive = tarfile.TarFile(fileobj=unpacked)
            infos = archive.getmembers()
        members = []
        for info in infos:
            _check_name(path, info.name)
            _check_kind(path, info.name, info.isfile() or info.isdir())
            if info.isfile():
                members.append(
                    Member(info.name, info.size, allowance, lambda info=info: tarfile.ExFileObject(archive, info))
                )
        yield members


def _gunzip(path: Path, target: IO[bytes], allowance: Allowance) -> None:
    progress = {"desc": f"unpack {path.name}", "unit": "B", "unit_scale": True, "disable": None}
    with path.open("rb") as packed, gzip.open(packed) as stream, tqdm(total=path.stat().st_size, **progress) as bar:
        for piece in allowance.read(stream):
            target.write(piece)
            bar.update(packed.tell() - bar.n)
    target.seek(0)


def _check_name(path: Path, name: str) -> None:
    if name.startswith("/") or re.match(r"[A-Za-z]:|.*[\\\0]", name, re.DOTALL) or ".." in name.split("/"):
        raise TextrecError(f"{path}: {name!r} leads out of the archive; {REMEDY}")


def _check_kind(path: Path, name: str, good: bool) -> None:
    if not good:
        raise TextrecError(f"{path}: {name} is a link or device; {REMEDY}")


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Tell of a damaged archive in one line."""
    try:
        yield
    except (*DAMAGE, tarfile.TarError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: an offset beyond reason
            raise
        raise TextrecError(f"{path}: truncated or not an archive ({error}); {REMEDY}") from None


def write_zip(path: Path, members: Mapping[str, Member], *, description: str) -> None:
    """Write members under the names that are their keys: stored, sorted by name, with fixed dates and attributes."""
    progress = {"desc": description, "unit": "B", "unit_scale": True, "disable": None}
    total = sum(member.size for member in members.values())
    with named(path), zipfile.ZipFile(path, "w") as archive, tqdm(total=total, **progress) as bar:
        for name, member in sorted(members.items()):
            info = zip_info(name)
            info.file_size = member.size
            with archive.open(info, "w") as file:
                for piece in member.read():
                    file.write(piece)
                    bar.update(len(piece))
