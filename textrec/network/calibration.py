"""From what the heads say of a text to the probability that it is right, by maps fitted to readings of known truth."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from textrec.base.edit_distance import right_share, right_tokens

# Log-odds beyond this tell nothing more: float32 cannot hold a probability that is closer to 1 than 6e-8.
MOST = 15.0
# How much the map is held to the one that leaves probabilities as they are: as by this many characters or texts.
PRIOR = 1.0


@dataclass(frozen=True)
class Calibration:
    """How far to trust one decoder (Platt 1999, of several inputs).

    characters: bias, then the weight of each head; a character is right with the probability
        sigmoid(bias + sum of weight * log-odds of the head's probability of it).
    text: bias and weight of the log-odds of the mean of these, over a text's characters and its end; it gives the share
        of the text that is right, 1 - CER or 0.
    """

    characters: tuple[float, ...]
    text: tuple[float, float]

    @classmethod
    def identity(cls, heads: int) -> Self:
        """A character's probability is the geometric mean of the heads' (of their odds), a text's the mean of these."""
        return cls((0.0, *[1 / heads] * heads), (0.0, 1.0))

    def of_characters(self, log_probs: np.ndarray) -> np.ndarray:
        """Probability float64 (...) of being right, from the heads' log-probabilities, float (..., heads)."""
        return expit(self.characters[0] + _log_odds(log_probs) @ np.array(self.characters[1:]))

    def of_text(self, mean: float) -> float:
        """Confidence in [0, 1] in a text, from the mean of the probabilities of its characters and its end."""
        bias, weight = self.text
        return float(expit(bias + weight * np.clip(logit(mean), -MOST, MOST)))

    @classmethod
    def fit(cls, texts: list[tuple[np.ndarray, str, str]]) -> Self:
        """Fit to texts: of each the heads' log-probabilities, float (length of what was read + 1, heads), its end among
        them; the truth; and what was read.
        """
        start = cls.identity(texts[0][0].shape[1])
        odds = _log_odds(np.concatenate([log_probs for log_probs, *_ in texts]))
        right = np.concatenate([right_tokens(truth, read) for _, truth, read in texts])
        bias, *weights = _fit(odds, right, start.characters)
        fitted = cls((bias, *weights), start.text)
        means = np.array([fitted.of_characters(log_probs).mean() for log_probs, *_ in texts])
        shares = np.array([right_share(truth, read) for _, truth, read in texts])
        bias, weight = _fit(np.clip(logit(means), -MOST, MOST)[:, None], shares, start.text)
        return cls(fitted.characters, (bias, weight))


def _log_odds(log_probs: np.ndarray) -> np.ndarray:
    log_probs = np.minimum(log_probs.astype(np.float64), 0)
    with np.errstate(divide="ignore"):  # of a probability of 1, which is clipped
        return np.clip(log_probs - np.log(-np.expm1(log_probs)), -MOST, MOST)


def _fit(odds: np.ndarray, right: np.ndarray, start: tuple[float, ...]) -> list[float]:
    """Bias and weights of logistic regression of `right`, (N,) in [0, 1], on `odds`, float (N, inputs)."""
    inputs = np.column_stack([np.ones(len(odds)), odds])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score, away = inputs @ weights, weights - start
        value = np.logaddexp(0, score).sum() - right @ score + PRIOR / 2 * away @ away
        return value, inputs.T @ (expit(score) - right) + PRIOR * away

    return [round(float(weight), 6) for weight in minimize(loss, np.array(start), jac=True).x]
