"""Pages as a line finder may meet them: skewed, bent, photographed, turned, near and far, in dark and light, on ruled
and woven paper, with notes in any place.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from textrec.datasets.layouts import Layout
from textrec.network.finder import SHRUNK, TURNS
from textrec.pages.ribbons import Maps, covered, line_maps, outline_of

# Most of each, or how often.
SCALE = 1.6  # times as near, or as far
SKEW, STEEP, STEEP_SHARE = 2.0, 16.0, 0.25  # degrees: standard deviation of most, most of some, and of how many
TILT = 2e-4  # perspective, a pixel
BEND, WAVE = 0.006, (0.5, 2.0)  # of a view's size, up and down; and wave lengths
TURNED = 0.2
CONTRAST, GAMMA, SHADOW = 0.5, 0.4, 0.5
BLUR, NOISE = 1.0, 10.0  # pixels; of 255
RULED, WOVEN = 0.15, 0.2  # how often
NOTES, UPRIGHT, TRIES = 3, 0.6, 8  # most notes that are put on a page; how many are not on their side; for each
LIGHT = 130  # of 255: paper on which notes are


class View(NamedTuple):
    """Part of a page: image uint8 (size, size), by how many quarters it is turned clockwise, and its maps, of half the
    size, before it was.
    """

    image: np.ndarray
    maps: Maps
    turned: int


def view(layout: Layout, other: Layout, random: np.random.Generator, *, size: int) -> View:
    """A view of a page, anew each time, with lines of another page as notes here and there."""
    there = _homography(layout, random, size=size)
    bend = random.normal() * BEND * size, random.uniform(*WAVE) * size, random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:size, :size] + 0.5
    places = _project(np.linalg.inv(there), columns, rows - _wave(columns, *bend))
    border = float(random.choice([random.uniform(0, 60), random.uniform(150, 255)]))
    image = ndimage.map_coordinates(
        layout.image, np.stack([places[1] - 0.5, places[0] - 0.5]), np.float32, order=1, cval=border
    )
    ribbons = []
    for one in layout.ribbons:
        if one is not None:
            moved = _moved(one, there, bend)
            if (np.diff(moved[:, 0]) > 0).all():
                ribbons.append(moved / SHRUNK)
    if random.random() < 0.5:
        _add_notes(image, ribbons, other, random)
    turned = int(random.integers(1, TURNS)) if random.random() < TURNED else 0
    image = _light(_on_paper(image, random), random)
    return View(np.rot90(image, -turned), line_maps(ribbons, (size // SHRUNK, size // SHRUNK)), turned)


def _homography(layout: Layout, random: np.random.Generator, *, size: int) -> np.ndarray:
    """From pixels of the page to those of a view whose middle is near some line."""
    scale = SCALE ** random.uniform(-1, 1)
    angle = np.radians(random.uniform(-STEEP, STEEP) if random.random() < STEEP_SHARE else SKEW * random.normal())
    middle = np.array(layout.image.shape[::-1]) * random.random(2)
    known = [one for one in layout.ribbons if one is not None]
    if known and random.random() < 0.8:
        line = known[random.integers(len(known))]
        middle = line[random.integers(len(line)), :2]
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    stretch = 1 + 0.1 * random.uniform(-1, 1)
    turn = np.array([[stretch * cos, -sin, 0], [stretch * sin, cos, 0], [*random.normal(0, TILT / 2, 2), 1]])
    before = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]])
    after = np.array([[1, 0, size * random.uniform(0.3, 0.7)], [0, 1, size * random.uniform(0.3, 0.7)], [0, 0, 1]])
    return after @ turn @ before


def _project(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    depth = np.maximum(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2], 0.1)
    return tuple((matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2]) / depth for row in (0, 1))  # pyright: ignore[reportReturnType]


def _wave(x: np.ndarray, height: float, length: float, phase: float) -> np.ndarray:
    return height * np.sin(2 * np.pi * x / length + phase)


def _moved(ribbon: np.ndarray, there: np.ndarray, bend: tuple[float, float, float]) -> np.ndarray:
    x, y, above, below = ribbon.T
    (base_x, base_y), (top_x, top_y), (foot_x, foot_y) = (_project(there, x, one) for one in (y, y - above, y + below))
    reach = [np.hypot(end_x - base_x, end_y - base_y) for end_x, end_y in ((top_x, top_y), (foot_x, foot_y))]
    return np.column_stack([base_x, base_y + _wave(base_x, *bend), *reach])


def _add_notes(image: np.ndarray, ribbons: list[np.ndarray], other: Layout, random: np.random.Generator) -> None:
    """Put lines of another page where there is none, smaller or larger, some on their side, which are no lines then.

    image: float (size, size), which changes; ribbons: in pixels of a map, to which those that are added are added.
    """
    size = len(image)
    taken = np.array(covered((size // SHRUNK, size // SHRUNK), *map(outline_of, ribbons)))
    for index in random.integers(len(other.outlines), size=random.integers(1, NOTES + 1)).tolist():
        outline, ribbon = other.outlines[index], other.ribbons[index]
        corner = np.floor(outline.min(axis=0)).astype(int).clip(0)
        width, height = np.ceil(outline.max(axis=0)).astype(int) - corner
        scale = random.uniform(0.5, 1.3)
        if ribbon is None or min(width, height) * scale < 8:
            continue
        part = other.image[corner[1] : corner[1] + height, corner[0] : corner[0] + width]
        paper = max(float(np.percentile(part, 80)), 1.0)
        ink = np.where(covered(part.shape, outline - corner), np.minimum(part / paper, 1.0), 1.0)  # pyright: ignore
        upright = random.random() < UPRIGHT
        ink = np.asarray(ndimage.zoom(ink if upright else np.rot90(ink), scale, order=1))
        height, width = ink.shape
        if max(height, width) >= size:
            continue
        for _ in range(TRIES):
            y, x = (int(random.integers(size - side)) for side in (height, width))
            place = np.s_[y // SHRUNK : (y + height) // SHRUNK + 1, x // SHRUNK : (x + width) // SHRUNK + 1]
            under = image[y : y + height, x : x + width]
            if not taken[place].any() and under.mean() > LIGHT:
                under *= ink
                taken[place] = True
                if upright:
                    there = np.column_stack([(ribbon[:, :2] - corner) * scale + (x, y), ribbon[:, 2:] * scale])
                    ribbons.append(there / SHRUNK)
                break


def _on_paper(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rules, dots and dashes, squares, and what is woven into paper; float (size, size) in [0, 255]."""
    size = len(image)
    if random.random() < RULED:
        pitch, slope, on = random.uniform(12, 60), 0.02 * random.normal(), random.choice([0.3, 0.6, 1.0])
        rows, columns = np.mgrid[:size, :size].astype(np.float32)
        dark = 1 - random.uniform(0.15, 0.8)
        period = random.uniform(3, 12)
        directions = [(rows + slope * columns, columns)]
        if random.random() < 0.3:
            directions.append((columns - slope * rows, rows))
        for across, along in directions:
            ruled = (np.mod(across, pitch) < random.uniform(0.8, 2.2)) & (np.mod(along, period) < on * period)
            image = np.where(ruled, image * dark, image)
    if random.random() < WOVEN:
        fine = random.uniform(0.5, 1.5)
        noise = [
            ndimage.gaussian_filter(random.normal(size=image.shape).astype(np.float32), (fine, fine * length)[::turn])
            for length, turn in ((random.uniform(1, 12), 1), (random.uniform(1, 12), -1))
        ]
        woven = sum(one / one.std() for one in noise)
        image = image + random.uniform(3, 20) * woven * image / 255
    return image.clip(0, 255)


def _light(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Light, paper, lens and sensor, from float (size, size) in [0, 255] to uint8."""
    size = len(image)
    value = (image / 255) ** np.exp(GAMMA * random.uniform(-1, 1))
    low = CONTRAST * random.random() * random.random()
    value = low + value * (1 - low) if random.random() < 0.5 else value * (1 - low)
    if random.random() < 0.4:  # the shadow of a hand, or a lamp from one side
        direction = random.uniform(0, 2 * np.pi)
        rows, columns = np.mgrid[:size, :size] / size - 0.5
        across = rows * np.sin(direction) + columns * np.cos(direction) - random.uniform(-0.4, 0.4)
        value = value * (1 - SHADOW * random.random() / (1 + np.exp(-across * random.uniform(3, 40))))
    value = ndimage.gaussian_filter(value, BLUR * random.random() ** 2)
    value = 255 * value + NOISE * random.random() ** 2 * random.normal(size=image.shape)
    return np.clip(np.rint(value), 0, 255).astype(np.uint8)
