"""What it gives to begin with a model that reads already: on IAM, on its paragraphs, on a hand from few of its lines.

Usage: python benchmarks/start_from.py ARCHIVES SCRATCH MODEL STRANGER [NAME ...]

ARCHIVES holds iamdb.zip, ondb_strokes.npz and the zip files of transcribed pages that CURVE names. MODEL is one that
has learned from none of IAM, such as the one that is brought along; STRANGER has learned from none of the corpora of
CURVE, as models/latin-1.ckpt of `recipes/latin.sh ARCHIVES copiste mss19 poilus`. NAME picks some of these; what was
saved of the others stays:

    iam                 MODEL trained on for an hour on IAM's lines
    iam_and_ondb        the same on these and the lines of IAM-OnDB
    paragraphs          the same for 80 minutes on IAM's paragraphs and those put together of its lines
    CORPUS COUNT        STRANGER trained on for some minutes on so many lines of a corpus, 0: as it is

The time of a step is measured first, on an idle machine, and each run is laid out for as many steps as fit; it
validates at its end, and test is read once. SCRATCH keeps data, steps, runs and figures: broken off, the same command
goes on.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ablation import prepare, run, timed_steps, train
from learn_from import kept
from machine import ROOT, save

from textrec.base.records import SPLITS
from textrec.datasets.samples import read_split, write_samples

LATIN = {"data.source": "local", "charset.characters": "latin", "charset.on_unknown": "skip"}
IAM = LATIN | {
    "parse_iam.on_bad_line": "skip",
    "synth_paragraphs.count": 3000,
    "train.lr": 0.001,
    "train.plain": 0.08,
}
MINUTES = {"iam": 60.0, "iam_and_ondb": 60.0, "paragraphs": 80.0}
RUNS = {
    "iam": IAM | {"train.data": "iam_lines"},
    "iam_and_ondb": IAM | {"train.data": "iam_and_ondb_lines"},
    "paragraphs": IAM | {"train.data": "iam_and_synth_paragraphs", "train.batch_size": 4},
}
MEASURED = {"iam_and_ondb": "iam_lines", "paragraphs": "iam_paragraphs"}  # whose test lines, where they are others'
CURVE = {"peraire": {0: 0.0, 50: 2.0, 200: 3.0, 1000: 6.0}, "stanford": {0: 0.0, 50: 2.0, 200: 3.0, 500: 5.0}}
FEW = LATIN | {"train.data": "page_lines", "import_pages.on_bad_input": "skip", "train.lr": 0.0005, "train.plain": 0.08}
DATA = {
    "raw/iamdb.zip": "download",
    "interim/iam.jsonl": "parse_iam",
    "processed/iam_lines.h5": "crop_lines",
    "processed/iam_paragraphs.h5": "crop_paragraphs",
    "processed/synth_paragraphs.h5": "synth_paragraphs",
    "processed/ondb_lines.h5": "draw_ondb",
    "processed/iam_and_ondb_lines.h5": "mix iam_and_ondb_lines",
    "processed/iam_and_synth_paragraphs.h5": "mix iam_and_synth_paragraphs",
}
SAVED = ROOT / "benchmarks/results/start_from.json"
KEPT = ("samples", "cer", "cer_low", "cer_high", "wer")


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 5:
        raise SystemExit(__doc__)
    archives, scratch, model, stranger = (Path(argument).resolve() for argument in sys.argv[1:5])
    made = {name: partial(_begun, scratch, archives, model, name) for name in RUNS}
    minutes = dict(MINUTES)
    for corpus, counts in CURVE.items():
        for count, taken in counts.items():
            made[f"{corpus} {count}"] = partial(_few, scratch / corpus, archives, stranger, corpus, count)
            minutes[f"{corpus} {count}"] = taken
    chosen = sys.argv[5:] or list(made)
    begun = {name: _digest(model if name in RUNS else stranger) for name in made}
    saved = json.loads(SAVED.read_text())["figures"] if SAVED.exists() else {}
    known = {
        name: found
        for name, found in saved.items()
        if name not in chosen or (found["begun_with"], found["minutes"]) == (begun[name], minutes[name])
    }
    scratch.mkdir(parents=True, exist_ok=True)
    named = {name: partial(_named, made[name], begun[name]) for name in chosen}
    figures = kept(scratch / "start_from.json", named, known)
    if others := [name for name in chosen if figures[name]["begun_with"] != begun[name]]:
        raise SystemExit(f"{scratch}: {', '.join(others)} began with another model there; name another folder")
    for name, found in figures.items():
        print(f"{name:20}", json.dumps(found))
    save("start_from", figures)


def _named(make: Callable[[], dict[str, Any]], model: str) -> dict[str, Any]:
    return make() | {"begun_with": model}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"


def _begun(scratch: Path, archives: Path, model: Path, name: str) -> dict[str, Any]:
    """A run that begins with the model."""
    folder, changes = scratch / "iam", RUNS[name] | {"data.path": str(archives)}
    if not (folder / "data").exists():
        folder.mkdir()
        prepare(folder)
    for output, stage in DATA.items():
        if not (folder / "data" / output).exists():
            print(f"{stage}: {run(folder, changes, stage):.0f} s", flush=True)
    return _trained(folder, changes | {"train.init": str(model)}, MINUTES[name], name, MEASURED.get(name, "iam_lines"))


def _few(folder: Path, archives: Path, stranger: Path, corpus: str, count: int) -> dict[str, Any]:
    """So many lines of a corpus: the first of train, as somebody transcribes page after page."""
    changes = FEW | {"data.path": str(archives), "data.ground_truth": [f"{corpus}.zip"], "train.init": str(stranger)}
    lines, every = folder / "data/processed/page_lines.h5", folder / "every.h5"
    if not every.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        prepare(folder)
        run(folder, changes, "download", "import_pages")
        lines.rename(every)
    splits = {name: read_split(every, name) for name in SPLITS}
    rows = [
        (name, sample)
        for name, split in splits.items()
        for number, sample in enumerate(split.samples())
        if name != "train" or number < (count or 1)  # a file of samples has some of each split
    ]
    train_split = splits["train"]
    write_samples(lines, rows, source=corpus, line_height=train_split.line_height, characters=train_split.characters)
    if not count:
        shutil.copy(stranger, folder / "models/model.ckpt")
        return {"minutes": 0.0, **_read(folder, changes)}
    return _trained(folder, changes, CURVE[corpus][count], str(count), "page_lines")


def _trained(folder: Path, changes: dict[str, Any], minutes: float, name: str, measured: str) -> dict[str, Any]:
    """Train for so many minutes, and read test."""
    laid_out = folder / f"{name}.steps"
    if not laid_out.exists():
        timed = timed_steps(folder, changes)
        laid_out.write_text(str(round(60 * minutes * timed["steps"] / timed["seconds"])))
    steps = int(laid_out.read_text())
    measures = train(folder, changes, steps)
    shutil.copy(folder / "models/model.ckpt", folder / f"models/{name}.ckpt")
    return {"minutes": minutes, "steps": steps, **measures, **_read(folder, changes | {"train.data": measured})}


def _read(folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    run(folder, changes, "predict", "evaluate")
    test = json.loads((folder / "metrics/test.json").read_text())
    alone = {name: found["cer"] for name, found in test["decoders"].items()}
    return {key: test[key] for key in KEPT} | alone | {"ece_samples": test["confidence"]["ece_samples"]}


if __name__ == "__main__":
    main()
