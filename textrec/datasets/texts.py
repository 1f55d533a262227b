"""What drawn lines say: spans of a corpus, with what prose has little of mixed in."""

import string
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import Params
from textrec.base.records import SPLITS, read_records
from textrec.base.runtime import TextrecError
from textrec.drawn.prose import VOCABULARY

Share = Annotated[float, Field(ge=0, le=1)]

TENTHS = {0: "val", 1: "test"}  # of the corpus, by a hash of the paragraph; the rest trains


class TextParams(Params):
    """Lengths of lines in characters; shares of the words of the corpus that something else is put for, or made of."""

    min_length: PositiveInt
    max_length: PositiveInt
    numbers: Share
    dates: Share
    sums: Share
    names: Share
    capitals: Share  # words all in capitals
    brackets: Share
    quotes: Share
    codes: Share  # characters at random, so that none of the charset is never seen

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError("min_length must not be above max_length")
        if sum(getattr(self, kind) for kind in KINDS) > 1:
            raise ValueError(f"{', '.join(KINDS)} must be 1 at most in sum")
        return self


class Corpus(NamedTuple):
    """Running text of each split, words parted by single blanks; `words` of the file, and how many were `left_out`.

    charset: that of the dataset, without the characters that no truth has, as they become others.
    """

    text: dict[str, str]
    charset: Charset
    words: int
    left_out: int


def read_corpus(path: str | Path, truth: CharsetParams, charset: Charset) -> Corpus:
    """Read a text file (UTF-8), a sentence or a paragraph a line; the same line is in one split, however often it is.

    Text is brought to the charset as the truth of real pages is; words with characters outside it are left out.
    Raises TextrecError where the file is missing or not UTF-8, or a split would have no words.
    """
    known = set(charset.characters)
    kept: dict[str, list[str]] = {split: [] for split in SPLITS}
    count = 0
    for line in read_records(path):
        words = truth.written(line, charset).split()
        count += len(words)
        kept[TENTHS.get(zlib.crc32(line.strip().encode()) % 10, "train")] += filter(known.issuperset, words)
    if empty := [split for split in SPLITS if not kept[split]]:
        raise TextrecError(f"{path}: no words for {' and '.join(empty)}; use a longer text, a sentence a line")
    texts = {split: " ".join(words) for split, words in kept.items()}
    ever = Charset("".join(one for one in charset.characters if one.isspace() or truth.normalized(one) == one))
    return Corpus(texts, ever, count, count - sum(map(len, kept.values())))


def draw_line(text: str, params: TextParams, charset: Charset, rng: np.random.Generator) -> str:
    """A line of running text, some of its words replaced; it is cut at a blank and has no character outside `charset`.

    Within a few characters it is as long as drawn, at most `max_length` but for a single longer word.
    """
    mode = params.min_length + 0.6 * (params.max_length - params.min_length)
    length = params.max_length
    if params.min_length < params.max_length:
        length = round(rng.triangular(params.min_length, mode, params.max_length))
    start = text.rfind(" ", 0, int(rng.integers(len(text)))) + 1
    end = len(text) if start + length >= len(text) else text.rfind(" ", start, start + length + 1)
    words = (text[start:end] if end > start else text[start:].partition(" ")[0]).split(" ")
    names = list(KINDS)
    shares = np.cumsum([getattr(params, kind) for kind in names])
    kinds = np.searchsorted(shares, rng.random(len(words)), side="right")
    words = [
        _made(names[kind], word, charset, rng) if kind < len(names) else word
        for word, kind in zip(words, kinds.tolist(), strict=True)
    ]
    line = " ".join(words)
    if len(line) <= params.max_length:
        return line
    return line[: params.max_length + 1].rpartition(" ")[0] or words[0]


# ---- what prose has little of: forms of each kind, of which the charset may lack some ----

KINDS = {
    "numbers": "{n} {n:,} {n}.{s} {n},{s:02} {s}/{t} No.~{n} #{n} {s}% {m}-{n} {s}° §~{s} {n}. p.~{s}",
    "dates": "{d}~{month}~{y} {month}~{d},~{y} {d}/{i}/{t:02} {d}.{i}.{y} {y}-{i:02}-{d:02} {y} {d}.~{month:.3}.~{y} "
    "{day},~{d}~{month} {h}:{t:02}",
    "sums": "{m}~+~{n}~=~{sum} {m}+{n} {n}~*~{s} {n}~-~{m} {n}.{t:02} £{n}.{t:02} £{n}~{h}s.~{i}d. ${n:,} {n},{t:02}~€ "
    "€{n} {n}/-~&~{s}d.",
    "names": "{name} {surname} {place} {name}~{surname} {a}.~{surname} {a}.~{b}.~{surname} Mr.~{surname} "
    "{surname}~&~Co. {surname}-{name} {name}'s {a}.~{b}.",
    "capitals": "{upper}",
    "brackets": "({word}) [{word}] ({n}) {s})",
    "quotes": '"{word}" \'{word}\' “{word}” ‘{word}’ «{word}» "{word} {word}"',  # noqa: RUF001
    "codes": "{code}",
}


def _made(kind: str, word: str, charset: Charset, rng: np.random.Generator) -> str:
    """What a kind makes of a word; the word where the charset can say none of it."""
    letters = charset.characters.replace(" ", "").replace("\n", "")
    m, n = (int(rng.integers(10**digits)) for digits in rng.integers(1, 6, 2))  # of one to five digits, as many of each
    fields = {"m": m, "n": n, "sum": m + n, "word": word, "upper": word.upper()}
    limits = {"d": (1, 32), "i": (1, 13), "y": (1700, 2040), "h": (0, 24), "s": (1, 100), "t": (0, 60)}
    fields |= {key: int(rng.integers(*between)) for key, between in limits.items()}
    fields |= {key: _any(choices, rng) for key, choices in VOCABULARY.items()}
    fields |= {key: _any(string.ascii_uppercase, rng) for key in "ab"}
    fields["code"] = "".join(_any(letters, rng) for _ in range(rng.integers(2, 7)))
    forms = [form.replace("~", " ").format(**fields) for form in KINDS[kind].split(" ")]
    usable = [form for form in forms if not charset.unknown(form)]
    return _any(usable, rng) if usable else word


def _any(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
