"""What was dropped or changed on the way to a dataset: of IAM with pictures, of all else as its stage counted it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from textrec.archives.raw import open_archive, read_form_image
from textrec.base.records import Form, Line, Word
from textrec.base.runtime import read_json
from textrec.datasets.crops import line_crops
from textrec.datasets.iam import FEW, Report
from textrec.datasets.iam_xml import read_form

PICTURE = 900, 560  # pixels that the picture of something dropped has at most

NOTES = {
    "dropped_forms": "form dropped",
    "dropped_lines": "line dropped",
    "dropped_images": "image dropped",
    "corrections": "correction",
    "unlisted_forms": "form in no official list",
}


class Picture(NamedTuple):
    """Something dropped: a line with its label or a whole form; image: uint8 (height, width), white ink on black."""

    id: str
    text: str
    image: np.ndarray | None


class Drop(NamedTuple):
    """Forms or lines dropped for a reason, with pictures of the first few."""

    what: str
    reason: str
    total: int
    pictures: list[Picture]


def notes(report: Report) -> list[dict[str, Any]]:
    """What was dropped or changed of IAM, as rows of a table."""
    return [
        _row(what, reason, len(ids), ids, apart=" ")
        for kind, what in NOTES.items()
        for reason, ids in sorted(report.noted[kind].items())
    ]


def _row(what: str, why: str, count: int, named: Sequence[str] = (), *, apart: str = "\n") -> dict[str, Any]:
    """named: what was dropped, the first of it at least, to be shown `apart`."""
    first = named[:FEW]
    more = f" and {count - len(first)} more" if first and count > len(first) else ""
    return {"what": what, "why": why, "how many": count, "which": apart.join(first) + more}


# ---- what the stages of other data have counted ----

PAGE_NOTES = {
    "dropped_lines": "line dropped",
    "dropped_files": "file dropped",
    "ignored_files": "file ignored",
    "letters_without_their_marks": "letters without their marks",
}


def counted(datasets: Collection[str], metrics: str | Path) -> list[dict[str, Any]]:
    """Rows as `notes` has them, of all datasets but IAM, from the reports in the folder `metrics`.

    Raises TextrecError where a report is missing.
    """
    reports = [report for dataset, report in REPORTS.items() if dataset in datasets]
    found = [row for report, rows in reports for row in rows(read_json(Path(metrics) / f"{report}.json"))]
    return [row for row in found if row["how many"]]


def _of_pages(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for corpus, kinds in report["corpora"].items():
        for kind, what in PAGE_NOTES.items():
            for reason, noted in kinds[kind].items():
                yield _row(f"{corpus}: {what}", reason, noted["count"], noted["first"])


def _of_strokes(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (_row("on-line line dropped", reason, count) for reason, count in report["dropped"].items())


def _of_corrections(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield _row("correction left out", "of several lines", report["left_out_several_lines"])


def _of_drawing(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fonts = defaultdict(list)
    for name, reason in report.get("dropped", {}).items():
        fonts[reason].append(name)
    yield from (_row("font left out", reason, len(names), names) for reason, names in fonts.items())
    yield _row("line not drawn", "its hand can write none of its words", report["without_text"])
    yield _row("word of the corpus left out", "character outside the charset", report["corpus"]["left_out"])


OF_IAM = {"iam_lines", "iam_paragraphs", "synth_paragraphs", "ondb_lines", "corrected_lines"}  # or measured on it
REPORTS = {
    "page_lines": ("ground_truth", _of_pages),
    "ondb_lines": ("ondb", _of_strokes),
    "corrected_lines": ("corrected", _of_corrections),
    "drawn_lines": ("drawn_lines", _of_drawing),
    "font_lines": ("font_lines", _of_drawing),
}


# ---- pictures of what was dropped of IAM ----


def drops(report: Report, archive: str | Path, examples: int) -> list[Drop]:
    """What was dropped from the archive at a path, with pictures of `examples` for each reason."""
    found = []
    for kind in ("dropped_forms", "dropped_lines", "dropped_images"):
        draw = _line_picture if kind == "dropped_lines" else _form_picture
        for reason, ids in sorted(report.noted[kind].items()):
            pictures = [draw(archive, name) for name in ids[:examples] if reason != "no image"]
            found.append(Drop(NOTES[kind], reason, len(ids), pictures))
    return found


def _form_picture(archive: str | Path, form_id: str) -> Picture:
    return Picture(form_id, "", _small(read_form_image(archive, form_id)))


def _line_picture(archive: str | Path, line_id: str) -> Picture:
    form_id = line_id.rpartition("-")[0]
    with open_archive(archive) as opened:
        form = read_form(opened, f"xml/{form_id}.xml")
    line = next(line for line in form.lines if line.id == line_id)
    boxes = [box for _, boxes in line.parts for box in boxes if min(box.width, box.height, box.right, box.bottom) > 0]
    if not boxes:
        return Picture(line_id, line.text, None)
    alone = Line(line_id, line.text, False, (Word(line.text, tuple(boxes)),))
    page = Form(form_id, form.writer, "", form.width, form.height, (alone,))
    [crop] = line_crops(read_form_image(archive, form_id), page)
    return Picture(line_id, line.text, _small(Image.fromarray(255 - crop)) if crop.size else None)


def _small(image: Image.Image) -> np.ndarray:
    """White ink on black, no larger than PICTURE."""
    image.thumbnail(PICTURE)
    return 255 - np.asarray(image)
