"""Pages as the browser edits them: as plain data there and back, checked, and kept as ground truth."""

import json
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import Field, ValidationError

from textrec.base.params import Params
from textrec.base.runtime import TextrecError, atomic
from textrec.datasets.corrections import encode
from textrec.reading.formats import DOCUMENTS, record
from textrec.reading.page_files import page_xml
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.pdf import SearchablePdf

MOST_LINES = 2000  # of a page
MOST_POINTS = 2000  # of an outline or a baseline
MOST_TEXT = 2000  # characters of a line
DIGITS = 1  # of a pixel's coordinates, behind the point

Coordinate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Line(Params):
    """A line as the browser sends it; its block is one with its neighbours' of the same number."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,79}$")]
    block: int
    outline: Annotated[list[Point], Field(min_length=3, max_length=MOST_POINTS)]
    baseline: Annotated[list[Point], Field(min_length=2, max_length=MOST_POINTS)]
    text: Annotated[str, Field(max_length=MOST_TEXT, pattern=r"^[^\x00-\x1f\x7f]*$")]
    confidence: Share
    characters: Annotated[list[Share], Field(max_length=MOST_TEXT)]


class _Lines(Params):
    lines: Annotated[list[_Line], Field(max_length=MOST_LINES)]


def sent_lines(page: PageReading) -> list[dict[str, Any]]:
    """The lines of a page as plain data, which `edited_page` takes back but for `problem`."""
    return [
        {
            "id": line.id,
            "block": number,
            "outline": _within(line.outline, page.size),
            "baseline": _within(line.baseline, page.size),
            "text": line.text,
            "confidence": line.confidence,
            "characters": list(line.characters),
            "problem": line.problem,
        }
        for number, block in enumerate(page.blocks)
        for line in block
    ]


def _within(points: np.ndarray, size: tuple[int, int]) -> list[list[float]]:
    return points.clip(0, np.array(size) - 1).round(DIGITS).tolist()


def edited_page(lines: Any, size: tuple[int, int]) -> PageReading:
    """The page of so many pixels, across and down, whose lines were edited; whoever sends them may send anything.

    Raises TextrecError, one line for the first that is wrong.
    """
    try:
        checked = _Lines.model_validate({"lines": lines}).lines
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise TextrecError(f"{where}: {first['msg'][0].lower() + first['msg'][1:]}; reload the page") from None
    blocks = [[_reading(line, size) for line in block] for _, block in groupby(checked, key=lambda line: line.block)]
    page = PageReading(size, 0, blocks)
    ids = [line.id for line in page.lines]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise TextrecError(f"the id {twice} stands twice; reload the page")
    return page


def _reading(line: _Line, size: tuple[int, int]) -> LineReading:
    outline, baseline = np.array(line.outline), np.array(line.baseline)
    if (np.concatenate([outline, baseline]) > np.array(size) - 1).any():
        raise TextrecError(f"{line.id} reaches out of the picture; reload the page")
    if np.ptp(outline, axis=0).min() < 1:
        raise TextrecError(f"the outline of {line.id} has no area; change it, or delete the line")
    if len(line.characters) != len(line.text):
        raise TextrecError(
            f"{line.id} has {len(line.text)} characters and {len(line.characters)} probabilities of them"
        )
    return LineReading(line.id, outline, baseline, line.text, line.confidence, tuple(line.characters))


def save_page(folder: Path, image: Image.Image, page: PageReading) -> Path:
    """Keep a page's picture, mode L, and its lines as ground truth: NAME.png and NAME.xml, NAME as of `corrections`.

    Of a picture the page that was saved last counts. Raises TextrecError where there is no text.
    """
    if not any(line.text.strip() for line in page.lines):
        raise TextrecError("no line has a text; write what the page says")
    name, content = encode(image)
    path = folder / f"{name}.xml"
    with atomic(path.with_suffix(".png")) as temporary:
        temporary.write_bytes(content)
    with atomic(path) as temporary:
        temporary.write_text(page_xml(page, f"{name}.png"), encoding="utf-8")
    return path


FORMATS = {
    "text": "text",
    "jsonl": "JSON",
    "page": "PAGE XML",
    "alto": "ALTO",
    "hocr": "hOCR",
    "tsv": "table (TSV)",
    "pdf": "searchable PDF",
}


def exported(page: PageReading, form: Any, picture: Path, number: int | None) -> tuple[str, bytes]:
    """The name and the content of a file of one of FORMATS for a picture, whose page `number` it is.

    Raises TextrecError where the format is none of them, and as `pdf` does.
    """
    if form not in FORMATS:
        raise TextrecError(f"{form!r} is no format; name one of {', '.join(FORMATS)}")
    if form == "pdf":
        return f"{picture.stem}.pdf", _searchable_pdf(page, picture, number)
    if form in DOCUMENTS:
        made = DOCUMENTS[form]
        suffix, text = made.suffix, made.head + made.of_page(page, picture.name, number) + made.tail
    elif form == "jsonl":
        suffix, text = ".jsonl", json.dumps(record(page, picture.name, number), ensure_ascii=False) + "\n"
    else:
        suffix, text = ".txt", page.text + "\n"
    return picture.stem + suffix, text.encode()


def _searchable_pdf(page: PageReading, picture: Path, number: int | None) -> bytes:
    with tempfile.TemporaryDirectory(prefix="textrec-") as folder:
        target = Path(folder) / "page.pdf"
        with SearchablePdf(picture, target) as pdf:
            pdf.add(number, page)
        return target.read_bytes()
