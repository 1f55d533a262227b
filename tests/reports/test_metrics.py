import numpy as np
import pytest
from predictions import ROWS

from textrec.reports.metrics import EvaluateParams, corpus_rate, measure

PARAMS = EvaluateParams(ctc_weight=0.5, resamples=500, seed=1, worst=5)


def test_the_rate_is_that_of_the_corpus_not_a_mean_of_rates() -> None:
    rate = corpus_rate([1, 1], [2, 98], ["a", "b"], resamples=100, seed=0)
    assert rate.value == pytest.approx(0.02)
    assert (rate.low, rate.high) == (pytest.approx(1 / 98), pytest.approx(0.5))


def test_the_interval_holds_the_true_rate_about_as_often_as_it_says() -> None:
    random, held = np.random.default_rng(0), 0
    for trial in range(200):
        errors = random.binomial(50, 0.1, size=60)
        rate = corpus_rate(errors.tolist(), [50] * 60, [str(i) for i in range(60)], resamples=200, seed=trial)
        held += rate.low <= 0.1 <= rate.high
    assert 0.88 < held / 200 < 0.99


def test_samples_of_one_form_are_drawn_together() -> None:
    errors, lengths = [0, 10] * 50, [50] * 100
    apart = corpus_rate(errors, lengths, [str(i) for i in range(100)], resamples=500, seed=0)
    joined = corpus_rate(errors, lengths, [str(i % 2) for i in range(100)], resamples=500, seed=0)
    assert joined.high - joined.low > 2 * (apart.high - apart.low)


def test_measures_of_predictions() -> None:
    measures = measure(ROWS, PARAMS)
    assert measures["samples"] == 3
    assert measures["forms"] == 2
    assert measures["characters"] == 12
    assert measures["cer"] == pytest.approx(3 / 12)
    assert measures["wer"] == pytest.approx(2 / 5)
    assert measures["perfect"] == pytest.approx(1 / 3)
    assert measures["cer_low"] <= measures["cer"] <= measures["cer_high"]
