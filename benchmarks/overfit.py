"""One batch of 64 lines learned by heart, by `dvc exp run` on parameters alone: steps until the first CER of 0.

Usage: python benchmarks/overfit.py [FOLDER]

FOLDER holds the raw archives (data.source: local); the embedded sample where it is left out. Each run is in a fresh
clone of the committed state. CER is free-running, on the very images that are trained on, every `EVERY` steps.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import ROOT, save
from pipeline import ENVIRONMENT

STEPS = {"emnist_lines": 150, "iam_lines": 200}
EVERY = 10
RECIPE = {
    "train.overfit_batches": 1,
    "train.batch_size": 64,
    "train.lr": 0.002,
    "train.token_noise": 0.0,
    "train.label_smoothing": 0.0,
    "train.ema_decay": 0.0,
    "model.encoder_dropout": 0.0,
    "model.lstm_layers": 0,
    "model.ctc_weight": 0.0,
    "model.ctc_shortcut": 0.0,
    "train.trainer.check_val_every_n_epoch": EVERY,
}


def main() -> None:
    """Measure, print, save."""
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "textrec"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        source = {}
        if len(sys.argv) > 1:
            source = {"data.source": "local", "data.path": str(Path(sys.argv[1]).resolve())}
        for data, steps in STEPS.items():
            changes = source | RECIPE | {"train.data": data, "train.trainer.max_epochs": steps}
            command = ["dvc", "exp", "run", *(f"-S={name}={value}" for name, value in changes.items()), "train"]
            subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
            with (folder / "reports/val_cer.tsv").open() as file:
                curve = {int(row["step"]) + 1: float(row["cer"]) for row in csv.DictReader(file, delimiter="\t")}
            first = next((step for step, cer in curve.items() if cer == 0), None)
            figures[data] = {"steps_to_cer_0": first, "cer_by_step": curve}
            print(f"{data:14} CER 0 after {first} steps; {json.dumps(curve)}", flush=True)
    save("overfit", {"source": "real" if source else "embedded sample", "parameters": RECIPE, "runs": figures})


if __name__ == "__main__":
    main()
