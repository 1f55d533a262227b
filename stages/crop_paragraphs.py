"""Cut the handwritten paragraph of every form out of its image."""

from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import load
from textrec.base.records import SPLITS, read_records, training_texts
from textrec.base.runtime import run
from textrec.datasets.crops import crop_forms, crop_paragraph
from textrec.datasets.samples import contact_sheet, known_samples, write_samples
from textrec.pages.cutting import CropParams

FORMS = "data/interim/iam.jsonl"
OUTPUT = "data/processed/iam_paragraphs.h5"


def main() -> None:
    """Write the paragraph crops and their contact sheet."""
    height, truth = load("crop", CropParams).line_height, load("charset", CharsetParams)
    charset = Charset(truth.charset(training_texts(FORMS)).characters + "\n")
    samples = crop_forms(crop_paragraph, FORMS, archive="data/raw/iamdb.zip", line_height=height)
    known = known_samples(samples, charset, truth)
    options = {"source": "iam_paragraphs", "line_height": height, "characters": charset.characters}
    without_iam = () if any(read_records(FORMS)) else SPLITS
    write_samples(OUTPUT, known, **options, may_be_empty=without_iam)
    contact_sheet("reports/iam_paragraphs.png", OUTPUT, per_split=4)


if __name__ == "__main__":
    run(main)
