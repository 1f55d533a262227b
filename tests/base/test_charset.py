import pytest

from textrec.base.charset import BLANK, END, LINE_CHARACTERS, PAD, PARAGRAPH_CHARACTERS, START, Charset
from textrec.base.runtime import TextrecError


def test_the_characters_are_those_of_the_lines_and_the_newline_of_paragraphs():
    assert len(LINE_CHARACTERS) == 10 + 26 + 26 + 17
    assert set(PARAGRAPH_CHARACTERS) - set(LINE_CHARACTERS) == {"\n"}
    assert (BLANK, START, END, PAD) == (0, 1, 2, 3)


@pytest.mark.parametrize("text", ["", "A", 'He said: "No!" (twice) & left; why?', PARAGRAPH_CHARACTERS])
def test_text_comes_back_from_its_tokens(text):
    charset = Charset(PARAGRAPH_CHARACTERS)
    tokens = charset.encode(text)
    assert len(tokens) == len(text)
    assert all(4 <= token < len(charset) for token in tokens)
    assert charset.decode(tokens) == text


def test_decoding_stops_at_the_end_and_leaves_specials_out():
    charset = Charset("ab")
    assert len(charset) == 6
    assert charset.encode("ba") == [5, 4]
    assert charset.decode([START, 5, BLANK, 4, PAD, END, 5, 5]) == "ba"


def test_unknown_characters_are_told_once_and_sorted():
    charset = Charset("ab ")
    assert charset.unknown("a zebra, a bar") == ",erz"
    assert charset.unknown("ab ba") == ""
    with pytest.raises(KeyError):
        charset.encode("abc")


def test_a_character_that_stands_twice_is_refused():
    with pytest.raises(TextrecError, match="charset 'aba' names a character twice"):
        Charset("aba")
