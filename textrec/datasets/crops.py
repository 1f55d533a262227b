"""Forms to crops: line regions from component boxes, lines and paragraphs cut out and resampled once.

Regions are computed in pixels of the original scan and scaled when cutting, so that half-size and full-size images of
a form give the same crops.
"""

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from textrec.archives.raw import read_form_image
from textrec.base.records import Box, Form, Line, Sample, parse_form, read_records
from textrec.base.runtime import parallel_map
from textrec.pages.cutting import Bounds, resample
from textrec.pages.text_area import line_rows

# In pixels of IAM's scans (300 dpi), found by the makers of the course "Full Stack Deep Learning" by looking at forms.
MAX_HEIGHT = 120  # of a line: a box that reaches lower (an f that runs into the next line) counts no further
PADDING = 16  # around a line


def line_regions(form: Form) -> list[Box]:
    """The region of each line of a form, in pixels of the original scan, within the page.

    A region is the union of the line's boxes in document order, where a box's bottom counts at most MAX_HEIGHT below
    the smallest top so far, with PADDING around it: above and below no more than half of the gap to the next line.
    Every line must have a box.
    """
    bare = [_union(line.boxes) for line in form.lines]
    regions = []
    for index, box in enumerate(bare):
        above = box.y - bare[index - 1].bottom if index else form.height
        below = bare[index + 1].y - box.bottom if index + 1 < len(bare) else form.height
        left, right = max(box.x - PADDING, 0), min(box.right + PADDING, form.width)
        top = max(box.y - _padding(above), 0)
        bottom = min(box.bottom + _padding(below), form.height)
        regions.append(Box(left, top, right - left, bottom - top))
    return regions


def _union(boxes: list[Box]) -> Box:
    top = bottom = boxes[0].y
    for box in boxes:
        top = min(top, box.y)
        bottom = max(bottom, min(box.bottom, top + MAX_HEIGHT))
    left, right = min(box.x for box in boxes), max(box.right for box in boxes)
    return Box(left, top, right - left, bottom - top)


def _padding(gap: int) -> int:
    return min(PADDING, max(gap // 2, 0))


def line_crops(image: Image.Image, form: Form) -> list[np.ndarray]:
    """Cut the lines out of a form's image, in order, at the scale of the stored image.

    image: mode L, dark ink on white paper, any size; its scale is `image.width / form.width`.
    Returns uint8 arrays (height, width), white ink (255) on black (0); views on one page.
    """
    boxes = [[round(edge) for edge in _scaled(region, image, form)] for region in line_regions(form)]
    ink = np.invert(np.asarray(image))  # once: every conversion copies the whole page
    return [ink[top:bottom, left:right] for left, top, right, bottom in boxes]


def crop_lines(form: Form, *, archive: str | Path, line_height: int) -> list[tuple[str, Sample]]:
    """(split, sample) of each line of a form: `line_height` pixels high, width in proportion, id of the line.

    Of a line's region those rows are cut out that a model reads of any line.
    """
    image = read_form_image(archive, form.id)
    samples = []
    for line, region in zip(form.lines, line_regions(form), strict=True):
        left, top, right, bottom = _scaled(region, image, form)
        rows = image.crop((0, math.floor(top), image.width, math.ceil(bottom)))
        first, last = line_rows(rows.crop((math.floor(left), 0, math.ceil(right), rows.height)))
        pixels = resample(rows, (left, first, right, last), line_height)
        words = _word_ranges(line, region, pixels.shape[1])
        samples.append((form.split, Sample(line.id, line.text, form.writer, pixels, words, listed=line.listed)))
    return samples


def crop_paragraph(form: Form, *, archive: str | Path, line_height: int) -> list[tuple[str, Sample]]:
    """(split, sample) of a form's handwriting: `line_height` pixels a line, texts joined by newlines.

    It has the id of the form, and is listed where all its lines are.
    """
    image = read_form_image(archive, form.id)
    regions = line_regions(form)
    left, top = min(region.x for region in regions), min(region.y for region in regions)
    right, bottom = max(region.right for region in regions), max(region.bottom for region in regions)
    whole = Box(left, top, right - left, bottom - top)
    text = "\n".join(line.text for line in form.lines)
    listed = all(line.listed for line in form.lines)
    bounds = _scaled(whole, image, form)
    pixels = resample(image, bounds, line_height * len(regions))
    words = [word for line in form.lines for word in _word_ranges(line, whole, pixels.shape[1])]
    scale = pixels.shape[0] / (bounds[3] - bounds[1])
    edges = [_scaled(region, image, form) for region in regions]
    lines = [(round((top - bounds[1]) * scale), round((bottom - bounds[1]) * scale)) for _, top, _, bottom in edges]
    return [(form.split, Sample(form.id, text, form.writer, pixels, tuple(words), tuple(lines), listed))]


def crop_forms(
    crop: Callable[..., list[tuple[str, Sample]]], forms: str | Path, *, archive: str | Path, line_height: int
) -> Iterator[tuple[str, Sample]]:
    """Crop every form of the file `forms` by `crop` (one of the two above), in its order, on all cores."""
    records = list(read_records(forms))  # as text, which goes to a worker faster than a form does
    work = functools.partial(_crop_record, crop, forms=forms, archive=archive, line_height=line_height)
    for samples in parallel_map(work, records, total=len(records), description="crop", unit="form"):
        yield from samples


def _crop_record(
    crop: Callable[..., list[tuple[str, Sample]]],
    record: str,
    *,
    forms: str | Path,
    archive: str | Path,
    line_height: int,
) -> list[tuple[str, Sample]]:
    return crop(parse_form(record, where=forms), archive=archive, line_height=line_height)


def _scaled(region: Box, image: Image.Image, form: Form) -> Bounds:
    """A region of the original scan in pixels of the stored image, which may be cut below the last line."""
    scale = image.width / form.width
    right, bottom = min(region.right * scale, image.width), min(region.bottom * scale, image.height)
    return region.x * scale, region.y * scale, right, bottom


def _word_ranges(line: Line, region: Box, width: int) -> tuple[tuple[int, int], ...]:
    """The x-range [start, end) of each word of a line in a crop of `region`, `width` pixels wide; (-1, -1): unknown.

    Unknown is also a range that holds another word's, or one of several words that spans the whole line: its box is
    the line's (rebuilt archives give such a box to a line's first word).
    """
    boxed = np.array([bool(word.boxes) for word in line.words])
    starts = np.array([min((box.x for box in word.boxes), default=0) for word in line.words])
    ends = np.array([max((box.right for box in word.boxes), default=0) for word in line.words])
    holds = (starts[:, None] <= starts) & (ends <= ends[:, None]) & boxed & ~np.eye(len(boxed), dtype=bool)
    whole = (starts == starts[boxed].min()) & (ends == ends[boxed].max()) & (len(boxed) > 1)
    ranges = np.rint((np.stack([starts, ends], axis=1) - region.x) * (width / region.width)).astype(int)
    ranges[~boxed | whole | holds.any(axis=1)] = -1
    return tuple(map(tuple, ranges.tolist()))
