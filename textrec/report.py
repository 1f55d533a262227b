"""What was measured, for a person: a summary, and a page of what the model got wrong, in one file that opens anywhere.

`python -m textrec.report` prints the summary of the last evaluation.
"""

import base64
import html
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from textrec.records import Prediction
from textrec.runtime import TextrecError, atomic, run

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
figure { margin: 0 0 1.5em; padding: 0 0 1em; border-bottom: 1px solid #8886; }
figcaption { color: #777; font-size: .85em; }
img { max-width: 100%; background: #fff; padding: 4px; }
pre { font-size: .8em; white-space: pre-wrap; }
table { font-variant-numeric: tabular-nums; border-spacing: 1em 0; }
th, td { text-align: left; }
p { margin: .2em 0; white-space: pre-wrap; font-family: ui-monospace, monospace; }
p[data-label]::before { content: attr(data-label); display: inline-block; width: 4em; color: #777; white-space: pre; }
del { background: #f553; text-decoration: none; outline: 1px solid #f55; }
ins { background: #5a53; text-decoration: none; outline: 1px solid #5a5; }
"""

MOST = 8  # of each kind of error in the summary
MOST_ROWS = 100  # of each table on the page

Rows = Sequence[Mapping[str, Any]]


def read_json(path: str | Path) -> Any:
    """Read a file of metrics or a table.

    Raises TextrecError where it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` or `dvc pull` to get it") from None
    except ValueError as error:
        raise TextrecError(f"{path}: not JSON ({error}); remove it and run `dvc repro`") from None


def summary(decoders: Rows, writers: Rows, lengths: Rows, confusions: Rows) -> str:
    """What was measured and where most of the errors are, from the tables of `textrec.metrics`, as a page of text."""
    titles = f"{'lines':8}{'decoder':8} {'CER [95 %]':>21} {'above reading [95 %]':>25} {'WER [95 %]':>26}"
    lines = [f"{titles}{'perfect':>9}{'samples':>9}{'a second':>10}"]
    for row in decoders:
        rates = f"{_rate(row, 'cer'):>21} {_rate(row, 'cer_above', '+'):>25} {_rate(row, 'wer'):>26}"
        counts = f"{row['perfect']:9.1%}{row['samples']:9}{row['samples_per_second']:10.1f}"
        lines.append(f"{row['lines']:8}{row['decoder']:8} {rates}{counts}")
    worst = ", ".join(f"{row['writer']} {row['cer']:.1%}" for row in writers[:MOST])
    middle = statistics.median(row["cer"] for row in writers)
    lines += ["", "CER by length: " + ", ".join(f"{row['from']}-{row['to']} {row['cer']:.1%}" for row in lengths)]
    lines.append(f"CER by writer: median of {len(writers)} {middle:.1%}, highest {worst}")
    for kind in ("substitution", "deletion", "insertion"):
        rows = [row for row in confusions if row["kind"] == kind]
        most = (f"{' as '.join(filter(None, (row['truth'], row['read'])))} {row['count']}" for row in rows[:MOST])
        lines.append(f"{kind}s ({sum(row['count'] for row in rows)}): {', '.join(most) or 'none'}")
    return "\n".join(lines)


def _rate(row: Mapping[str, Any], key: str, sign: str = "") -> str:
    value, low, high = (format(row[name], f"{sign}.2%") for name in (key, f"{key}_low", f"{key}_high"))
    return f"{value} [{low}, {high}]"


def errors_page(
    path: str | Path,
    text: str,
    tables: Mapping[str, Rows],
    wrong: Sequence[tuple[Prediction, int, np.ndarray]],
) -> None:
    """Write the page: `text` on top, `tables` by title, then (prediction, character errors, image) in their order.

    Images are uint8 (height, width), white ink on black, and shown as ink on paper. Of a table the first rows are
    shown, its fractions as percentages.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Errors</title><style>{STYLE}</style>')
        file.write(f"<h1>What the model got wrong</h1><pre>{html.escape(text)}</pre>")
        file.writelines(
            f"<details><summary>{html.escape(title)}</summary>{_html(rows)}</details>\n"
            for title, rows in tables.items()
        )
        file.write(f"<h2>The {len(wrong)} worst</h2>\n")
        for prediction, errors, image in wrong:
            truth, read = mark_differences(prediction.truth, prediction.read)
            file.write(
                f'<figure><img alt="" src="data:image/png;base64,{_png(image)}">'
                f'<p data-label="truth">{truth}</p><p data-label="read">{read}</p>'
                f"<figcaption>{html.escape(prediction.id)} &middot; writer {html.escape(prediction.writer)} &middot; "
                f"{errors} errors in {len(prediction.truth)} characters &middot; "
                f"confidence {prediction.confidence:.2f}</figcaption></figure>\n"
            )
        file.write("</html>\n")


def mark_differences(truth: str, read: str) -> tuple[str, str]:
    """Both texts as HTML: what is missing from `read` in <del>, what it has instead in <ins>."""
    left, right = [], []
    for step in Levenshtein.opcodes(truth, read):
        old = html.escape(truth[step.src_start : step.src_end])
        new = html.escape(read[step.dest_start : step.dest_end])
        same = step.tag == "equal"
        left.append(old if same or not old else f"<del>{old}</del>")
        right.append(new if same or not new else f"<ins>{new}</ins>")
    return "".join(left), "".join(right)


def _html(rows: Rows) -> str:
    head = "".join(f"<th>{html.escape(name)}" for name in (rows[0] if rows else ()))
    body = (
        "".join(f"<td>{html.escape(f'{cell:.1%}' if isinstance(cell, float) else str(cell))}" for cell in row.values())
        for row in rows[:MOST_ROWS]
    )
    return f"<table><tr>{head}" + "".join(f"<tr>{cells}" for cells in body) + "</table>"


def _png(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(255 - image).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def main() -> None:
    """Print the summary of the last evaluation."""
    tables = ("decoders", "writers", "lengths", "confusions")
    print(summary(*(read_json(f"reports/{name}.json") for name in tables)))


if __name__ == "__main__":
    run(main)
