"""Lines that nobody wrote, drawn in as many hands as asked: who writes which text, and the sample that comes of it."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from textrec.base.charset import Charset
from textrec.base.params import Params
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import Place, parallel_map
from textrec.datasets.paper import PaperParams, Writing, crop
from textrec.datasets.samples import write_samples
from textrec.datasets.texts import Corpus, TextParams, draw_line

BATCH = 20  # lines that a worker gets at once
TRIES = 20  # lines of which one is to be writable in a font that lacks some characters


class DrawLines(Params):
    """Section `draw_lines`: what lines say and what they are written on, whatever the hands."""

    text: TextParams
    paper: PaperParams


class Lines(Params):
    """How many lines each split has; each hand writes `hand` of them."""

    train: NonNegativeInt
    val: NonNegativeInt
    test: NonNegativeInt
    hand: PositiveInt


class Hand(Protocol):
    """Somebody who writes."""

    @property
    def capitals(self) -> bool:
        """Whether in capitals alone."""
        ...

    def writes(self, word: str) -> bool:
        """Whether it can write a word."""
        ...

    def write(self, text: str, rng: np.random.Generator) -> Writing:
        """Write a line of words parted by single blanks; each call draws every letter anew."""
        ...


HandMaker = Callable[[str, int, np.random.Generator], Hand]  # the n-th hand of a split


class Batch(NamedTuple):
    """Lines of one hand, by id and text."""

    split: str
    writer: str
    hand: Hand
    lines: list[tuple[str, str]]


def write_lines(
    path: str | Path,
    count: Lines,
    hand: HandMaker | None,
    params: DrawLines,
    *,
    corpus: Corpus,
    charset: Charset,
    height: int,
    seed: int,
    place: Place,
    workers: int | None = None,
) -> dict[str, Any]:
    """Draw lines, on all cores, and write them to a sample file of `height` pixels a line; a report of what is in it.

    hand: None where there is nobody to write; the file then has no samples.
    A line depends on `seed`, its id and its hand alone, not on how many there are. Memory holds a few at a time.
    """
    source = Path(path).stem
    report = {"lines": dict.fromkeys(SPLITS, 0), "hands": dict.fromkeys(SPLITS, 0), "without_text": 0}
    batches = _planned(count, hand, params.text, corpus, source, seed, report) if hand else ()
    work = partial(_drawn, paper=params.paper, height=height, seed=seed)
    total = sum(_batches(getattr(count, split), count.hand) for split in SPLITS) if hand else 0
    unit = f"{BATCH} lines"
    drawn = parallel_map(work, batches, total=total, description="draw", unit=unit, workers=workers, place=place)
    samples = itertools.chain.from_iterable(drawn)
    write_samples(path, samples, source=source, line_height=height, characters=charset.characters, may_be_empty=SPLITS)
    words = {"words": corpus.words, "left_out": corpus.left_out}
    return {**report, "corpus": words}


def _batches(lines: int, of_hand: int) -> int:
    """How many batches so many lines are, where a hand writes `of_hand` of them."""
    whole, rest = divmod(lines, of_hand)
    return whole * -(-of_hand // BATCH) + -(-rest // BATCH)


def _planned(
    count: Lines,
    hand: HandMaker,
    params: TextParams,
    corpus: Corpus,
    source: str,
    seed: int,
    report: dict[str, Any],
) -> Iterator[Batch]:
    """Yield the lines of all splits, hand by hand, and fill `report`."""
    for split in SPLITS:
        total = getattr(count, split)
        for number, first in enumerate(range(0, total, count.hand)):
            writer = f"{source}-{split}-{number:05d}"
            person = hand(split, number, _random(seed, writer))
            report["hands"][split] += 1
            last = min(first + count.hand, total)
            for start in range(first, last, BATCH):
                ids = [f"{source}-{split}-{index:07d}" for index in range(start, min(start + BATCH, last))]
                texts = [_text(person, corpus, split, params, _random(seed, f"text {id_}")) for id_ in ids]
                report["without_text"] += texts.count("")
                report["lines"][split] += len(texts) - texts.count("")
                yield Batch(split, writer, person, [pair for pair in zip(ids, texts, strict=True) if pair[1]])


def _text(hand: Hand, corpus: Corpus, split: str, params: TextParams, rng: np.random.Generator) -> str:
    """The first line of TRIES that a hand can write; else what it can write of the last, which may be nothing."""
    words = []
    for _ in range(TRIES):
        line = draw_line(corpus.text[split], params, corpus.charset, rng)
        words = (line.upper() if hand.capitals else line).split(" ")
        if all(map(hand.writes, words)):
            break
    return " ".join(filter(hand.writes, words))


def _drawn(batch: Batch, *, paper: PaperParams, height: int, seed: int) -> list[tuple[str, Sample]]:
    """(split, sample) pairs."""
    samples = []
    for id_, text in batch.lines:
        rng = _random(seed, id_)
        image, words = crop(batch.hand.write(text, rng), paper, height=height, rng=rng)
        samples.append((batch.split, Sample(id_, text, batch.writer, image, words, listed=False)))
    return samples


def _random(seed: int, name: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the name alone."""
    return np.random.Generator(np.random.PCG64([seed, *name.encode()]))
