"""Stack paragraphs from lines of the training forms; validation and test are the real paragraphs."""

from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import load
from textrec.base.ray_cluster import Workers
from textrec.base.records import SPLITS, read_forms
from textrec.base.runtime import run
from textrec.datasets.samples import contact_sheet, known_samples, read_split, write_training_samples
from textrec.datasets.synthesis import SynthParagraphs, stack_paragraphs
from textrec.pages.cutting import CropParams

REAL = "data/processed/iam_paragraphs.h5"
OUTPUT = "data/processed/synth_paragraphs.h5"


def main() -> None:
    """Write the stacked and the real paragraphs and their contact sheet."""
    params, line_height = load("synth_paragraphs", SynthParagraphs), load("crop", CropParams).line_height
    forms = [form for form in read_forms("data/interim/iam.jsonl") if form.split == "train"]
    place = load("data", Workers).workers
    samples = stack_paragraphs(forms, "data/raw/iamdb.zip", params, line_height=line_height, place=place)
    charset = Charset(read_split(REAL, "val").characters)
    known = known_samples((("train", sample) for sample in samples), charset, load("charset", CharsetParams))
    stacked = (sample for _, sample in known)
    without_iam = () if forms else SPLITS
    write_training_samples(OUTPUT, stacked, REAL, source="synth_paragraphs", may_be_empty=without_iam)
    contact_sheet("reports/synth_paragraphs.png", OUTPUT, per_split=4)


if __name__ == "__main__":
    run(main)
