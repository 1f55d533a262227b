"""Stage extract_emnist: EMNIST's archive to glyphs by split and character."""

from textrec.emnist import ExtractEmnist, extract_glyphs
from textrec.params import load
from textrec.runtime import run


def main() -> None:
    """Read data/raw/matlab.zip, write data/interim/emnist.h5."""
    extract_glyphs("data/raw/matlab.zip", "data/interim/emnist.h5", load("extract_emnist", ExtractEmnist))


if __name__ == "__main__":
    run(main)
