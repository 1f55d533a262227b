"""What the stages declare and what the library imports, read from the sources."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
MODULES = {path.stem: path for path in (ROOT / "textrec").glob("*.py")}
TORCH = {"augmentation", "dataset", "decoding", "layers", "model", "recognizer", "resnet", "runs", "tracking"}
TORCH |= {"export", "labels", "onnx_network", "trained", "training", "transfer"}


def imports(path: Path) -> set[str]:
    """Names of the textrec modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "textrec":
                names |= {alias.name for alias in node.names}
            names.add(node.module.removeprefix("textrec.") if node.module.startswith("textrec.") else "")
        elif isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("textrec.") for alias in node.names if alias.name.startswith("textrec.")}
    return names & MODULES.keys()


def closure(names: set[str]) -> set[str]:
    """The modules and all that they import in turn."""
    found, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(imports(MODULES[name]))
    return found


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_declares_itself_and_each_module_that_it_imports(stage: str) -> None:
    needed = {f"textrec/{name}.py" for name in closure(imports(ROOT / "stages" / f"{stage}.py"))}
    declared = {dep for dep in PIPELINE[stage]["deps"] if dep.endswith(".py")}
    assert declared == needed | {f"stages/{stage}.py"}


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
    names = ", ".join(f"textrec.{name}" for name in sorted(MODULES.keys() - TORCH - {"__init__"}))
    run_python(f"import sys, {names}\nassert 'torch' not in sys.modules")


def test_the_library_imports_without_dvc_and_wandb() -> None:
    names = ", ".join(f"textrec.{name}" for name in sorted(MODULES.keys() - {"__init__"}))
    absent = "for name in ('dvc', 'dvclive', 'wandb', 'gradio', 'dask'): sys.modules[name] = None"
    run_python(f"import sys\n{absent}\nimport {names}")


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_can_be_imported_without_side_effects(stage: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import stages.{stage} as s; assert callable(s.main)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert not list(tmp_path.iterdir())
