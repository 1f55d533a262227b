"""Draw lines of on-line handwriting as crops to train on; validation and test are the real crops."""

from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import load
from textrec.base.records import SPLITS, read_forms
from textrec.base.runtime import run, tell_dropped, write_json
from textrec.datasets.samples import contact_sheet, read_split, write_training_samples
from textrec.datasets.strokes import DrawOndb, Report, draw_lines, read_lines, usable_lines

REAL = "data/processed/iam_lines.h5"
OUTPUT = "data/processed/ondb_lines.h5"


def main() -> None:
    """Write the drawn and the real lines, their contact sheet, and the report of what was drawn and dropped."""
    params, truth = load("draw_ondb", DrawOndb), load("charset", CharsetParams)
    report, real = Report(), read_split(REAL, "val")
    charset = Charset(real.characters)
    forms = read_forms("data/interim/iam.jsonl")
    pen_lines = read_lines("data/raw/ondb.zip")
    written = (line._replace(text=truth.written(line.text, charset)) for line in pen_lines)
    lines = list(usable_lines(written, forms, params, report, charset=charset))
    samples = draw_lines(lines, height=real.line_height, seed=params.seed)
    write_training_samples(OUTPUT, samples, REAL, source="ondb_lines", may_be_empty=SPLITS)
    write_json("metrics/ondb.json", report.metrics())
    tell_dropped({"lines": report.dropped}, see="metrics/ondb.json")
    contact_sheet("reports/ondb_lines.png", OUTPUT)


if __name__ == "__main__":
    run(main)
