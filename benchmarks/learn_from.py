"""What lines that nobody wrote, and other people's pages, are good for: the CER on IAM of models that never saw IAM.

Usage: python benchmarks/learn_from.py FOLDER SCRATCH [MINUTES [NAME ...]]

FOLDER holds iamdb.zip, the zip files CORPORA of transcribed pages, fonts or fonts.zip, and the prose english.txt and
french.txt. Each mixture is trained for equal MINUTES (25) from nothing: some steps of each are timed first, on an idle
machine, and all have the time that a pixel took in them; what the machine does later changes nothing.
Each is validated on the val split of what it learns from, and reads IAM's test lines once. SCRATCH keeps data, runs and
figures: broken off, the same command goes on from there. NAME picks some of the mixtures; what was saved of the others
stays.
"""

import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ablation import prepare, run, timed_steps, train
from machine import ROOT, save

CORPORA = ["copiste.zip", "mss19.zip", "peraire.zip", "poilus.zip", "stanford.zip"]
MIXTURES = {
    "drawn": {"drawn_lines": 1.0},
    "fonts": {"font_lines": 1.0},
    "fonts_and_drawn": {"font_lines": 0.8, "drawn_lines": 0.4},
    "all_open": {"font_lines": 0.8, "drawn_lines": 0.4, "page_lines": 3.0},
}
LINES = {"draw_fonts": 40_000, "draw_hands": 20_000}
DATA = {
    "raw/iamdb.zip": "download",
    "interim/iam.jsonl": "parse_iam",
    "processed/iam_lines.h5": "crop_lines",
    "processed/page_lines.h5": "import_pages",
    "processed/drawn_lines.h5": "draw_hands",
    "processed/font_lines.h5": "draw_fonts",
    **{f"processed/{name}.h5": f"mix {name}" for name in MIXTURES},
}
SAVED = ROOT / "benchmarks/results/learn_from.json"
EPOCH = 500  # steps between two checkpoints, from which a run that was broken off goes on


def main() -> None:
    """Measure, print, save."""
    source, folder = (Path(argument).resolve() for argument in sys.argv[1:3])
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 25.0
    chosen, data = sys.argv[4:] or list(MIXTURES), parameters(source)
    if not (folder / "data").exists():
        prepare(folder)
    for output, stage in DATA.items():
        if not (folder / "data" / output).exists():
            print(f"{stage}: {run(folder, data, stage):.0f} s", flush=True)
    known = measured_before(minutes)
    making = {name: partial(time_steps, folder, data, name) for name in MIXTURES}
    timed = kept(folder / "timed.json", making, known.get("timed", {}))
    seconds_a_pixel = sum(one["seconds"] for one in timed.values()) / sum(one["pixels"] for one in timed.values())
    steps = {
        name: round(60 * minutes / (seconds_a_pixel * one["pixels"] / one["steps"])) for name, one in timed.items()
    }
    print("steps", steps, flush=True)
    making = {name: partial(learn, folder, data, name, steps[name]) for name in chosen}
    figures = kept(folder / "figures.json", making, known.get("mixtures", {}))
    for name, found in figures.items():
        print(f"{name:20}", json.dumps(found))
    save("learn_from", {"minutes": minutes, "lines": LINES, "timed": timed, "mixtures": figures})


def parameters(source: Path) -> dict[str, Any]:
    """What differs from params.yaml: real archives, any Latin text, many lines."""
    fonts = next(path for path in (source / "fonts", source / "fonts.zip") if path.exists())
    counts = {f"{stage}.count": {"train": count, "val": 500, "test": 100, "hand": 20} for stage, count in LINES.items()}
    mixtures = {f"mix.{name}": {"train": shares, "measure": list(shares)[-1]} for name, shares in MIXTURES.items()}
    return (
        counts
        | mixtures
        | {
            "data.source": "local",
            "data.path": str(source),
            "data.ground_truth": CORPORA,
            "data.fonts": str(fonts),
            "data.corpus": [str(source / name) for name in ("english.txt", "french.txt")],
            "charset.characters": "latin",
            "charset.on_unknown": "skip",
            "parse_iam.on_bad_line": "skip",
            "import_pages.on_bad_input": "skip",
            "train.trainer.limit_train_batches": EPOCH,
        }
    )


def measured_before(minutes: float) -> dict[str, Any]:
    """The figures that are saved, if they are of the same minutes and lines."""
    saved = json.loads(SAVED.read_text())["figures"] if SAVED.exists() else {}
    return saved if (saved.get("minutes"), saved.get("lines")) == (minutes, LINES) else {}


def kept(path: Path, made: dict[str, Callable[[], Any]], known: dict[str, Any]) -> dict[str, Any]:
    """The figures that are known, or in a file, with those that they lack, each written as soon as it is made."""
    figures = known | (json.loads(path.read_text()) if path.exists() else {})
    for name, make in made.items():
        if name not in figures:
            figures[name] = make()
            path.write_text(json.dumps(figures, indent=2))
    return figures


def time_steps(folder: Path, data: dict[str, Any], name: str) -> dict[str, Any]:
    """Some steps of a mixture: how many, their seconds, and the pixels of their padded images."""
    timed = timed_steps(folder, data | {"train.data": name})
    return {key: timed[key] for key in ("steps", "seconds", "pixels")}


def learn(folder: Path, data: dict[str, Any], name: str, steps: int) -> dict[str, Any]:
    """Train on a mixture, read IAM's test lines; the error rates."""
    measures = train(folder, data | {"train.data": name}, steps)
    run(folder, data | {"train.data": "iam_lines"}, "predict", "evaluate")
    test = json.loads((folder / "metrics/test.json").read_text())
    shutil.copy(folder / "models/model.ckpt", folder / f"models/{name}.ckpt")
    return {"steps": steps, **measures, **{key: test[key] for key in ("samples", "cer", "cer_low", "cer_high", "wer")}}


if __name__ == "__main__":
    main()
