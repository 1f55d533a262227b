"""Cut the lines out of transcribed pages, as many as people have."""

import sys

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.base.runtime import run, write_json
from textrec.datasets.ground_truth import ImportPages, find_pages, unpacked
from textrec.datasets.samples import contact_sheet, write_samples
from textrec.datasets.truth_lines import cut_lines, text_overlap, usable_lines
from textrec.datasets.truth_report import Report
from textrec.pages.cutting import CropParams

OUTPUT = "data/processed/page_lines.h5"


def main() -> None:
    """Write the lines, their contact sheet, and the report of what was kept and dropped."""
    params, truth = load("import_pages", ImportPages), load("charset", CharsetParams)
    height, report = load("crop", CropParams).line_height, Report()
    with unpacked("data/raw/ground_truth.zip") as folder:
        lines, charset = usable_lines(find_pages(folder, params, report), params, truth, report)
        samples = cut_lines(folder, lines, params, report, line_height=height)
        options = {"source": "page_lines", "line_height": height, "characters": charset.characters}
        write_samples(OUTPUT, samples, **options, may_be_empty=SPLITS)
    write_json("metrics/ground_truth.json", {"corpora": report.metrics(), "text_overlap": text_overlap(lines)})
    contact_sheet("reports/page_lines.png", OUTPUT)
    for line in report.summary():
        print(line)
    if lines and (empty := [split for split in SPLITS if split not in {line.page.split for line in lines}]):
        remedy = "name a folder so, or give more documents (import_pages.document)"
        print(f"no lines in {', '.join(empty)}: {remedy}; nothing can be measured on page_lines", file=sys.stderr)


if __name__ == "__main__":
    run(main)
