"""What was measured, as a page of text; `python -m textrec.report` prints that of the last evaluation."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

MOST = 8  # of each kind of error

Rows = Sequence[Mapping[str, Any]]


def summary(tables: Mapping[str, Rows], metrics: Mapping[str, Any]) -> str:
    """What was measured and where most of the errors are, from the tables in `reports/` and metrics/test.json."""
    titles = f"{'lines':8}{'decoder':8} {'CER [95 %]':>21} {'above reading [95 %]':>25} {'WER [95 %]':>26}"
    lines = [f"{titles}{'perfect':>9}{'samples':>9}{'a second':>10}"]
    for row in tables["decoders"]:
        rates = f"{_rate(row, 'cer'):>21} {_rate(row, 'cer_above', '+'):>25} {_rate(row, 'wer'):>26}"
        counts = f"{row['perfect']:9.1%}{row['samples']:9}{row['samples_per_second']:10.1f}"
        lines.append(f"{row['lines']:8}{row['decoder']:8} {rates}{counts}")
    lines += [
        "",
        "CER by length: " + ", ".join(f"{row['from']}-{row['to']} {row['cer']:.1%}" for row in tables["lengths"]),
    ]
    writers = tables["writers"]
    worst = ", ".join(f"{row['writer']} {row['cer']:.1%}" for row in writers[:MOST])
    middle = statistics.median(row["cer"] for row in writers)
    lines.append(f"CER by writer: median of {len(writers)} {middle:.1%}, highest {worst}")
    for kind in ("substitution", "deletion", "insertion"):
        rows = [row for row in tables["confusions"] if row["kind"] == kind]
        most = (f"{' as '.join(filter(None, (row['truth'], row['read'])))} {row['count']}" for row in rows[:MOST])
        lines.append(f"{kind}s ({sum(row['count'] for row in rows)}): {', '.join(most) or 'none'}")
    sure = metrics["confidence"]
    lines.append(
        f"confidence: expected calibration error {sure['ece_characters']:.2%} of characters, "
        f"{sure['ece_samples']:.2%} of samples"
    )
    lines.append(
        f"reject the least sure 10 % of samples and CER goes from {metrics['cer']:.2%} to {sure['cer_at_90']:.2%}; "
        f"the least sure 20 %, to {sure['cer_at_80']:.2%}"
    )
    return "\n".join(lines)


def _rate(row: Mapping[str, Any], key: str, sign: str = "") -> str:
    value, low, high = (format(row[name], f"{sign}.2%") for name in (key, f"{key}_low", f"{key}_high"))
    return f"{value} [{low}, {high}]"
