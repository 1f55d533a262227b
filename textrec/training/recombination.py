"""Samples that nobody wrote: words of one writer side by side as new lines, such lines stacked as new paragraphs."""

import itertools
from typing import NamedTuple

import numpy as np
from torch import Tensor

from textrec.base.charset import Charset
from textrec.datasets.samples import Split
from textrec.network.batches import TextImages
from textrec.network.model import ModelConfig

LONGEST_SPAN = 4  # pieces; longer ones repeat the training text, shorter ones lose its language
MARGIN = 8  # most pixels kept before the first and behind the last word of a line; about a blank
NARROWEST_GAP = 2  # pixels between two words that are cut apart; narrower ones touch


class Span(NamedTuple):
    """The box [left, right) x [top, bottom) of a sample's image, and the text that it shows."""

    sample: int
    left: int
    right: int
    top: int
    bottom: int
    text: str


class Made(NamedTuple):
    """A new sample: `spans`, each with the x and y in pixels where it goes in an image of `height` x `width`.

    `paper` is the brightness of its ground, that of the lightest span.
    """

    spans: list[tuple[Span, int, int]]
    text: str
    height: int
    width: int
    paper: int


class _Line(NamedTuple):
    """A line of text in the split: its pieces from left to right, and the pixels down to where the next one begins.

    A piece is a word with half of the gap on either side, or several words where the gap between them is not known.
    """

    pieces: list[Span]
    advance: int
    paper: int


class Recombination:
    """The lines of a split cut into pieces, to be put together anew."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._lines: list[_Line] = []
        self._lines_of: dict[str, list[int]] = {}  # writer -> lines
        self._own: list[list[int]] = []  # sample -> lines
        for index, sample in enumerate(split.samples()):
            height, width = sample.image.shape
            texts, rows = sample.text.split("\n"), sample.lines or ((0, height),)
            if len(texts) != len(rows):
                raise ValueError(f"{split.source}: {sample.id} has {len(texts)} lines of text, {len(rows)} of pixels")
            ranges = np.array(sample.words or [(-1, -1)] * len(sample.text.split()), int).reshape(-1, 2)
            ends = np.cumsum([len(text.split()) for text in texts])
            paper = int(np.median(sample.image))
            first, advance = len(self._lines), height
            for number, (text, (top, bottom)) in enumerate(zip(texts, rows, strict=True)):
                words = text.split()
                of_line = ranges[ends[number] - len(words) : ends[number]]
                if number + 1 < len(rows):
                    advance = rows[number + 1][0] - top  # below the last line as below the one before
                pieces = _pieces(index, words, of_line, width, top, bottom)
                self._lines.append(_Line(pieces, advance, paper))
            self._own.append([*range(first, len(self._lines))])
            self._lines_of.setdefault(sample.writer, []).extend(self._own[-1])

    def make(self, index: int, random: np.random.Generator) -> Made:
        """A new sample in place of sample `index`, of as many lines.

        A line: spans of pieces of any lines of its writer, about as wide. A paragraph: such lines by any writers.
        """
        own = self._own[index]
        chosen = own if len(own) == 1 else [int(line) for line in random.integers(len(self._lines), size=len(own))]
        placed: list[tuple[Span, int, int]] = []
        texts, top, height, width = [], 0, 0, 0
        for number in chosen:
            line = self._lines[number]
            spans = self._line(number, random)
            middle = top + max(span.bottom - span.top for span in spans) / 2
            x = 0
            for span in spans:
                y = max(0, int(middle - (span.bottom - span.top) / 2))
                placed.append((span, x, y))
                x += span.right - span.left
                height = max(height, y + span.bottom - span.top)
            texts.append(" ".join(span.text for span in spans))
            width = max(width, x)
            top += line.advance
        paper = max(self._lines[self._own[span.sample][0]].paper for span, _, _ in placed)
        return Made(placed, "\n".join(texts), height, width, paper)

    def draw(self, made: Made) -> np.ndarray:
        """The image of a new sample: uint8 (height, width), white ink on black; where spans overlap all ink stays."""
        # One paper, or its edges would show where a span is.
        canvas = np.full((made.height, made.width), made.paper, np.uint8)
        for span, x, y in made.spans:
            pixels = self._split.image(span.sample)[span.top : span.bottom, span.left : span.right]
            place = canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]]
            np.maximum(place, pixels, out=place)
        return canvas

    def _line(self, number: int, random: np.random.Generator) -> list[Span]:
        """Spans of pieces, in total about as wide as line `number`, from any lines of its writer."""
        pieces = self._lines[number].pieces
        lines = self._lines_of[self._split.writer[pieces[0].sample]]
        wanted = pieces[-1].right - pieces[0].left
        spans: list[Span] = []
        while wanted > 0:
            source = self._lines[lines[random.integers(len(lines))]].pieces
            start = int(random.integers(len(source)))
            drawn = source[start : start + int(random.integers(1, LONGEST_SPAN + 1))]
            span = drawn[0]._replace(right=drawn[-1].right, text=" ".join(piece.text for piece in drawn))
            width = span.right - span.left
            if spans and width > 2 * wanted:  # nearer to what is wanted without it
                break
            spans.append(span)
            wanted -= width
        return spans


def _pieces(sample: int, words: list[str], ranges: np.ndarray, width: int, top: int, bottom: int) -> list[Span]:
    """Cut a line in the middle of its known gaps."""
    left, right = ranges[:-1, 1], ranges[1:, 0]
    known = (ranges[:-1, 0] >= 0) & (right >= 0) & (right - left >= NARROWEST_GAP)
    breaks = [0, *(np.flatnonzero(known) + 1).tolist(), len(words)]
    first = max(0, ranges[0, 0] - MARGIN) if ranges[0, 0] >= 0 else 0
    last = min(width, ranges[-1, 1] + MARGIN) if ranges[-1, 1] >= 0 else width
    cuts = [int(first), *((left + right)[known] // 2).tolist(), int(last)]
    return [
        Span(sample, cuts[i], cuts[i + 1], top, bottom, " ".join(words[start:end]))
        for i, (start, end) in enumerate(itertools.pairwise(breaks))
    ]


class RecombinedImages(TextImages):
    """`TextImages` of which a share `recombine`, drawn anew for every epoch, is replaced by such samples.

    A sample that would be larger than the model takes is not put together: the one of the split stays in its place.
    """

    def __init__(self, split: Split, charset: Charset, config: ModelConfig, *, recombine: float, seed: int = 0) -> None:
        super().__init__(split, charset, config)
        self._config = config
        self._recombination = Recombination(split)
        self._recombine, self._seed = recombine, seed
        self._made: dict[int, Made] = {}  # what stands for which sample in this epoch
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the new samples of an epoch."""
        random = np.random.default_rng((self._seed, epoch))
        chosen = np.flatnonzero(random.random(len(self)) < self._recombine)
        made = {int(index): self._recombination.make(int(index), random) for index in chosen}
        self._made = {index: new for index, new in made.items() if self._fits(new)}
        self.area = self.split.height.astype(np.int64) * self.split.width
        self.area[list(self._made)] = [new.height * new.width for new in self._made.values()]

    def _fits(self, made: Made) -> bool:
        config = self._config
        sizes = (
            (made.height, config.max_height),
            (made.width, config.max_width),
            (len(made.text), config.max_length - 2),
        )
        return all(size <= most for size, most in sizes)

    def _image(self, index: int) -> np.ndarray:
        if index in self._made:
            return self._recombination.draw(self._made[index])
        return super()._image(index)

    def _text(self, index: int) -> Tensor:
        if index in self._made:
            return self._encoded(self._made[index].text)
        return super()._text(index)
