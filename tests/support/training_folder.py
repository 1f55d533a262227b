"""A folder in which the stage `train` runs: a small sample file and parameters."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from charsets import DEFAULTS
from defaults import RECIPE
from networks import CHARSET, config, sample
from repository import ROOT

from stages.train import main
from textrec.base.records import SPLITS
from textrec.datasets.samples import write_samples

ORIGIN = {"source": "sample", "ground_truth": [], "fonts": None}
STEPS = {"max_epochs": 4, "check_val_every_n_epoch": 2, "deterministic": "warn"}
# All that is random while training, and all that has a memory of its own.
LIVELY = {"token_noise": 0.3, "label_smoothing": 0.1, "ema_decay": 0.9, "recombine": 0.3, "lr": 0.01}


class Folder:
    """A folder with a sample file and parameters, in which the stage runs."""

    def __init__(self, path: Path, splits: Sequence[str] = SPLITS, count: int = 27, **changes: Any) -> None:
        self.path = path
        (path / "models").mkdir()
        (path / "models/none").touch()
        random = np.random.default_rng(0)
        texts = ["".join(random.choice(list("abcd "), 4)).strip() or "a" for _ in range(count)]
        samples = [sample(f"s-{i}", text, width=40 + i, seed=i) for i, text in enumerate(texts)]
        rows = ((name, item) for name in splits for item in samples)
        about: dict[str, Any] = {"source": "a", "line_height": 28, "characters": CHARSET.characters}
        write_samples(path / "data/processed/iam_lines.h5", rows, **about, may_be_empty=SPLITS)
        self.set(**changes)

    def set(self, *, model: dict[str, Any] | None = None, **changes: Any) -> None:
        trainer = RECIPE["trainer"] | STEPS | changes.pop("trainer", {})
        train = RECIPE | LIVELY | {"augment": RECIPE["augment"] | {"slant": 0.3, "noise": 0.1}} | changes
        params = {
            "charset": DEFAULTS.model_dump(),
            "data": ORIGIN,
            "train": train | {"trainer": trainer},
            "model": config(**({"tf_dropout": 0.1} | (model or {}))).model_dump(),
        }
        (self.path / "params.yaml").write_text(yaml.safe_dump(params))

    def start(self, before: str = "", *, by: Sequence[object] = (), **environment: str) -> "subprocess.Popen[str]":
        """The stage in a process of its own, some code before it; `by` a launcher: Python's options."""
        # A file of its own, which Lightning starts again for a second device.
        script = self.path / f"stage{len(list(self.path.glob('stage*.py')))}.py"
        script.write_text(f"{before}\nfrom stages.train import main, run\n\nrun(main)\n")
        return subprocess.Popen(
            [sys.executable, *map(str, by), script],
            cwd=self.path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def train(self) -> str:
        """Run the stage in this process, without the time that importing torch takes; what it prints."""
        output = io.StringIO()
        with contextlib.chdir(self.path), contextlib.redirect_stdout(output):
            main()
        return output.getvalue()

    def finish(self, process: "subprocess.Popen[str]", code: int = 0) -> str:
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
        lines = (self.path / f"reports/{name.replace('/', '_')}.tsv").read_text().splitlines()
        columns = lines[0].split("\t")
        return [[v for c, v in zip(columns, line.split("\t"), strict=True) if c != "timestamp"] for line in lines]

    def runs(self) -> list[str]:
        return sorted(path.relative_to(self.path).as_posix() for path in (self.path / "checkpoints").glob("*/*.ckpt"))

    def live(self, path: str) -> Path:
        """A file or folder of the only run."""
        (found,) = self.path.glob(f"checkpoints/*/live/{path}")
        return found
