"""The page of what the model got wrong: where the errors are, what confidence is worth, and the worst samples."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from rapidfuzz.distance import Levenshtein

from textrec.base.records import Prediction
from textrec.reports.charts import Series, axis, chart
from textrec.reports.html_page import write_html

MOST_ROWS = 100  # of a table
MOST_CONFUSED = 14  # characters in the matrix of confusions
MOST_DOUBTFUL = 6  # characters named below a sample
# Probabilities below which a character is in doubt, more so, and most so.
DOUBTS = (0.9, 0.7, 0.5)
SHADES = 5  # of a matrix' cells
SIGNS = {"<space>": "␣", "<newline>": "⏎", " ": "␣", "\n": "⏎"}

Rows = Sequence[Mapping[str, Any]]


class Mistake(NamedTuple):
    """A sample with errors: its `image` is uint8 (height, width), white ink on black."""

    prediction: Prediction
    errors: int
    image: np.ndarray


class Piece(NamedTuple):
    """Neighbouring characters of a text that look alike.

    wrong: not in the other text. doubt: 0 (none) to 3. probability: that they are right, the lowest of theirs.
    """

    text: str
    wrong: bool
    doubt: int = 0
    probability: float = 1.0


def errors_page(path: str | Path, tables: Mapping[str, Rows], mistakes: Sequence[Mistake]) -> None:
    """Write the page: the tables as charts, bars and a matrix, and the mistakes in their order.

    tables: those of `tables` and `reliability`, by the names of their files in `reports/`. Of a long one the first rows
        are shown.
    """
    writers = sorted({mistake.prediction.writer for mistake in mistakes})
    write_html(
        path,
        "errors.html",
        decoders=[_shown_rates(row) for row in tables["decoders"]],
        bars={name: tables[name][:MOST_ROWS] for name in ("writers", "lengths", "characters")},
        figures={
            name: [{key: _percent(cell) for key, cell in row.items()} for row in tables[name][:MOST_ROWS]]
            for name in ("confusions", "calibration_characters", "calibration_samples", "risk_coverage")
        },
        sizes={name: len(rows) for name, rows in tables.items()},
        matrix=confusion_matrix(tables["confusions"]),
        diagram=_reliability_diagram(tables["calibration_characters"], tables["calibration_samples"]),
        curve=_curve(tables["risk_coverage"]),
        writers=writers,
        mistakes=[_shown(mistake, writers) for mistake in mistakes],
        doubts=DOUBTS,
    )


def _percent(cell: Any) -> Any:
    return f"{cell:.1%}" if isinstance(cell, float) else cell


def _shown_rates(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of reports/decoders.json for the eye."""
    rates = {
        name.upper(): "{:.2%} [{:.2%}, {:.2%}]".format(*(row[key] for key in (name, f"{name}_low", f"{name}_high")))
        for name in ("cer", "wer")
    }
    return {
        "decoder": row["decoder"],
        "samples": f"{row['samples']} ({row['lines']})",
        **rates,
        "without error": _percent(row["perfect"]),
    }


def _shown(mistake: Mistake, writers: Sequence[str]) -> dict[str, Any]:
    """What the template shows of a mistake."""
    prediction, read = mistake.prediction, marked_reading(mistake.prediction)
    kinds = {edit.tag for edit in Levenshtein.editops(prediction.truth, prediction.read)}
    if any(piece.wrong and not piece.doubt for piece in read):
        kinds.add("sure")
    surest_last = sorted(zip(prediction.characters, prediction.read, strict=True))[:MOST_DOUBTFUL]
    return {
        "prediction": prediction,
        "image": mistake.image,
        "errors": mistake.errors,
        "cer": mistake.errors / len(prediction.truth),
        "kinds": sorted(kinds),
        "writer": writers.index(prediction.writer),
        "truth": marked_truth(prediction),
        "read": read,
        "doubtful": [(SIGNS.get(character, character), share) for share, character in surest_last if doubt(share)],
    }


def doubt(probability: float) -> int:
    """0 for a probability of 0.9 or more, 3 for one below 0.5."""
    return sum(probability < limit for limit in DOUBTS)


def marked_truth(prediction: Prediction) -> list[Piece]:
    """The truth in pieces; wrong is what was not read."""
    return [
        Piece(prediction.truth[step.src_start : step.src_end], step.tag != "equal")
        for step in Levenshtein.opcodes(prediction.truth, prediction.read)
        if step.src_start < step.src_end
    ]


def marked_reading(prediction: Prediction) -> list[Piece]:
    """The reading in pieces; wrong is what the truth does not have."""
    pieces = (
        Piece(prediction.read[at], step.tag != "equal", doubt(prediction.characters[at]), prediction.characters[at])
        for step in Levenshtein.opcodes(prediction.truth, prediction.read)
        for at in range(step.dest_start, step.dest_end)
    )
    return list(_joined(pieces))


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Neighbours that are alike as one; characters in doubt stay apart, since each has its own probability."""
    for (wrong, level), group in groupby(pieces, key=lambda piece: (piece.wrong, piece.doubt)):
        alike = list(group)
        if level:
            yield from alike
        else:
            text = "".join(piece.text for piece in alike)
            yield Piece(text, wrong, 0, min(piece.probability for piece in alike))


def confusion_matrix(confusions: Rows) -> dict[str, Any]:
    """The most confused characters against each other.

    read: titles of the columns. rows: (title, cells), a cell is (count, shade from 0 to 5). The last row has what was
    read where nothing is, the last column what was missed.
    """
    weight: Counter[str] = Counter()
    for row in confusions:
        weight.update(dict.fromkeys((row["truth"], row["read"]), row["count"]))
    del weight[""]
    names = sorted(name for name, _ in sorted(weight.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSED])
    counts = {(row["truth"], row["read"]): row["count"] for row in confusions}
    cells = [[counts.get((truth, read), 0) for read in (*names, "")] for truth in (*names, "")]
    highest = max(map(max, cells))
    titles = [*(SIGNS.get(name, name) for name in names), "nothing"]
    shaded = [[(count, _shade(count, highest)) for count in row] for row in cells]
    return {"read": titles, "rows": list(zip(titles, shaded, strict=True))}


def _shade(count: int, highest: int) -> int:
    """By the root of the count, since a few confusions are far more frequent than the rest; 0 only for none."""
    return math.ceil(SHADES * math.sqrt(count / highest)) if count else 0


def _reliability_diagram(characters: Rows, samples: Rows) -> Markup:
    dots, boxes = ([(row["confidence"], row["accuracy"]) for row in rows] for rows in (characters, samples))
    shown = [0.9, 1.0, *(value for point in (*dots, *boxes) for value in point)]
    return chart(
        "Accuracy against confidence, of characters and of samples; the tables below have the figures",
        axis("confidence", shown),
        axis("accuracy", shown),
        [Series("characters", "circle", dots), Series("samples", "square", boxes)],
        diagonal="as it should be",
    )


def _curve(rows: Rows) -> Markup:
    return chart(
        "CER of the samples kept against the share of samples kept; the table below has the figures",
        axis("samples kept, the surest first", [0.0, 1.0]),
        axis("CER of those kept", [0.0, *(row["cer"] for row in rows)]),
        [Series("CER", "line", [(row["coverage"], row["cer"]) for row in rows])],
    )
