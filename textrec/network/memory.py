"""Memory that is given back: of many images, no two of one size, the process would keep more and more.

glibc keeps what is freed, in eight arenas a core; and oneDNN, by which torch reckons, keeps for each size of its input
what it needs for that, for a thousand sizes. Where there is neither nothing is done.
"""

import contextlib
import ctypes
import os

ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
ARENAS = 2
READING = 32  # that oneDNN keeps; they serve a layer after the other, and are made anew in milliseconds
# In training all widths of batches come again and again, forwards and backwards: 0.5 to 0.8 GiB less than with all that
# oneDNN would keep, while a step of short lines takes 7 % more time and one of IAM's no more (2 cores).
TRAINING = 256


def bound_memory(sizes: int = READING) -> None:
    """Have glibc and oneDNN keep less, from now on; before torch reckons anything."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(sizes))
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no glibc
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give the system what is freed; it takes about a hundredth of a second."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
