"""HDF5 files that appear whole or not at all."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import h5py

from textrec.base.runtime import atomic


@contextlib.contextmanager
def create(path: str | Path) -> Iterator[h5py.File]:
    """Yield a new HDF5 file, made in memory and written to `path` once it is whole; see `textrec.base.runtime.atomic`.

    Not made on the disk, as HDF5 crashes the process on closing a file that it could not write, where a disk is full.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        yield file
    with atomic(path) as temporary:
        temporary.write_bytes(memory.getbuffer())
