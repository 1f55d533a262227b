import itertools

import numpy as np
import pytest
from repository import ROOT

from textrec.base.charset import LINE_CHARACTERS, Charset, CharsetParams
from textrec.base.params import load, validate
from textrec.base.records import SPLITS
from textrec.base.runtime import TextrecError
from textrec.datasets.texts import KINDS, TextParams, draw_line, read_corpus

CHARSET = Charset(LINE_CHARACTERS)
WIDE = Charset(LINE_CHARACTERS + "é“”«»‘’[]%£€§°=$")  # noqa: RUF001
TRUTH = load("charset", CharsetParams, ROOT / "params.yaml")
TEXT = " ".join(f"word{number} and" for number in range(400))


def parameters(**changes):
    values = {"min_length": 3, "max_length": 40} | dict.fromkeys(KINDS, 0.0)
    return validate(values | changes, TextParams, where="draw_lines.text")


def lines(count=200, *, text=TEXT, charset=CHARSET, **changes):
    rng = np.random.Generator(np.random.PCG64(1))
    return [draw_line(text, parameters(**changes), charset, rng) for _ in range(count)]


def test_lines_are_whole_words_of_the_text_in_their_order():
    found = lines()
    assert all(f" {line} " in f" {TEXT} " for line in found)
    lengths = [len(line) for line in found]
    assert min(lengths) < 10 < 30 < max(lengths) <= 40
    assert len(set(found)) > 150


def test_a_text_shorter_than_a_line_and_words_longer_than_one_are_whole():
    assert set(lines(text="Two words", min_length=40)) == {"Two words", "words"}
    assert set(lines(text="x" * 90 + " " + "y" * 90)) == {"x" * 90, "y" * 90}
    assert set(lines(min_length=5, max_length=5, text="a b c d e f")) <= {
        "a b c",
        "b c d",
        "c d e",
        "d e f",
        "e f",
        "f",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_prose_has_little_of_is_mixed_in_as_far_as_the_charset_goes(kind):
    for charset in (CHARSET, WIDE):
        mixed = lines(charset=charset, **{kind: 0.2})
        new = [word for line in mixed for word in line.split() if f" {word} " not in f" {TEXT} "]
        assert len(new) > 100
        assert not any(charset.unknown(line) for line in mixed)
        assert all(len(line) <= 40 for line in mixed)
    if kind == "codes":
        assert set("".join(new)) >= set("£€Xq0é")


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


def test_a_corpus_is_parted_by_its_lines_and_keeps_to_the_charset(tmp_path):
    path = write(tmp_path / "corpus.txt", "".join(f"Line  {n} of “café” – it’s e\u0301\n" * 2 for n in range(300)))  # noqa: RUF001
    corpus = read_corpus(path, TRUTH, CHARSET)
    numbers = {split: [word for word in corpus.text[split].split() if word.isdigit()] for split in SPLITS}
    assert sorted(itertools.chain(*numbers.values()), key=int) == [str(n) for n in range(300) for _ in range(2)]
    assert not set(numbers["train"]) & set(numbers["val"]) | set(numbers["train"]) & set(numbers["test"])
    assert len(numbers["train"]) > 6 * len(numbers["val"]) > 0
    assert set(corpus.text["val"].split()) - set(numbers["val"]) == {"Line", "of", "-", "it's"}
    assert (corpus.words, corpus.left_out) == (600 * 7, 600 * 2)
    wide = read_corpus(path, TRUTH, WIDE)
    assert '"café" - it\'s é' in wide.text["val"]
    assert wide.charset.characters == LINE_CHARACTERS + "é«»[]%£€§°=$"  # no truth has the quotes


def test_a_corpus_that_will_not_do_is_one_line(tmp_path):
    with pytest.raises(TextrecError, match=r"none.txt: not found; run `dvc repro`"):
        read_corpus(tmp_path / "none.txt", TRUTH, CHARSET)
    with pytest.raises(TextrecError, match=r"latin.txt: not UTF-8 text"):
        read_corpus(write(tmp_path / "latin.txt", "été\n" * 99, encoding="latin-1"), TRUTH, CHARSET)
    with pytest.raises(TextrecError, match=r"short.txt: no words for .*; use a longer text"):
        read_corpus(write(tmp_path / "short.txt", "one line\n"), TRUTH, CHARSET)


def test_impossible_parameters_are_refused():
    with pytest.raises(TextrecError, match=r"min_length must not be above max_length"):
        parameters(min_length=50)
    with pytest.raises(TextrecError, match=r"must be 1 at most in sum"):
        parameters(dates=0.6, codes=0.6)
