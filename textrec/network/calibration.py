"""From what the heads say of a text to the probability that it is right, by maps fitted to readings of known truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

from textrec.base.edit_distance import right_share, right_tokens

# Log-odds beyond this tell nothing more: float32 cannot hold a probability that is closer to 1 than 6e-8.
MOST = 15.0
# How much the map is held to the one that leaves probabilities as they are: as by this many characters or texts.
PRIOR = 1.0
# The same of the map that tells what can be read from what cannot, which are far apart; and how many times as often as
# what cannot be read people give what can.
LOOSE, OFTEN = 0.01, 3


@dataclass(frozen=True)
class Calibration:
    """How far to trust one decoder (Platt 1999, of several inputs).

    characters: bias, then the weight of each head; a character is right with the probability
        sigmoid(bias + sum of weight * log-odds of the head's probability of it), if there is something to read.
    readable: bias and weight of the log-odds of the mean of these, over a text's characters and its end; it gives the
        probability that the image can be read at all, and is no other script, no drawing, and not turned.
    text: likewise; it gives the share of the text that is right, 1 - CER or 0, if it can be read.
    """

    characters: tuple[float, ...]
    readable: tuple[float, float]
    text: tuple[float, float]

    @classmethod
    def identity(cls, heads: int) -> Self:
        """A character's probability is the geometric mean of the heads' (of their odds), a text's the mean of these."""
        return cls((0.0, *[1 / heads] * heads), (MOST, 0.0), (0.0, 1.0))

    def of_characters(self, log_probs: np.ndarray) -> np.ndarray:
        """Probability float64 (...) of being right, from the heads' log-probabilities, float (..., heads)."""
        return expit(self.characters[0] + _log_odds(log_probs) @ np.array(self.characters[1:]))

    def of_text(self, mean: float) -> float:
        """Confidence in [0, 1] in a text, from the mean of the probabilities of its characters and its end."""
        odds = np.clip(logit(mean), -MOST, MOST)
        return float(_sigmoid(self.readable, odds) * _sigmoid(self.text, odds))

    @classmethod
    def fit(cls, texts: list[tuple[np.ndarray, str, str]], unreadable: list[np.ndarray]) -> Self:
        """Fit to texts: of each the heads' log-probabilities, float (length of what was read + 1, heads), its end among
        them; the truth; and what was read. unreadable: the log-probabilities of what was read where nothing can be.
        """
        start = cls.identity(texts[0][0].shape[1])
        odds = _log_odds(np.concatenate([log_probs for log_probs, *_ in texts]))
        right = np.concatenate([right_tokens(truth, read) for _, truth, read in texts])
        bias, *weights = _fit(odds, right, start.characters)
        fitted = cls((bias, *weights), start.readable, start.text)
        odds, foreign = (
            np.array([_odds_of_mean(fitted.of_characters(log_probs)) for log_probs in group])
            for group in ([log_probs for log_probs, *_ in texts], unreadable)
        )
        both = np.concatenate([*[odds] * OFTEN, foreign])
        own = np.arange(len(both)) < OFTEN * len(odds)
        readable = _fit(both[:, None], own, (0.0, 1.0), prior=LOOSE) if len(foreign) else fitted.readable
        shares = np.array([right_share(truth, read) for _, truth, read in texts])
        text = _fit(odds[:, None], shares, start.text, factor=_sigmoid(readable, odds))
        return cls(fitted.characters, (readable[0], readable[1]), (text[0], text[1]))


def _sigmoid(weights: Sequence[float], odds: np.ndarray) -> np.ndarray:
    return expit(weights[0] + weights[1] * odds)


def _odds_of_mean(characters: np.ndarray) -> float:
    return float(np.clip(logit(characters.mean()), -MOST, MOST))


def _log_odds(log_probs: np.ndarray) -> np.ndarray:
    log_probs = np.minimum(log_probs.astype(np.float64), 0)
    with np.errstate(divide="ignore"):  # of a probability of 1, which is clipped
        return np.clip(log_probs - np.log(-np.expm1(log_probs)), -MOST, MOST)


def _fit(
    odds: np.ndarray, right: np.ndarray, start: tuple[float, ...], *, prior: float = PRIOR, factor: Any = 1.0
) -> list[float]:
    """Bias and weights of logistic regression of `right`, (N,) in [0, 1], on `odds`, float (N, inputs).

    What it predicts is multiplied by `factor`, in (0, 1], (N,) or one for all.
    """
    inputs = np.column_stack([np.ones(len(odds)), odds])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score, away = inputs @ weights, weights - start
        share = expit(score)
        wrong = np.maximum(1 - factor * share, 1e-12)  # never quite 0, though rounding says so
        value = -(right @ (np.log(factor) + log_expit(score)) + (1 - right) @ np.log(wrong)) + prior / 2 * away @ away
        slope = (1 - share) * (factor * share * (1 - right) / wrong - right)
        return value, inputs.T @ slope + prior * away

    return [round(float(weight), 6) for weight in minimize(loss, np.array(start), jac=True).x]
