"""Experiments by real dvc processes, on a sample of a dozen forms and a tiny network."""

import json
from pathlib import Path

from projects import Project


def test_an_experiment_retrains_and_compares(project: Project) -> None:
    output = project.dvc(
        "exp", "run", "--name", "dropout", "-S", "model.tf_dropout=0.1", "-S", "train.data=emnist_lines"
    )
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["train", "predict", "evaluate", "inspect_data"]
    assert project.json("metrics/test.json")["samples"] == 8
    assert "dropout" in project.dvc("exp", "show", "--csv")
    assert "model.tf_dropout" in project.dvc("params", "diff")
    assert "metrics/train.json" in project.dvc("metrics", "diff")


# In one process, for torch takes seconds to import.
TRAIN_ON_EACH = """
import json, pathlib, sys
from stages import evaluate, predict, train

params, counts = pathlib.Path("params.yaml"), {}
text = params.read_text()
for data in sys.argv[2:]:
    params.write_text(text.replace("data: iam_lines", f"data: {data}"))
    for stage in (train, predict, evaluate):
        stage.main()
    metrics = [json.loads(pathlib.Path(f"metrics/{name}.json").read_text()) for name in ("train", "test")]
    counts[data] = [values["samples"] for values in metrics]
pathlib.Path(sys.argv[1]).write_text(json.dumps(counts))
"""


def test_paragraphs_can_be_trained_on(project: Project, tmp_path: Path) -> None:
    forms = project.json("metrics/iam.json")["forms"]
    made = {"iam_paragraphs": 0, "synth_paragraphs": 8 - forms["train"], "iam_and_synth_paragraphs": 8}
    project("python", "-c", TRAIN_ON_EACH, str(tmp_path / "counts.json"), *made)
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts == {data: [forms["train"] + count, forms["test"]] for data, count in made.items()}
