"""Lines of text set from single glyphs, like type."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from textrec.base.params import Params
from textrec.base.records import SPLITS, Sample, read_records
from textrec.base.runtime import TextrecError
from textrec.datasets.emnist import GLYPH_SIZE, Glyphs

Share = Annotated[float, Field(ge=0, lt=1)]


class Count(Params):
    """Samples of each split."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt


class SynthLines(Params):
    """Section `synth_lines`."""

    count: Count
    max_length: Annotated[int, Field(ge=3)]
    """Tokens of a line at most, `<START>` and `<END>` included."""
    min_overlap: Share
    """Of a glyph's width, with the glyph before it; drawn once a line, uniformly up to `max_overlap`."""
    max_overlap: Share
    seed: NonNegativeInt

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_overlap > self.max_overlap:
            raise ValueError("min_overlap must not be above max_overlap")
        return self


def read_sentences(path: str | Path, characters: set[str], longest: int) -> list[str]:
    """Distinct sentences of a text file (UTF-8, one a line) in their order, as far as glyphs can set them.

    Characters outside `characters` are dropped (EMNIST has no punctuation: "don't" becomes "dont"), and so are words
    of more than `longest` characters. Raises TextrecError where no sentence for each split is left.
    """
    sentences = {}
    for line in read_records(path):
        words = ("".join(character for character in word if character in characters) for word in line.split())
        sentences[" ".join(word for word in words if 0 < len(word) <= longest)] = None
    sentences.pop("", None)
    if len(sentences) < len(SPLITS):
        raise TextrecError(
            f"{path}: {len(sentences)} distinct sentences with words of at most {longest} characters, at least "
            f"{len(SPLITS)} are needed, one for each split; use a longer text, one sentence a line"
        )
    return list(sentences)


def split_sentences(sentences: list[str], count: Count, seed: int) -> dict[str, list[str]]:
    """Part at least three sentences at random among the splits, in proportion to `count`, at least one for each."""
    order = _random(seed, "sentences").permutation(len(sentences))
    spare, total = len(sentences) - len(SPLITS), count.train + count.val + count.test
    val = 1 + spare * count.val // total
    test = val + 1 + spare * count.test // total
    parts = {"train": order[test:], "val": order[:val], "test": order[val:test]}
    return {split: [sentences[index] for index in parts[split]] for split in SPLITS}


def glyph_lines(
    glyphs: dict[str, Glyphs], sentences: dict[str, list[str]], params: SynthLines
) -> Iterator[tuple[str, Sample]]:
    """Yield (split, line) pairs, `params.count` of them, 28 pixels high and as wide as their glyphs.

    A line is a span of words of a random sentence of its split, set from glyphs of its split. Its writer is its own
    id: every line mixes the hands of EMNIST in its own way.
    """
    for split in SPLITS:
        for index in range(getattr(params.count, split)):
            line_id = f"{split}-{index:05d}"
            random = _random(params.seed, line_id)
            sentence = sentences[split][random.integers(len(sentences[split]))]
            text = _span(sentence, params.max_length - 2, random)
            overlap = random.uniform(params.min_overlap, params.max_overlap)
            image, words = set_line(text, glyphs[split], overlap, random)
            yield split, Sample(id=line_id, text=text, writer=line_id, image=image, words=words)


def _random(seed: int, name: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the name alone."""
    return np.random.Generator(np.random.PCG64([seed, *name.encode()]))


def _span(sentence: str, longest: int, random: np.random.Generator) -> str:
    """Consecutive words of `sentence`, `longest` characters at most; each of its words is no longer than that."""
    words = sentence.split()
    start = random.integers(len(words))
    ends = np.cumsum([len(word) + 1 for word in words[start:]]) - 1
    fitting = int(np.searchsorted(ends, longest, side="right"))
    return " ".join(words[start : start + random.integers(fitting) + 1])


def set_line(
    text: str, glyphs: Glyphs, overlap: float, random: np.random.Generator
) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """Image of `text`, uint8 (28, width), and the x-ranges [start, end) of its blank-separated words.

    Each character has one random glyph throughout the line; a space is an empty glyph. Neighbours share `overlap` (0
    up to, not including, 1) of their width, where their ink adds up to 255 at most.
    """
    chosen = {
        character: glyphs[character][random.integers(len(glyphs[character]))] for character in sorted(set(text) - {" "})
    }
    step = GLYPH_SIZE - int(overlap * GLYPH_SIZE)
    line = np.zeros((GLYPH_SIZE, step * (len(text) - 1) + GLYPH_SIZE), np.uint16)  # uint8 would wrap
    words = []
    start = 0
    for word in text.split(" "):
        for x, character in enumerate(word, start=start):
            line[:, x * step : x * step + GLYPH_SIZE] += chosen[character]
        words.append((start * step, (start + len(word) - 1) * step + GLYPH_SIZE))
        start += len(word) + 1
    return np.minimum(line, 255).astype(np.uint8), tuple(words)
