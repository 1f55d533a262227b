"""Stage download: the raw archives from `data.source`, brought to one form."""

from pathlib import Path

from textrec.archives.sources import DataParams, bring
from textrec.base.params import load
from textrec.base.runtime import run, write_json


def main() -> None:
    """Write what later stages read to data/raw, and which archives it is made of."""
    brought = bring(load("data", DataParams), Path("data/raw"))
    write_json("metrics/archives.json", brought.archives)
    for line in brought.lines:
        print(line)


if __name__ == "__main__":
    run(main)
