"""What the stages declare and what the library imports, read from the sources."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from repository import ROOT

from textrec.base.charset import NAMED
from textrec.network.finder import LineFinder
from textrec.network.trained import TrainedModel
from textrec.reading.recognizer import BOXED, BOXED_FINDER, CLONED, INSTALLED

PIPELINE = {
    name: stage.get("do", stage) for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
ROOMS = {path.parent.name for path in ROOT.glob("textrec/*/__init__.py")}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in ROOT.glob("textrec/**/*.py")
    if path.name != "__init__.py"
}
DATA_ROOMS = {"base", "drawn", "archives", "pages", "datasets"}
MOST_BYTES, MOST_FINDER_BYTES = 12 << 20, 2 << 20
TORCH = {"bulk", "training", "network", "reading"}  # rooms; but for
TORCH_FREE = {"textrec.training.recipe", "textrec.network.calibration", "textrec.reading.files"}
TORCH_FREE |= {"textrec.reading.formats", "textrec.reading.pdf"}


def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> set[str]:
    """Names of the textrec modules that a file imports, anywhere in it."""
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & MODULES.keys()


def strings(path: Path) -> set[str]:
    return {node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def data(path: Path) -> set[Path]:
    """What a module reads beside the code of its room, which it then names."""
    if f"textrec.{path.parent.name}" not in strings(path):
        return set()
    return {file for file in path.parent.iterdir() if file.is_file() and file.suffix != ".py"}


def needed(stage: str) -> set[str]:
    """The files of a stage: its own, the modules that it imports, those that they import in turn, and their data."""
    files, queue = set(), [ROOT / "stages" / f"{stage}.py"]
    while queue:
        path = queue.pop()
        if path not in files:
            files |= {path} | data(path)
            queue.extend(MODULES[name] for name in imports(path))
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_declares_the_code_that_it_runs_and_no_other(stage: str) -> None:
    files = needed(stage)
    declared = {dep for dep in PIPELINE[stage]["deps"] if dep.startswith(("stages/", "textrec/"))}
    covered = {dep: {file for file in files if f"{file}/".startswith(f"{dep}/")} for dep in declared}
    assert files == set().union(*covered.values())
    assert all(covered.values())
    assert sum(map(len, covered.values())) == len(files)


def test_data_of_a_room_is_found() -> None:
    assert data(MODULES["textrec.drawn.prose"]) == {ROOT / "textrec/drawn/sample_text.txt"}
    assert "textrec/reports/layout.html" in needed("evaluate")
    assert not data(MODULES["textrec.reports.metrics"])


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_begins_with_a_docstring_alone(room: str) -> None:
    [docstring] = ast.parse((ROOT / f"textrec/{room}/__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_declares_each_file_that_it_names(stage: str) -> None:
    source = (ROOT / "stages" / f"{stage}.py").read_text()
    named = {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(("data/", "models/", "metrics/", "reports/"))
        and " " not in node.value
    }
    declared = {"data/raw", "data/processed/"}  # folders that file names are put together from
    for key in ("deps", "outs", "metrics", "plots"):
        declared |= {item if isinstance(item, str) else next(iter(item)) for item in PIPELINE[stage].get(key, [])}
    assert named
    assert named <= declared


def test_each_stage_has_a_script_and_each_script_a_stage() -> None:
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} == PIPELINE.keys()


def test_each_section_of_the_parameters_is_read_by_a_stage() -> None:
    declared = {name.partition(".")[0] for stage in PIPELINE.values() for name in stage.get("params", [])}
    assert declared == PARAMS.keys()


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_data_half_does_not_import_torch() -> None:
    assert DATA_ROOMS | TORCH | {"reports"} == ROOMS
    free = {name for name in MODULES if name.split(".")[1] not in TORCH and name != "textrec.reports.labels"}
    names = ", ".join(sorted(free | TORCH_FREE))
    run_python(f"import sys, {names}\nassert 'torch' not in sys.modules")


def test_the_library_imports_without_dvc_and_wandb() -> None:
    absent = "for name in ('dvc', 'dvclive', 'wandb', 'gradio', 'dask'): sys.modules[name] = None"
    run_python(f"import sys\n{absent}\nimport {', '.join(sorted(MODULES))}")


def test_the_package_imports_nothing_before_it_is_asked_for() -> None:
    run_python("import sys, textrec\nassert not [name for name in sys.modules if name.startswith('textrec.')]")


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_can_be_imported_without_side_effects(stage: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import stages.{stage} as s; assert callable(s.main)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_install_has_every_room_and_the_model_of_the_box() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    box = setuptools["package-dir"]["textrec.box"]
    assert set(setuptools["packages"]) == {"textrec", "textrec.box", *(f"textrec.{room}" for room in ROOMS)}
    assert [ROOT / box / name for name in setuptools["package-data"]["textrec.box"]] == [BOXED, BOXED_FINDER]
    assert (ROOT / box, ROOT / "textrec/box") == (CLONED, INSTALLED)
    assert BOXED.stat().st_size <= MOST_BYTES
    assert BOXED_FINDER.stat().st_size <= MOST_FINDER_BYTES
    LineFinder.load(BOXED_FINDER)
    trained = TrainedModel.load(BOXED)
    assert not trained.sample
    assert trained.charset.characters == NAMED["latin"]
