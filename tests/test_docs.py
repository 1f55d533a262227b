"""README and docs/: links lead somewhere, and what they show is typed, in a small copy of the project.

Work that takes minutes is cut short: stages bring back the outputs that they had, pip and pytest look at what they are
given, and so do benchmarks. All else runs as it does for a user.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cut_short
import pytest
import yaml
from commands import Run
from drive_server import Drive
from dvc.utils.hydra import apply_overrides
from PIL import Image
from projects import KINDS, DriveProject, Project
from repository import ROOT
from text_images import WORDS, line, text_image
from xml_pages import PAGE_SOURCE

from textrec.archives.sources import DataParams
from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.datasets.drawing import DrawLines
from textrec.datasets.emnist import ExtractEmnist
from textrec.datasets.font_hands import DrawFonts
from textrec.datasets.ground_truth import ImportPages
from textrec.datasets.iam import IamParams
from textrec.datasets.layouts import ImportLayouts
from textrec.datasets.pen_hands import DrawHands
from textrec.datasets.strokes import DrawOndb
from textrec.datasets.synthesis import SynthParagraphs
from textrec.datasets.typesetting import SynthLines
from textrec.network.model import ModelConfig
from textrec.network.trained import PredictParams
from textrec.pages.cutting import CropParams
from textrec.reports.health import InspectData
from textrec.reports.metrics import EvaluateParams
from textrec.training.finding import FinderParams
from textrec.training.recipe import TrainParams

DRIVE_LINK = re.compile(r"(?<=https://drive.google.com/drive/folders/)\w+")
DOCUMENTS = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))]
SECTIONS = {
    "data": DataParams,
    "charset": CharsetParams,
    "parse_iam": IamParams,
    "crop": CropParams,
    "extract_emnist": ExtractEmnist,
    "import_pages": ImportPages,
    "import_layouts": ImportLayouts,
    "synth_lines": SynthLines,
    "synth_paragraphs": SynthParagraphs,
    "draw_ondb": DrawOndb,
    "draw_lines": DrawLines,
    "draw_hands": DrawHands,
    "draw_fonts": DrawFonts,
    "model": ModelConfig,
    "train": TrainParams,
    "train_finder": FinderParams,
    "predict": PredictParams,
    "evaluate": EvaluateParams,
    "inspect_data": InspectData,
}

# In place of each stage: it has the outputs that it had.
STAGE = """
import shutil

for name in {outputs}:
    shutil.copy("{kept}/" + name, name)
"""
# What a document's Python reads, and its commands make.
MADE = {"docs/scale.md": ["bulk", "scans/", "--out", "tables"]}
COPIED = ["Makefile", "pyproject.toml", "constraints.txt", "app", "benchmarks"]


# ---- links ----


def slug(heading: str) -> str:
    """The anchor that a heading has."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def prose(document: str) -> str:
    return re.sub(r"^```.*?^```$", "", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(path.relative_to(ROOT).as_posix()), re.MULTILINE)
            assert anchor in map(slug, headings), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    named = re.findall(r"`((?:app|benchmarks|docs|stages|tests|textrec)/[\w./]+)`", prose(document))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


# ---- what is typed ----


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(document: str) -> list[str]:
    """The commands of a document, each as it is typed, without comments."""
    lines = "\n".join(blocks(document, "sh")).replace("\\\n", " ").splitlines()
    return [command for text in lines if (command := re.sub(r"(^|\s+)#\s.*", "", text).strip())]


@pytest.fixture(scope="module")
def template(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reproduced project with all that documents name, committed; its stages take no time."""
    folder = tmp_path_factory.mktemp("template") / "textrec"
    kept = folder.with_name("kept")
    for target in (folder, kept):
        shutil.copytree(reproduced, target, symlinks=True)
    for name in COPIED:
        source, target = ROOT / name, folder / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for name, stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].items():
        items = [item for kind in KINDS for item in stage.get(kind, [])]
        outputs = [next(iter(item)) if isinstance(item, dict) else item for item in items]
        (folder / f"stages/{name}.py").write_text(STAGE.format(outputs=outputs, kept=kept))
    few = (ROOT / "data/fonts.tsv").read_text(encoding="utf-8").splitlines(keepends=True)[:4]
    (folder / "data/fonts.tsv").write_text("".join(few), encoding="utf-8")
    write_tools(folder / ".venv/bin")
    write_inputs(folder)
    project = Project(folder)
    project.dvc("repro")
    project.commit()
    return folder


def write_tools(folder: Path) -> None:
    """A virtual environment whose commands are cut short, set up for each target of make."""
    folder.mkdir(parents=True)
    for name in cut_short.COMMANDS:
        words = [sys.executable, cut_short.__file__, name]
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (folder / name).chmod(0o755)
    for name in ("activate", "python{}.{}".format(*sys.version_info)):  # the second for make, which looks for it
        (folder / name).touch()
    for name in ("repro", "test", "app"):
        (folder.parent / name).touch()


def write_inputs(folder: Path) -> None:
    """The pictures and archives that documents name, as files that git does not see."""
    for name in ("scans", "lines", "more", "archives"):
        (folder / name).mkdir()
    text_image(WORDS).save(folder / "letter.jpg")
    line("the lazy dog").save(folder / "line.jpg")
    line("a line").save(folder / "lines/one.png")
    line("a cat").save(folder / "scans/one.png")
    line("a dog").save(folder / "scans/two.jpg")
    line("a fox").save(folder / "more/three.tiff")
    Image.new("L", (200, 100), 220).save(folder / "scan.png")
    (folder / "page.xml").write_text(PAGE_SOURCE)
    names = ["scans", "lines", "more", "archives", "read", "drawn", "letter.jpg", "line.jpg", "scan.png", "page.xml"]
    names.append("google_drive_credentials.json")
    with (folder / ".git/info/exclude").open("a") as file:
        file.writelines(f"/{name}\n" for name in names)


@pytest.fixture
def typed(template: Path, tmp_path: Path, drive: Drive) -> DriveProject:
    """A copy for one document, of somebody who has a client for Google Drive, a browser, and an origin."""
    shutil.copytree(template, tmp_path / "textrec", symlinks=True)
    project = DriveProject(tmp_path / "textrec", drive)
    project("git", "clone", "--quiet", "--bare", ".", str(tmp_path / "origin"))
    project("git", "remote", "add", "origin", str(tmp_path / "origin"))
    project.give_browser()
    (project.folder / "google_drive_credentials.json").write_text(json.dumps(drive.client_secrets()))
    tools = f"{project.folder}/.venv/bin"
    project.environment |= {
        "PATH": f"{tools}:{project.environment['PATH']}",
        "PYTHONPATH": os.pathsep.join([project.environment["PYTHONPATH"], str(ROOT)]),
    }
    return project


def set_parameters(words: list[str]) -> None:
    """`dvc exp run` with the work left out: the parameters are set as DVC does it, and all must be possible."""
    options, values = words[::2], words[1::2]
    stages = [word for word in options if word != "-S"]
    assert set(stages) <= yaml.safe_load(Path("dvc.yaml").read_text())["stages"].keys()
    apply_overrides("params.yaml", values)
    for section, params in SECTIONS.items():
        load(section, params)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_command_runs_as_it_stands(
    document: str, typed: DriveProject, run: Run, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(typed.folder)
    if any("gdrive-login" in command for command in commands(document)):
        request.getfixturevalue("browser_ports")
    folder = typed.drive.add_folder("textrec")
    for command in commands(document):
        words = shlex.split(command)
        if words[:3] == ["dvc", "exp", "run"] and not {"--name", "--queue"} & {*words}:
            set_parameters(words[3:])
        elif words[0] == "textrec" and "|" not in words:
            assert run(*words[1:])[0] == 0
        else:
            typed("bash", "-c", DRIVE_LINK.sub(folder, command))
        if command == "dvc queue start":
            assert typed.dvc("queue", "status").count("Success") == 2


@pytest.mark.parametrize("document", DOCUMENTS)
def test_parameters_of_commands_for_several_machines_can_be_set(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    typed = [line for block in blocks(document, "bash") for line in block.splitlines()]
    script = ["dvc() { printf '%s\\n' \"$@\" ''; }", *(line for line in typed if re.match(r"\w+=|dvc exp run ", line))]
    calls = subprocess.run(["bash", "-c", "\n".join(script)], capture_output=True, text=True, check=True).stdout
    for words in map(str.splitlines, calls.split("\n\n")):
        if words:
            shutil.copy(ROOT / "params.yaml", tmp_path)
            set_parameters(words[2:])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_piece_of_python_runs_as_it_stands(
    document: str, typed: DriveProject, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(typed.folder)
    if document in MADE:
        assert run(*MADE[document])[0] == 0
    for block in blocks(document, "python"):
        exec(compile(block, document, "exec"), {})  # noqa: S102
