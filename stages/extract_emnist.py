"""Take the glyphs out of EMNIST's archive, by split and character."""

from textrec.emnist import ExtractEmnist, extract_glyphs
from textrec.params import load
from textrec.runtime import run


def main() -> None:
    """Write the glyph file."""
    extract_glyphs("data/raw/matlab.zip", "data/interim/emnist.h5", load("extract_emnist", ExtractEmnist))


if __name__ == "__main__":
    run(main)
