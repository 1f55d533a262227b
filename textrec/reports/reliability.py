"""Whether confidences mean what they say: calibration, and what is gained by setting aside what was read least surely.

The names are those of the field: reliability diagram and expected calibration error (Guo et al., 2017), risk-coverage
curve (Geifman and El-Yaniv, 2017).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from textrec.base.edit_distance import char_errors, right_share, right_tokens
from textrec.base.records import Prediction

BINS = 15  # as in Guo et al., 2017
POINTS = 100  # of a curve that is shown

Rows = list[dict[str, Any]]


def of_characters(predictions: Sequence[Prediction]) -> Rows:
    """Reliability of the probabilities of characters: one is right where the alignment with the truth keeps it."""
    probabilities = [value for prediction in predictions for value in prediction.characters]
    right = [right_tokens(prediction.truth, prediction.read)[:-1] for prediction in predictions]
    return reliability(np.array(probabilities), np.concatenate(right))


def of_samples(predictions: Sequence[Prediction]) -> Rows:
    """Reliability of the confidences of samples: the accuracy of a sample is 1 - CER, and 0 where CER is above 1."""
    confidence = [prediction.confidence for prediction in predictions]
    right = [right_share(prediction.truth, prediction.read) for prediction in predictions]
    return reliability(np.array(confidence), np.array(right))


def reliability(confidence: np.ndarray, accuracy: np.ndarray) -> Rows:
    """Mean `confidence` and mean `accuracy` of at most 15 bins, least sure first, with the `count` of what is in each.

    confidence, accuracy: float or bool (N,), in [0, 1].

    Bins hold as equal shares of all as ties allow: equal confidences share a bin. Of bins of equal width the last would
    hold nearly all that a good model reads, and show none of its grades, and the others too little to be measured.
    """
    if not len(confidence):
        return []
    inner = np.quantile(confidence, np.arange(1, BINS) / BINS)
    _, index = np.unique(np.searchsorted(inner, confidence, side="right"), return_inverse=True)
    count = np.bincount(index)
    means = (np.bincount(index, values) / count for values in (confidence, accuracy))
    return [
        {"confidence": sure, "accuracy": right, "count": number}
        for sure, right, number in zip(*(mean.tolist() for mean in means), count.tolist(), strict=True)
    ]


def calibration_error(rows: Rows) -> float:
    """Expected calibration error (ECE): |confidence - accuracy| of the bins, weighted by their counts; in [0, 1].

    0 where there is no bin: who claims nothing claims nothing wrong.
    """
    total = sum(row["count"] for row in rows)
    return sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / max(total, 1)


def risk_coverage(predictions: Sequence[Prediction]) -> Rows:
    """CER of the samples that are kept, from the surest alone to all: a row for each number of samples.

    coverage: the share of samples kept. confidence: that of the last one kept. Samples of equal confidence count with
    their mean errors and lengths, so that the order of the file does not matter.
    """
    confidence = np.array([prediction.confidence for prediction in predictions])
    errors = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    lengths = [len(prediction.truth) for prediction in predictions]
    values, index, count = np.unique(-confidence, return_inverse=True, return_counts=True)
    kept = (np.cumsum(np.repeat(np.bincount(index, sums) / count, count)) for sums in (errors, lengths))
    return [
        {"coverage": number / len(confidence), "confidence": sure, "cer": wrong / length}
        for number, (sure, wrong, length) in enumerate(
            zip(*(column.tolist() for column in (np.repeat(-values, count), *kept)), strict=True), start=1
        )
    ]


def thinned(rows: Rows) -> Rows:
    """At most 100 of the rows, evenly spread, the first and the last among them."""
    return [rows[index] for index in np.unique(np.linspace(0, len(rows) - 1, POINTS).round().astype(int))]


def confidence_metrics(characters: Rows, samples: Rows, curve: Rows) -> dict[str, float]:
    """What is compared from run to run, from `of_characters`, `of_samples` and the whole of `risk_coverage`.

    ece_characters, ece_samples: expected calibration errors.
    aurc: area under the risk-coverage curve, the mean CER over all coverages.
    cer_at_90, cer_at_80: CER of the 90 % and the 80 % of samples that were read most surely.
    """
    kept = {share: curve[max(round(len(curve) * share / 100), 1) - 1]["cer"] for share in (90, 80)}
    return {
        "ece_characters": calibration_error(characters),
        "ece_samples": calibration_error(samples),
        "aurc": sum(row["cer"] for row in curve) / len(curve),
        **{f"cer_at_{share}": cer for share, cer in kept.items()},
    }
