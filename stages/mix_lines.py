"""Put lines of scanned forms and drawn lines into one file, as training reads one file whatever it trains on."""

from textrec.base.runtime import run
from textrec.datasets.samples import mix_samples


def main() -> None:
    """Write the training lines of both, and those of validation and test from the forms."""
    mix_samples(
        "data/processed/iam_and_ondb_lines.h5",
        real="data/processed/iam_lines.h5",
        made="data/processed/ondb_lines.h5",
        source="iam_and_ondb_lines",
    )


if __name__ == "__main__":
    run(main)
