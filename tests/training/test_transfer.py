from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import config, recognizer

from textrec.base.charset import END, SPECIALS, START, Charset
from textrec.base.runtime import TextrecError
from textrec.network.language import LanguageModel
from textrec.reading.recognizer import Recognizer
from textrec.training.transfer import begin_language, begin_with

TOKENS = ("embedding.", "output.", "ctc_output.", "ctc_shortcut.")


def build(characters: str, *, line_height: int = 28, **changes: object) -> Recognizer:
    return Recognizer.build(config(**changes), Charset(characters), line_height=line_height)


@pytest.fixture
def lines(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A model of lines and its weights, as the file has them."""
    build("abcd ").save(tmp_path / "lines.ckpt")
    return tmp_path / "lines.ckpt", Recognizer.load(tmp_path / "lines.ckpt").model.state_dict()


def test_all_weights_of_a_like_model_are_taken(tmp_path: Path) -> None:
    one, two = recognizer(seed=1), recognizer(seed=2)
    one.save(tmp_path / "one.ckpt")
    said = begin_with(two, tmp_path / "one.ckpt")
    count = len(one.model.state_dict())
    assert said == f"train.init: {count} of {count} weights from {tmp_path / 'one.ckpt'}; begun anew: none"
    two.save(tmp_path / "two.ckpt")
    assert (tmp_path / "one.ckpt").read_bytes() == (tmp_path / "two.ckpt").read_bytes()


def test_what_a_model_knows_of_the_language_is_added_to_what_the_texts_say(tmp_path: Path) -> None:
    theirs, own = Charset("abcd "), Charset(" bade")
    source = LanguageModel.fit(map(theirs.encode, ["bad", "dad", "cab"]), vocabulary=len(theirs), order=3)
    replace(build("abcd "), language=source).save(tmp_path / "model.ckpt")
    language = LanguageModel.fit([own.encode("bead")], vocabulary=len(own), order=3)
    found = begin_language(language, own, tmp_path / "model.ckpt")
    texts = np.array([own.encode(text) for text in ("bad", "dab", "bea")])
    before, after = (np.exp(one.log_probs(texts).sum(axis=1)) for one in (language, found))
    assert after[0] > 2 * before[0]
    assert after[0] > after[1]
    build("abcd ").save(tmp_path / "none.ckpt")
    assert begin_language(language, own, tmp_path / "none.ckpt") is language


@pytest.mark.parametrize("characters", ["abcd \n", "\nabcd "])
def test_paragraphs_begin_with_the_tokens_of_lines(
    lines: tuple[Path, dict[str, torch.Tensor]], characters: str
) -> None:
    path, weights = lines
    made = build(characters)
    before = {name: weight.clone() for name, weight in made.model.state_dict().items()}
    assert "begun anew: none" in begin_with(made, path)
    newline = len(SPECIALS) + characters.index("\n")
    for name, weight in made.model.state_dict().items():
        if name.startswith(TOKENS):
            rows = [row for row in range(len(weight)) if row != newline]
            assert torch.equal(weight[rows], weights[name])
            begun = {"embedding.weight": START, "output.weight": END, "output.bias": END}.get(name)
            assert torch.equal(weight[newline], before[name][newline] if begun is None else weights[name][begun])
        elif name == "row_position":
            assert torch.equal(weight, weights[name][:1].expand_as(weight))
        else:
            assert torch.equal(weight, weights[name])


@pytest.mark.parametrize("characters", ["éa db", "dcba€ß", "bé ad"])
def test_a_model_of_another_charset_gives_the_characters_that_it_knows(
    lines: tuple[Path, dict[str, torch.Tensor]], characters: str
) -> None:
    path, weights = lines
    made = build(characters)
    before = {name: weight.clone() for name, weight in made.model.state_dict().items()}
    new = "".join(sorted(set(characters) - set("abcd ")))
    assert begin_with(made, path).endswith(f"begun anew: none; new characters: {new!r}")
    for name, weight in made.model.state_dict().items():
        if not name.startswith(TOKENS):
            assert torch.equal(weight, weights[name])
            continue
        assert torch.equal(weight[: len(SPECIALS)], weights[name][: len(SPECIALS)])
        for row, character in enumerate(characters, start=len(SPECIALS)):
            known = character in "abcd "
            expected = weights[name][len(SPECIALS) + "abcd ".index(character)] if known else before[name][row]
            assert torch.equal(weight[row], expected)


def test_lines_begin_with_the_tokens_of_paragraphs(tmp_path: Path) -> None:
    build("abcd \n").save(tmp_path / "p.ckpt")
    paragraphs, made = Recognizer.load(tmp_path / "p.ckpt"), build("abcd ")
    begin_with(made, tmp_path / "p.ckpt")
    assert torch.equal(made.model.output.weight, paragraphs.model.output.weight[:-1])


def test_what_does_not_fit_begins_anew_and_is_named(lines: tuple[Path, dict[str, torch.Tensor]]) -> None:
    path, weights = lines
    made = build("abcd ", tf_fc_dim=64, tf_layers=3)
    said = begin_with(made, path)
    layer = sum(name.startswith("layers.0.") for name in weights)
    assert said.endswith(f"begun anew: layers ({2 * 3 + layer})")
    assert torch.equal(made.model.output.weight, weights["output.weight"])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"characters": "xyz"}, r"train.init: .*lines.ckpt writes 'abcd ', none of what train.data has, 'xyz'; take"),
        (
            {"characters": "abcd ", "line_height": 32},
            r"lines.ckpt reads lines of 28 pixels, train.data has lines of 32",
        ),
    ],
)
def test_a_charset_without_a_common_character_or_another_line_height_is_refused(
    lines: tuple[Path, dict[str, torch.Tensor]], made: dict, message: str
) -> None:
    with pytest.raises(TextrecError, match=message):
        begin_with(build(**made), lines[0])
