import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from repository import ROOT

from stages import evaluate
from textrec.base.charset import LINE_CHARACTERS
from textrec.base.records import Prediction, Sample, write_predictions
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import write_samples
from textrec.report import main as report

SAMPLES = [
    Sample("a01-000-00", "a cat", "7", np.zeros((28, 40), np.uint8)),
    Sample("a01-000-01", "a dog", "7", np.full((28, 50), 9, np.uint8), listed=False),
    Sample("b01-000-00", "no", "8", np.zeros((28, 20), np.uint8)),
]
READINGS = [
    {"ar": "a cot", "ctc": "a cot", "joint": "a cat"},
    {"ar": "a dig", "ctc": "d", "joint": "a dig"},
    {"ar": "no", "ctc": "n", "joint": "no"},
]
OUTPUTS = [f"reports/{name}.json" for name in ("decoders", "writers", "lengths", "characters", "confusions")]
OUTPUTS += [f"reports/{name}.json" for name in ("calibration_characters", "calibration_samples", "risk_coverage")]
OUTPUTS += ["metrics/test.json", "reports/errors.html"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that `evaluate` reads; the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "metrics").mkdir()
    speed = {name: {"seconds": 0.5, "samples_per_second": 6.0} for name in READINGS[0]}
    (tmp_path / "metrics/predict.json").write_text(json.dumps(speed))
    splits = [(split, sample) for split in ("train", "val", "test") for sample in SAMPLES]
    data = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]["data"]
    write_samples(f"data/processed/{data}.h5", splits, source="test", line_height=28, characters=LINE_CHARACTERS)
    write(SAMPLES, READINGS)
    return tmp_path


def write(samples: list[Sample], readings: list[dict[str, str]]) -> None:
    predictions = [
        Prediction(s.id, s.writer, s.listed, s.text, (read := list(texts.values())[-1]), 0.5, [0.5] * len(read), texts)
        for s, texts in zip(samples, readings, strict=True)
    ]
    write_predictions("data/predictions/test.jsonl", predictions)


def load(path: str) -> dict:
    return json.loads(Path(path).read_text())


@pytest.mark.usefixtures("project")
def test_all_is_measured_by_each_decoder_and_a_report_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main()
    printed = capsys.readouterr().out
    metrics = load("metrics/test.json")
    assert metrics["cer"] == pytest.approx(1 / 12, abs=1e-4)
    assert metrics["listed"]["cer"] == 0
    assert {name: row["cer"] for name, row in metrics["decoders"].items()} == pytest.approx(
        {"ar": 2 / 12, "ctc": 6 / 12, "joint": 1 / 12}, abs=1e-4
    )
    assert metrics["decoders"]["ctc"].keys() == {"cer", "cer_low", "cer_high", "wer", "perfect"}
    page = Path("reports/errors.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert "CER by character" in page
    assert metrics["confidence"] == {
        "ece_characters": pytest.approx(11 / 12 - 0.5, abs=1e-4),
        "ece_samples": pytest.approx(2.8 / 3 - 0.5, abs=1e-4),
        **dict.fromkeys(("aurc", "cer_at_90", "cer_at_80"), pytest.approx(1 / 12, abs=1e-4)),
    }
    assert load("reports/calibration_characters.json") == [{"confidence": 0.5, "accuracy": 0.9167, "count": 12}]
    assert [row["coverage"] for row in load("reports/risk_coverage.json")] == [0.3333, 0.6667, 1.0]
    report()
    assert capsys.readouterr().out == printed
    assert "substitutions (1): o as i 1" in printed


@pytest.mark.usefixtures("project")
def test_the_same_predictions_give_the_same_bytes() -> None:
    evaluate.main()
    first = [Path(name).read_bytes() for name in OUTPUTS]
    evaluate.main()
    assert [Path(name).read_bytes() for name in OUTPUTS] == first


@pytest.mark.usefixtures("project")
def test_a_model_without_ctc_head_has_one_decoder() -> None:
    write(SAMPLES, [{"ar": texts["ar"]} for texts in READINGS])
    Path("metrics/predict.json").write_text('{"ar": {"seconds": 1.0, "samples_per_second": 3.0}}')
    evaluate.main()
    metrics = load("metrics/test.json")
    assert metrics["decoders"]["ar"]["cer"] == metrics["cer"]


@pytest.mark.usefixtures("project")
def test_no_errors_are_a_result_too() -> None:
    write(SAMPLES, [dict.fromkeys(READINGS[0], sample.text) for sample in SAMPLES])
    evaluate.main()
    assert load("metrics/test.json")["perfect"] == 1
    assert load("reports/confusions.json") == []


@pytest.mark.usefixtures("project")
def test_nothing_read_is_a_result_too() -> None:
    write(SAMPLES, [dict.fromkeys(READINGS[0], "") for _ in SAMPLES])
    evaluate.main()
    assert load("metrics/test.json")["cer"] == 1
    assert load("reports/calibration_characters.json") == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        (SAMPLES[:2], "prediction 2 is of None, test sample 2 of data/processed/iam_lines.h5 is b01-000-00"),
        (SAMPLES[::-1], "prediction 0 is of b01-000-00, test sample 0 of data/processed/iam_lines.h5 is a01-000-00"),
    ],
)
def test_predictions_of_other_samples_are_refused(kept: list[Sample], problem: str) -> None:
    write(kept, READINGS[: len(kept)])
    with pytest.raises(TextrecError, match=f"data/predictions/test.jsonl: {problem}; run `dvc repro -f predict`"):
        evaluate.main()


@pytest.mark.usefixtures("project")
def test_a_reading_without_a_probability_for_each_character_is_refused() -> None:
    prediction = Prediction("a01-000-00", "7", True, "a cat", "a cat", 0.5, [0.5] * 4, READINGS[0])
    write_predictions("data/predictions/test.jsonl", [prediction])
    with pytest.raises(TextrecError, match=r"a01-000-00 has 4 probabilities for 5 characters; run `dvc repro -f pre"):
        evaluate.main()


@pytest.mark.usefixtures("project")
def test_times_of_other_decoders_are_refused() -> None:
    Path("metrics/predict.json").write_text('{"ar": {"seconds": 1.0, "samples_per_second": 3.0}}')
    with pytest.raises(
        TextrecError, match=r"metrics/predict.json: times ar, the predictions are by ar, ctc, joint; run"
    ):
        evaluate.main()


def test_no_predictions_are_one_line(project: Path) -> None:
    Path("data/predictions/test.jsonl").write_text("")
    command = [sys.executable, "-m", "stages.evaluate"]
    done = subprocess.run(command, cwd=project, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: data/predictions/test.jsonl: holds no predictions; run `dvc repro -f predict`\n"
    assert not Path("metrics/test.json").exists()
