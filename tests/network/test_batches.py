from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import CHARSET, config, sample, split_of

from textrec.base.charset import END, PAD, START, Charset
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import Split
from textrec.network.batches import WIDTH_STEP, Buckets, TextImages, loader


@pytest.fixture
def split(tmp_path: Path) -> Split:
    widths = np.random.default_rng(0).integers(20, 120, 50)
    samples = [sample(f"s-{i}", "ab c"[: 1 + i % 4], width=int(width), seed=i) for i, width in enumerate(widths)]
    return split_of(tmp_path / "a.h5", samples)


def test_a_batch_holds_the_images_and_texts_padded(split: Split) -> None:
    batch = TextImages(split, CHARSET, config())[[3, 0]]
    assert batch.images.shape[:3] == (2, 1, 28)
    assert 0 <= batch.images.shape[3] - max(split.width[3], split.width[0]) < WIDTH_STEP
    for row, index in enumerate([3, 0]):
        width = split.width[index]
        assert batch.sizes[row].tolist() == [28, width]
        assert np.array_equal(batch.images[row, 0, :, :width], split.image(index))
        assert not batch.images[row, 0, :, width:].any()
    assert batch.tokens.tolist() == [[START, *CHARSET.encode("ab c"), END], [START, 4, END, PAD, PAD, PAD]]
    assert batch.indices.tolist() == [3, 0]


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sample_comes_once_an_epoch(split: Split, shuffle: bool) -> None:
    buckets = Buckets(TextImages(split, CHARSET, config()), 8, shuffle=shuffle, seed=1)
    batches = list(buckets)
    assert len(batches) == len(buckets) == 7
    assert sorted(index for batch in batches for index in batch) == list(range(50))


@pytest.mark.parametrize(("samples", "shuffle"), [(50, True), (50, False), (49, True), (49, False), (8, True)])
def test_processes_that_train_together_share_each_batch(
    split: Split, monkeypatch: pytest.MonkeyPatch, samples: int, shuffle: bool
) -> None:
    monkeypatch.setattr(Split, "__len__", lambda _: samples)
    buckets = Buckets(TextImages(split, CHARSET, config()), 8, shuffle=shuffle, seed=1)
    monkeypatch.setattr(Buckets, "POOL", 3)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        shares.append(list(buckets))
    assert len(shares[0]) == len(shares[1]) == -(-samples // 8)
    assert all(abs(len(one) - len(two)) <= 1 and one and two for one, two in zip(*shares, strict=True))
    assert sorted(index for share in shares for batch in share for index in batch) == list(range(samples))


def test_batches_are_shuffled_anew_every_epoch_and_repeat_with_the_seed(split: Split) -> None:
    one, two = (Buckets(TextImages(split, CHARSET, config()), 8, shuffle=True, seed=1) for _ in range(2))
    assert list(one) == list(two)
    one.set_epoch(1)
    assert list(one) != list(two)
    assert list(Buckets(TextImages(split, CHARSET, config()), 8, shuffle=True, seed=2)) != list(two)


def test_images_of_like_width_share_a_batch(split: Split) -> None:
    def padding(batches: list[list[int]]) -> int:
        return sum(int((split.width[batch].max() - split.width[batch]).sum()) for batch in batches)

    random = np.random.default_rng(0).permutation(50)
    buckets = Buckets(TextImages(split, CHARSET, config()), 8, shuffle=True)
    assert padding(list(buckets)) < 0.5 * padding([*map(list, np.array_split(random, 7))])


def test_the_loader_gives_batches(split: Split) -> None:
    batches = list(loader(TextImages(split, CHARSET, config()), 16, shuffle=True))
    assert [len(batch.images) for batch in batches].count(16) == 3
    assert all(batch.images.dtype == torch.uint8 for batch in batches)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a", "a: no samples are left; metrics/"),
        ("ondb_lines", "ondb_lines: no samples .* put ondb_strokes.npz"),
        ("mine: font_lines", "mine: font_lines: no samples .* name a folder of fonts"),
        ("iam_lines", "iam_lines: no samples .* put iamdb.zip"),
        ("synth_paragraphs", "synth_paragraphs: no samples .* put iamdb.zip"),
        ("emnist_lines", "emnist_lines: no samples .* put EMNIST's matlab.zip"),
    ],
)
def test_a_split_without_samples_is_refused(split: Split, source: str, message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        TextImages(replace(split, offset=split.offset[:0], source=source), CHARSET, config())


def test_a_label_longer_than_any_line_is_told_as_such(tmp_path: Path) -> None:
    split = split_of(tmp_path / "a.h5", [sample("s-0", "ab", width=60), sample("s-1", "a" * 2000, width=140)])
    message = "a: s-1: its label has 2,000 characters, more than can stand in its image of 140 x 28 pixels; look at the"
    with pytest.raises(TextrecError, match=message):
        TextImages(split, CHARSET, config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"max_length": 5},
            r"a: s-3 has 6 tokens of text, model.max_length is 5 \(12 of 50 .*set model.max_length to 6",
        ),
        ({"max_width": 60}, r"a: s-0 has \d+ pixels wide, model.max_width is 60 \(.*set model.max_width to 1\d\d"),
        ({"max_height": 27}, "28 pixels high, model.max_height is 27"),
    ],
)
def test_what_the_model_does_not_take_is_named(split: Split, changes: dict[str, object], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        TextImages(split, CHARSET, config(**changes))


def test_another_charset_is_refused(split: Split) -> None:
    with pytest.raises(TextrecError, match=r"its characters are .* the model's 'xyz'"):
        TextImages(split, Charset("xyz"), config())
