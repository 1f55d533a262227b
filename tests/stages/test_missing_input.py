"""Every command that needs the pipeline's outputs, in a folder that holds parameters and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

ARGUMENTS = {"mix": ["latin_lines"]}
SCRIPTS = [path.stem for path in sorted((ROOT / "stages").glob("*.py")) if path.stem != "download"]
STAGES = [[f"stages.{script}", *ARGUMENTS.get(script, [])] for script in SCRIPTS]
OTHERS = [["textrec.report"]]
REMEDY = r"run `dvc repro|restore it, it is in git"


@pytest.mark.parametrize("command", STAGES + OTHERS, ids=" ".join)
def test_without_its_input_a_command_names_file_and_remedy_in_one_line(command: list[str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(rf"error: [a-z_]+/[\w./]+: not found; .*({REMEDY}).*\n", done.stderr)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["params.yaml"]
