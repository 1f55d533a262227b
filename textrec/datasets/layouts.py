"""The layout file: pages with where their lines are, for a line finder (HDF5), from forms and from transcribed pages.

One group per split (train, val, test). Pages are reduced as a line finder sees them, and packed end to end:

    pixels      uint8 (N,)       grey, as the page is, row by row, page after page
    offset      int64 (n,)       where each page begins in `pixels`
    height      int64 (n,)       pixels
    width       int64 (n,)       pixels
    id          UTF-8 (n,)
    document    UTF-8 (n,)       what a page is part of: a corpus and a document there; of a form its writer
    line_count  int64 (n,)       lines of each page
    points      float32 (m, 4)   the ribbons of the lines, see `pages.ribbons`, in pixels of the reduced page
    point_count int32 (k,)       how many rows of `points` belong to each line; 0: it runs up or down
    corners     float32 (c, 2)   the outlines of the lines as they were drawn, x and y
    corner_count int32 (k,)      likewise

Root attribute: `format` (version).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image, ImageDraw

from textrec.archives.raw import read_form_image
from textrec.base import hdf5
from textrec.base.params import Params
from textrec.base.records import SPLITS, Form, Line, parse_form, read_records
from textrec.base.runtime import TextrecError, parallel_map
from textrec.datasets.ground_truth import BAD_FILE, ImportPages, Page, skip_or_stop
from textrec.datasets.samples import draw_sheet
from textrec.datasets.truth_report import FILES, Report
from textrec.pages.page_alto import page_pixels, read_page
from textrec.pages.ribbons import outline_of, reduced_page, ribbon

FORMAT = 1
SHOWN = 2  # pages of each split
CHUNK = 1 << 20  # bytes
SCALARS = ("offset", "height", "width", "line_count")
TEXTS = ("id", "document")
RAGGED = {"points": ("point_count", 4), "corners": ("corner_count", 2)}


@dataclass(frozen=True, eq=False)
class Layout:
    """A page and its lines, in reading order as far as it was known.

    image: uint8 (height, width), grey. ribbons: of each line, see `pages.ribbons`; None: it runs up or down.
    outlines: of each line, float32 (N, 2).
    """

    id: str
    document: str
    image: np.ndarray
    ribbons: list[np.ndarray | None]
    outlines: list[np.ndarray]


class ImportLayouts(Params):
    """Section `import_layouts`: of what."""

    forms: bool
    pages: bool


# ---- where they come from ----


def form_layouts(forms: str | Path, archive: str | Path) -> Iterator[tuple[str, Layout]]:
    """The (split, layout) of each form of a file of `iam.jsonl`'s kind: what is below the print, as lines are known of
    that alone.
    """
    records = list(read_records(forms))
    work = partial(_form_layout, forms=forms, archive=archive)
    yield from parallel_map(work, records, total=len(records), description="reduce", unit="form")


def _form_layout(record: str, *, forms: str | Path, archive: str | Path) -> tuple[str, Layout]:
    form = parse_form(record, where=forms)
    return form.split, reduced(form.id, form.writer, *handwriting(form, read_form_image(archive, form.id)))


def handwriting(form: Form, image: Image.Image) -> tuple[Image.Image, list[tuple[np.ndarray, np.ndarray]]]:
    """A form's picture below the print, mode L, and outline and baseline of each of its lines there, float64 (N, 2)."""
    scale = image.width / form.width
    lines = [_form_line(line) for line in form.lines]
    top = min(float(outline[:, 1].min()) for outline, _ in lines)
    pitch = (max(float(outline[:, 1].max()) for outline, _ in lines) - top) / len(lines)
    start = int(max(0, (top - pitch / 2) * scale))
    lines = [(outline * scale - (0, start), baseline * scale - (0, start)) for outline, baseline in lines]
    return image.crop((0, start, *image.size)), lines


def _form_line(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Outline and baseline of a line by the boxes of its words' parts, in pixels of the scan.

    The outline has a point above and one below wherever a word begins or ends: words overlap, and some have the box of
    the whole line, so that from word to word it would cross itself. Of such words the baseline says nothing.
    """
    words = [
        np.array([(box.x, box.y, box.right, box.bottom) for box in word.boxes]) for word in line.words if word.boxes
    ]
    left, top, right, bottom = np.array([(*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)) for boxes in words]).T
    x = np.unique([left, right])
    there = (left[:, None] <= x) & (x <= right[:, None])
    above = np.where(there, top[:, None], np.inf).min(axis=0)
    below = np.where(there, bottom[:, None], -np.inf).max(axis=0)
    outline = np.concatenate([np.column_stack([x, above]), np.column_stack([x, below])[::-1]])
    wide = ((left[:, None] <= left) & (right <= right[:, None])).sum(axis=1) > 1
    single = [boxes for boxes, holds_others in zip(words, wide, strict=True) if not holds_others] or words
    # Most letters stand on the line.
    feet = sorted((boxes[:, [0, 2]].mean(), np.median(boxes[:, 3])) for boxes in single)
    return outline, np.array([(x[0], feet[0][1]), *feet, (x[-1], feet[-1][1])], float)


def page_layouts(
    pages: Iterable[Page], folder: Path, params: ImportPages, report: Report
) -> Iterator[tuple[str, Layout]]:
    """The (split, layout) of each transcribed page below a folder that has lines; not of images of single lines.

    Raises TextrecError at a page that cannot be read where that is to be an error.
    """
    with_xml = [page for page in pages if page.path.lower().endswith(".xml")]
    work = partial(_tried, folder=folder)
    found = parallel_map(work, with_xml, total=len(with_xml), description="reduce", unit="page")
    for page, (layout, problem) in zip(with_xml, found, strict=True):
        if problem:
            skip_or_stop(report, params, FILES, page.path, BAD_FILE, problem)
        elif layout:
            yield page.split, layout


def _tried(page: Page, *, folder: Path) -> tuple[Layout | None, str | None]:
    try:
        return page_layout(page, folder=folder), None
    except TextrecError as error:
        return None, str(error).replace(f"{folder}/", "")


def page_layout(page: Page, *, folder: Path) -> Layout | None:
    """The layout of a page of PAGE or ALTO XML; None where it has no line that has an outline and a baseline.

    Raises TextrecError as `read_page` and `page_pixels` do.
    """
    found = read_page(folder / page.path)
    pixels = page_pixels(found)
    lines = [(line.polygon, line.baseline) for line in found.lines if not line.problem and line.baseline is not None]
    if not lines:
        return None
    return reduced(page.path, f"{page.corpus}/{page.document}", Image.fromarray(pixels), lines)


def reduced(name: str, document: str, image: Image.Image, lines: Iterable[tuple[np.ndarray, np.ndarray]]) -> Layout:
    """A page, mode L, with outlines and baselines of its lines, float64 (N, 2) each, at the size that is kept."""
    small, scale = reduced_page(image)
    scaled = [(outline * scale, baseline * scale) for outline, baseline in lines]
    ribbons = [ribbon(outline, baseline) for outline, baseline in scaled]
    return Layout(name, document, small, ribbons, [outline for outline, _ in scaled])


def layout_sheet(path: str | Path, layouts: str | Path) -> None:
    """Draw pages of each split with the outlines of their lines, as a PNG for a person."""
    pieces: list[tuple[str, Image.Image | None]] = []
    for name in SPLITS:
        split = LayoutSplit(layouts, name)
        pieces.append((f"{name}: {len(split)} pages", None))
        for index in np.linspace(0, len(split) - 1, min(SHOWN, len(split))).round().astype(int).tolist():
            layout = split[index]
            image = Image.fromarray(layout.image)
            for one in layout.ribbons:
                if one is not None:
                    ImageDraw.Draw(image).polygon([tuple(point) for point in outline_of(one).tolist()], outline=96)
            pieces.append((f"{layout.id}  ({layout.document})  {len(layout.outlines)} lines", image))
    draw_sheet(path, pieces)


# ---- the file ----


def write_layouts(path: str | Path, layouts: Iterable[tuple[str, Layout]]) -> None:
    """Write (split, layout) pairs in their order; the file appears under its name once all are written.

    Memory holds where the lines are, not the pages.
    """
    with hdf5.create(path) as file:
        file.attrs["format"] = FORMAT
        pixels = {
            split: file.create_dataset(f"{split}/pixels", (0,), np.uint8, maxshape=(None,), chunks=(CHUNK,))
            for split in SPLITS
        }
        kept: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
        for split, layout in layouts:
            start = len(pixels[split])
            pixels[split].resize((start + layout.image.size,))
            pixels[split][start:] = layout.image.ravel()
            kept[split].append(
                {
                    **dict(zip(SCALARS, (start, *layout.image.shape, len(layout.outlines)), strict=True)),
                    **{name: getattr(layout, name) for name in TEXTS},
                    "points": [np.zeros((0, 4)) if one is None else one for one in layout.ribbons],
                    "corners": layout.outlines,
                }
            )
        for split, pages in kept.items():
            for name in SCALARS:
                file[f"{split}/{name}"] = np.array([page[name] for page in pages], np.int64)
            for name in TEXTS:
                file.create_dataset(f"{split}/{name}", data=[page[name] for page in pages], dtype=h5py.string_dtype())
            for name, (count, width) in RAGGED.items():
                lines = [line for page in pages for line in page[name]]
                file[f"{split}/{name}"] = np.concatenate([np.zeros((0, width)), *lines]).astype(np.float32)
                file[f"{split}/{count}"] = np.array([len(line) for line in lines], np.int32)


class LayoutSplit:
    """One split of a layout file: `split[3]` is a `Layout`, whose pixels are read when it is asked for.

    Raises TextrecError where the file is missing, damaged, or of another format version.
    """

    def __init__(self, path: str | Path, split: str) -> None:
        self._path, self._split = path, split
        try:
            with h5py.File(path, "r") as file:
                if (version := file.attrs.get("format")) != FORMAT:
                    problem = f"layout format {version or 'unknown'}, this version reads {FORMAT}; run `dvc repro`"
                    raise TextrecError(f"{path}: {problem}")
                group: Any = file[split]
                self._scalars: Any = {name: group[name][()] for name in SCALARS}
                self._texts = {name: [value.decode() for value in group[name][()]] for name in TEXTS}
                self._ragged = {
                    name: np.split(group[name][()].astype(float), np.cumsum(group[count][()])[:-1])
                    for name, (count, _) in RAGGED.items()
                }
        except FileNotFoundError:
            raise TextrecError(f"{path}: not found; run `dvc repro` or `dvc pull` to get it") from None
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            raise TextrecError(f"{path}: not a readable layout file ({error}); remove it and run `dvc repro`") from None
        self._first = np.cumsum(self._scalars["line_count"]) - self._scalars["line_count"]

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, index: int) -> Layout:
        offset, height, width, count = (int(self._scalars[name][index]) for name in SCALARS)
        with h5py.File(self._path, "r") as file:
            pixels: Any = file[f"{self._split}/pixels"]
            image = pixels[offset : offset + height * width].reshape(height, width)
        lines = slice(self._first[index], self._first[index] + count)
        ribbons = [points if len(points) else None for points in self._ragged["points"][lines]]
        names = {name: values[index] for name, values in self._texts.items()}
        return Layout(**names, image=image, ribbons=ribbons, outlines=self._ragged["corners"][lines])
