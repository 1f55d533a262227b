"""Draw lines of text in hands with pens over stroke fonts, as those of the embedded sample."""

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.ray_cluster import Workers
from textrec.base.records import read_records
from textrec.base.runtime import run, write_json
from textrec.datasets.drawing import DrawLines, write_lines
from textrec.datasets.pen_hands import DrawHands, pen_hands
from textrec.datasets.samples import contact_sheet
from textrec.datasets.texts import read_corpus
from textrec.pages.cutting import CropParams

CORPUS = "data/raw/corpus.txt"
OUTPUT = "data/processed/drawn_lines.h5"


def main() -> None:
    """Write the lines, their contact sheet, and the report of what was drawn."""
    params, lines, height = load("draw_hands", DrawHands), load("draw_lines", DrawLines), load("crop", CropParams)
    truth = load("charset", CharsetParams)
    charset = truth.charset(map(truth.normalized, read_records(CORPUS)))
    report = write_lines(
        OUTPUT,
        params.count,
        pen_hands(params.seed),
        lines,
        corpus=read_corpus(CORPUS, truth, charset),
        charset=charset,
        height=height.line_height,
        seed=params.seed,
        place=load("data", Workers).workers,
    )
    write_json("metrics/drawn_lines.json", report)
    contact_sheet("reports/drawn_lines.png", OUTPUT)


if __name__ == "__main__":
    run(main)
