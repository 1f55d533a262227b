"""Stage download: the raw archives from `data.source`, brought to one form."""

from pathlib import Path

from textrec.params import load
from textrec.runtime import run
from textrec.sources import DataParams, bring


def main() -> None:
    """Write iamdb.zip, matlab.zip, corpus.txt and ondb.zip to data/raw."""
    for line in bring(load("data", DataParams), Path("data/raw")):
        print(line)


if __name__ == "__main__":
    run(main)
