"""Set lines of text from EMNIST glyphs."""

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.base.runtime import run
from textrec.datasets.emnist import GLYPH_SIZE, read_glyphs
from textrec.datasets.samples import contact_sheet, known_samples, write_samples
from textrec.datasets.typesetting import SynthLines, glyph_lines, read_sentences, split_sentences

OUTPUT = "data/processed/emnist_lines.h5"


def main() -> None:
    """Write the lines and their contact sheet."""
    params, truth = load("synth_lines", SynthLines), load("charset", CharsetParams)
    glyphs = read_glyphs("data/interim/emnist.h5")
    options = {"source": "emnist_lines", "line_height": GLYPH_SIZE}
    if glyphs["train"]:
        own = set(glyphs["train"]) & set(truth.fixed.characters if truth.fixed else glyphs["train"])
        sentences = split_sentences(
            read_sentences("data/raw/corpus.txt", own, params.max_length - 2), params.count, params.seed
        )
        charset = truth.charset(sentences["train"])
        lines = known_samples(glyph_lines(glyphs, sentences, params), charset, truth)
        write_samples(OUTPUT, lines, **options, characters=charset.characters)
    else:  # without EMNIST
        write_samples(OUTPUT, (), **options, characters=truth.charset(()).characters, may_be_empty=SPLITS)
    contact_sheet("reports/emnist_lines.png", OUTPUT)


if __name__ == "__main__":
    run(main)
