"""What was read as a table: a row for each line of a page; one for a page without lines, and for what was not read."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from textrec.bulk.listing import Item, escaped
from textrec.reading.page_reading import PageReading
from textrec.reading.sheets import Sheet

POINTS = pa.list_(pa.list_(pa.float32()))
ROWS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        ("member", pa.string()),
        ("page", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("turned", pa.int8()),
        ("line", pa.int32()),
        ("block", pa.int32()),
        ("polygon", POINTS),
        ("baseline", POINTS),
        ("text", pa.string()),
        ("confidence", pa.float32()),
        ("characters", pa.list_(pa.float32())),
        ("printed", pa.bool_()),
        ("error", pa.string()),
        pa.field("model", pa.string(), nullable=False),
    ]
)


def table_of(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as of `rows_of` and `row_of_error` as a table."""
    return pa.Table.from_pylist(list(rows), ROWS)


def rows_of(item: Item, sheet: Sheet, model: str) -> list[dict[str, Any]]:
    """The rows of a page that was read, or could not be. model: its digest."""
    if sheet.reading is None:
        return [row_of_error(item, sheet.error or "", model, page=sheet.number)]
    page = _of_page(sheet.reading) | {"page": sheet.number or 1} | _of_item(item, model)
    blocks = [(index, line) for index, block in enumerate(sheet.reading.blocks, start=1) for line in block]
    lines = [
        {
            "line": number,
            "block": block,
            "polygon": line.outline.round(1).tolist(),
            "baseline": line.baseline.round(1).tolist(),
            "text": None if line.problem else line.text,
            "confidence": None if line.problem else line.confidence,
            "characters": None if line.problem else line.characters,
            "printed": None if line.problem else line.printed,
            "error": line.problem,
        }
        for number, (block, line) in enumerate(blocks, start=1)
    ]
    return [page | line for line in lines or [{}]]


def row_of_error(item: Item, error: str, model: str, *, page: int | None = None) -> dict[str, Any]:
    """The row of an item, or a page of it, that could not be read."""
    return _of_item(item, model) | {"page": page or item.first or 1, "error": error}


def count(table: pa.Table) -> Counter[str]:
    """Of rows: `pages`, of which `failed` could not be read and `empty` have no line; `lines`, and `failed_lines`."""
    rows = list(zip(table["line"].to_pylist(), table["error"].to_pylist(), strict=True))
    lines = [error for line, error in rows if line]
    pages = [error for line, error in rows if not line]  # without lines
    return Counter(
        pages=len(pages) + sum(line == 1 for line, _ in rows),
        failed=len(pages) - pages.count(None),
        empty=pages.count(None),
        lines=len(lines),
        failed_lines=len(lines) - lines.count(None),
    )


def _of_item(item: Item, model: str) -> dict[str, Any]:
    return {"source": item.source, "member": item.member and escaped(item.member), "model": model}


def _of_page(page: PageReading) -> dict[str, Any]:
    width, height = page.size
    return {"width": width, "height": height, "turned": page.turned}
