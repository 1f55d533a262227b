"""Training of the line finder: views of pages, and a run that goes on where it was broken off."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

from textrec.datasets.layouts import Layout, LayoutSplit, reduced, write_layouts
from textrec.training import finding
from textrec.training.finding import FinderParams, RandomViews, fit_finder, found_lines
from textrec.training.views import view

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*many workers", "ignore:.*is not empty")
torch.set_num_threads(1)


def page(seed: int) -> Layout:
    """Dark bars for lines on light paper."""
    random = np.random.default_rng(seed)
    image, lines = Image.new("L", (200, 240), 230), []
    draw = ImageDraw.Draw(image)
    for base in range(40, 230, 30):
        left, right = random.uniform(10, 40), random.uniform(120, 190)
        draw.rectangle((left, base - 12, right, base), fill=30)
        outline = np.array([(left, base - 16), (right, base - 16), (right, base + 5), (left, base + 5)])
        lines.append((outline, np.array([(left, base), (right, base)], float)))
    return reduced(f"page {seed}", "d", image, lines)


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[LayoutSplit, LayoutSplit]:
    path = tmp_path_factory.mktemp("layouts") / "l.h5"
    write_layouts(path, [*(("train", page(seed)) for seed in range(4)), *(("val", page(seed)) for seed in (8, 9))])
    return LayoutSplit(path, "train"), LayoutSplit(path, "val")


def params(**changes: Any) -> FinderParams:
    network = {"channels": [8, 12, 16], "dilations": [1, 2]}
    values = {"epochs": 2, "batch_size": 2, "size": 128, "lr": 0.01, "weight_decay": 0.01, "ema_decay": 0.5}
    return FinderParams(**{"network": network, "seed": 1} | values | changes)


def test_cores_lie_on_ink_whatever_becomes_of_the_page() -> None:
    upright = 0
    for seed in range(40):
        seen = view(page(0), page(1), np.random.default_rng(seed), size=256)
        assert seen.image.shape == (256, 256)
        assert seen.maps.core.shape == (128, 128)
        image = np.rot90(seen.image, seen.turned).reshape(128, 2, 128, 2).mean(axis=(1, 3))
        core = seen.maps.core > 0
        if core.sum() > 200:
            upright += 1
            near = ndimage.binary_dilation(core, iterations=12)
            assert image[core].mean() < np.percentile(image[near], 80)
            assert (seen.maps.above[core] > 0).all()
    assert upright > 30


def test_a_view_is_the_same_each_time_and_another_with_another_seed(splits: tuple[LayoutSplit, LayoutSplit]) -> None:
    batches = [next(iter(RandomViews(splits[0], params(seed=seed), epoch))) for seed, epoch in ((1, 0), (1, 0), (1, 1))]
    assert torch.equal(batches[0].images, batches[1].images)
    assert not torch.equal(batches[0].images, batches[2].images)


def test_bars_are_found_after_little_training(
    splits: tuple[LayoutSplit, LayoutSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "EPOCH", 60)
    finder = fit_finder(params(), *splits, folder=tmp_path)
    counts = found_lines(finder, splits[1])
    assert counts.true == 14
    assert min(counts.recall, counts.precision) > 0.5


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(
    splits: tuple[LayoutSplit, LayoutSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "EPOCH", 3)
    whole = fit_finder(params(), *splits, folder=tmp_path / "whole")

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(finding.FinderTraining, "on_train_epoch_start", lambda self: self.current_epoch and stop())
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit_finder(params(), *splits, folder=tmp_path / "parts")
    again = fit_finder(params(), *splits, folder=tmp_path / "parts")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
