"""Runs of the stage `train` by real processes: broken off, continued, shared by two devices, or refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from networks import CHARSET, config, sample
from recipes import RECIPE

from textrec.records import SPLITS
from textrec.samples import write_samples

ROOT = Path(__file__).parent.parent
STEPS = {"max_epochs": 4, "check_val_every_n_epoch": 2, "deterministic": "warn"}
# All that is random while training, and all that has a memory of its own.
LIVELY = {"token_noise": 0.3, "label_smoothing": 0.1, "ema_decay": 0.9, "recombine": 0.3, "lr": 0.01}


class Folder:
    """A folder with a sample file and parameters, in which the stage runs."""

    def __init__(self, path: Path, **changes: Any) -> None:
        self.path = path
        (path / "models").mkdir()
        (path / "models/none").touch()
        random = np.random.default_rng(0)
        texts = ["".join(random.choice(list("abcd "), 4)).strip() or "a" for _ in range(27)]
        samples = [sample(f"s-{i}", text, width=40 + i, seed=i) for i, text in enumerate(texts)]
        rows = ((name, item) for name in SPLITS for item in samples)
        write_samples(
            path / "data/processed/iam_lines.h5", rows, source="a", line_height=28, characters=CHARSET.characters
        )
        self.set(**changes)

    def set(self, *, model: dict[str, Any] | None = None, **changes: Any) -> None:
        trainer = RECIPE["trainer"] | STEPS | changes.pop("trainer", {})
        train = RECIPE | LIVELY | {"augment": RECIPE["augment"] | {"slant": 0.3, "noise": 0.1}} | changes
        params = {"train": train | {"trainer": trainer}, "model": config(tf_dropout=0.1, **(model or {})).model_dump()}
        (self.path / "params.yaml").write_text(yaml.safe_dump(params))

    def start(self) -> "subprocess.Popen[str]":
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_API_KEY": ""}
        environment |= {"HOME": str(self.path)}  # where wandb keeps its key
        return subprocess.Popen(
            [sys.executable, "-m", "stages.train"],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def train(self, code: int = 0) -> str:
        process = self.start()
        output = process.communicate(timeout=120)[0]
        assert process.returncode == code, output
        assert "Traceback" not in output
        return output

    def take_outputs(self) -> None:
        """As DVC does before it runs the stage again."""
        shutil.rmtree(self.path / "reports", ignore_errors=True)
        (self.path / "models/model.ckpt").unlink(missing_ok=True)

    def model(self) -> bytes:
        return (self.path / "models/model.ckpt").read_bytes()

    def measures(self) -> dict[str, Any]:
        return json.loads((self.path / "metrics/train.json").read_text())

    def curve(self, name: str) -> list[list[str]]:
        lines = (self.path / "reports/train/plots/metrics" / f"{name}.tsv").read_text().splitlines()
        columns = lines[0].split("\t")
        return [[v for c, v in zip(columns, line.split("\t"), strict=True) if c != "timestamp"] for line in lines]

    def runs(self) -> list[str]:
        return sorted(path.relative_to(self.path).as_posix() for path in (self.path / "checkpoints").glob("*/*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A run that nothing disturbed."""
    folder = Folder(tmp_path_factory.mktemp("whole"))
    folder.train()
    return folder


def test_a_killed_run_goes_on_to_the_same_result(whole: Folder, tmp_path: Path) -> None:
    broken = Folder(tmp_path)
    process = broken.start()
    while not (found := list(tmp_path.glob("checkpoints/*/last.ckpt"))):
        assert process.poll() is None
        time.sleep(0.01)
    first = found[0].stat().st_mtime_ns
    while found[0].stat().st_mtime_ns == first:  # in the third epoch, after a validation
        assert process.poll() is None
        time.sleep(0.001)
    time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "models/model.ckpt").exists()
    broken.take_outputs()
    assert "going on from checkpoints/" in broken.train()
    assert broken.model() == whole.model()
    assert broken.measures() == whole.measures()
    for name in ("train/loss", "val/cer", "val/loss"):
        assert broken.curve(name) == whole.curve(name)
    sheets = [sorted(p.name for p in (f.path / "reports/train/readings").iterdir()) for f in (whole, broken)]
    assert sheets[0] == sheets[1] == ["epoch-0001.png", "epoch-0003.png"]
