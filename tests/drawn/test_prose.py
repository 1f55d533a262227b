import itertools
import string
from collections import Counter

import numpy as np
import pytest

from textrec.base.charset import LINE_CHARACTERS
from textrec.drawn.handwriting import plan
from textrec.drawn.prose import PATTERNS, VOCABULARY, broken_into_lines, sample_text, sentences, words_and_marks


def some(split, seed, count=300):
    return list(itertools.islice(sentences(split, np.random.Generator(np.random.PCG64(seed))), count))


def test_sample_text_is_varied_and_holds_the_whole_charset():
    assert len(sample_text()) >= 400
    assert len(set(sample_text())) == len(sample_text())
    assert set("".join(sample_text())) == set(LINE_CHARACTERS)


def test_grammar_stays_within_the_charset_and_fills_every_field():
    written = "".join(some("train", 1, 3000))
    assert set(written) <= set(LINE_CHARACTERS)
    assert len(PATTERNS) >= 20
    for capital in string.ascii_uppercase:
        assert any(name.startswith(capital) for key in ("name", "surname", "place") for name in VOCABULARY[key])


def test_what_is_tested_was_not_trained_on():
    own = {split: set(some(split, 1, 2000)) & set(sample_text()) for split in ("train", "val", "test")}
    assert set.union(*own.values()) == set(sample_text())
    assert sum(map(len, own.values())) == len(sample_text())
    pages = plan(200, 1)
    lines = {split: Counter(line for page in pages if page.split == split for line, _ in page.lines) for split in own}
    assert len(lines["train"]) > 0.95 * lines["train"].total()
    assert sum(lines["test"][line] for line in lines["train"]) < 0.02 * lines["test"].total()


def test_every_character_is_written_often_enough_to_be_learnt():
    written = Counter("".join(label for page in plan(200, 1) if page.split == "train" for label, _ in page.lines))
    assert min(written[character] for character in LINE_CHARACTERS) >= 50


def test_lines_break_at_blanks():
    text = " ".join(some("train", 1, 20))
    lines = broken_into_lines(text, 30)
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 30


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Well, he said.", ["Well", ",", "he", "said", "."]),
        ('"Is (that) so?"', ['"', "Is", "(", "that", ")", "so", "?", '"']),
        ("Tom's #34 & 3/4 * 2.", ["Tom's", "#", "34", "&", "3/4", "*", "2", "."]),
        ("- end -", ["-", "end", "-"]),
    ],
)
def test_marks_are_words_of_their_own(line, words):
    found = words_and_marks(line)
    assert [word for _, word in found] == words
    assert all(line[start:].startswith(word) for start, word in found)
