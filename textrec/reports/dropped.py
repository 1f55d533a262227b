"""What was dropped or changed on the way from the archive to the forms, with pictures."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from textrec.archives.raw import open_archive, read_form_image
from textrec.base.records import Form, Line, Word
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
    """What was dropped or changed, as rows of a table."""
    rows = []
    for kind, what in NOTES.items():
        for reason, ids in sorted(report.noted[kind].items()):
            named = " ".join(ids[:FEW]) + (f" and {len(ids) - FEW} more" if len(ids) > FEW else "")
            rows.append({"what": what, "why": reason, "how many": len(ids), "which": named})
    return rows


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
