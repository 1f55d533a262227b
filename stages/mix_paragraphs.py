"""Put real and stacked paragraphs into one file, as training reads one file whatever it trains on."""

from textrec.base.runtime import run
from textrec.datasets.samples import mix_samples


def main() -> None:
    """Write the training paragraphs of both, and the real ones of validation and test."""
    mix_samples(
        "data/processed/iam_and_synth_paragraphs.h5",
        real="data/processed/iam_paragraphs.h5",
        made="data/processed/synth_paragraphs.h5",
        source="iam_and_synth_paragraphs",
    )


if __name__ == "__main__":
    run(main)
