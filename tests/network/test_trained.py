from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import CHARSET, line_recognizer, recognizer

from textrec.base.charset import END
from textrec.base.runtime import TextrecError
from textrec.network.decoding import greedy
from textrec.network.language import LanguageModel
from textrec.reading.recognizer import Recognizer


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    recognizer().save(tmp_path / "model.ckpt")
    return tmp_path / "model.ckpt"


IMAGE = np.random.default_rng(0).integers(0, 256, (28, 90), np.uint8)


def test_a_checkpoint_describes_itself(checkpoint: Path) -> None:
    loaded = Recognizer.load(checkpoint)
    assert loaded.charset == CHARSET
    assert loaded.model.line_height == 28
    assert loaded.model.config == recognizer().model.config
    (read,), (built,) = loaded.read_crops([IMAGE]), recognizer().read_crops([IMAGE])
    assert read.text == built.text
    assert read.characters == pytest.approx(built.characters, rel=0.01)  # float16
    assert 0 < loaded.read_crops([IMAGE])[0].confidence < 1


def test_the_bytes_do_not_depend_on_the_place(checkpoint: Path, tmp_path: Path) -> None:
    recognizer().save(tmp_path / "elsewhere" / "other.ckpt")
    assert (tmp_path / "elsewhere" / "other.ckpt").read_bytes() == checkpoint.read_bytes()


def test_a_checkpoint_has_the_language_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textrec.network.decoding.LANGUAGE_WEIGHT", 20.0)
    language = LanguageModel.fit([CHARSET.encode("a bad cab")], vocabulary=len(CHARSET), order=4)
    built = replace(both_heads(), language=language)
    built.save(tmp_path / "model.ckpt")
    loaded = Recognizer.load(tmp_path / "model.ckpt")
    assert loaded.language
    assert loaded.language.packed() == language.packed()
    assert loaded.read_batch(IMAGES, SIZES) != replace(loaded, language=None).read_batch(IMAGES, SIZES)
    rewrite(tmp_path / "model.ckpt", language=torch.zeros(9, dtype=torch.uint8))
    with pytest.raises(TextrecError, match=r"model.ckpt: its language model is damaged"):
        Recognizer.load(tmp_path / "model.ckpt")


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TextrecError, match=r"none.ckpt: not found; name a model .*`dvc repro`"):
        Recognizer.load(tmp_path / "none.ckpt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint(checkpoint: Path, content: bytes | None) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-3000] if content is None else content)
    with pytest.raises(TextrecError, match=r"model.ckpt: not a readable checkpoint"):
        Recognizer.load(checkpoint)


def test_one_other_byte_in_a_checkpoint_is_told_wherever_it_changes_the_model(checkpoint: Path) -> None:
    whole, weights, told = checkpoint.read_bytes(), Recognizer.load(checkpoint).model.state_dict(), 0
    for at in range(0, len(whole), len(whole) // 50):
        checkpoint.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            found = Recognizer.load(checkpoint).model.state_dict()
        except TextrecError as error:
            assert "model.ckpt: not a readable checkpoint (" in str(error)  # noqa: PT017
            assert "remove it and run `dvc checkout` or `dvc repro`, or get it again" in str(error)  # noqa: PT017
            told += 1
        else:
            assert all(torch.equal(weights[name], found[name]) for name in weights)
    assert told > 25  # the others are between the parts


def rewrite(checkpoint: Path, **changes: object) -> None:
    torch.save(torch.load(checkpoint, weights_only=True) | changes, checkpoint)


def test_a_checkpoint_of_another_version(checkpoint: Path) -> None:
    rewrite(checkpoint, format=99)
    with pytest.raises(TextrecError, match="checkpoint format 99, this version reads 6"):
        Recognizer.load(checkpoint)


def test_a_checkpoint_of_the_version_before_is_read_where_it_reads_lines(tmp_path: Path) -> None:
    lines, path = line_recognizer(), tmp_path / "model.ckpt"
    lines.save(path)
    now = Recognizer.load(path)
    rewrite(path, format=4)
    before = Recognizer.load(path)
    assert before.read_crops([IMAGE]) == now.read_crops([IMAGE])
    weights = torch.load(path, weights_only=True)["weights"]
    for more in ({}, {"line_position": torch.zeros(2, 8)}):
        rewrite(path, format=5, weights=weights | more)
        assert Recognizer.load(path).read_crops([IMAGE]) == now.read_crops([IMAGE])
    before.save(tmp_path / "again.ckpt")
    assert Recognizer.load(tmp_path / "again.ckpt").read_crops([IMAGE]) == now.read_crops([IMAGE])
    rewrite(path, characters=CHARSET.characters)
    with pytest.raises(TextrecError, match="checkpoint format 5, this version reads 6; train it anew"):
        Recognizer.load(path)


def test_a_checkpoint_with_weights_of_another_shape(checkpoint: Path) -> None:
    rewrite(checkpoint, characters="xyz")
    with pytest.raises(TextrecError, match="its weights do not fit its own parameters"):
        Recognizer.load(checkpoint)


def test_something_else_that_torch_saved(checkpoint: Path) -> None:
    torch.save({"weights": {}}, checkpoint)
    with pytest.raises(TextrecError, match="it does not say its format"):
        Recognizer.load(checkpoint)
    torch.save({"format": 6, "weights": {}}, checkpoint)
    with pytest.raises(TextrecError, match="it lacks calibration, characters, line_height, model"):
        Recognizer.load(checkpoint)


def both_heads(**changes: object) -> Recognizer:
    """An untrained recogniser whose heads write different texts."""
    built = recognizer(**changes)
    for layer in (built.model.encoder_output, built.model.output):
        torch.nn.init.normal_(layer.weight, std=1.0)
    with torch.no_grad():
        built.model.output.bias[[0, 1, 3]] = -1e4  # only a trained decoder would know not to write these
    return built


SIZES = torch.tensor([[28, 90], [28, 33], [56, 120]])
IMAGES = torch.randint(0, 256, (3, 1, 56, 120), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_each_head_reads_by_itself_and_both_together() -> None:
    built = both_heads()
    decoders = built.decoders()
    readings = {name: decode(built.encode(IMAGES, SIZES)) for name, decode in decoders.items()}
    assert list(readings) == ["ar", "ctc", "joint"]
    assert len({tuple(reading.text for reading in read) for read in readings.values()}) == 3
    assert all(0 < reading.confidence < 1 for read in readings.values() for reading in read)


def test_images_are_read_by_both_heads_where_there_are_two() -> None:
    built = both_heads()
    decoders = built.decoders()
    assert built.read_batch(IMAGES, SIZES) == decoders["joint"](built.encode(IMAGES, SIZES))
    assert built.read_batch(IMAGES, SIZES, greedy=True) == decoders["ctc"](built.encode(IMAGES, SIZES))
    assert built.read_batch(IMAGES, SIZES) != built.decoders(0.1)["joint"](built.encode(IMAGES, SIZES))


def test_without_a_ctc_head_an_image_is_read_by_the_decoder() -> None:
    built = both_heads(ctc_weight=0.0)
    decoders = built.decoders()
    assert list(decoders) == ["ar"]
    expected = decoders["ar"](built.encode(IMAGES, SIZES))
    assert built.read_batch(IMAGES, SIZES) == built.read_batch(IMAGES, SIZES, greedy=True) == expected


def test_confidence_is_a_mean_for_each_character_and_the_end() -> None:
    built = both_heads()
    tokens, scores = greedy(built.model, built.encode(IMAGES, SIZES))
    reading = built.decoders()["ar"](built.encode(IMAGES, SIZES))[0]
    assert END in tokens[0]
    assert reading.confidence == pytest.approx(float(scores[0, : len(reading.text) + 1].exp().mean()), rel=1e-4)
    assert reading.characters == pytest.approx(scores[0, : len(reading.text)].exp().tolist(), rel=1e-4)
