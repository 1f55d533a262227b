import numpy as np
import pytest
from predictions import ROWS, of_forms

from textrec.base.edit_distance import char_errors
from textrec.base.records import Prediction
from textrec.reports.metrics import EvaluateParams, headline, measure
from textrec.reports.tables import by_character, by_decoder, by_length, by_writer, confusions

PARAMS = EvaluateParams(ctc_weight=0.5, resamples=500, seed=1, worst=5)
SPEED = {name: {"seconds": 2.0, "samples_per_second": 30.0} for name in ("ar", "joint")}


def decoded(*, listed: int) -> list[Prediction]:
    """60 forms of uneven difficulty, where "ar" makes one error more than "joint" in every other; some are listed."""
    random, predictions = np.random.default_rng(0), []
    for index, errors in enumerate(random.integers(0, 20, size=60).tolist()):
        joint, ar = "x" * errors + "a" * (40 - errors), "x" * (errors + index % 2) + "a" * (40 - errors - index % 2)
        readings = {"ar": ar, "joint": joint}
        predictions.append(Prediction(f"s-{index}", "w", index < listed, "a" * 40, joint, 1.0, [1.0] * 40, readings))
    return predictions


def test_decoders_are_told_apart_although_their_intervals_overlap() -> None:
    ar, joint = by_decoder(decoded(listed=0), SPEED, PARAMS)
    assert (ar["lines"], ar["decoder"], ar["seconds"]) == ("all", "ar", 2.0)
    assert ar["cer_low"] < joint["cer"] < ar["cer"] < joint["cer_high"]
    assert ar["cer_above"] == pytest.approx(ar["cer"] - joint["cer"])
    assert 0 < ar["cer_above_low"] < 0.5 / 40 < ar["cer_above_high"] < 1 / 40
    assert (joint["cer_above"], joint["cer_above_low"], joint["cer_above_high"]) == (0, 0, 0)


def test_each_decoder_is_measured_on_the_listed_lines_too() -> None:
    predictions = decoded(listed=10)
    rows = by_decoder(predictions, SPEED, PARAMS)
    assert [(row["lines"], row["decoder"]) for row in rows] == [
        ("all", "ar"),
        ("all", "joint"),
        ("listed", "ar"),
        ("listed", "joint"),
    ]
    listed = measure(predictions[:10], PARAMS)
    assert rows[3].items() >= listed.items()
    assert headline(predictions, rows, PARAMS)["listed"] == listed
    assert headline(predictions, rows, PARAMS)["decoders"]["ar"]["cer"] == rows[0]["cer"]
    assert "listed" not in headline(decoded(listed=0), rows, PARAMS)


def test_writers_are_ordered_by_their_rate() -> None:
    assert by_writer(ROWS) == [
        {"writer": "w-b", "samples": 1, "characters": 2, "errors": 2, "cer": 1.0},
        {"writer": "w-a", "samples": 2, "characters": 10, "errors": 1, "cer": 0.1},
    ]


def test_lengths_are_in_tens_for_lines_and_in_hundreds_for_paragraphs() -> None:
    lines = of_forms(*((f"s-{length}", "a" * length, "a" * (length - 1)) for length in (1, 10, 11, 35)))
    rows = by_length(lines)
    assert [(row["from"], row["to"], row["samples"], row["errors"]) for row in rows] == [
        (1, 10, 2, 2),
        (11, 20, 1, 1),
        (31, 40, 1, 1),
    ]
    assert rows[0]["cer"] == pytest.approx(2 / 11)
    paragraphs = by_length([*lines, *of_forms(("p", "a" * 150 + "\n", "a" * 150))])
    assert [(row["from"], row["to"], row["samples"]) for row in paragraphs] == [(1, 100, 4), (101, 200, 1)]


def test_errors_of_characters_are_substitutions_and_deletions_insertions_stand_apart() -> None:
    rows = by_character(of_forms(("s-0", "a bee", "abee!"), ("s-1", "be", "b  e"), ("s-2", "e", "o"), ("s-3", "e", "")))
    assert rows[0] == {"character": "e", "count": 5, "substituted": 1, "deleted": 1, "inserted": 0, "cer": 0.4}
    assert rows[1] == {"character": "<space>", "count": 1, "substituted": 0, "deleted": 1, "inserted": 2, "cer": 1.0}
    assert [row["character"] for row in rows] == ["e", "<space>", "a", "b"]


def test_confusions_are_ordered_by_their_number() -> None:
    rows = confusions(of_forms(("s-0", "deed", "dood"), ("s-1", "x\ny", "xy"), ("s-2", "b", "bb")))
    assert rows == [
        {"kind": "substitution", "truth": "e", "read": "o", "count": 2, "share": 0.5},
        {"kind": "insertion", "truth": "", "read": "b", "count": 1, "share": 0.25},
        {"kind": "deletion", "truth": "<newline>", "read": "", "count": 1, "share": 0.25},
    ]


def test_all_errors_are_found_again_in_each_table() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("abc "), size=30)) for _ in range(40)]
    predictions = of_forms(*((f"{'ab'[i % 2]}01-000-{i:02}", texts[i], texts[i + 20]) for i in range(20)))
    errors = sum(char_errors(p.truth, p.read) for p in predictions)
    characters = by_character(predictions)
    assert sum(row["substituted"] + row["deleted"] + row["inserted"] for row in characters) == errors
    assert sum(row["count"] for row in characters) == 600
    for table in (by_writer, by_length):
        assert sum(row["errors"] for row in table(predictions)) == errors
    assert sum(row["count"] for row in confusions(predictions)) == errors
