"""HDF5 files that appear whole or not at all, also where the disk is full."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from textrec.runtime import atomic


@contextlib.contextmanager
def create(path: str | Path) -> Iterator[h5py.File]:
    """Yield a new HDF5 file, which stands under `path` once it is whole; see `textrec.runtime.atomic`."""
    with atomic(path) as temporary, _Disk(temporary, "w+") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file
        finally:
            if disk.error:
                raise disk.error


class _Disk(io.FileIO):
    """A file that takes every write and keeps the first error for later.

    HDF5 crashes the process when it closes a file of which it could not write a part.
    """

    error: BaseException | None = None

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        with self._keeping():
            while rest and not self.error:
                rest = rest[super().write(rest) :]
        return size

    def truncate(self, size: int | None = None, /) -> int:
        with self._keeping():
            super().truncate(size)
        return size or 0

    @contextlib.contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # Ctrl-C too: it must not pass through HDF5
            self.error = self.error or error
