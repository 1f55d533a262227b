"""Pens and the people who hold them: text to ink, from the Hershey stroke fonts.

Lengths are in pixels of the original scan (300 dpi), x to the right and y down, unless a glyph's own units are named.
"""

import string
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from HersheyFonts import HersheyFonts

from textrec.base.charset import LINE_CHARACTERS

BASE_LINE = 9  # units: y of the line on which Hershey's letters of normal size stand
STEP = 0.4  # units between the points of a stroke; well below a pen's radius, so that discs join to a line
ROUNDING = 4  # points on either side that a point is averaged with
LINE_WIDTH = 1850  # pixels: what IAM's writers fill of a page of 2479
LONGEST_LINE = 34  # characters

# Faces of (small letters, the rest). Many people join their small letters and print their capitals; the joined faces
# are drawn narrower. Only faces whose marks stand on the base line are used for the rest.
JOINED = {"cursive", "scriptc", "scripts"}
JOINED_WIDTH = 1.3
TAILED_MARKS, TAIL = ",;", 1.3  # drawn larger than in the faces, where they are hard to tell from a full stop
HANDS = (
    ("futural", "rowmans"),
    ("scripts", "rowmans"),
    ("timesi", "timesi"),
    ("cursive", "rowmans"),
    ("rowmans", "rowmans"),
    ("scripts", "timesi"),
    ("timesi", "rowmans"),
    ("scriptc", "timesi"),
)


class Glyph(NamedTuple):
    """A letter: points of its strokes float (n, 2), x from its left edge, y 0 on the base line; `width` to the next."""

    points: np.ndarray
    width: float


class Ink(NamedTuple):
    """Written text: discs of ink.

    points: float (n, 2); radius: float (n,); letter: int (n,), index into the text of what each point belongs to.
    """

    points: np.ndarray
    radius: np.ndarray
    letter: np.ndarray


@cache
def face(name: str) -> dict[str, Glyph]:
    """Glyphs of a Hershey face by character, resampled to even steps and rounded as a moving hand rounds."""
    source = HersheyFonts(load_default_font=name).all_glyphs
    return {character: Glyph(_trace(glyph), float(glyph.char_width)) for character, glyph in source.items()}


def _trace(glyph: Any) -> np.ndarray:
    strokes = [np.array(stroke, float) - (glyph.left_offset, BASE_LINE) for stroke in glyph.strokes if len(stroke) > 1]
    return np.concatenate([_rounded(stroke) for stroke in strokes]) if strokes else np.zeros((0, 2))


def _rounded(stroke: np.ndarray) -> np.ndarray:
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    at = np.linspace(0, length[-1], int(length[-1] / STEP) + 2)
    even = np.stack([np.interp(at, length, stroke[:, axis]) for axis in (0, 1)], axis=1)
    # Continued beyond its ends by its own reflection, a stroke keeps them in place.
    reach = min(ROUNDING, len(even) - 1)
    before, after = 2 * even[0] - even[reach:0:-1], 2 * even[-1] - even[-2 : -2 - reach : -1]
    return _averaged(np.concatenate([before, even, after]), reach) / (reach + 1)


def _averaged(values: np.ndarray, reach: int) -> np.ndarray:
    """Each column folded with a Hann window of `reach` on either side, which sums to reach + 1."""
    window = np.hanning(2 * reach + 3)[1:-1]
    return np.stack([np.convolve(column, window, "valid") for column in values.T], axis=1)


def smooth_noise(rng: np.random.Generator, count: int, columns: int, reach: int) -> np.ndarray:
    """Random curves, float (count, columns), of standard deviation 1 that vary over about `reach` steps."""
    noise = rng.standard_normal((max(count, 1) + 2 * reach, columns))
    # The squares of the window sum to three quarters of what it sums to itself.
    return _averaged(noise, reach)[:count] / np.sqrt(0.75 * (reach + 1))


@dataclass(frozen=True)
class Writer:
    """A hand: what is constant in all that one person writes. Made by `writer`; lengths in pixels, slant as dx/dy."""

    id: str
    seed: tuple[int, ...]
    small: str
    other: str
    size: float  # pixels a unit, vertically
    aspect: float  # width of a letter relative to the face's
    slant: float
    pen: float  # radius
    letter_gap: float
    word_gap: float  # of the face's space
    slope: float  # of the lines
    wobble: float  # of a point, units
    ink: int  # grey value, 0 is black

    @cached_property
    def glyphs(self) -> dict[str, Glyph]:
        """The letters as this writer draws them, in pixels, y 0 on the base line."""
        return {character: self._own(character) for character in LINE_CHARACTERS}

    def _own(self, character: str) -> Glyph:
        rng = np.random.Generator(np.random.PCG64([*self.seed, ord(character)]))
        name = self.small if character in string.ascii_lowercase else self.other
        glyph = face(name)[character]
        aspect = self.aspect * (JOINED_WIDTH if name in JOINED else 1)
        scale = np.array([self.size * aspect, self.size]) * rng.uniform(0.92, 1.08, 2)
        scale *= TAIL if character in TAILED_MARKS else 1
        points = glyph.points * scale
        points[:, 0] -= (self.slant + rng.normal(0, 0.03)) * points[:, 1]
        bend = smooth_noise(rng, len(points), 2, 30) * 0.45 * self.size
        return Glyph(points + bend, glyph.width * scale[0] + self.letter_gap)

    def write(self, text: str, rng: np.random.Generator) -> Ink:
        """Write one line, from x 0 on, the base line near y 0; each call draws every letter anew."""
        glyphs = [self.glyphs[character] for character in text]
        count = np.array([len(glyph.points) for glyph in glyphs])
        letter = np.repeat(np.arange(len(text)), count)
        spaces = np.array([character == " " for character in text])
        stretch = np.where(spaces, self.word_gap * rng.uniform(0.8, 1.3, len(text)), rng.uniform(0.95, 1.05, len(text)))
        advance = np.array([glyph.width for glyph in glyphs]) * stretch
        left = np.cumsum(advance) - advance
        points = np.concatenate([glyph.points for glyph in glyphs])
        # Each occurrence of a letter, and each word, has its own size and lean and stands a little off the line.
        word = np.cumsum(spaces)
        points *= (rng.normal(1, 0.04, (len(text), 2)) * rng.normal(1, 0.03, (len(text), 1))[word])[letter]
        lean = rng.normal(0, 0.03, len(text)) + rng.normal(0, 0.02, len(text))[word]
        points[:, 0] += left[letter] - lean[letter] * points[:, 1]
        drift = smooth_noise(rng, len(text), 1, 8)[:, 0] * 0.8 + rng.normal(0, 0.35, len(text))
        drift += rng.normal(0, 0.4, len(text))[word]
        points[:, 1] += drift[letter] * self.size + (self.slope + rng.normal(0, 0.003)) * points[:, 0]
        points += smooth_noise(rng, len(points), 2, 14) * self.wobble * self.size
        radius = self.pen * (1 + 0.12 * smooth_noise(rng, len(points), 1, 25)[:, 0].clip(-2, 2))
        return Ink(points, radius, letter)

    @property
    def line_length(self) -> int:
        """Characters of running text that fit on a line."""
        sample = "and then the others said that it was quite enough for one day"
        width = sum(self.glyphs[character].width * (self.word_gap if character == " " else 1) for character in sample)
        return min(LONGEST_LINE, int(LINE_WIDTH / width * len(sample)))


def writer(index: int, *, seed: int) -> Writer:
    """The `index`-th person of a world: same index and seed, same hand."""
    key = (seed, 1, index)
    rng = np.random.Generator(np.random.PCG64(key))
    small, other = HANDS[index % len(HANDS)]
    size = rng.uniform(3.5, 4.3)
    joined = small in JOINED
    return Writer(
        id=f"s{index:02d}",
        seed=key,
        small=small,
        other=other,
        size=size,
        aspect=rng.uniform(0.76, 0.96),
        slant=rng.uniform(-0.05, 0.15) if joined else rng.uniform(-0.12, 0.3),
        pen=rng.uniform(2.6, 4.6),
        letter_gap=0.0 if joined else rng.uniform(-0.6, 0.8) * size,
        word_gap=rng.uniform(0.9, 1.4),
        slope=rng.normal(0, 0.006),
        wobble=rng.uniform(0.25, 0.5),
        ink=int(rng.integers(20, 90)),
    )


def stamp(page: np.ndarray, ink: Ink, *, x: float, y: float) -> None:
    """Set to 255 the pixels of `page`, uint8 (height, width), that the ink covers when its origin lies at (x, y).

    Points and radii are rounded first (to a pixel, and a quarter): the last bit of a float, which is not the same on
    every processor, does not show.
    """
    height, width = page.shape
    quarters = np.rint(ink.radius * 4).astype(int).clip(4)
    centres = np.rint(ink.points + np.array([x, y])).astype(int)
    for radius in np.unique(quarters):
        reach = -(-int(radius) // 4)
        disc = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        disc = disc[:, (disc**2).sum(axis=0) * 16 <= radius**2]
        chosen = centres[quarters == radius]
        rows = (chosen[:, 1, None] + disc[0]).clip(0, height - 1)
        columns = (chosen[:, 0, None] + disc[1]).clip(0, width - 1)
        page[rows, columns] = 255
