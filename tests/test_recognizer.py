from pathlib import Path

import numpy as np
import pytest
import torch
from networks import CHARSET, recognizer

from textrec.recognizer import Recognizer
from textrec.runtime import TextrecError


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
    assert loaded.read(IMAGE) == recognizer().read(IMAGE)
    assert 0 < loaded.read(IMAGE).confidence < 1


def test_the_bytes_do_not_depend_on_the_place(checkpoint: Path, tmp_path: Path) -> None:
    recognizer().save(tmp_path / "elsewhere" / "other.ckpt")
    assert (tmp_path / "elsewhere" / "other.ckpt").read_bytes() == checkpoint.read_bytes()


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TextrecError, match=r"none.ckpt: not found; run `dvc repro`"):
        Recognizer.load(tmp_path / "none.ckpt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint(checkpoint: Path, content: bytes | None) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-3000] if content is None else content)
    with pytest.raises(TextrecError, match=r"model.ckpt: not a readable checkpoint"):
        Recognizer.load(checkpoint)


def rewrite(checkpoint: Path, **changes: object) -> None:
    torch.save(torch.load(checkpoint, weights_only=True) | changes, checkpoint)


def test_a_checkpoint_of_another_version(checkpoint: Path) -> None:
    rewrite(checkpoint, format=99)
    with pytest.raises(TextrecError, match="checkpoint format 99, this version reads 1"):
        Recognizer.load(checkpoint)


def test_a_checkpoint_with_weights_of_another_shape(checkpoint: Path) -> None:
    rewrite(checkpoint, characters="xyz")
    with pytest.raises(TextrecError, match="its weights do not fit its own parameters"):
        Recognizer.load(checkpoint)


def test_something_else_that_torch_saved(checkpoint: Path) -> None:
    torch.save({"weights": {}}, checkpoint)
    with pytest.raises(TextrecError, match="it does not say its format"):
        Recognizer.load(checkpoint)
    torch.save({"format": 1, "weights": {}}, checkpoint)
    with pytest.raises(TextrecError, match="it lacks characters, line_height, model"):
        Recognizer.load(checkpoint)
