import numpy as np
import pytest

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.params import validate
from textrec.base.records import SPLITS
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import read_split, write_samples
from textrec.datasets.typesetting import Count, SynthLines, glyph_lines, read_sentences, set_line, split_sentences

GLYPHS = {
    split: {
        char: np.random.default_rng([index, ord(char)]).integers(0, 256, (5, 28, 28), np.uint8) for char in "abcdefgh"
    }
    for index, split in enumerate(SPLITS)
}
SENTENCES = {"train": ["abc abd ace", "bad cab dad"], "val": ["feed bead"], "test": ["head had a bad cafe"]}
VALUES = {
    "count": {"train": 30, "val": 5, "test": 5},
    "max_length": 12,
    "min_overlap": 0.0,
    "max_overlap": 0.33,
    "seed": 1,
}


def params(**changes):
    return validate(VALUES | changes, SynthLines, where="params.yaml: synth_lines")


def random(seed=0):
    return np.random.default_rng(seed)


def solid(value):
    return {char: np.full((1, 28, 28), value, np.uint8) for char in "abc"}


def test_a_line_is_as_wide_as_its_glyphs_take():
    image, words = set_line("ab c", solid(200), 0.0, random())
    assert image.shape == (28, 4 * 28)
    assert image.dtype == np.uint8
    assert words == ((0, 56), (84, 112))
    assert (image[:, 56:84] == 0).all()
    assert (np.delete(image, np.s_[56:84], axis=1) == 200).all()


def test_overlapping_ink_adds_up_and_saturates():
    image, words = set_line("ab", solid(200), 0.25, random())
    assert image.shape == (28, 49)
    assert words == ((0, 49),)
    assert (image[:, 21:28] == 255).all()
    assert (image[:, :21] == 200).all()
    faint, _ = set_line("ab", solid(100), 0.25, random())
    assert (faint[:, 21:28] == 200).all()


def test_a_character_has_one_glyph_in_a_line_and_others_elsewhere():
    images = [set_line("aa", GLYPHS["train"], 0.0, random(seed))[0] for seed in range(40)]
    assert all((image[:, :28] == image[:, 28:]).all() for image in images)
    assert len({image.tobytes() for image in images}) == 5


def test_lines_hold_words_and_glyphs_of_their_own_split_that_fit():
    lines = list(glyph_lines(GLYPHS, SENTENCES, params(min_overlap=0.0, max_overlap=0.0)))
    assert [split for split, _ in lines] == ["train"] * 30 + ["val"] * 5 + ["test"] * 5
    assert [line.id for _, line in lines[28:32]] == ["train-00028", "train-00029", "val-00000", "val-00001"]
    for split, line in lines:
        assert 0 < len(line.text) <= 10
        assert any(f" {line.text} " in f" {sentence} " for sentence in SENTENCES[split])
        assert len(line.words) == len(line.text.split())
        for x, char in enumerate(line.text):
            column = line.image[:, x * 28 : (x + 1) * 28]
            assert char == " " or (GLYPHS[split][char] == column).all(axis=(1, 2)).any()
    assert len({line.text for _, line in lines}) > 10


def test_a_line_depends_on_seed_and_id_alone():
    few = params(count={"train": 3, "val": 1, "test": 1})
    many = {line.id: line for _, line in glyph_lines(GLYPHS, SENTENCES, params())}
    for _, line in glyph_lines(GLYPHS, SENTENCES, few):
        assert line.text == many[line.id].text
        assert (line.image == many[line.id].image).all()
    other = [line.text for _, line in glyph_lines(GLYPHS, SENTENCES, params(seed=2))]
    assert other != [line.text for line in many.values()]


def test_overlap_lies_between_its_bounds():
    for _, line in glyph_lines(GLYPHS, SENTENCES, params(min_overlap=0.25, max_overlap=0.33)):
        steps = (line.image.shape[1] - 28) / max(1, len(line.text) - 1)
        assert len(line.text) == 1 or 28 - 0.33 * 28 <= steps <= 21


def test_lines_pass_through_the_sample_file(tmp_path):
    path = tmp_path / "lines.h5"
    lines = glyph_lines(GLYPHS, SENTENCES, params())
    write_samples(path, lines, source="emnist_lines", line_height=28, characters=LINE_CHARACTERS)
    assert len(read_split(path, "train")) == 30


def text_file(folder, text):
    path = folder / "corpus.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_sentences_lose_what_no_glyph_can_set(tmp_path):
    path = text_file(tmp_path, "bad, dad!\n\n  cab   feed \r\nbad dad\n...\nabcdefgh abc\né a\n")
    assert read_sentences(path, set("abcdefgh"), 7) == ["bad dad", "cab feed", "abc", "a"]


@pytest.mark.parametrize("text", ["", "\n\n", "bad\ndad\n", "bad\ndad\nbad\n", "xyz\nbad\ndad\n"])
def test_a_corpus_without_a_sentence_for_each_split_is_refused(tmp_path, text):
    with pytest.raises(TextrecError, match=r"corpus\.txt: \d distinct sentences .* at least 3 are needed"):
        read_sentences(text_file(tmp_path, text), set("abcd"), 7)


def test_a_corpus_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(TextrecError, match=r"corpus\.txt: not found"):
        read_sentences(tmp_path / "corpus.txt", set("abcd"), 7)
    with pytest.raises(TextrecError, match=r"corpus\.txt: not UTF-8"):
        read_sentences(text_file(tmp_path, b"caf\xe9\n"), set("abcd"), 7)


@pytest.mark.parametrize("count", [(10, 2, 2), (1, 1000, 1), (1, 1, 1000), (1000, 1, 1)])
@pytest.mark.parametrize("size", [3, 4, 5, 100])
def test_sentences_are_parted_without_overlap_or_loss(count, size):
    sentences = [f"sentence {number}" for number in range(size)]
    parts = split_sentences(sentences, Count(train=count[0], val=count[1], test=count[2]), seed=1)
    assert sorted(sentence for part in parts.values() for sentence in part) == sorted(sentences)
    assert all(parts[split] for split in SPLITS)
    if (count, size) == ((10, 2, 2), 100):
        assert [len(parts[split]) for split in SPLITS] == [72, 14, 14]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_overlap": 1.0}, "max_overlap is 1.0: input should be less than 1"),
        ({"min_overlap": 0.5}, "min_overlap must not be above max_overlap"),
        ({"max_length": 2}, "max_length is 2"),
        ({"count": {"train": 1, "val": 0, "test": 1}}, r"count\.val is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(TextrecError, match=message):
        params(**change)
