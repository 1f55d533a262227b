"""The whole pipeline by real dvc processes, on a sample of a dozen forms and a tiny network."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from holding import hold, wait_for
from projects import Project, pipeline
from repository import ROOT

DATA_STAGES = ["download", "parse_iam", "crop_lines", "crop_paragraphs", "extract_emnist", "synth_lines"]
DATA_STAGES += [
    "synth_paragraphs",
    "draw_ondb",
    "import_pages",
    "import_layouts",
    "draw_hands",
    "draw_fonts",
]


def test_one_command_gives_all_outputs_and_leaves_nothing_else(project: Project) -> None:
    assert project("git", "status", "--porcelain") == ""
    assert "up to date" in project.dvc("status")
    assert "up to date" in project.dvc("repro")
    declared = {"data/corrected/corrections.jsonl", "data/corrections.tsv", "models/none"}
    for stage in pipeline(project.folder).values():
        for key in ("outs", "metrics", "plots"):
            declared |= {item if isinstance(item, str) else next(iter(item)) for item in stage.get(key, [])}
    for folder in ("data", "models", "metrics", "reports"):
        for path in (project.folder / folder).rglob("*"):
            name = path.relative_to(project.folder).as_posix()
            assert name in declared or path.name == ".gitignore" or path.is_dir()


def test_metrics_say_what_came_in_and_what_was_read(project: Project) -> None:
    iam, test = project.json("metrics/iam.json"), project.json("metrics/test.json")
    assert sum(iam["forms"].values()) <= 12
    assert test["samples"] == iam["lines"]["test"]
    assert test["cer_low"] <= test["cer"] <= test["cer_high"]
    assert test["listed"]["samples"] <= test["samples"]
    shown = project.dvc("metrics", "show")
    assert all(column in shown for column in ("cer", "wer", "forms.train"))


def test_data_stages_give_the_same_bytes_in_another_folder_and_with_one_worker(
    project: Project, tmp_path: Path
) -> None:
    other = Project.create(tmp_path)
    one_core = ["taskset", "--cpu-list", "0"] if shutil.which("taskset") else []
    other(*one_core, "dvc", "repro", *DATA_STAGES)
    assert other.hashes(*DATA_STAGES) == project.hashes(*DATA_STAGES)


def test_one_stage_alone(project: Project) -> None:
    before = project.hashes(*DATA_STAGES)
    output = project.dvc("repro", "--single-item", "--force", "crop_lines")
    assert "Running stage 'crop_lines'" in output
    assert "parse_iam" not in output
    assert project.hashes(*DATA_STAGES) == before


def test_reading_and_reports_train_nothing_anew_but_the_network_does(project: Project) -> None:
    (project.folder / "app").mkdir()
    for path in (*project.folder.glob("textrec/re[ap]*/*.*"), project.folder / "app/browser.py"):
        with path.open("a") as file:
            file.write("\n")
    output = project.dvc("repro", "--dry", "train")
    assert "Stage 'train' didn't change" in output
    assert "Running stage" not in output
    with (project.folder / "textrec/network/layers.py").open("a") as file:
        file.write("\n")
    assert "Running stage 'train'" in project.dvc("repro", "--dry", "train")


def test_plots(project: Project) -> None:
    project.dvc("plots", "show", "--out", "reports/plots")
    page = (project.folder / "reports/plots/index.html").read_text()
    assert "Validation CER" in page
    assert "iam_lines.png" in page


def test_push_and_pull(project: Project, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    project.dvc("remote", "add", "--default", "here", str(remote))
    project.dvc("push")
    clone = Project(tmp_path / "clone")
    project("git", "clone", "--quiet", str(project.folder), str(clone.folder))
    clone.dvc("remote", "add", "--default", "here", str(remote))
    clone.dvc("pull")
    assert "up to date" in clone.dvc("status")
    model = "models/model.ckpt"
    assert (clone.folder / model).read_bytes() == (project.folder / model).read_bytes()


def test_a_bad_parameter_is_one_line_and_loses_nothing(project: Project) -> None:
    lines = (project.folder / "data/processed/iam_lines.h5").read_bytes()
    project.dvc("repro", "--single-item", "crop_lines")
    params = (project.folder / "params.yaml").read_text()
    (project.folder / "params.yaml").write_text(params.replace("line_height: 28", "line_height: -28"))
    output = project.dvc("repro", code=255)
    assert "error: params.yaml: crop.line_height is -28" in output
    assert "Traceback" not in output
    assert (project.folder / "data/processed/iam_lines.h5").read_bytes() == lines


# Where the stages stand when the signal comes: workers at work, and an archive half written; one sample in the file; a
# training step begun.
POINTS = {
    "download": ("textrec.drawn.handwriting:zip_info", 4),
    "crop_paragraphs": ("textrec.datasets.samples:_SplitWriter.add", 2),
    "train": ("textrec.training.lightning_module:Training.training_step", 1),
}


@pytest.mark.parametrize("stage", POINTS)
def test_after_ctrl_c_the_next_run_goes_on(project: Project, tmp_path: Path, stage: str) -> None:
    before = project.hashes(*DATA_STAGES)
    script = project.folder / f"stages/{stage}.py"
    script.write_text(hold(*POINTS[stage], tmp_path / "reached") + script.read_text())
    command = ["dvc", "repro", "--single-item", "--force", stage]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    with subprocess.Popen(command, cwd=project.folder, env=project.environment, **options) as process:
        wait_for(tmp_path / "reached", process)
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate()[0]
    assert process.returncode != 0, output
    assert "error: interrupted" in output
    assert "Traceback" not in output
    project("git", "checkout", "--quiet", "stages")
    project.dvc("repro")
    assert project.hashes(*DATA_STAGES) == before


@pytest.mark.parametrize(
    ("name", "remedy"), [(".dvc/tmp/rwlock", "rm .dvc/tmp/rwlock"), ("dvc.lock", "git checkout dvc.lock")]
)
def test_what_a_killed_dvc_leaves_empty_is_told_with_what_mends_it(project: Project, name: str, remedy: str) -> None:
    shutil.copy(ROOT / "Makefile", project.folder)
    make = ("make", "--old-file=.venv/repro", "repro")
    (project.folder / name).write_text("")
    output = project(*make, code=2)
    assert f"error: {name} is empty, as a DVC that was killed leaves it; run `{remedy}` and the same again" in output
    project(*remedy.split())
    output = project(*make)
    assert "up to date" in output
    assert "Before dvc exp run:           git config user.name" in output  # which nobody has told git here
