"""What a text is likely to say: a model of characters, by how often runs of them stood in the texts of training."""

import zlib
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from textrec.base.charset import END, PAD, START

DISCOUNT = 0.75  # of each count, for what did not occur (Ney, Essen, Kneser 1994, absolute discounting, interpolated)
RARE = 4  # from runs of this length on those that occurred once are left out
LARGEST = 2**62  # of a run packed into an integer


class LanguageModel:
    """Interpolated character n-grams over the tokens of a charset of `vocabulary` entries.

    runs: of each length from 1 on the runs of tokens that occurred, packed into int64 and sorted; counts: how often.
    """

    def __init__(self, vocabulary: int, runs: list[np.ndarray], counts: list[np.ndarray]) -> None:
        self.vocabulary, self._runs, self._counts = vocabulary, runs, counts
        self.order = len(runs)
        self._before = []  # of each length: what comes before the last token, how often, and by how many followed
        for run, count in zip(runs, counts, strict=True):
            before, first = np.unique(run // vocabulary, return_index=True)
            follow = np.diff(np.append(first, len(run)))
            self._before.append((before, np.add.reduceat(count, first) if len(first) else count, follow))

    @classmethod
    def fit(cls, texts: Iterable[list[int]], *, vocabulary: int, order: int) -> Self:
        """Count the runs of up to `order` tokens in texts, each with its `<END>`."""
        order = min(order, int(np.log(LARGEST) / np.log(vocabulary)))
        whole = [token for text in texts for token in (*[START] * (order - 1), *text, END)]
        tokens = np.array(whole, np.int64)
        counted = np.flatnonzero(tokens != START)
        runs, counts = [], []
        for length in range(1, order + 1):
            packed = np.zeros(len(counted), np.int64)
            for back in range(length - 1, -1, -1):
                packed = packed * vocabulary + tokens[counted - back]
            run, count = np.unique(packed, return_counts=True)
            kept = count > (length >= RARE)
            runs.append(run[kept])
            counts.append(count[kept])
        return cls(vocabulary, runs, counts)

    def log_probs(self, tokens: np.ndarray) -> np.ndarray:
        """Of each of tokens, int64 (N, T), after those before it in its row, all from `<START>` on: float64 (N, T)."""
        padded = np.pad(tokens, ((0, 0), (self.order - 1, 0)), constant_values=START)
        return self._after(np.lib.stride_tricks.sliding_window_view(padded, self.order, axis=1))

    def _after(self, windows: np.ndarray) -> np.ndarray:
        """Log-probabilities (...) of the last token of each of int64 (..., order), given the others."""
        found = np.full(windows.shape[:-1], 1 / self.vocabulary)
        for length in range(1, self.order + 1):
            packed = np.zeros(windows.shape[:-1], np.int64)
            for place in range(self.order - length, self.order):
                packed = packed * self.vocabulary + windows[..., place]
            before, often, follow = self._before[length - 1]
            known, place = _look_up(before, packed // self.vocabulary)
            if not known.any():
                break
            there, own = _look_up(self._runs[length - 1], packed)
            count = np.where(there, self._counts[length - 1][own], 0)
            mixed = (np.maximum(count - DISCOUNT, 0) + DISCOUNT * follow[place] * found) / often[place]
            found = np.where(known, mixed, found)
        return np.log(found)

    def changes(
        self, tokens: np.ndarray, own: np.ndarray, row: np.ndarray, start: np.ndarray, stop: np.ndarray, new: Any
    ) -> np.ndarray:
        """By how much the log-probability of texts changes with `new`, int64 (C,), or None, instead of those tokens.

        tokens: int64 (N, T), up to `<END>` and `<PAD>` from there on; own: float64 (N, T), what `log_probs` gives of
        them. row, start, stop: int64 (C,). Returns float64 (C,).
        """
        reach = self.order - 1
        padded = np.pad(tokens, ((0, 0), (reach, reach)), constant_values=((0, 0), (START, PAD)))
        before = padded[row[:, None], start[:, None] + np.arange(reach)]
        behind = padded[row[:, None], stop[:, None] + reach + np.arange(reach)]
        middle = [] if new is None else [new[:, None]]
        text = np.concatenate([before, *middle, behind], axis=1)
        scores = self._after(np.lib.stride_tricks.sliding_window_view(text, self.order, axis=1))
        summed = np.pad(np.cumsum(np.where(tokens == PAD, 0, own), axis=1), ((0, 0), (1, 0)))
        last = np.minimum(stop + reach, tokens.shape[1])
        return (scores * (text[:, reach:] != PAD)).sum(axis=1) - summed[row, last] + summed[row, start]

    def __add__(self, other: Self) -> Self:
        """What both have counted, of as long runs as both know; their charset must be the same."""
        runs, counts = [], []
        for length in range(min(self.order, other.order)):
            both = np.concatenate([self._runs[length], other._runs[length]])
            run, place = np.unique(both, return_inverse=True)
            runs.append(run)
            counts.append(np.zeros(len(run), np.int64))
            np.add.at(counts[-1], place, np.concatenate([self._counts[length], other._counts[length]]))
        return type(self)(self.vocabulary, runs, counts)

    def translated(self, tokens: np.ndarray, vocabulary: int) -> Self:
        """The same with other tokens: int64 (own vocabulary,), -1 where there is none; runs with such are left out."""
        runs, counts = [], []
        for length, (run, count) in enumerate(zip(self._runs, self._counts, strict=True), start=1):
            places = self.vocabulary ** np.arange(length - 1, -1, -1)
            new = tokens[run[:, None] // places % self.vocabulary]
            packed = (new * vocabulary ** np.arange(length - 1, -1, -1)).sum(axis=1)[(new >= 0).all(axis=1)]
            order = np.argsort(packed)
            runs.append(packed[order])
            counts.append(count[(new >= 0).all(axis=1)][order])
        return type(self)(vocabulary, runs, counts)

    def packed(self) -> bytes:
        """All of it in few bytes, for `unpacked`."""
        head = np.array([self.vocabulary, self.order, *map(len, self._runs)], "<i8").tobytes()
        parts = [
            part
            for run, count in zip(self._runs, self._counts, strict=True)
            for part in (np.diff(run, prepend=0), count)
        ]
        # Byte by byte, the lowest of all first: so zlib finds what repeats itself.
        return zlib.compress(
            head + b"".join(part.astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes() for part in parts), 9
        )

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """What `packed` gave; ValueError where it is something else."""
        try:
            data = np.frombuffer(zlib.decompress(content), np.uint8)
            vocabulary, order = data[:16].view("<i8").tolist()
            lengths = np.repeat(data[16 : 16 + 8 * order].view("<i8"), 2)
            planes = np.split(data[16 + 8 * order :], 8 * np.cumsum(lengths)[:-1])
            parts = [
                np.ascontiguousarray(plane.reshape(8, -1).T).view("<i8").ravel().astype(np.int64) for plane in planes
            ]
        except zlib.error as error:
            raise ValueError(error) from None
        return cls(vocabulary, [np.cumsum(part) for part in parts[::2]], parts[1::2])


def _look_up(table: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the wanted stand in a sorted table, and where, or somewhere."""
    if not len(table):
        return np.zeros(wanted.shape, bool), np.zeros(wanted.shape, np.int64)
    place = np.searchsorted(table, wanted).clip(max=len(table) - 1)
    return table[place] == wanted, place
