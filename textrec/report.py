"""`python -m textrec.report`: what the last evaluation measured, as a page of text."""

from textrec.base.runtime import read_json, run
from textrec.reports.summary import summary


def main() -> None:
    """Print the summary of the last evaluation."""
    names = ("decoders", "writers", "lengths", "confusions")
    print(summary({name: read_json(f"reports/{name}.json") for name in names}, read_json("metrics/test.json")))


if __name__ == "__main__":
    run(main)
