"""Where the lines of forms and of transcribed pages are, for a line finder to learn."""

from itertools import chain

from textrec.base.params import load
from textrec.base.runtime import run
from textrec.datasets.ground_truth import ImportPages, find_pages, unpacked
from textrec.datasets.layouts import ImportLayouts, form_layouts, layout_sheet, page_layouts, write_layouts
from textrec.datasets.truth_report import Report

FORMS = "data/interim/iam.jsonl"
OUTPUT = "data/processed/layouts.h5"


def main() -> None:
    """Write the layouts, and some of them to look at."""
    params, chosen, report = load("import_pages", ImportPages), load("import_layouts", ImportLayouts), Report()
    forms = form_layouts(FORMS, "data/raw/iamdb.zip") if chosen.forms else ()
    with unpacked("data/raw/ground_truth.zip") as folder:
        found = find_pages(folder, params, report) if chosen.pages else []
        write_layouts(OUTPUT, chain(forms, page_layouts([page for page, _ in found], folder, params, report)))
    layout_sheet("reports/layouts.png", OUTPUT)


if __name__ == "__main__":
    run(main)
