"""Set lines of text from EMNIST glyphs."""

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.params import load
from textrec.base.runtime import run
from textrec.datasets.emnist import GLYPH_SIZE, read_glyphs
from textrec.datasets.samples import contact_sheet, write_samples
from textrec.datasets.typesetting import SynthLines, glyph_lines, read_sentences, split_sentences

OUTPUT = "data/processed/emnist_lines.h5"


def main() -> None:
    """Write the lines and their contact sheet."""
    params = load("synth_lines", SynthLines)
    glyphs = read_glyphs("data/interim/emnist.h5")
    sentences = read_sentences("data/raw/corpus.txt", set(glyphs["train"]), params.max_length - 2)
    lines = glyph_lines(glyphs, split_sentences(sentences, params.count, params.seed), params)
    write_samples(OUTPUT, lines, source="emnist_lines", line_height=GLYPH_SIZE, characters=LINE_CHARACTERS)
    contact_sheet("reports/emnist_lines.png", OUTPUT)


if __name__ == "__main__":
    run(main)
