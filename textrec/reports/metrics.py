"""Error rates of what was read, over the whole corpus, with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, PositiveInt

from textrec.base.edit_distance import char_errors, word_errors
from textrec.base.params import Params
from textrec.base.records import Prediction, form_of


class EvaluateParams(Params):
    """How the test split is read by both heads, and how errors are measured and shown."""

    ctc_weight: Annotated[float, Field(ge=0, le=1)]  # of CTC in the joint search, the rest is the decoder's
    resamples: PositiveInt  # of the bootstrap
    seed: int
    worst: Annotated[int, Field(ge=0)]  # how many samples the page of errors shows


class Rate(NamedTuple):
    """An error rate, and its 95 % bootstrap interval [low, high]; 1 is one error for each unit of truth."""

    value: float
    low: float
    high: float

    def entries(self, name: str) -> dict[str, float]:
        """The rate and its interval as metrics: `name`, `name`_low and `name`_high."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


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
    """Corpus CER and WER of `read` with their intervals over forms, and the share of samples without any error."""
    truths = [prediction.truth for prediction in predictions]
    forms = [form_of(prediction.id) for prediction in predictions]
    char = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    word = [word_errors(prediction.truth, prediction.read) for prediction in predictions]
    options: Any = {"groups": forms, "resamples": params.resamples, "seed": params.seed}
    return {
        "samples": len(predictions),
        "forms": len(set(forms)),
        "characters": sum(map(len, truths)),
        **corpus_rate(char, [len(truth) for truth in truths], **options).entries("cer"),
        **corpus_rate(word, [len(truth.split()) for truth in truths], **options).entries("wer"),
        "perfect": char.count(0) / len(char),
    }


def headline(
    predictions: Sequence[Prediction], decoders: Sequence[Mapping[str, Any]], params: EvaluateParams
) -> dict[str, Any]:
    """What is compared from run to run: all of `measure`, the same of the officially listed, the main of `decoders`."""
    listed = [prediction for prediction in predictions if prediction.listed]
    main = ("cer", "cer_low", "cer_high", "wer", "perfect")
    return {
        **measure(predictions, params),
        "decoders": {row["decoder"]: {key: row[key] for key in main} for row in decoders if row["lines"] == "all"},
        **({"listed": measure(listed, params)} if listed else {}),
    }
