"""Whole pages: their lines found, in order, and cut out; and what was read of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from textrec.network.finder import SHRUNK, TURNS, LineFinder
from textrec.network.trained import Reading
from textrec.pages.cutting import Strip, cut_line
from textrec.pages.reading_order import reading_order
from textrec.pages.ribbons import find_ribbons, outline_of, reduced_page

UNSURE = 0.1  # probability: a page may be turned so


@dataclass(frozen=True, eq=False)
class FoundLine:
    """A line of a page, in pixels of the picture: outline float64 (N, 2), x and y, and baseline (M, 2), in writing
    direction.
    """

    outline: np.ndarray
    baseline: np.ndarray


@dataclass(frozen=True, eq=False)
class LineReading(FoundLine):
    """A line of a page, and what was read in it."""

    reading: Reading


@dataclass(frozen=True, eq=False)
class PageReading:
    """A page: its blocks of lines, as they are read, and by how many quarters it is turned clockwise."""

    blocks: list[list[LineReading]]
    turned: int

    @property
    def text(self) -> str:
        """All lines, a blank one between blocks."""
        return "\n\n".join("\n".join(line.reading.text for line in block) for block in self.blocks)

    @property
    def confidence(self) -> float:
        """The share of the text that is right, as far as the model knows; 0 of no text."""
        lines = [line.reading for block in self.blocks for line in block]
        letters = sum(len(reading.text) for reading in lines)
        return sum(len(reading.text) * reading.confidence for reading in lines) / letters if letters else 0.0


class CutPage(NamedTuple):
    """The lines of a picture that is turned by so many quarters, in blocks, and cut out, in the same order."""

    turned: int
    blocks: list[list[FoundLine]]
    strips: list[Strip]


def cut_pages(image: Image.Image, finder: LineFinder) -> list[CutPage]:
    """The lines of a picture, mode L, for each way in which it may be turned, the likeliest first."""
    small, scale = reduced_page(image)
    as_it_is, turned = finder.find(small)
    pages = []
    for way in np.argsort(-turned).tolist():
        if turned[way] > UNSURE:
            maps = finder.find(np.rot90(small, way))[0] if way else as_it_is
            upright = np.ascontiguousarray(np.rot90(np.asarray(image), way))
            pages.append(_cut(upright, find_ribbons(maps), SHRUNK / scale, way))
    return pages


def _cut(upright: np.ndarray, ribbons: list[np.ndarray], scale: float, turned: int) -> CutPage:
    """Cut out the lines of an upright page, uint8 (H, W), whose maps have a pixel for `scale` of its own."""
    blocks, strips = [], []
    for block in reading_order(ribbons):
        lines = []
        for index in block:
            ribbon = ribbons[index] * scale
            outline = outline_of(ribbon).clip(0, np.array(upright.shape[::-1]) - 1)
            if np.ptp(outline, axis=0).min() < 1:
                continue  # it lies on the edge
            strips.append(cut_line(upright, outline, ribbon[:, :2]))
            lines.append(
                FoundLine(*(_turned_back(points, turned, upright.shape) for points in (outline, ribbon[:, :2])))
            )
        if lines:
            blocks.append(lines)
    return CutPage(turned, blocks, strips)


def _turned_back(points: np.ndarray, turned: int, shape: tuple[int, ...]) -> np.ndarray:
    """Points of an upright page of so many rows and columns, as they lie in the picture that is turned."""
    x, y = points.T
    height, width = shape
    back = ((x, y), (height - y, x), (width - x, height - y), (y, width - x))[turned % TURNS]
    return np.column_stack(back)
