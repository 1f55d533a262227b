"""Draw lines of on-line handwriting as crops to train on; validation and test are the real crops."""

from collections.abc import Iterator

from textrec.charset import LINE_CHARACTERS
from textrec.params import load
from textrec.records import Sample, read_forms
from textrec.runtime import run, write_json
from textrec.samples import contact_sheet, read_split, write_samples
from textrec.strokes import DrawOndb, Report, draw_lines, read_lines, usable_lines

REAL = "data/processed/iam_lines.h5"
OUTPUT = "data/processed/ondb_lines.h5"


def main() -> None:
    """Write the drawn and the real lines, their contact sheet, and the report of what was drawn and dropped."""
    params = load("draw_ondb", DrawOndb)
    report = Report()
    height = read_split(REAL, "val").line_height
    write_samples(
        OUTPUT,
        _samples(params, report, height),
        source="ondb_lines",
        line_height=height,
        characters=LINE_CHARACTERS,
        may_be_empty=("train",),  # where data.source has no IAM-OnDB
    )
    write_json("metrics/ondb.json", report.metrics())
    contact_sheet("reports/ondb_lines.png", OUTPUT)


def _samples(params: DrawOndb, report: Report, height: int) -> Iterator[tuple[str, Sample]]:
    forms = read_forms("data/interim/iam.jsonl")
    lines = list(usable_lines(read_lines("data/raw/ondb.zip"), forms, params, report))
    for sample in draw_lines(lines, height=height, seed=params.seed):
        yield "train", sample
    for split in ("val", "test"):
        for sample in read_split(REAL, split).samples():
            yield split, sample


if __name__ == "__main__":
    run(main)
