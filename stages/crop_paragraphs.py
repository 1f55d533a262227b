"""Cut the handwritten paragraph of every form out of its image."""

from textrec.base.charset import PARAGRAPH_CHARACTERS
from textrec.base.params import load
from textrec.base.runtime import run
from textrec.datasets.crops import CropParams, crop_forms, crop_paragraph
from textrec.datasets.samples import contact_sheet, write_samples

OUTPUT = "data/processed/iam_paragraphs.h5"


def main() -> None:
    """Write the paragraph crops and their contact sheet."""
    height = load("crop", CropParams).line_height
    samples = crop_forms(crop_paragraph, "data/interim/iam.jsonl", archive="data/raw/iamdb.zip", line_height=height)
    write_samples(OUTPUT, samples, source="iam_paragraphs", line_height=height, characters=PARAGRAPH_CHARACTERS)
    contact_sheet("reports/iam_paragraphs.png", OUTPUT, per_split=4)


if __name__ == "__main__":
    run(main)
