"""Hands of the embedded sample's kind, with pens over Hershey's stroke fonts, as many as asked."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydantic import NonNegativeInt

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.params import Params
from textrec.base.records import SPLITS
from textrec.datasets.drawing import HandMaker, Lines
from textrec.datasets.paper import Writing
from textrec.drawn.pen import Ink, Writer, stamp, writer

CHARACTERS = frozenset(LINE_CHARACTERS)
OTHERS = 3_000_000  # added to the seed: they write no form, no glyph, and no line on the whiteboard
SCALE = np.array([0.5, 0.6])  # of the pixels of a scan, to be reduced by about three; most people write narrower
THINNER = 0.8  # than the pens of the sample
STRIDE = 2  # points of ink to one that is drawn; a pen's radius is larger still
MARGIN = 4  # pixels


class DrawHands(Params):
    """Section `draw_hands`."""

    count: Lines
    seed: NonNegativeInt


@dataclass(frozen=True, slots=True)
class PenHand:
    """The `index`-th person of a world of their own."""

    index: int
    seed: int
    capitals: bool = False

    def writes(self, word: str) -> bool:
        """Whether the faces have the characters of a word."""
        return CHARACTERS.issuperset(word)

    def write(self, text: str, rng: np.random.Generator) -> Writing:
        """Write a line of words parted by single blanks."""
        ink = _writer(self.index, self.seed).write(text, rng)
        ink = Ink(ink.points[::STRIDE] * SCALE, ink.radius[::STRIDE] * SCALE[1] * THINNER, ink.letter[::STRIDE])
        reach = int(np.ceil(ink.radius.max())) + MARGIN
        points = ink.points - ink.points.min(axis=0) + reach
        width, height = np.ceil(points.max(axis=0)).astype(int) + reach
        page = np.zeros((height, width), np.uint8)
        stamp(page, ink._replace(points=points), x=0, y=0)
        word = np.cumsum([character == " " for character in text])[ink.letter]
        ranges = [
            (int(own.min() - ink.radius.max()), int(own.max() + ink.radius.max()) + 1)
            for own in (points[word == number, 0] for number in range(text.count(" ") + 1))
        ]
        return Writing(page, ranges, round(reach - ink.points[:, 1].min()))


def pen_hands(seed: int) -> HandMaker:
    """What gives the n-th hand of a split, each another person."""

    def hand(split: str, number: int, rng: np.random.Generator) -> PenHand:  # noqa: ARG001
        return PenHand(len(SPLITS) * number + SPLITS.index(split), seed)

    return hand


@lru_cache(maxsize=4)
def _writer(index: int, seed: int) -> Writer:
    return writer(index, seed=seed + OTHERS)
