"""Handwriting recognition that anyone can reproduce: from raw archives to character error rates.

`Recognizer.load(path).read(images)` reads pictures; all else is reached by its room: `textrec.datasets.samples`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textrec.reading.recognizer import Recognizer as Recognizer

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Recognizer`, imported when it is asked for: torch takes seconds, and most rooms never need it."""
    if name == "Recognizer":
        from textrec.reading.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
