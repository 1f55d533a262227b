"""Memory that is given back: of many pages, no two of one size, the process would keep more and more.

glibc keeps what is freed, in eight arenas a core; and oneDNN, by which torch reckons, keeps for each size of its input
what it needs for that, for a thousand sizes. Where there is neither nothing is done.
"""

import contextlib
import ctypes
import os

ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
ARENAS = 2
SIZES = 32  # that oneDNN keeps; they serve a layer after the other, and are made anew in milliseconds


def bound_memory() -> None:
    """Have glibc and oneDNN keep less, from now on; before torch reckons anything."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(SIZES))
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no glibc
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give the system what is freed; it takes about a hundredth of a second."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
