import numpy as np
import pytest
from predictions import predict

from textrec.base.records import Prediction
from textrec.reports.reliability import (
    calibration_error,
    confidence_metrics,
    of_characters,
    of_samples,
    reliability,
    risk_coverage,
    thinned,
)


def trusted(*rows: tuple[str, str, float]) -> list[Prediction]:
    """Predictions of (truth, read, confidence)."""
    return [predict(truth, read, confidence=confidence) for truth, read, confidence in rows]


@pytest.mark.parametrize(
    ("truth", "read", "right"),
    [
        ("cat", "cut", [1, 0, 1]),
        ("cat", "ca", [1, 1]),  # what is missing is no character of the reading
        ("cat", "coat", [1, 0, 1, 1]),
        ("the cat", "he cat!", [1, 1, 1, 1, 1, 1, 0]),
        ("a", "xyz", [0, 0, 0]),
    ],
)
def test_a_character_is_right_where_the_alignment_keeps_it(truth: str, read: str, right: list[int]) -> None:
    sure = [(1 + index) / 10 for index in range(len(read))]
    rows = of_characters([Prediction("s", "w", True, truth, read, 0.5, sure, {"ar": read})])
    assert [(row["confidence"], row["accuracy"]) for row in rows] == list(zip(sure, right, strict=True))


def test_bins_hold_equal_shares() -> None:
    confidence = np.random.default_rng(0).beta(20, 1, size=1500)
    rows = reliability(confidence, np.ones(1500))
    assert [row["count"] for row in rows] == [100] * 15
    assert [row["confidence"] for row in rows] == sorted(row["confidence"] for row in rows)
    assert sum(row["confidence"] for row in rows) / 15 == pytest.approx(confidence.mean())


def test_equal_confidences_share_a_bin_whatever_their_order() -> None:
    confidence, right = np.repeat([0.5, 1.0], [10, 90]), np.repeat([0, 1, 0, 1], [6, 4, 9, 81])
    order = np.random.default_rng(0).permutation(100)
    rows = reliability(confidence, right)
    assert rows == [
        {"confidence": 0.5, "accuracy": 0.4, "count": 10},
        {"confidence": 1.0, "accuracy": 0.9, "count": 90},
    ]
    assert reliability(confidence[order], right[order]) == rows
    assert calibration_error(rows) == pytest.approx(0.1)


def test_few_values_have_few_bins_and_none_no_error() -> None:
    assert [row["count"] for row in reliability(np.array([0.2, 0.8]), np.array([0, 1]))] == [1, 1]
    assert reliability(np.array([]), np.array([])) == []
    assert calibration_error([]) == 0


def test_the_error_is_small_where_confidences_are_probabilities_and_grows_with_what_they_boast() -> None:
    random = np.random.default_rng(0)
    probability = random.beta(8, 1, size=20_000)
    right = random.random(20_000) < probability
    honest = calibration_error(reliability(probability, right))
    boast = calibration_error(reliability(np.sqrt(probability), right))
    assert honest < 0.01
    assert boast == pytest.approx(np.mean(np.sqrt(probability) - probability), abs=0.01)
    assert boast > 4 * honest


def test_characters_count_each_and_samples_by_their_cer() -> None:
    predictions = trusted(("cat", "cut", 0.9), ("a", "a", 0.9), ("a", "xyz", 0.9), ("b", "", 0.9))
    (characters,), (samples,) = of_characters(predictions), of_samples(predictions)
    assert characters == {"confidence": pytest.approx(0.9), "accuracy": pytest.approx(3 / 7), "count": 7}
    assert samples == {"confidence": pytest.approx(0.9), "accuracy": pytest.approx((2 / 3 + 1) / 4), "count": 4}
    assert of_characters(trusted(("b", "", 0.0))) == []


CURVE = trusted(("aaaaa", "aaaaa", 0.9), ("aaaaa", "bbaaa", 0.7), ("a" * 10, "bbb" + "a" * 7, 0.1))


def test_the_curve_goes_from_the_surest_to_all() -> None:
    assert risk_coverage([CURVE[2], CURVE[0], CURVE[1]]) == [
        {"coverage": pytest.approx(1 / 3), "confidence": 0.9, "cer": 0.0},
        {"coverage": pytest.approx(2 / 3), "confidence": 0.7, "cer": pytest.approx(2 / 10)},
        {"coverage": 1.0, "confidence": 0.1, "cer": pytest.approx(5 / 20)},
    ]


def test_the_order_of_equally_sure_samples_does_not_matter() -> None:
    rows = [("aaaa", "aaaa", 0.5), ("aaaa", "bbbb", 0.5), ("aa", "aa", 0.5), ("aa", "aa", 0.9)]
    curve = risk_coverage(trusted(*rows))
    assert curve == risk_coverage(trusted(*rows[::-1]))
    mean_errors, mean_length = 4 / 3, 10 / 3
    assert [row["cer"] for row in curve] == pytest.approx(
        [0, mean_errors / (2 + mean_length), 2 * mean_errors / (2 + 2 * mean_length), 4 / 12]
    )


def test_confidence_that_knows_the_errors_has_less_area_than_one_that_does_not() -> None:
    random = np.random.default_rng(0)
    errors = random.integers(0, 10, size=200).tolist()
    rows = [("a" * 10, "b" * wrong + "a" * (10 - wrong)) for wrong in errors]
    knowing = trusted(*((truth, read, 1 - wrong / 10) for (truth, read), wrong in zip(rows, errors, strict=True)))
    guessing = trusted(*((truth, read, sure) for (truth, read), sure in zip(rows, random.random(200), strict=True)))
    known, guessed = (
        confidence_metrics(of_characters(some), of_samples(some), risk_coverage(some)) for some in (knowing, guessing)
    )
    overall = sum(errors) / 2000
    assert known["ece_samples"] == pytest.approx(0, abs=1e-9)
    assert known["cer_at_80"] < known["cer_at_90"] < overall
    assert known["aurc"] < 0.7 * guessed["aurc"]
    assert guessed["cer_at_90"] == pytest.approx(overall, abs=0.03)
    assert known.keys() == {"ece_characters", "ece_samples", "aurc", "cer_at_90", "cer_at_80"}


def test_shares_are_of_the_samples_and_at_least_one_is_kept() -> None:
    curve = risk_coverage(trusted(*(("aaaa", "aaaa" if sure > 1 else "bbbb", sure / 10) for sure in range(1, 11))))
    measured = confidence_metrics([], [], curve)
    assert measured["cer_at_90"] == 0
    assert measured["aurc"] == pytest.approx(0.1 / 10)
    assert confidence_metrics([], [], risk_coverage(trusted(("ab", "ac", 0.5))))["cer_at_80"] == 0.5


def test_a_long_curve_is_thinned_with_both_ends() -> None:
    rows = [{"cer": index / 1000} for index in range(1000)]
    few = thinned(rows)
    assert len(few) == 100
    assert (few[0], few[-1]) == (rows[0], rows[-1])
    assert thinned(rows[:30]) == rows[:30]
