"""Stack paragraphs from lines of the training forms; validation and test are the real paragraphs."""

from textrec.base.params import load
from textrec.base.records import read_forms
from textrec.base.runtime import run
from textrec.datasets.crops import CropParams
from textrec.datasets.samples import contact_sheet, write_training_samples
from textrec.datasets.synthesis import SynthParagraphs, stack_paragraphs

OUTPUT = "data/processed/synth_paragraphs.h5"


def main() -> None:
    """Write the stacked and the real paragraphs and their contact sheet."""
    params, line_height = load("synth_paragraphs", SynthParagraphs), load("crop", CropParams).line_height
    forms = [form for form in read_forms("data/interim/iam.jsonl") if form.split == "train"]
    samples = stack_paragraphs(forms, "data/raw/iamdb.zip", params, line_height=line_height)
    write_training_samples(OUTPUT, samples, "data/processed/iam_paragraphs.h5", source="synth_paragraphs")
    contact_sheet("reports/synth_paragraphs.png", OUTPUT, per_split=4)


if __name__ == "__main__":
    run(main)
