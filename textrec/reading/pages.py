"""Pictures to lines that are cut out: of a page those that the line finder finds, in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from textrec.base.runtime import TextrecError
from textrec.network.finder import SHRUNK, TURNS, LineFinder
from textrec.network.trained import Reading
from textrec.pages.cutting import Strip, cut_line
from textrec.pages.fine_print import fine_print
from textrec.pages.printing import is_printed
from textrec.pages.reading_order import reading_order
from textrec.pages.ribbons import Maps, covered, find_ribbons, outline_of, reduced_page
from textrec.pages.text_area import Crop
from textrec.reading.page_reading import LineReading, PageReading

UNSURE = 0.1  # probability: a page's lines may go up and down
SAMPLE = 8  # lines that are read both ways, to know which way is up
MARGIN, FEW = 0.1, 0.3  # of confidence: upside down a line has half of what it has otherwise; and more of few lines
# Of a picture's height: one line of three is less high, and the middle of one of two is farther off.
HIGH, CENTRAL = 0.36, 0.17
CLOSER = 1.5  # times as large fine print is looked at
EDGE = 15  # pixels of a reduced page around it, of paper


class Way(NamedTuple):
    """A page whose lines nobody has read yet, and what is to be read of them: of each line without a problem, in their
    order.
    """

    page: PageReading
    crops: list[Crop]


def find_lines(
    image: Image.Image,
    finder: LineFinder,
    crop: Callable[[Strip], Crop],
    sure: Callable[[Sequence[np.ndarray]], Sequence[float]],
) -> Way:
    """The lines of a picture, mode L, whichever way it is turned.

    crop: what is read of a line that is cut out; a TextrecError of it becomes that line's problem. sure: how sure a
    model is of each of some crops; what the network is not to be trusted with, which of two ways is up, is asked of it.
    """
    small, scale = reduced_page(image)
    as_it_is, turned = finder.find(small)

    def cut(way: int) -> Way:
        # A copy: numpy takes a single row that runs backwards for contiguous, and torch does not take it at all.
        page = np.rot90(small, way).copy()
        maps = finder.find(page)[0] if way else as_it_is
        upright = np.ascontiguousarray(np.rot90(np.asarray(image), way))
        return _cut(upright, page_ribbons(upright, page, scale, maps, finder), way, crop)

    best, most = None, -1.0
    for axis in range(TURNS // 2):
        if turned[axis] + turned[axis + 2] < UNSURE:
            continue
        way = axis if turned[axis] >= turned[axis + 2] else axis + 2
        found = cut(way)
        some = sorted((one.pixels for one in found.crops if one.lines), key=lambda pixels: -pixels.shape[1])[:SAMPLE]
        both = sure([*some, *(pixels[::-1, ::-1] for pixels in some)])
        there, upside_down = (sum(part) / max(len(some), 1) for part in (both[: len(some)], both[len(some) :]))
        if upside_down > there + MARGIN + FEW / max(len(some), 1):
            found, there = cut((way + 2) % TURNS), upside_down
        if there > most:
            best, most = found, there
    return best or cut(0)


def page_ribbons(
    upright: np.ndarray, page: np.ndarray, scale: float, maps: Maps, finder: LineFinder
) -> list[np.ndarray]:
    """The lines of an upright page, uint8 (H, W), in its pixels and no order, see `pages.ribbons`.

    page, scale: as `ribbons.reduced_page` gives them; maps: of that. Where many small letters are in no line the finder
    looks closer.
    """
    ribbons = [ribbon * SHRUNK for ribbon in find_ribbons(maps)]
    lines = covered(page.shape, *map(outline_of, ribbons))
    if boxes := fine_print(page, lines):
        ribbons += _closer(upright, scale, lines, boxes, finder)
    return [ribbon / scale for ribbon in ribbons]


def _closer(
    upright: np.ndarray,
    scale: float,
    found: np.ndarray,
    boxes: Sequence[tuple[slice, slice]],
    finder: LineFinder,
) -> list[np.ndarray]:
    """The lines around boxes of a reduced page, in its pixels, whose middles are in none that was found.

    found: what those cover of it, bool (H, W).
    """
    top, left = (max(0, min(box[axis].start for box in boxes) - EDGE) for axis in (0, 1))
    bottom, right = (min(found.shape[axis], max(box[axis].stop for box in boxes) + EDGE) for axis in (0, 1))
    image = Image.fromarray(upright)
    box = (left / scale, top / scale, min(right / scale, image.width), min(bottom / scale, image.height))
    size = (round(CLOSER * (right - left)), round(CLOSER * (bottom - top)))
    resampling = Image.Resampling.BOX if CLOSER * scale < 1 else Image.Resampling.BICUBIC
    part = np.asarray(image.resize(size, resampling, box))
    lines = [ribbon * (SHRUNK / CLOSER) + (left, top, 0, 0) for ribbon in find_ribbons(finder.find(part)[0])]
    last = found.shape[1] - 1, found.shape[0] - 1  # on the edge a baseline may lie beyond it
    middles = [np.median(line[:, :2], axis=0).astype(int).clip(0, last) for line in lines]
    return [line for line, (x, y) in zip(lines, middles, strict=True) if not found[y, x]]


def is_one_line(page: PageReading) -> bool:
    """Whether a picture is of one line, by the lines that were found in it: others are but bits beside it."""
    if page.turned:
        return False
    for line in page.lines:
        upper, lower = np.split(line.outline, 2)
        high = np.median(lower[::-1, 1] - upper[:, 1])
        central = abs(line.outline[:, 1].mean() / page.size[1] - 0.5) < CENTRAL
        if central and high > HIGH * page.size[1]:
            return True
    return len(page.lines) == 1


def whole(size: tuple[int, int], crop: Crop) -> Way:
    """A picture of so many pixels that is one line, or read at once."""
    width, height = size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    baseline = np.array([(0, 0.75 * height), (width, 0.75 * height)])
    return Way(PageReading(size, 0, [[LineReading("line-1", corners, baseline)]]), [crop])


def read_way(way: Way, readings: Iterator[Reading | str]) -> PageReading:
    """The page with what was read of each crop, or why it could not be read, and what the crop itself tells."""
    found, crops = [], iter(way.crops)
    for line in way.page.lines:
        if line.problem:
            found.append({})
            continue
        crop, reading = next(crops), next(readings)
        told = {"problem": reading} if isinstance(reading, str) else vars(reading)
        found.append({**told, "blank": not crop.lines, "printed": is_printed(crop.pixels)})
    return way.page.filled(found)


def _cut(upright: np.ndarray, ribbons: list[np.ndarray], turned: int, crop: Callable[[Strip], Crop]) -> Way:
    """Cut out the lines of an upright page, uint8 (H, W).

    turned: by how many quarters clockwise its picture is, in which the lines are told.
    """
    blocks: list[list[LineReading]] = []
    crops: list[Crop] = []
    count = 0
    for block in reading_order(ribbons):
        lines = []
        for index in block:
            ribbon = ribbons[index]
            outline = outline_of(ribbon).clip(0, np.array(upright.shape[::-1]) - 1)
            if np.ptp(outline, axis=0).min() < 1:
                continue  # it lies on the edge
            problem = None
            try:
                crops.append(crop(cut_line(upright, outline, ribbon[:, :2])))
            except TextrecError as error:
                problem = str(error)
            count += 1
            lines.append(LineReading(f"line-{count}", outline, ribbon[:, :2], problem=problem))
        if lines:
            blocks.append(lines)
    height, width = upright.shape
    return Way(PageReading((width, height), 0, blocks).rotated(-turned), crops)
