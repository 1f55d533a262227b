"""HDF5 files that appear whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py

from textrec.base.runtime import atomic


@contextlib.contextmanager
def create(path: str | Path) -> Iterator[h5py.File]:
    """Yield a new HDF5 file, which appears at `path` once it is whole; see `textrec.base.runtime.atomic`.

    Memory holds no more of it than HDF5 keeps of its tables.
    """
    with atomic(path) as temporary, temporary.open("w+b") as disk:
        patient = _Patient(disk)
        try:
            with h5py.File(patient, "w") as file:
                yield file
        finally:
            if patient.error:
                raise patient.error


class _Patient:
    """A file that keeps its first error for later: HDF5 crashes the process on closing what it could not write."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def _tried(self, name: str, *arguments: Any) -> Any:
        if self.error is None:
            try:
                return getattr(self._file, name)(*arguments)
            except OSError as error:
                self.error = error
        return 0

    def seek(self, *place: int) -> int:
        return self._tried("seek", *place)

    def tell(self) -> int:
        return self._tried("tell")

    def readinto(self, buffer: Any) -> int:
        return self._tried("readinto", buffer)

    def read(self, size: int = -1) -> bytes:
        return self._tried("read", size) or b""

    def write(self, data: Any) -> int:
        self._tried("write", data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        return self._tried("truncate", size)

    def flush(self) -> None:
        self._tried("flush")
