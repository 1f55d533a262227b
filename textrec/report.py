"""What was measured, for a person: a table, and a page of what the model got wrong, in one file that opens anywhere.

`python -m textrec.report` prints the table of metrics/test.json.
"""

import base64
import html
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from textrec.records import Prediction
from textrec.runtime import atomic

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
figure { margin: 0 0 1.5em; padding: 0 0 1em; border-bottom: 1px solid #8886; }
figcaption { color: #777; font-size: .85em; }
img { max-width: 100%; background: #fff; padding: 4px; }
p { margin: .2em 0; white-space: pre-wrap; font-family: ui-monospace, monospace; }
p[data-label]::before { content: attr(data-label); display: inline-block; width: 4em; color: #777; white-space: pre; }
del { background: #f553; text-decoration: none; outline: 1px solid #f55; }
ins { background: #5a53; text-decoration: none; outline: 1px solid #5a5; }
"""


def table(metrics: Mapping[str, Any]) -> str:
    """The measures of metrics/test.json as a table: all samples of the test split, and those officially listed."""
    rows = [("test split", metrics)] + ([("officially listed", metrics["listed"])] if "listed" in metrics else [])
    lines = [f"{'':18}{'samples':>9}{'CER [95 %]':>22}{'WER [95 %]':>24}{'perfect':>10}"]
    for name, row in rows:
        cer, wer = (f"{row[rate]:.2%} [{row[rate + '_low']:.2%}, {row[rate + '_high']:.2%}]" for rate in ("cer", "wer"))
        lines.append(f"{name:18}{row['samples']:9}{cer:>22}{wer:>24}{row['perfect']:10.1%}")
    return "\n".join(lines)


def errors_page(path: str | Path, summary: str, wrong: Iterable[tuple[Prediction, int, np.ndarray]]) -> None:
    """Write the page: `summary` on top, then (prediction, character errors, image) in their order.

    Images are uint8 (height, width), white ink on black, and shown as ink on paper.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Errors</title><style>{STYLE}</style>')
        file.write(f"<h1>What the model got wrong</h1><p>{html.escape(summary)}</p>")
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


def _png(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(255 - image).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    print(table(json.loads(Path("metrics/test.json").read_text(encoding="utf-8"))))
