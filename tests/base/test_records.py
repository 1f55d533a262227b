from pathlib import Path

import pytest

from textrec.base.records import Prediction, form_of, read_forms, read_predictions, write_predictions
from textrec.base.runtime import TextrecError


def test_predictions_survive_their_file(tmp_path: Path) -> None:
    readings = {"ar": 'a "b"\nc', "ctc": "", "joint": "ä"}
    predictions = [Prediction(f"s-{i}", "w", bool(i), "truth", "ä", 0.5, [0.25], readings) for i in range(2)]
    write_predictions(tmp_path / "test.jsonl", predictions)
    assert read_predictions(tmp_path / "test.jsonl") == predictions


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "test.jsonl: not found; run `dvc repro` or `dvc pull` to get it"),
        ("", "test.jsonl: holds no predictions; run `dvc repro -f predict`"),
        ('{"id": "s-0"}\n', "test.jsonl: not predictions of this version; run `dvc repro -f predict`"),
        ('{"id": "s-0"\n', "test.jsonl: not predictions of this version; run `dvc repro -f predict`"),
    ],
)
def test_missing_or_other_predictions_are_refused(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "test.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TextrecError, match=problem):
        read_predictions(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "iam.jsonl: not found; run `dvc repro` or `dvc pull` to get it"),
        ('{"id": "a01-000"}\n', "iam.jsonl: not forms of this version; run `dvc repro -f parse_iam`"),
        ('{"id": "a01-0', "iam.jsonl: not forms of this version"),
        ("[]", "iam.jsonl: not forms of this version"),
    ],
)
def test_missing_or_other_forms_are_refused(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "iam.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TextrecError, match=problem):
        list(read_forms(path))


def test_the_form_of_a_sample() -> None:
    assert [form_of(name) for name in ("a01-000u-03", "a01-000u", "s00-001-07", "test-00012")] == [
        "a01-000u",
        "a01-000u",
        "s00-001",
        "test-00012",
    ]
