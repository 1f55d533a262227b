"""Cut the lines of every form out of its image."""

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.params import load
from textrec.base.runtime import run
from textrec.datasets.crops import CropParams, crop_forms, crop_lines
from textrec.datasets.samples import contact_sheet, write_samples

OUTPUT = "data/processed/iam_lines.h5"


def main() -> None:
    """Write the line crops and their contact sheet."""
    height = load("crop", CropParams).line_height
    samples = crop_forms(crop_lines, "data/interim/iam.jsonl", archive="data/raw/iamdb.zip", line_height=height)
    write_samples(OUTPUT, samples, source="iam_lines", line_height=height, characters=LINE_CHARACTERS)
    contact_sheet("reports/iam_lines.png", OUTPUT)


if __name__ == "__main__":
    run(main)
