"""The whole pipeline by real dvc processes, on a sample of a dozen forms and a tiny network."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from projects import Project

DATA_STAGES = ["download", "parse_iam", "crop_lines", "crop_paragraphs", "extract_emnist", "synth_lines"]
DATA_STAGES += ["synth_paragraphs", "mix_paragraphs", "draw_ondb", "mix_lines"]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which `dvc repro` has run once, committed. Tests must leave it so."""
    project = Project.create(tmp_path_factory.mktemp("project"))
    project.dvc("repro")
    project.commit()
    return project


@pytest.fixture
def project(reproduced: Project) -> Iterator[Project]:
    """The reproduced project; what a test changes is put back."""
    yield reproduced
    reproduced("git", "checkout", "--quiet", ".")
    reproduced.dvc("checkout", "--quiet", "--force")


def test_one_command_gives_all_outputs_and_leaves_nothing_else(project: Project) -> None:
    assert project("git", "status", "--porcelain") == ""
    assert "up to date" in project.dvc("status")
    assert "up to date" in project.dvc("repro")
    stages = yaml.safe_load((project.folder / "dvc.yaml").read_text())["stages"]
    declared = {"data/corrected/corrections.jsonl", "data/corrections.tsv", "models/none"}
    for stage in stages.values():
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


def test_an_experiment_retrains_and_compares(project: Project) -> None:
    output = project.dvc("exp", "run", "--name", "dropout", "-S", "model.tf_dropout=0.1")
    assert "Running stage 'train'" in output
    assert "Running stage 'crop_lines'" not in output
    assert "dropout" in project.dvc("exp", "show", "--csv")
    assert "model.tf_dropout" in project.dvc("params", "diff")
    assert "metrics/train.json" in project.dvc("metrics", "diff")


def test_an_experiment_on_another_dataset(project: Project) -> None:
    output = project.dvc("exp", "run", "-S", "train.data=emnist_lines")
    assert "Running stage 'train'" in output
    assert "Running stage 'synth_lines'" not in output
    assert project.json("metrics/test.json")["samples"] == 8


@pytest.mark.parametrize("data", ["iam_paragraphs", "synth_paragraphs", "iam_and_synth_paragraphs"])
def test_paragraphs_can_be_trained_on(project: Project, data: str) -> None:
    params = (project.folder / "params.yaml").read_text()
    (project.folder / "params.yaml").write_text(params.replace("data: iam_lines", f"data: {data}"))
    stages = "from stages import evaluate, predict, train"
    project("python", "-c", f"{stages}\nfor stage in (train, predict, evaluate): stage.main()")
    forms = project.json("metrics/iam.json")["forms"]
    made = {"iam_paragraphs": 0, "synth_paragraphs": 8 - forms["train"], "iam_and_synth_paragraphs": 8}
    assert project.json("metrics/train.json")["samples"] == forms["train"] + made[data]
    assert project.json("metrics/test.json")["samples"] == forms["test"]


def test_queued_experiments(project: Project) -> None:
    project.dvc("exp", "run", "--queue", "-S", "model.tf_dropout=0.0,0.1", "-S", "train.seed=2")
    project.dvc("queue", "start", "--jobs", "1")
    for _ in range(120):
        status = project.dvc("queue", "status")
        if "No experiment tasks" not in status and not any(word in status for word in ("Queued", "Running")):
            break
        time.sleep(0.5)
    assert status.count("Success") == 2, status


def test_plots(project: Project) -> None:
    project.dvc("plots", "show", "--out", "reports/plots")
    page = (project.folder / "reports/plots/index.html").read_text()
    assert "Validation CER" in page
    assert "iam_lines.png" in page
    shutil.rmtree(project.folder / "reports/plots")


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


def seconds_of_work(dvc: int, stage: str) -> float:
    """The processor's time that a stage has taken so far, whatever else the machine is doing."""
    for child in psutil.Process(dvc).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.cmdline()[1:] == ["-m", f"stages.{stage}"]:
                times = child.cpu_times()
                return times.user + times.system
    return 0


@pytest.mark.parametrize("stage", ["download", "crop_paragraphs", "train"])
def test_after_ctrl_c_the_next_run_goes_on(project: Project, stage: str) -> None:
    before = project.hashes(*DATA_STAGES)
    command = ["dvc", "repro", "--single-item", "--force", stage]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    with subprocess.Popen(command, cwd=project.folder, env=project.environment, **options) as process:
        assert process.stdout
        while "Running stage" not in process.stdout.readline():
            assert process.poll() is None
        while seconds_of_work(process.pid, stage) < (3 if stage == "train" else 0.3):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        output = process.stdout.read()
    assert process.returncode != 0, output
    assert "Traceback" not in output
    project.dvc("repro")
    assert project.hashes(*DATA_STAGES) == before
