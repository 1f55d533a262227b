"""Paragraphs that nobody wrote in one go: stacked from handwritten lines of several forms."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image
from pydantic import NonNegativeInt, PositiveInt, model_validator

from textrec.archives.raw import read_form_image
from textrec.base.params import Params
from textrec.base.records import Box, Form, Sample
from textrec.base.runtime import Place, parallel_map
from textrec.datasets.crops import line_crops, line_regions


class SynthParagraphs(Params):
    """Section `synth_paragraphs`."""

    count: PositiveInt
    """Paragraphs, all of them for training."""
    min_lines: PositiveInt
    max_lines: PositiveInt
    seed: NonNegativeInt

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_lines > self.max_lines:
            raise ValueError("min_lines must not be above max_lines")
        return self


@dataclass(frozen=True, slots=True)
class _Line:
    """A line to stack; lengths in line pitches of its form, so that the hands of all forms come out in one size.

    indent: of its region from the left edge of the form's handwriting.
    gap: from its region down to the next line's; negative where they overlap, as those of most lines do a little.
    """

    form: int
    index: int
    text: str
    indent: float
    width: float
    height: float
    gap: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """Where a line of a form goes: into which paragraph, and to which pixels of it."""

    paragraph: int
    line: int
    box: Box


def stack_paragraphs(
    forms: list[Form],
    archive: str | Path,
    params: SynthParagraphs,
    *,
    line_height: int,
    place: Place,
    workers: int | None = None,
) -> Iterator[Sample]:
    """Yield `params.count` paragraphs stacked from lines of `forms`, as high as real ones: `line_height` pixels a line.

    Lines are drawn at random from all forms and keep the indent and the gap that they have on their page. All is laid
    out before any image is read: each form is then decoded once, each line resampled once, from the stored scan to its
    place. Memory holds the paragraphs' pixels. A paragraph's writer is its own id.
    Without forms there are none. Raises TextrecError where an image cannot be read.
    """
    if not forms:
        return
    lines = [line for number, form in enumerate(forms) for line in _measure(form, number)]
    ids = [f"synth-{number:05d}" for number in range(params.count)]
    texts, canvases, places = [], [], []
    pieces: list[list[_Piece]] = [[] for _ in forms]
    for number, paragraph_id in enumerate(ids):
        random = np.random.Generator(np.random.PCG64([params.seed, *paragraph_id.encode()]))
        size = random.integers(params.min_lines, params.max_lines + 1)
        drawn = [lines[index] for index in random.integers(len(lines), size=size)]
        boxes = _stack(drawn, line_height)
        for line, box in zip(drawn, boxes, strict=True):
            pieces[line.form].append(_Piece(number, line.index, box))
        places.append(tuple((box.y, box.bottom) for box in boxes))
        texts.append("\n".join(line.text for line in drawn))
        canvases.append(np.zeros((line_height * len(drawn), max(box.right for box in boxes)), np.uint8))

    work = [(form, of_form) for form, of_form in zip(forms, pieces, strict=True) if of_form]
    papers = [0.0] * params.count  # the darkest of each paragraph
    cut = functools.partial(_cut, archive=Path(archive).absolute())  # where nodes of a cluster find it, too
    cuts = parallel_map(cut, work, total=len(work), description="stack", unit="form", workers=workers, place=place)
    for (_, of_form), images in zip(work, cuts, strict=True):
        for piece, image in zip(of_form, images, strict=True):
            box = piece.box
            canvas = canvases[piece.paragraph][box.y : box.bottom, box.x : box.right]
            np.maximum(canvas, image, out=canvas)  # where lines overlap, the ink of both stays
            papers[piece.paragraph] = max(papers[piece.paragraph], np.median(image))
    for paragraph_id, text, canvas, lines, paper in zip(ids, texts, canvases, places, papers, strict=True):
        np.maximum(canvas, paper, out=canvas, casting="unsafe")  # one paper, or its edges would show where a line is
        yield Sample(id=paragraph_id, text=text, writer=paragraph_id, image=canvas, lines=lines)


def _measure(form: Form, number: int) -> list[_Line]:
    """The lines of a form in line pitches: the height of its handwriting over its lines, as paragraphs are scaled."""
    regions = line_regions(form)
    left, top = min(region.x for region in regions), min(region.y for region in regions)
    pitch = (max(region.bottom for region in regions) - top) / len(regions)
    gaps = [float(below.y - above.bottom) for above, below in itertools.pairwise(regions)]
    # Below the last line there is no next one: the mean of the others.
    gaps.append(sum(gaps) / len(gaps) if gaps else 0.0)
    return [
        _Line(
            form=number,
            index=index,
            text=line.text,
            indent=(region.x - left) / pitch,
            width=region.width / pitch,
            height=region.height / pitch,
            gap=gap / pitch,
        )
        for index, (line, region, gap) in enumerate(zip(form.lines, regions, gaps, strict=True))
    ]


def _stack(lines: list[_Line], line_height: int) -> list[Box]:
    """Boxes in pixels of lines one below the other: from top to bottom they are `line_height` pixels a line high."""
    advances = [line.height + line.gap for line in lines]
    tops = np.cumsum([0.0, *advances[:-1]])
    bottoms = tops + [line.height for line in lines]
    lefts = np.array([line.indent for line in lines])
    rights = lefts + [line.width for line in lines]
    edges = np.stack([lefts - lefts.min(), tops - tops.min(), rights - lefts.min(), bottoms - tops.min()], axis=1)
    edges = np.rint(edges * (line_height * len(lines) / edges[:, 3].max())).astype(int)
    return [Box(left, top, max(1, right - left), max(1, bottom - top)) for left, top, right, bottom in edges.tolist()]


def _cut(work: tuple[Form, list[_Piece]], archive: str | Path) -> list[np.ndarray]:
    """The lines that a form gives, each resampled from the stored scan to the size of its place."""
    form, pieces = work
    crops = line_crops(read_form_image(archive, form.id), form)
    return [
        np.asarray(
            Image.fromarray(crops[piece.line]).resize((piece.box.width, piece.box.height), Image.Resampling.BILINEAR)
        )
        for piece in pieces
    ]
