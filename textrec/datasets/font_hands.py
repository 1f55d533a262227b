"""Hands made of fonts: a line of text as a person would write it who has learnt his letters from one.

What gives type away is that letters recur, of one size and on one line. Here each word and each letter has its own
size, width, lean and height, strokes their own thickness; joined letters stay joined, since what varies along a word
does so without a jump. A font's ligatures and contextual alternates come by Pillow's raqm, where it has that.
Lengths are in shares of the body (`fonts.BODY`) unless said otherwise.
"""

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from textrec.base.params import Params
from textrec.datasets.drawing import HandMaker, Lines
from textrec.datasets.fonts import BASE, BODY, CANVAS, Font
from textrec.datasets.paper import Writing

Amount = Annotated[float, Field(ge=0, le=1)]

CROP_BODY = 21  # pixels of a crop of 28 that a body takes, as a rule
ROOM = BODY // 2  # columns on either side of a piece, for flourishes that reach out of its width
MARGIN = 4  # pixels that strokes may grow by
REACH = 16  # rows that letters may move by
LIGHTEST, HEAVIEST = 0.55, 2.2  # of a font's own strokes: beyond, letters break or fill up
GRAIN = BODY // 3  # pixels between the points of a random field that bends strokes


SHOUTED = re.compile(r"[^\W\d_a-zß-öø-ÿ]{3}")  # three capitals on end


class HandParams(Params):
    """How hands, words and letters differ: standard deviations, but `slant`, `width` and strokes, which are limits."""

    slant: Amount
    """Of a hand: how far a pixel up goes across, to either side."""
    width: Annotated[float, Field(ge=0, le=0.5)]
    """Of a hand: by how much of their width its letters are narrower or wider."""
    thinnest: PositiveFloat
    """Strokes of a hand, in pixels of a crop, as far as the font can be brought there."""
    thickest: PositiveFloat
    pressure: Amount
    """By how much of a stroke's thickness it varies along a line."""
    word: Amount
    """Size of words."""
    letter: Amount
    """Size of letters, and their width."""
    lift: Amount
    """Letters above or below the base line."""
    lean: Amount
    """Slant of letters."""
    spread: Amount
    """Distance of letters that are not joined: of hands, and half as much of letters."""
    gap: Amount
    """Distance of words."""
    wander: Amount
    """Base line, over a few words."""
    bend: Amount
    """Strokes, over a part of a letter."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.thinnest > self.thickest:
            raise ValueError("thinnest must not be above thickest")
        return self


class DrawFonts(Params):
    """Section `draw_fonts`."""

    count: Lines
    hand: HandParams
    on_bad_font: Literal["error", "skip"]
    """What to do with a file that is no font, or a font without Latin letters."""
    seed: NonNegativeInt


@dataclass(frozen=True, slots=True)
class FontHand:
    """A person who writes in a font; made by `font_hand`."""

    font: Font
    params: HandParams
    slant: float
    width: float
    stroke: float  # pixels as drawn
    spread: float
    gap: float
    slope: float  # of its lines: how far a pixel across goes down

    @property
    def capitals(self) -> bool:
        """Whether it writes in capitals alone."""
        return self.font.capitals

    def writes(self, word: str) -> bool:
        """Whether the font has the characters of a word; nobody writes capitals alone in joined letters."""
        return self.font.characters.issuperset(word) and not (self.font.joined and SHOUTED.search(word))

    def write(self, text: str, rng: np.random.Generator) -> Writing:
        """Write a line of words parted by single blanks; the font must have all its characters."""
        pieces, left, drift = [], 0.0, 0.0
        for word in text.split(" "):
            drift = 0.7 * drift + rng.normal(0, self.params.wander * BODY)
            down = round(np.clip(drift + self.slope * left, -BODY / 4, BODY / 4))
            ink, row = _word(word, self, rng)
            pieces.append((ink, round(left), row + down + BODY // 4))
            left += ink.shape[1] + BODY * (self.gap + max(2 * self.spread, 0)) * max(0.5, rng.normal(1, 0.25))
        whole = np.zeros((CANVAS + BODY // 2, pieces[-1][0].shape[1] + pieces[-1][1]), np.uint8)
        for ink, start, row in pieces:
            place = whole[row : row + len(ink), start : start + ink.shape[1]]
            np.maximum(place, ink, out=place)
        rows = np.flatnonzero(whole.any(axis=1))
        top, bottom = (max(rows[0] - MARGIN, 0), rows[-1] + 1 + MARGIN) if rows.size else (0, CANVAS)
        ink = _weighted(np.pad(whole[top:bottom], ((0, 0), (MARGIN, MARGIN))), self, rng)
        words = [(start + MARGIN, start + MARGIN + ink.shape[1]) for ink, start, _ in pieces]
        return Writing(ink, words, BASE + BODY // 4 - int(top))


def font_hands(fonts: dict[str, list[Font]], params: HandParams) -> HandMaker:
    """What gives the n-th hand of a split, from the fonts of that split in turn."""

    def hand(split: str, number: int, rng: np.random.Generator) -> FontHand:
        font = fonts[split][number % len(fonts[split])]
        stroke = rng.uniform(params.thinnest, params.thickest) * BODY / CROP_BODY
        return FontHand(
            font=font,
            params=params,
            slant=rng.uniform(-0.4, 1) * params.slant,  # more people lean to the right
            width=1 + rng.uniform(-1, 1) * params.width,
            stroke=float(np.clip(stroke, LIGHTEST * font.stroke, HEAVIEST * font.stroke)),
            spread=max(-params.spread, rng.normal(0, params.spread)),  # further in, letters cover each other
            gap=max(0.25, rng.normal(0.5, params.gap)),
            slope=rng.normal(0, params.wander / 8),
        )

    return hand


def _word(text: str, hand: FontHand, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A word, uint8 (height, width), without columns before and after its ink; and which row of CANVAS is its first."""
    params = hand.params
    straight, centres = _set(text, hand, rng)
    height, width = straight.shape
    count = len(centres)
    size = rng.normal(1, params.word) * rng.normal(1, params.letter, count)
    lift = rng.normal(0, params.lift * BODY, count) + rng.normal(0, params.wander / 4) * centres
    lean = hand.slant + rng.normal(0, params.lean, count)
    stretch = hand.width * np.maximum(0.5, rng.normal(1, params.letter, count))
    # Where the pixels come from: each letter has its own values, which change evenly from one to the next.
    edges = np.concatenate([[0], (centres[1:] + centres[:-1]) / 2, [width]])
    stretched = np.concatenate([[0], np.cumsum(np.diff(edges) * stretch)])
    source = np.interp(np.arange(int(stretched[-1])), stretched, edges)
    size, lift, lean = (np.interp(source, centres, values).astype(np.float32) for values in (size, lift, lean))
    inked = np.flatnonzero(straight.any(axis=1))
    top, bottom = (max(0, inked[0] - REACH), min(height, inked[-1] + REACH)) if inked.size else (0, 1)
    rows = np.arange(top, bottom, dtype=np.float32)[:, None] - BASE
    up = (rows - lift) / size + (BASE + 0.5)
    across = source.astype(np.float32) + rows * lean + 0.5
    up += _bend(rng, up.shape, params.bend)
    across += _bend(rng, up.shape, params.bend)
    np.clip(up, 0, height - 1, out=up)
    np.clip(across, 0, width - 1, out=across)
    bent = straight.ravel()[up.astype(np.int32) * width + across.astype(np.int32)]
    columns = np.flatnonzero(bent.any(axis=0))
    return (bent[:, columns[0] : columns[-1] + 1] if columns.size else bent[:, :1]), int(top)


def _set(text: str, hand: FontHand, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A word as the font has it, uint8 (CANVAS, width), and the middles of its letters, float (letters,)."""
    font = hand.font
    advances = np.array([_piece(font, letter)[1] for letter in text])
    if font.joined:
        straight, width = _piece(font, text)
        ends = np.cumsum(advances) * (width / max(advances.sum(), 1e-9))
        return straight, ROOM + ends - np.diff(ends, prepend=0) / 2
    spreads = BODY * (hand.spread + rng.normal(0, hand.params.spread / 2, len(text)))
    ends = np.cumsum(np.maximum(advances + spreads, advances / 2))
    starts = np.rint(np.concatenate([[0], ends[:-1]])).astype(int).tolist()
    pieces = [_piece(font, letter)[0] for letter in text]
    width = max(start + piece.shape[1] for start, piece in zip(starts, pieces, strict=True))
    straight = np.zeros((CANVAS, width), np.uint8)
    for start, piece in zip(starts, pieces, strict=True):
        place = straight[:, start : start + piece.shape[1]]
        np.maximum(place, piece, out=place)
    return straight, ROOM + np.array(starts) + advances / 2


@lru_cache(maxsize=1024)
def _piece(font: Font, text: str) -> tuple[np.ndarray, float]:
    """Letters as the font joins them, uint8 (CANVAS, width) with ROOM on either side, and how far the next is."""
    drawn = _opened(font)
    advance = drawn.getlength(text)
    image = Image.new("L", (round(advance) + 2 * ROOM, CANVAS))
    ImageDraw.Draw(image).text((ROOM, BASE), text, font=drawn, fill=255, anchor="ls")
    pixels = np.array(image)
    pixels[[0, -1]] = 0  # where bent strokes find nothing further out
    pixels[:, [0, -1]] = 0
    return pixels, advance


@lru_cache(maxsize=4)
def _opened(font: Font) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO(font.content), font.size)


@lru_cache(maxsize=1)
def _field(deviation: float) -> np.ndarray:
    """A random field that is smooth over GRAIN pixels, float32 (height, width), of a standard deviation in bodies."""
    height, width = 2 * CANVAS, 64 * CANVAS
    points = np.random.Generator(np.random.PCG64(0)).standard_normal((height // GRAIN, width // GRAIN), np.float32)
    field = np.asarray(Image.fromarray(points).resize((width, height), Image.Resampling.BICUBIC))
    return field * np.float32(deviation * BODY / field.std())


def _bend(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    """A part of the random field, float32 of a shape."""
    field = _field(deviation)
    top, left = rng.integers(len(field) - shape[0]), rng.integers(max(1, field.shape[1] - shape[1]))
    part = field[top : top + shape[0], left : left + shape[1]]
    return part if part.shape == shape else np.pad(part, ((0, 0), (0, shape[1] - part.shape[1])), "wrap")


def _weighted(ink: np.ndarray, hand: FontHand, rng: np.random.Generator) -> np.ndarray:
    """Ink with strokes as thick as the hand's, more or less from column to column."""
    points = rng.normal(0, hand.params.pressure, 3 + ink.shape[1] // BODY)
    wide = hand.stroke * (1 + np.interp(np.arange(ink.shape[1]), np.linspace(0, ink.shape[1], len(points)), points))
    grown = (wide - hand.font.stroke) / 2  # on either side
    thick, thin = np.clip(grown, 0, None), np.clip(-grown, 0, 0.45 * hand.font.stroke)
    return 255 - _grown(255 - _grown(ink, thick), thin)


def _grown(ink: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Ink that reaches so many pixels further in each column, `by` float (width,)."""
    for step in range(int(np.ceil(by.max()))):
        wider = ink.copy()
        np.maximum(wider[1:], ink[:-1], out=wider[1:])
        np.maximum(wider[:-1], ink[1:], out=wider[:-1])
        side = wider if step % 2 else ink  # a square and a cross in turn come near a disc
        next_ = wider.copy()
        np.maximum(next_[:, 1:], side[:, :-1], out=next_[:, 1:])
        np.maximum(next_[:, :-1], side[:, 1:], out=next_[:, :-1])
        share = (256 * np.clip(by - step, 0, 1)).astype(np.uint16)
        ink = np.maximum(ink, ((next_ * share) >> 8).astype(np.uint8))
    return ink
