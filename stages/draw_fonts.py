"""Draw lines of text in hands made of fonts; none where data.fonts names no fonts."""

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.ray_cluster import Workers
from textrec.base.records import read_records
from textrec.base.runtime import run, write_json
from textrec.datasets.drawing import DrawLines, write_lines
from textrec.datasets.font_hands import DrawFonts, font_hands
from textrec.datasets.fonts import read_fonts, split_fonts
from textrec.datasets.samples import contact_sheet
from textrec.datasets.texts import read_corpus
from textrec.pages.cutting import CropParams

CORPUS = "data/raw/corpus.txt"
OUTPUT = "data/processed/font_lines.h5"


def main() -> None:
    """Write the lines, their contact sheet, and the report of what was drawn and which fonts were dropped."""
    params, lines, height = load("draw_fonts", DrawFonts), load("draw_lines", DrawLines), load("crop", CropParams)
    truth = load("charset", CharsetParams)
    charset = truth.charset(map(truth.normalized, read_records(CORPUS)))
    skip = params.on_bad_font == "skip"
    fonts, dropped = read_fonts("data/raw/fonts.zip", charset.characters, skip_bad=skip)
    for name, reason in dropped.items():
        print(f"data.fonts: {name}: {reason}; left out")
    if not fonts and not dropped:
        print("font_lines.h5 has no lines: data.fonts names no fonts; `make fonts` gets some")
    parts = split_fonts(fonts, params.seed)
    report = write_lines(
        OUTPUT,
        params.count,
        font_hands(parts, params.hand) if fonts else None,
        lines,
        corpus=read_corpus(CORPUS, truth, charset),
        charset=charset,
        height=height.line_height,
        seed=params.seed,
        place=load("data", Workers).workers,
    )
    counts = {split: len(part) for split, part in parts.items()}
    write_json("metrics/font_lines.json", {"fonts": counts, "dropped": dropped, **report})
    contact_sheet("reports/font_lines.png", OUTPUT)


if __name__ == "__main__":
    run(main)
