"""Train the line finder on the pages of layouts.h5, and measure it on those of test."""

import logging
import shutil
import sys
import warnings

from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.base.runtime import run, write_json
from textrec.datasets.layouts import LayoutSplit

LAYOUTS = "data/processed/layouts.h5"
OUTPUT = "models/finder.ckpt"


def main() -> None:
    """Write models/finder.ckpt, and how many of the lines of test it finds."""
    # Not above: torch takes seconds to import, in which Ctrl-C must be answered as well.
    from textrec.network.finder import LineFinder
    from textrec.training.checkpoints import folder_of
    from textrec.training.finding import FinderParams, fit_finder, found_lines

    params = load("train_finder", FinderParams)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*(not have many workers|LeafSpec|is not empty|srun)")
    train, val, test = (LayoutSplit(LAYOUTS, split) for split in SPLITS)
    if not len(train):
        print(f"warning: {LAYOUTS}: no pages to learn from; {OUTPUT} finds nothing", file=sys.stderr)
    folder = folder_of(params.model_dump_json(), [LAYOUTS])
    finder = fit_finder(params, train, val, folder=folder) if len(train) else LineFinder(params.network)
    counts = found_lines(finder, test)
    finder.save(OUTPUT)
    shares = {"recall": counts.recall, "precision": counts.precision}
    write_json("metrics/finder.json", {"pages": len(test), "lines": counts.true, "found": counts.found, **shares})
    shutil.rmtree(folder, ignore_errors=True)  # its results are written
    print(f"{counts.true} lines of {len(test)} pages: recall {counts.recall:.1%}, precision {counts.precision:.1%}")


if __name__ == "__main__":
    run(main)
