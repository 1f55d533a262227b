"""What was read of a page: its lines, where they are, and their texts; without torch, for all who write it down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class LineReading:
    """A line of a page, in pixels of the picture as it stands upright by its EXIF, and what was read in it.

    id: its own on the page. outline: float64 (N, 2), x and y. baseline: float64 (M, 2), in writing direction.
    confidence, characters: as of `network.trained.Reading`. problem: why it was not read; None: it was. blank: whether
    there is no ink in it. printed: whether it seems to be print.
    """

    id: str
    outline: np.ndarray
    baseline: np.ndarray
    text: str = ""
    confidence: float = 0.0
    characters: tuple[float, ...] = ()
    problem: str | None = None
    blank: bool = False
    printed: bool = False


@dataclass(frozen=True, eq=False)
class PageReading:
    """A page: width and height of its picture in pixels, by how many quarters clockwise it is turned, and its blocks of
    lines, as they are read.
    """

    size: tuple[int, int]
    turned: int
    blocks: list[list[LineReading]]

    @property
    def lines(self) -> list[LineReading]:
        """All lines, as they are read."""
        return [line for block in self.blocks for line in block]

    @property
    def text(self) -> str:
        """All lines, a blank one between blocks."""
        return "\n\n".join("\n".join(line.text for line in block) for block in self.blocks)

    @property
    def confidence(self) -> float:
        """The share of the text that is right, as far as the model knows; 0 of no text."""
        letters = sum(len(line.text) for line in self.lines)
        return sum(len(line.text) * line.confidence for line in self.lines) / letters if letters else 0.0

    def filled(self, readings: Iterable[Mapping[str, Any]]) -> "PageReading":
        """The page with what is known of each line, in order: fields of `LineReading` and their values."""
        given = iter(readings)
        return replace(self, blocks=[[replace(line, **next(given)) for line in block] for block in self.blocks])

    def rotated(self, quarters: int) -> "PageReading":
        """The page as it lies once its picture is turned by so many quarters against the clock, as `np.rot90` does."""
        (width, height), quarters = self.size, quarters % 4

        def moved(points: np.ndarray) -> np.ndarray:
            x, y = points.T
            return np.column_stack(((x, y), (y, width - x), (width - x, height - y), (height - y, x))[quarters])

        blocks = [
            [replace(line, outline=moved(line.outline), baseline=moved(line.baseline)) for line in block]
            for block in self.blocks
        ]
        return PageReading((height, width) if quarters % 2 else self.size, (self.turned - quarters) % 4, blocks)
