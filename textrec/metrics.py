"""Error rates of what was read: over the whole corpus, with bootstrap intervals."""

import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, PositiveInt
from rapidfuzz.distance import Levenshtein

from textrec.params import Params
from textrec.records import Prediction


class EvaluateParams(Params):
    """How the test split is read by both heads, and how errors are measured and shown."""

    beam: PositiveInt  # hypotheses of the joint search
    ctc_weight: Annotated[float, Field(ge=0, le=1)]  # of the CTC prefix score, the rest is the decoder's
    resamples: PositiveInt  # of the bootstrap
    seed: int
    worst: Annotated[int, Field(ge=0)]  # how many samples the page of errors shows


class Rate(NamedTuple):
    """An error rate, and its 95 % bootstrap interval [low, high]; 1 is one error for each unit of truth."""

    value: float
    low: float
    high: float


def char_errors(truth: str, read: str) -> int:
    """Characters to insert, delete or replace (Levenshtein distance)."""
    return Levenshtein.distance(truth, read)


def word_errors(truth: str, read: str) -> int:
    """Blank-separated words to insert, delete or replace."""
    return Levenshtein.distance(truth.split(), read.split())


def corpus_rate(
    errors: Sequence[int], lengths: Sequence[int], groups: Sequence[str], *, resamples: int, seed: int
) -> Rate:
    """Summed errors over summed lengths, with the percentile interval of a bootstrap over groups.

    `groups` names what is drawn with replacement: samples of one form are not independent. Lengths are positive.
    """
    names, index = np.unique(groups, return_inverse=True)
    table = np.stack([np.bincount(index, values, len(names)) for values in (errors, lengths)])
    drawn = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    errors_drawn, lengths_drawn = table[:, drawn].sum(axis=2)
    low, high = np.quantile(errors_drawn / lengths_drawn, [0.025, 0.975])
    value = table[0].sum() / table[1].sum()
    return Rate(float(value), float(low), float(high))


def measure(predictions: Sequence[Prediction], params: EvaluateParams) -> dict[str, int | float]:
    """Corpus CER and WER with their intervals over forms, and the share of samples read without any error."""
    truths = [prediction.truth for prediction in predictions]
    groups = [form_of(prediction.id) for prediction in predictions]
    char = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    word = [word_errors(prediction.truth, prediction.read) for prediction in predictions]
    options = {"groups": groups, "resamples": params.resamples, "seed": params.seed}
    cer = corpus_rate(char, [len(truth) for truth in truths], **options)
    wer = corpus_rate(word, [len(truth.split()) for truth in truths], **options)
    return {
        "samples": len(predictions),
        "forms": len(set(groups)),
        "characters": sum(map(len, truths)),
        "cer": cer.value,
        "cer_low": cer.low,
        "cer_high": cer.high,
        "wer": wer.value,
        "wer_low": wer.low,
        "wer_high": wer.high,
        "perfect": sum(not errors for errors in char) / len(predictions),
    }


def form_of(sample_id: str) -> str:
    """The form that a sample was cut from: an IAM line id without its number, any other id as it is."""
    return re.sub(r"^([a-z]\d\d-\d{3}[a-z]?)-\d\d$", r"\1", sample_id)
