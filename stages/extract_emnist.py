"""Take the glyphs out of EMNIST's archive, by split and character."""

from textrec.base.params import load
from textrec.base.runtime import run
from textrec.datasets.emnist import ExtractEmnist, extract_glyphs


def main() -> None:
    """Write the glyph file."""
    extract_glyphs("data/raw/matlab.zip", "data/interim/emnist.h5", load("extract_emnist", ExtractEmnist))


if __name__ == "__main__":
    run(main)
