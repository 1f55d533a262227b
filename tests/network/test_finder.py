"""The line finder: any size of page, and its file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from textrec.base.runtime import TextrecError
from textrec.network.finder import FinderConfig, LineFinder

CONFIG = FinderConfig(channels=[4, 6, 8], dilations=[1, 2])


@pytest.fixture
def finder() -> LineFinder:
    torch.manual_seed(0)
    return LineFinder(CONFIG).eval()


@pytest.mark.parametrize("shape", [(64, 48), (61, 35), (8, 200), (1, 1)])
def test_maps_are_half_as_large_as_the_page(finder: LineFinder, shape: tuple[int, int]) -> None:
    maps, turned = finder.find(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    assert {part.shape for part in maps} == {(-(-shape[0] // 2), -(-shape[1] // 2))}
    assert ((maps.core >= 0) & (maps.core <= 1)).all()
    assert (maps.above > 0).all()
    assert turned.shape == (4,)
    assert turned.sum() == pytest.approx(1, abs=1e-5)


def test_it_is_small_enough_for_the_box() -> None:
    finder = LineFinder(FinderConfig(channels=[16, 32, 64, 96], dilations=[1, 2, 4, 1]))
    assert sum(weight.numel() for weight in finder.parameters()) < 1_000_000


def test_what_is_saved_is_loaded(finder: LineFinder, tmp_path: Path) -> None:
    page = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    finder.save(tmp_path / "finder.ckpt")
    loaded = LineFinder.load(tmp_path / "finder.ckpt")
    loaded.save(tmp_path / "again.ckpt")
    assert not loaded.training
    assert (tmp_path / "again.ckpt").read_bytes() == (tmp_path / "finder.ckpt").read_bytes()
    assert loaded.find(page)[0].core == pytest.approx(finder.find(page)[0].core, abs=0.05)


def test_files_that_are_none(finder: LineFinder, tmp_path: Path) -> None:
    path = tmp_path / "finder.ckpt"
    with pytest.raises(TextrecError, match=r"finder.ckpt: not found; train it anew"):
        LineFinder.load(path)
    path.write_bytes(b"no")
    with pytest.raises(TextrecError, match=r"finder.ckpt: not a readable checkpoint"):
        LineFinder.load(path)
    torch.save({"format": 4}, path)
    with pytest.raises(TextrecError, match=r"finder.ckpt: no line finder of format 1"):
        LineFinder.load(path)
    finder.save(path)
    content = torch.load(path, weights_only=True)
    torch.save(content | {"config": content["config"] | {"channels": [4, 6, 9]}}, path)
    with pytest.raises(TextrecError, match=r"finder.ckpt: its weights do not fit its own parameters"):
        LineFinder.load(path)
