"""Put several datasets into one file, as training reads one file whatever it trains on."""

import argparse
import sys

from textrec.base.params import load
from textrec.base.runtime import run
from textrec.datasets.mixing import Mixtures, mix


def main(name: str) -> None:
    """Write the mixture `name` of the section `mix`."""
    empty = mix(f"data/processed/{name}.h5", load("mix", Mixtures)[name])
    if empty:
        print(f"{name}: nothing to train on, for {empty} has no training samples", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name")
    run(lambda: main(parser.parse_args().name))
