"""What mattered: variants of params.yaml trained for equal minutes on real lines, compared by free-running val CER.

Usage: python benchmarks/ablation.py FOLDER [MINUTES [NAME ...]]

FOLDER holds the raw archives (data.source: local), MINUTES is what each variant may train for (10), NAME picks some of
the variants. The time of a step of each is measured first, and the schedule laid out for as many steps as fit: what the
machine does later changes nothing. Nothing looks at the test split.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from loading import measured
from machine import ROOT, measure, save
from pipeline import ENVIRONMENT, set_parameter
from training_step import quiet

from textrec.base.params import load
from textrec.network.model import ModelConfig
from textrec.training.recipe import TrainParams

STRIDE_32 = {
    "model.resnet.channels": [32, 64, 128, 128, 128],
    "model.resnet.kernels": [3, 3, 3, 3, 3],
    "model.resnet.strides": [2, 2, 2, 2, 2],
}
VARIANTS = {
    "as it is": {},
    "stride 32 across, without CTC": STRIDE_32 | {"model.ctc_weight": 0.0, "model.ctc_shortcut": 0.0},
    "without CTC": {"model.ctc_weight": 0.0, "model.ctc_shortcut": 0.0},
    "without CTC shortcut": {"model.ctc_shortcut": 0.0},
    "without recombination": {"train.recombine": 0.0},
    "without augmentation": dict.fromkeys([f"train.augment.{name}" for name in (
        "slant", "slope", "shrink", "shift", "elastic", "thickness", "blur", "contrast", "mask", "paper", "noise"
    )], 0.0),
    "fixed positions": {"model.learned_positions": False},
    "padding ignored": {"train.ignore_padding": True},
    "without recurrent layers": {"model.lstm_layers": 0},
    "without averaged weights": {"train.ema_decay": 0.0},
}  # fmt: skip
STEPS = 100  # that are timed, after as many in which most widths of batches have been seen


def main() -> None:
    """Measure, print, save."""
    source = Path(sys.argv[1]).resolve()
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    chosen = sys.argv[3:] or list(VARIANTS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder)
        run(folder, {"data.source": "local", "data.path": str(source)}, "download", "parse_iam", "crop_lines")
        timed = {name: timed_steps(folder, VARIANTS[name]) for name in chosen}
        steps = {name: round(60 * minutes * one["steps"] / one["seconds"]) for name, one in timed.items()}
        print("steps", json.dumps(steps), flush=True)
        figures = {}
        for name in chosen:
            figures[name] = {"steps": steps[name], **train(folder, VARIANTS[name], steps[name])}
            print(f"{name:32}", json.dumps(figures[name]), flush=True)
    save("ablation", {"minutes": minutes, "variants": figures})


def prepare(folder: Path) -> None:
    """Put what the stages need of the repository into an empty folder."""
    for name in ("stages", "textrec", "data/corrections.tsv", "models/none"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)


def timed_steps(folder: Path, changes: dict) -> dict[str, Any]:
    """What STEPS steps of training take, without what begins and ends a run, as `loading.measured` has it."""
    quiet()
    run(folder, changes)
    file = folder / "params.yaml"
    params, config = load("train", TrainParams, file), load("model", ModelConfig, file)
    return measured(folder / f"data/processed/{params.data}.h5", params, config, limit_train_batches=STEPS)


def train(folder: Path, changes: dict, steps: int) -> dict[str, float]:
    """Train a variant; its parameters and val CERs."""
    run(folder, changes | schedule(steps), "train")
    measures = json.loads((folder / "metrics/train.json").read_text())
    kept = ("parameters", "val/cer", "val/ctc_cer", "val/wer")
    return {name: measures[name] for name in kept if name in measures}


def schedule(steps: int) -> dict:
    """Parameters of a run of `steps` steps that validates once, at its end."""
    return {
        "train.trainer.max_epochs": -1,
        "train.trainer.max_steps": steps,
        "train.trainer.check_val_every_n_epoch": None,
        "train.trainer.val_check_interval": steps,
    }


def run(folder: Path, changes: dict, *stages: str) -> float:
    """Run stages, each with its arguments, with changed parameters; seconds."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, value in changes.items():
        set_parameter(params, f"{name}={json.dumps(value)}")
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    environment = ENVIRONMENT | {"PYTHONPATH": os.fspath(ROOT)}
    return sum(measure([sys.executable, "-m", *f"stages.{stage}".split()], folder, environment)[0] for stage in stages)


if __name__ == "__main__":
    main()
