"""Stack paragraphs from lines of the training forms; validation and test are the real paragraphs."""

from collections.abc import Iterator

from textrec.charset import PARAGRAPH_CHARACTERS
from textrec.crops import CropParams
from textrec.params import load
from textrec.records import Sample, read_forms
from textrec.runtime import run
from textrec.samples import contact_sheet, read_split, write_samples
from textrec.synthesis import SynthParagraphs, stack_paragraphs

REAL = "data/processed/iam_paragraphs.h5"
OUTPUT = "data/processed/synth_paragraphs.h5"


def main() -> None:
    """Write the stacked and the real paragraphs and their contact sheet."""
    line_height = load("crop", CropParams).line_height
    samples = _samples(load("synth_paragraphs", SynthParagraphs), line_height)
    write_samples(OUTPUT, samples, source="synth_paragraphs", line_height=line_height, characters=PARAGRAPH_CHARACTERS)
    contact_sheet("reports/synth_paragraphs.png", OUTPUT, per_split=4)


def _samples(params: SynthParagraphs, line_height: int) -> Iterator[tuple[str, Sample]]:
    forms = [form for form in read_forms("data/interim/iam.jsonl") if form.split == "train"]
    for sample in stack_paragraphs(forms, "data/raw/iamdb.zip", params, line_height=line_height):
        yield "train", sample
    for split in ("val", "test"):
        for sample in read_split(REAL, split).samples():
            yield split, sample


if __name__ == "__main__":
    run(main)
