"""Lines of ground truth: which of them can be used, cut out of their pages as `textrec read` cuts what it reads.

First all texts are looked at, then lines are cut.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from textrec.base.charset import Charset, CharsetParams
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError, parallel_map
from textrec.datasets.ground_truth import ImportPages, Page, Written, skip_or_stop
from textrec.datasets.samples import UNKNOWN_REMEDY
from textrec.datasets.truth_report import LINES, REPLACED, Report
from textrec.pages.page_alto import crop_line, page_pixels, read_page
from textrec.pages.pictures import open_pictures
from textrec.pages.text_area import prepare, prepare_line

# Reasons to drop a line.
BAD_IMAGE, BAD_LINE, NO_INK, TOO_WIDE = "image cannot be read", "line cannot be cut", "no ink", "too wide for its text"
NO_TEXT, UNKNOWN, TWICE = "no text", "character outside the charset", "id stands twice"

WIDEST = 3  # line heights that a character takes, with one for the edges: of 11,000 lines of five corpora 5 have more


class Line(NamedTuple):
    """A line of a page with its text, the one at `number` of those that the page has; `id` is unique."""

    page: Page
    number: int
    id: str
    text: str


# ---- which lines can be used ----


def usable_lines(
    pages: Iterable[tuple[Page, list[Written]]], params: ImportPages, truth: CharsetParams, report: Report
) -> tuple[list[Line], Charset]:
    """The lines that have a text of known characters and can be cut, normalised, in order; and the charset.

    Raises TextrecError at bad input and at a character outside the charset where these are to be an error.
    """
    written: list[Line] = []
    ids: set[str] = set()
    for page, lines in pages:
        stem = page.path.removesuffix(PurePosixPath(page.path).suffix)
        for number, line in enumerate(lines):
            where, name = (f"{page.path}: line {line.id}", f"{stem}:{line.id}") if line.id else (page.path, stem)
            text = truth.normalized(line.text or "")
            if not text:
                report.note(page.corpus, LINES, NO_TEXT, where)
            elif name in ids:
                problem = f"{where}: its id stands twice, {name}; give one of them another"
                skip_or_stop(report, params, LINES, page.path, TWICE, problem)
            elif line.problem:
                skip_or_stop(report, params, LINES, page.path, BAD_LINE, f"{where}: {line.problem}; mend it")
            else:
                written.append(Line(page, number, name, text))
            ids.add(name)
    charset = truth.charset(line.text for line in written if line.page.split == "train")
    known = []
    for line in written:
        text = truth.replaced(line.text, charset)
        if text != line.text:
            report.note(line.page.corpus, REPLACED, "charset.on_unknown is replace", line.id)
        if not (unknown := charset.unknown(text)):
            known.append(line._replace(text=text))
            continue
        problem = f"{line.id}: {unknown!r} in {text!r} is not in the charset"
        if truth.on_unknown == "error":
            raise TextrecError(f"{problem}; {UNKNOWN_REMEDY}")
        report.note(line.page.corpus, LINES, UNKNOWN, problem)
    return known, charset


# ---- crops ----


def cut_lines(
    folder: Path, lines: Iterable[Line], params: ImportPages, report: Report, *, line_height: int
) -> Iterator[tuple[str, Sample]]:
    """(split, sample) of each line, page by page on all cores, as `textrec read` cuts it before it is read."""
    pages = [list(part) for _, part in groupby(lines, key=lambda line: line.page)]
    items = [(part[0].page.path, [line.number for line in part]) for part in pages]
    work = partial(_cut, folder=folder, line_height=line_height)
    cut = parallel_map(work, items, total=len(items), description="cut", unit="page")
    for part, (crops, problem) in zip(pages, cut, strict=True):
        page = part[0].page
        for line, crop in zip(part, crops, strict=True):
            reason, told = (BAD_IMAGE, problem) if problem else _crop_problem(line, crop, line_height)
            if told:
                skip_or_stop(report, params, LINES, page.path, reason, told)
            elif crop is not None:
                report.keep(page.corpus, page.split, page.document, page.path, line.text)
                yield page.split, Sample(line.id, line.text, f"{page.corpus}/{page.document}", crop)


def _crop_problem(line: Line, crop: np.ndarray | None, line_height: int) -> tuple[str, str | None]:
    """The reason that a crop cannot be used and what is told of it; nothing of a good one."""
    if crop is None:
        return NO_INK, f"{line.id}: no ink where the line is said to be; mend its outline or its baseline"
    if crop.shape[1] > WIDEST * line_height * (len(line.text) + 1):
        return TOO_WIDE, f"{line.id}: is {crop.shape[1]} pixels wide for {line.text!r}; mend its outline or its text"
    return "", None


def _cut(item: tuple[str, list[int]], *, folder: Path, line_height: int) -> tuple[list[np.ndarray | None], str | None]:
    """Crops of lines of a page by their indices, None where there is no ink; and what is wrong with the page."""
    file, indices = item
    path = folder / file
    try:
        if path.suffix.lower() == ".xml":
            page = read_page(path)
            pixels = page_pixels(page)
            strips = (crop_line(pixels, page.lines[index]) for index in indices)
            crops = [prepare_line(strip, line_height=line_height) for strip in strips]
        else:
            picture = next(open_pictures(path))
            if picture.page:
                raise TextrecError(f"{path}: has several pages, a line has one; save them as images of their own")
            crops = [prepare(picture.image, line_height=line_height, paragraph=False)]
    except TextrecError as error:
        return [None] * len(indices), str(error).replace(f"{folder}/", "")
    return [crop.pixels if crop.lines else None for crop in crops], None


def text_overlap(lines: Iterable[Line]) -> Mapping[str, dict[str, float]]:
    """How much of the text of val and test stands in train too: lines that are the same, and the share of the words
    in runs of five that occur there, in whatever lines.
    """
    texts: dict[str, dict[tuple[str, str], list[str]]] = {split: {} for split in SPLITS}
    for line in lines:
        texts[line.page.split].setdefault((line.page.corpus, line.page.document), []).append(line.text)
    trained = {text for part in texts["train"].values() for text in part}
    runs = {run for part in texts["train"].values() for run in _runs(part)}
    found = {}
    for split in SPLITS[1:]:
        own = [text for part in texts[split].values() for text in part]
        same = [run in runs for part in texts[split].values() for run in _runs(part)]
        found[split] = {
            "same_lines": sum(text in trained for text in own),
            "runs_of_five_words": sum(same) / max(1, len(same)),
        }
    return found


def _runs(texts: list[str]) -> Iterator[tuple[str, ...]]:
    words = " ".join(texts).split()
    return zip(*(words[start:] for start in range(5)), strict=False)
