"""Pens and the people who hold them: text to ink, from the Hershey stroke fonts.

Lengths are in pixels of the original scan (300 dpi), x to the right and y down, unless a glyph's own units are named.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from HersheyFonts import HersheyFonts

BASE_LINE = 9  # units: y of the line on which Hershey's letters of normal size stand
CAP_HEIGHT = 21  # units from there to the top of a capital
STEP = 0.4  # units between the points of a stroke; well below a pen's radius, so that discs join to a line

# Faces of (small letters, the rest). Many people join their small letters and print their capitals.
HANDS = (
    ("futural", "futural"),
    ("scripts", "rowmans"),
    ("timesi", "timesi"),
    ("cursive", "futural"),
    ("rowmans", "rowmans"),
    ("scripts", "timesi"),
    ("futural", "rowmans"),
    ("scriptc", "timesi"),
)


class Glyph(NamedTuple):
    """A letter as drawn by a pen: points float (n, 2) in units, y 0 on the base line; `width` is the advance."""

    points: np.ndarray
    width: float


class Ink(NamedTuple):
    """Written text: discs of ink.

    points: float (n, 2); radius: float (n,); letter: int (n,), index into the text of what each point belongs to.
    """

    points: np.ndarray
    radius: np.ndarray
    letter: np.ndarray


@lru_cache(maxsize=None)
def face(name: str) -> dict[str, Glyph]:
    """Glyphs of a Hershey face by character, resampled to even steps and rounded as a moving hand rounds."""
    source = HersheyFonts(load_default_font=name).all_glyphs
    return {character: Glyph(_trace(glyph), float(glyph.char_width)) for character, glyph in source.items()}


def _trace(glyph: object) -> np.ndarray:
    strokes = [np.array(stroke, float) - (glyph.left_offset, BASE_LINE) for stroke in glyph.strokes if len(stroke) > 1]
    return np.concatenate([_round_off(stroke) for stroke in strokes]) if strokes else np.zeros((0, 2))


def _round_off(stroke: np.ndarray) -> np.ndarray:
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    at = np.linspace(0, length[-1], int(length[-1] / STEP) + 2)
    even = np.stack([np.interp(at, length, stroke[:, axis]) for axis in (0, 1)], axis=1)
    # Reflected about its ends the stroke keeps them in place.
    reach = min(4, len(even) - 1)
    before, after = 2 * even[0] - even[reach:0:-1], 2 * even[-1] - even[-2 : -2 - reach : -1]
    padded = np.concatenate([before, even, after])
    return np.stack([np.convolve(padded[:, axis], _hann(2 * reach + 1), "valid") for axis in (0, 1)], axis=1)


def _hann(size: int) -> np.ndarray:
    window = np.hanning(size + 2)[1:-1]
    return window / window.sum()


def smooth_noise(rng: np.random.Generator, count: int, columns: int, reach: int) -> np.ndarray:
    """Random curves, float (count, columns), of standard deviation 1 that vary over about `reach` steps."""
    window = np.hanning(2 * reach + 1)
    window /= np.sqrt((window**2).sum())
    noise = rng.standard_normal((count + 2 * reach, columns))
    return np.stack([np.convolve(noise[:, column], window, "valid")[:count] for column in range(columns)], axis=1)


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
        """This writer's own letters, in pixels, y 0 on the base line."""
        faces = face(self.other) | {character: face(self.small)[character] for character in map(chr, range(97, 123))}
        return {character: self._own(character, glyph) for character, glyph in faces.items()}

    def _own(self, character: str, glyph: Glyph) -> Glyph:
        rng = np.random.Generator(np.random.PCG64([*self.seed, ord(character)]))
        scale = np.array([self.size * self.aspect, self.size]) * rng.uniform(0.93, 1.07, 2)
        points = glyph.points * scale
        points[:, 0] -= (self.slant + rng.normal(0, 0.03)) * points[:, 1]
        bend = smooth_noise(rng, len(points), 2, 30) * 0.35 * self.size
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
        # Each occurrence has its own size and lean, and stands a little off the drifting base line.
        points *= rng.normal(1, 0.035, (len(text), 2))[letter]
        points[:, 0] += rng.normal(0, 0.025, len(text))[letter] * -points[:, 1] + left[letter]
        drift = smooth_noise(rng, len(text), 1, 8)[:, 0] * 0.8 + rng.normal(0, 0.3, len(text))
        points[:, 1] += drift[letter] * self.size + self.slope * points[:, 0]
        points += smooth_noise(rng, len(points), 2, 14) * self.wobble * self.size
        radius = self.pen * (1 + 0.12 * smooth_noise(rng, len(points), 1, 25)[:, 0].clip(-2, 2))
        return Ink(points, radius, letter)

    @property
    def line_length(self) -> int:
        """Characters that fit on a line."""
        sample = "and then the others said that it was quite enough for one day"
        width = sum(self.glyphs[character].width * (self.word_gap if character == " " else 1) for character in sample)
        return min(34, int(LINE_WIDTH / width * len(sample)))


LINE_WIDTH = 1850  # pixels: what IAM's writers fill of a page of 2479


def writer(index: int, *, seed: int) -> Writer:
    """The `index`-th person of a world: same index and seed, same hand."""
    key = (seed, 1, index)
    rng = np.random.Generator(np.random.PCG64(key))
    small, other = HANDS[index % len(HANDS)]
    size = rng.uniform(3.5, 4.3)
    joined = small in {"scripts", "scriptc", "cursive"}
    return Writer(
        id=f"s{index:02d}",
        seed=key,
        small=small,
        other=other,
        size=size,
        aspect=rng.uniform(1.0, 1.2) if joined else rng.uniform(0.78, 0.98),
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
    centres = np.rint(ink.points + (x, y)).astype(int)
    for radius in np.unique(quarters):
        reach = -(-int(radius) // 4)
        disc = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        disc = disc[:, (disc**2).sum(axis=0) * 16 <= radius**2]
        chosen = centres[quarters == radius]
        rows = (chosen[:, 1, None] + disc[0]).clip(0, height - 1)
        columns = (chosen[:, 0, None] + disc[1]).clip(0, width - 1)
        page[rows, columns] = 255
