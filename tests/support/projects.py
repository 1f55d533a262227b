"""Checkouts of this project, or of a smaller one, in folders of their own, where real git and dvc processes run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from drive_server import Drive
from repository import ROOT

COPIED = ["textrec", "stages", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore"]
COPIED += [".dvc/plots/page.html", "data/corrected", "data/corrections.tsv", "models/none"]
KINDS = ("outs", "metrics", "plots")
TINY = {
    "data": {"sample": {"forms": 12}},
    "synth_lines": {"count": {"train": 24, "val": 8, "test": 8}},
    "synth_paragraphs": {"count": 8},
    "draw_hands": {"count": {"train": 8, "val": 2, "test": 2, "hand": 2}},
    "model": {
        "resnet": {"channels": [8], "kernels": [3], "strides": [[14, 4]]},
        "lstm_dim": 8,
        "lstm_layers": 1,
        "tf_dim": 16,
        "tf_fc_dim": 16,
        "tf_heads": 2,
        "tf_layers": 1,
    },
    "train": {"batch_size": 16, "trainer": {"max_epochs": 1, "check_val_every_n_epoch": 1}},
    "train_finder": {"network": {"channels": [4, 4], "dilations": [1]}, "epochs": 1, "batch_size": 1, "size": 64},
    "evaluate": {"resamples": 50, "worst": 5},
    "inspect_data": {"worst": 5, "examples": 2},
}


def merge(values: dict, changes: dict) -> dict:
    return values | {k: merge(values[k], v) if isinstance(v, dict) else v for k, v in changes.items()}


def pipeline(folder: Path) -> dict[str, dict[str, Any]]:
    """The stages of a project, those of a `foreach` one by one."""
    stages: dict[str, dict[str, Any]] = {}
    for name, stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].items():
        if "foreach" not in stage:
            stages[name] = stage
            continue
        for key in yaml.safe_load((folder / "params.yaml").read_text())[stage["foreach"].strip("${}")]:
            stages[f"{name}@{key}"] = yaml.safe_load(yaml.safe_dump(stage["do"]).replace("${key}", key))
    return stages


def artifacts(folder: Path, *, without: Collection[str] = ()) -> list[str]:
    """The outputs that DVC keeps, of all stages of a project's pipeline but some."""
    kinds = [stage.get(kind, []) for name, stage in pipeline(folder).items() if name not in without for kind in KINDS]
    items = [next(iter(item.items())) if isinstance(item, dict) else (item, {}) for kind in kinds for item in kind]
    return [name for name, options in items if options.get("cache", True)]


class Project:
    """A checkout of the project in a folder of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self.folder = folder
        self.environment = dict(environment) | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.invalid",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.invalid",
            "OMP_NUM_THREADS": "1",
        }

    @classmethod
    def create(cls, folder: Path, *arguments: Any) -> Self:
        for name in COPIED:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        params = yaml.safe_load((folder / "params.yaml").read_text())
        (folder / "params.yaml").write_text(yaml.safe_dump(merge(params, TINY), sort_keys=False))
        project = cls(folder, *arguments)
        project("git", "init", "--quiet")
        project.commit()
        return project

    def __call__(self, *command: str, code: int = 0) -> str:
        """Run a command; its output, both streams."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def dvc(self, *arguments: str, code: int = 0) -> str:
        return self("dvc", *arguments, code=code)

    def commit(self) -> None:
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--allow-empty", "--message", "state")

    def json(self, name: str) -> dict:
        return json.loads((self.folder / name).read_text())

    def hashes(self, *stages: str) -> dict[str, str]:
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]
        return {out["path"]: out["md5"] for stage in stages for out in lock[stage]["outs"]}


class DriveProject(Project):
    """A checkout whose Drive clients come to `drive`; no command may show a secret."""

    def __init__(self, folder: Path, drive: Drive) -> None:
        own = {
            "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(folder.parent / "global"),
        }
        super().__init__(folder, drive.environment() | own)
        self.drive = drive

    def __call__(self, *command: str, code: int = 0) -> str:
        output = super().__call__(*command, code=code)
        assert not any(secret in output for secret in self.drive.secrets())
        return output

    def give_browser(self) -> None:
        """Somebody sits at it who agrees to what a page asks, so that logging in may open one."""
        script = self.folder.parent / "browser.py"
        script.write_text("import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()")
        self.environment["BROWSER"] = f"{sys.executable} {script} %s &"
        del self.environment["GDRIVE_NON_INTERACTIVE"]

    def clone(self, name: str) -> Self:
        """A fresh clone beside."""
        self("git", "clone", "--quiet", str(self.folder), str(self.folder.parent / name))
        return type(self)(self.folder.parent / name, self.drive)
