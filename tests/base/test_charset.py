import string

import pytest
from charsets import charset_params

from textrec.base.charset import (
    BLANK,
    END,
    LATIN_CHARACTERS,
    LINE_CHARACTERS,
    PAD,
    PARAGRAPH_CHARACTERS,
    START,
    Charset,
)
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
    with pytest.raises(TextrecError, match="charset 'aba' names 'a' twice"):
        Charset("aba")


# ---- the section ----


def test_latin_is_ascii_latin_1_letters_and_what_hands_and_print_need_beside_them():
    latin = set(LATIN_CHARACTERS)
    assert latin >= {*string.printable.strip(), " "}
    assert latin >= {character for character in map(chr, range(0xC0, 0x100)) if character.isalpha()}
    assert latin >= set("‘’“”„«»–—œŒŸ£€§°†")
    assert LATIN_CHARACTERS.startswith(LINE_CHARACTERS)
    assert not latin & set("×÷\n\xa0")


def test_the_charset_is_named_or_given_or_taken_from_the_data():
    texts = ["ab ab", "b é c", "é é é\n€"]
    assert charset_params(characters="iam").charset(texts).characters == LINE_CHARACTERS
    assert charset_params(characters="latin").charset(texts).characters == LATIN_CHARACTERS
    assert charset_params(characters="xyz ").charset(texts).characters == "xyz "
    assert charset_params(characters="data", min_count=1).charset(texts).characters == "abc é€"
    assert charset_params(characters="data", min_count=3).charset(texts).characters == "b é"
    assert charset_params(characters="data").fixed is None


def test_without_training_lines_the_data_have_iams_characters():
    params = charset_params(characters="data", min_count=3)
    assert params.charset(()).characters == LINE_CHARACTERS
    assert params.charset(["ab"]).characters == ""  # there are lines, but of rare characters alone


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("one\ttwo\n three\u00a0\u2009four ", "one two three four"),
        ("cafe\u0301", "caf\xe9"),
        ("\u200fab\u200bc\x07d\x00e\ufeff", "abcde"),
        ("‘a’ “b” — c–d ‑ e… ﬁn ﬄ", "'a' \"b\" - c-d - e... fin ffl"),
        ("M^r le 3^e >mot< effac\xe9 >< et ⟦ajout⟧ usu¬", "Mr le 3e mot effac\xe9 et ajout usu-"),
        ("\u200e \u00ad", ""),
        ("plain (text), 100 %: «so»", "plain (text), 100 %: «so»"),
    ],
)
def test_truth_is_normalised_by_the_table(written, text):
    params = charset_params()
    assert params.normalized(written) == text
    assert params.normalized(text) == text


def test_what_iam_has_stays_as_it_is():
    assert charset_params().normalized(f"a{LINE_CHARACTERS}a") == f"a{LINE_CHARACTERS}a"


def test_without_a_table_only_the_form_of_unicode_changes():
    assert charset_params(normalize={}).normalized(" e\u0301  ’ ") == "\xe9  ’"


def test_letters_outside_lose_their_marks_where_they_are_to_be_replaced():
    replace, skip = charset_params(on_unknown="replace"), charset_params(on_unknown="skip")
    ascii_only = Charset(LINE_CHARACTERS)
    assert replace.written("Déjà ½ ß", ascii_only) == "Deja ½ ß"
    assert replace.written("Déjà", Charset("Deéja ")) == "Déja"
    assert skip.written("Déjà", ascii_only) == "Déjà"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"characters": "abca "}, "charset 'abca ' names 'a' twice; leave each character in it once"),
        ({"characters": "Latin"}, "charset.characters is 'Latin'; it must be iam, latin or data, or the characters"),
        ({"characters": ""}, "charset.characters is ''; it must be iam"),
        ({"characters": "ab \n"}, "a blank and no newline among them"),
        ({"normalize": {"(a": "b"}}, r"charset.normalize: '\(a' to 'b': not a regular expression"),
        ({"normalize": {"a": r"\2"}}, r"charset.normalize: 'a' to '.*2': not a regular expression and its replacement"),
        ({"min_count": 0}, "params.yaml: charset.min_count is 0: input should be greater than 0"),
        ({"on_unknown": "drop"}, "charset.on_unknown is 'drop': input should be 'error', 'skip' or 'replace'"),
    ],
)
def test_a_charset_that_cannot_be_is_told_in_one_line(changes, message):
    with pytest.raises(TextrecError, match=message) as caught:
        charset_params(**changes)
    assert "\n" not in str(caught.value)
