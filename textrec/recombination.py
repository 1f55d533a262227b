"""Lines that nobody wrote: spans of words from lines of one writer, set side by side while training."""

import itertools
from typing import NamedTuple

import numpy as np

from textrec.samples import Split

LONGEST_SPAN = 4  # pieces; longer ones repeat the training text, shorter ones lose its language
NARROWEST_GAP = 2  # pixels between two words that are cut apart; narrower ones touch


class Span(NamedTuple):
    """Columns [start, end) of a sample's image, and the text that they show."""

    sample: int
    start: int
    end: int
    text: str


class Recombination:
    """The lines of a split cut into pieces, to be put together anew.

    A piece is a word with half of the gap on either side, or several words where the gap between them is not known.
    """

    def __init__(self, split: Split) -> None:
        self._split = split
        self._cuts: list[np.ndarray] = []  # per sample: the edges of its pieces in pixels
        self._texts: list[list[str]] = []  # per sample: what each piece says
        ends = np.cumsum(split.word_count)
        for index, (end, count) in enumerate(zip(ends, split.word_count, strict=True)):
            ranges, words = split.words[end - count : end], split.text[index].split(" ")
            left, right = ranges[:-1, 1], ranges[1:, 0]
            known = (ranges[:-1, 0] >= 0) & (right >= 0) & (right - left >= NARROWEST_GAP)
            breaks = [0, *(np.flatnonzero(known) + 1).tolist(), len(words)]
            self._texts.append([" ".join(words[a:b]) for a, b in itertools.pairwise(breaks)])
            self._cuts.append(np.concatenate([[0], (left + right)[known] // 2, [split.width[index]]]))
        writers, self._writer = np.unique(split.writer, return_inverse=True)
        self._lines_of = [np.flatnonzero(self._writer == writer) for writer in range(len(writers))]

    def line(self, index: int, random: np.random.Generator) -> list[Span]:
        """A new line by the writer of sample `index`, about as wide: spans of pieces of any lines of that writer."""
        lines = self._lines_of[self._writer[index]]
        spans: list[Span] = []
        wanted = int(self._split.width[index])
        while wanted > 0:
            sample = int(lines[random.integers(len(lines))])
            cuts, texts = self._cuts[sample], self._texts[sample]
            start = int(random.integers(len(texts)))
            end = min(len(texts), start + int(random.integers(1, LONGEST_SPAN + 1)))
            span = Span(sample, int(cuts[start]), int(cuts[end]), " ".join(texts[start:end]))
            width = span.end - span.start
            if spans and width > 2 * wanted:  # nearer to what is wanted without it
                break
            spans.append(span)
            wanted -= width
        return spans
