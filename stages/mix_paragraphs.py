"""Put real and stacked paragraphs into one file, as training reads one file whatever it trains on."""

from collections.abc import Iterator

from textrec.records import Sample
from textrec.runtime import run
from textrec.samples import read_split, write_samples

REAL = "data/processed/iam_paragraphs.h5"
SYNTHETIC = "data/processed/synth_paragraphs.h5"
OUTPUT = "data/processed/iam_and_synth_paragraphs.h5"


def main() -> None:
    """Write the training paragraphs of both, and the real ones of validation and test."""
    real = read_split(REAL, "val")
    write_samples(
        OUTPUT,
        _samples(),
        source="iam_and_synth_paragraphs",
        line_height=real.line_height,
        characters=real.characters,
    )


def _samples() -> Iterator[tuple[str, Sample]]:
    for path, split in ((REAL, "train"), (SYNTHETIC, "train"), (REAL, "val"), (REAL, "test")):
        for sample in read_split(path, split).samples():
            yield split, sample


if __name__ == "__main__":
    run(main)
