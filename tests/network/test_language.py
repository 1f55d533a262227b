"""The language model of the joint search: probabilities, changes of a text, and its bytes."""

import itertools

import numpy as np
import pytest

from textrec.base.charset import END, PAD, START, Charset
from textrec.network.language import LanguageModel

CHARSET = Charset("abcdefghijklmnopqrstuvwxyz ")
TEXTS = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog"]


def encoded(*texts: str) -> np.ndarray:
    rows = [[*CHARSET.encode(text), END] for text in texts]
    return np.array([row + [PAD] * (max(map(len, rows)) - len(row)) for row in rows])


def model(*texts: str, order: int = 4) -> LanguageModel:
    return LanguageModel.fit(map(CHARSET.encode, texts), vocabulary=len(CHARSET), order=order)


def test_what_may_follow_has_a_probability_of_one_together() -> None:
    language = model(*TEXTS)
    for text in ("", "the", "the ca", "zz"):
        begun = CHARSET.encode(text)
        follow = np.array([[*begun, token] for token in range(len(CHARSET))])
        assert np.exp(language.log_probs(follow)[:, -1]).sum() == pytest.approx(1)


def test_a_single_character_is_likely_as_often_as_it_stood_there() -> None:
    language = model("aab", order=1)
    probs = np.exp(language.log_probs(encoded("ab")))[0]
    share = 0.75 * 3 / 4 / len(CHARSET)  # of three kinds, for all that might have been
    assert probs.tolist() == pytest.approx([(2 - 0.75) / 4 + share, (1 - 0.75) / 4 + share, (1 - 0.75) / 4 + share])


def test_what_was_seen_is_likelier_than_what_was_not() -> None:
    language = model(*TEXTS)
    seen, other, last = language.log_probs(encoded("the cat sat", "the cqt sat", "hte cat sat")).sum(axis=1)
    assert seen > other + 2
    assert seen > last + 2


@pytest.mark.parametrize("new", [None, "t", "x"])
def test_a_change_is_worth_what_it_does_to_the_whole_text(new: str | None) -> None:
    language, texts = model(*TEXTS), ["the cat", "a", ""]
    tokens = encoded(*texts)
    own = language.log_probs(tokens)
    inserted = [] if new is None else CHARSET.encode(new)
    for row, text in enumerate(texts):
        for start, stop in itertools.combinations_with_replacement(range(len(text) + 1), 2):
            where = (np.array([value]) for value in (row, start, stop))
            change = language.changes(tokens, own, *where, None if new is None else np.array(inserted))
            after = [*tokens[row, :start].tolist(), *inserted, *tokens[row, stop : len(text)].tolist(), END]
            expected = language.log_probs(np.array([after])).sum() - own[row, : len(text) + 1].sum()
            assert change.tolist() == pytest.approx([expected])


def test_what_two_have_counted_is_what_one_would_have() -> None:
    both = model(*TEXTS[:2], order=3) + model(*TEXTS[2:], order=3)
    together = model(*TEXTS, order=3)
    assert both.packed() == together.packed()


def test_other_tokens_for_the_same_characters() -> None:
    other = Charset("zyxwvutsrqponmlkjihgfedcba")  # without the blank
    tokens = np.full(len(CHARSET), -1)
    tokens[:4] = range(4)
    for character in other.characters:
        tokens[CHARSET.encode(character)] = other.encode(character)
    words = ["the", "cat", "sat"]
    found = model(*words, order=3).translated(tokens, len(other))
    expected = LanguageModel.fit(map(other.encode, words), vocabulary=len(other), order=3)
    assert found.packed() == expected.packed()
    dropped = model("a b", order=2).translated(tokens, len(other))
    assert np.exp(dropped.log_probs(np.array([other.encode("ab")])))[0, 1] < 0.2  # "a " and " b" are no runs any more


def test_its_bytes_hold_all_of_it() -> None:
    language = model(*TEXTS, order=6)
    again = LanguageModel.unpacked(language.packed())
    assert again.packed() == language.packed()
    assert (again.log_probs(encoded(*TEXTS)) == language.log_probs(encoded(*TEXTS))).all()
    for damaged in (b"", b"no", language.packed()[:40]):
        with pytest.raises(ValueError, match=r"\w"):
            LanguageModel.unpacked(damaged)


def test_without_texts_all_is_as_likely() -> None:
    language = model(order=3)
    assert np.ptp(language.log_probs(encoded("abc"))[0, :3]) == pytest.approx(0)
    assert LanguageModel.unpacked(language.packed()).order == language.order


def test_runs_are_as_long_as_fit_into_an_integer() -> None:
    language = LanguageModel.fit([[4, 5, 6] * 5], vocabulary=40_000, order=6)
    assert language.order == 4
    assert language.log_probs(np.array([[4, 5, 6, 4, 5]]))[0, -1] > np.log(0.5)
    assert START not in (4, 5, 6)
