"""Stage download: the raw archives from `data.source`, brought to one form."""

from pathlib import Path

from textrec.params import load
from textrec.runtime import run, write_json
from textrec.sources import DataParams, bring


def main() -> None:
    """Write iamdb.zip, matlab.zip, corpus.txt and ondb.zip to data/raw, and which archives they are made of."""
    brought = bring(load("data", DataParams), Path("data/raw"))
    write_json("metrics/archives.json", brought.archives)
    for line in brought.lines:
        print(line)


if __name__ == "__main__":
    run(main)
