"""Samples that nobody wrote: words of one writer side by side as new lines, such lines stacked as new paragraphs."""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from textrec.base.charset import Charset
from textrec.datasets.samples import Split
from textrec.network.batches import Batch, TextImages
from textrec.network.model import ModelConfig

LONGEST_SPAN = 4  # pieces; longer ones repeat the training text, shorter ones lose its language
MARGIN = 8  # most pixels kept before the first and behind the last word of a line; about a blank
NARROWEST_GAP = 2  # pixels between two words that are cut apart; narrower ones touch
KEPT = 1 << 14  # samples whose pieces are kept: all of a small dataset, and some 50 MiB of a large one
PAPER_STEP = 4  # of a sample's pixels, down and across, every so manieth is looked at to see how bright its paper is


class Span(NamedTuple):
    """The box [left, right) x [top, bottom) of a sample's image, and the text that it shows."""

    sample: int
    left: int
    right: int
    top: int
    bottom: int
    text: str


class Made(NamedTuple):
    """A new sample: `spans`, each with the x and y in pixels where it goes in an image of `height` x `width`."""

    spans: list[tuple[Span, int, int]]
    text: str
    height: int
    width: int


class _Line(NamedTuple):
    """A line of text in the split: its pieces from left to right, and the pixels down to where the next one begins.

    A piece is a word with half of the gap on either side, or several words where the gap between them is not known.
    """

    pieces: list[Span]
    advance: int


class Recombination:
    """The lines of a split cut into pieces, to be put together anew; cut when they are needed.

    Only `draw` looks at pixels.
    """

    def __init__(self, split: Split) -> None:
        self._split = split
        self._cut = functools.lru_cache(KEPT)(self._lines_of)
        self._paper = functools.lru_cache(KEPT)(self._paper_of)
        self._first = np.concatenate([[0], np.cumsum(np.maximum(split.line_count, 1))])  # line of each sample
        codes: dict[str, int] = {}
        writers = np.array([codes.setdefault(writer, len(codes)) for writer in split.writer], np.int32)
        self._writer = np.repeat(writers, np.diff(self._first))  # of each line
        self._by_writer = np.argsort(self._writer, kind="stable")  # lines
        self._of_writer = np.searchsorted(
            self._writer[self._by_writer], np.arange(len(codes) + 1)
        )  # first line of each

    def _lines_of(self, index: int) -> list[_Line]:
        """The lines of a sample."""
        split = self._split
        height, width = int(split.height[index]), int(split.width[index])
        texts, rows = split.text[index].split("\n"), split.line_ranges(index).tolist() or [(0, height)]
        if len(texts) != len(rows):
            raise ValueError(f"{split.source}: {split.id[index]}: {len(texts)} lines of text, {len(rows)} of pixels")
        ends = np.cumsum([len(text.split()) for text in texts])
        ranges = split.word_ranges(index) if split.word_count[index] else np.full((ends[-1], 2), -1)
        lines, advance = [], height
        for number, (text, (top, bottom)) in enumerate(zip(texts, rows, strict=True)):
            words = text.split()
            of_line = ranges[ends[number] - len(words) : ends[number]]
            if number + 1 < len(rows):
                advance = rows[number + 1][0] - top  # below the last line as below the one before
            lines.append(_Line(_pieces(index, words, of_line, width, top, bottom), advance))
        return lines

    def _paper_of(self, index: int) -> int:
        """How bright the ground of a sample is."""
        some = self._split.image(index)[::PAPER_STEP, ::PAPER_STEP].ravel()
        return int(np.partition(some, some.size // 2)[some.size // 2])  # np.median takes ten times as long

    def _line_at(self, number: int) -> _Line:
        """A line by its number among all of the split."""
        sample = int(np.searchsorted(self._first, number, side="right")) - 1
        return self._cut(sample)[number - self._first[sample]]

    def make(self, index: int, random: np.random.Generator) -> Made:
        """A new sample in place of sample `index`, of as many lines.

        A line: spans of pieces of any lines of its writer, about as wide. A paragraph: such lines by any writers.
        """
        own = range(self._first[index], self._first[index + 1])
        chosen = own if len(own) == 1 else random.integers(len(self._writer), size=len(own)).tolist()
        placed: list[tuple[Span, int, int]] = []
        texts, top, height, width = [], 0, 0, 0
        for number in chosen:
            line = self._line_at(number)
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
        return Made(placed, "\n".join(texts), height, width)

    def draw(self, made: Made) -> np.ndarray:
        """The image of a new sample: uint8 (height, width), white ink on black; where spans overlap all ink stays."""
        # One paper, that of the lightest span, or edges would show where a span is.
        paper = max(self._paper(span.sample) for span, _, _ in made.spans)
        canvas = np.full((made.height, made.width), paper, np.uint8)
        for span, x, y in made.spans:
            pixels = self._split.image(span.sample)[span.top : span.bottom, span.left : span.right]
            place = canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]]
            np.maximum(place, pixels, out=place)
        return canvas

    def _line(self, number: int, random: np.random.Generator) -> list[Span]:
        """Spans of pieces, in total about as wide as line `number`, from any lines of its writer."""
        pieces = self._line_at(number).pieces
        first, end = self._of_writer[self._writer[number] : self._writer[number] + 2]
        wanted = pieces[-1].right - pieces[0].left
        spans: list[Span] = []
        while wanted > 0:
            source = self._line_at(int(self._by_writer[random.integers(first, end)])).pieces
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


class TrainingImages(TextImages):
    """The samples of an epoch of training: each of the split as often as its `share` says, a part of them made anew.

    Where shares are no whole numbers chance decides, but for how many samples an epoch has. `recombine` of them are
    replaced by such as nobody wrote; one that would be larger than the model takes is not put together: the sample of
    the split stays in its place. What stands at an index is the same whenever it is asked for in the same epoch.
    """

    def __init__(self, split: Split, charset: Charset, config: ModelConfig, *, recombine: float, seed: int = 0) -> None:
        super().__init__(split, charset, config)
        self._config = config
        self._recombination = Recombination(split)
        self._recombine, self._seed = recombine, seed
        self._count = max(1, round(float(split.share.sum(dtype=float))))
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the samples of an epoch."""
        self._epoch = epoch
        self._made: dict[int, Made | None] = {}  # of the indices whose areas were asked for last
        random = np.random.default_rng((self._seed, epoch))
        order = random.permutation(len(self.split))
        until = np.cumsum(self.split.share[order], dtype=float)
        places = (random.random() + np.arange(self._count)) * (until[-1] / self._count)
        self._chosen = order[np.searchsorted(until, places, side="right").clip(max=len(order) - 1)]

    def __len__(self) -> int:
        return self._count

    def areas(self, indices: np.ndarray) -> np.ndarray:
        """How many pixels the images at `indices` have, both int64 (N,); they are read ahead from the file."""
        chosen = self._chosen[indices]
        self._made = {index: self._make(index) for index in indices.tolist()}
        areas, seen = super().areas(chosen), set()
        for place, made in enumerate(self._made.values()):
            if made:
                areas[place] = made.height * made.width
                seen.update(span.sample for span, _, _ in made.spans)
            else:
                seen.add(chosen[place])
        self.split.read_ahead(seen)
        return areas

    def __getitem__(self, indices: list[int]) -> Batch:
        """The batch of the samples at `indices` of the epoch."""
        chosen = self._chosen[indices].tolist()
        made = [self._made[index] if index in self._made else self._make(index) for index in indices]
        samples = [
            (self._recombination.draw(new), new.text) if new else (self.split.image(old), self.split.text[old])
            for new, old in zip(made, chosen, strict=True)
        ]
        return self._batch(samples, chosen)

    def _make(self, index: int) -> Made | None:
        """The new sample that stands at an index of the epoch, or None where it is one of the split."""
        random = np.random.default_rng((self._seed, self._epoch, index))
        if random.random() >= self._recombine:
            return None
        made = self._recombination.make(int(self._chosen[index]), random)
        return made if self._fits(made) else None

    def _fits(self, made: Made) -> bool:
        config = self._config
        sizes = (
            (made.height, config.max_height),
            (made.width, config.max_width),
            (len(made.text), config.max_length - 2),
        )
        return all(size <= most for size, most in sizes)
