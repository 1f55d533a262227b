"""How fast lines are drawn, in what memory, and whether they are the same bytes wherever that is.

Usage: python benchmarks/draw_fonts.py FONTS CORPUS...

FONTS is a folder or zip file of fonts, CORPUS text files, as data.fonts and data.corpus. The stages draw_fonts and
draw_hands run as DVC runs them, with the text and paper of params.yaml, in folders of their own: three times with
10,000 lines on all cores, of which the median counts, once on one core, once with 100,000 lines. What a stage does
beside drawing (looking at fonts, reading the corpus, the contact sheet) counts as drawing.
"""

import hashlib
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from machine import ROOT, measure, save

from textrec.archives.sources import DataParams, SampleParams, bring
from textrec.base.params import load

FEW, MANY, RUNS = 10_000, 100_000, 3
STAGES = {"draw_fonts": "font_lines", "draw_hands": "drawn_lines"}


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sources = {
        "fonts": sys.argv[1],
        "corpus": sys.argv[2:],
        "source": "sample",
        "sample": SampleParams(forms=12, seed=1),
    }
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        bring(load("data", DataParams, ROOT / "params.yaml").model_copy(update=sources), raw)
        for stage, output in STAGES.items():
            runs = [_run(stage, output, raw, Path(folder, f"{stage}{run}"), FEW) for run in range(RUNS)]
            alone = _run(stage, output, raw, Path(folder, f"{stage}-alone"), FEW, "taskset", "--cpu-list", "0")
            many = _run(stage, output, raw, Path(folder, f"{stage}-many"), MANY)
            figures[stage] = {
                "lines_per_second": statistics.median(run["lines_per_second"] for run in runs),
                "lines_per_second_one_core": alone["lines_per_second"],
                "lines_per_second_of_many": many["lines_per_second"],
                "mib": {FEW: statistics.median(run["mib"] for run in runs), MANY: many["mib"]},
                "same_bytes": len({run["sha256"] for run in (*runs, alone)}) == 1,
            }
            print(stage, figures[stage])
    save("draw_fonts", {"load_average": os.getloadavg()[2], **figures})


def _run(stage: str, output: str, raw: Path, folder: Path, lines: int, *prefix: str) -> dict[str, Any]:
    """Run a stage in a folder of its own."""
    (folder / "data").mkdir(parents=True)
    (folder / "data/raw").symlink_to(raw)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params[stage]["count"] |= {"train": lines * 8 // 10, "val": lines // 10, "test": lines // 10}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    seconds, mib = measure([*prefix, sys.executable, "-m", f"stages.{stage}"], folder, environment)
    result = folder / f"data/processed/{output}.h5"
    with result.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    result.unlink()
    return {"lines_per_second": lines / seconds, "mib": mib, "sha256": digest}


if __name__ == "__main__":
    main()
