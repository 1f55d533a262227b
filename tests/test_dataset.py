from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import CHARSET, config, sample

from textrec.charset import END, PAD, START, Charset
from textrec.dataset import WIDTH_STEP, Buckets, TextImages, loader
from textrec.recombination import Recombination
from textrec.records import SPLITS
from textrec.runtime import TextrecError
from textrec.samples import Split, read_split, write_samples


@pytest.fixture
def split(tmp_path: Path) -> Split:
    widths = np.random.default_rng(0).integers(20, 120, 50)
    samples = [sample(f"s-{i}", "ab c"[: 1 + i % 4], width=int(width), seed=i) for i, width in enumerate(widths)]
    rows = ((name, item) for name in SPLITS for item in samples)
    write_samples(tmp_path / "a.h5", rows, source="a", line_height=28, characters=CHARSET.characters)
    return read_split(tmp_path / "a.h5", "train")


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
    buckets = Buckets(TextImages(split, CHARSET, config()), 8, shuffle=shuffle, seed=1)
    buckets._images.area = buckets._images.area[:samples]
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


def brightness(text: str) -> list[int]:
    return [20 * (1 + "abcd".index(character)) for character in text.replace(" ", "")]


@pytest.fixture
def words(tmp_path: Path) -> Split:
    """Lines by two writers: a character is a block of 8 columns of its own brightness, a blank 4 dark ones, and half of
    a blank stands before and behind.
    """
    samples = []
    for index, text in enumerate(["ab c", "d ca", "a b c d", "bb dd", "ca", "abc d"]):
        item = sample(f"s-{index}", text, width=8 * len(brightness(text)) + 4 * len(text.split()))
        item.image[:] = 0
        ranges, x = [], 2
        for word in text.split():
            ranges.append((x, x + 8 * len(word)))
            for value in brightness(word):
                item.image[:12, x : x + 8] = value
                x += 8
            x += 4
        samples.append(replace(item, writer=f"w{index % 2}", words=tuple(ranges)))
    rows = ((name, item) for name in SPLITS for item in samples)
    write_samples(tmp_path / "w.h5", rows, source="w", line_height=28, characters=CHARSET.characters)
    return read_split(tmp_path / "w.h5", "train")


def test_recombined_lines_show_their_text_and_are_as_wide_as_the_sampler_thinks(words: Split) -> None:
    images = TextImages(words, CHARSET, config(), recombine=1.0, seed=1)
    seen = set()
    for epoch in range(20):
        images.set_epoch(epoch)
        batch = images[list(range(6))]
        assert batch.sizes.prod(1).tolist() == images.area.tolist()
        for image, size, tokens in zip(batch.images, batch.sizes, batch.tokens, strict=True):
            text = CHARSET.decode(tokens[1:].tolist())
            seen.add(text)
            row = image[0, 0, : size[1]].numpy()
            assert row[row > 0][::8].tolist() == brightness(text)
            assert len(row) == 8 * len(brightness(text)) + 4 * len(text.split())
    assert len(seen - set(words.text)) > 20


def test_a_recombined_line_is_by_one_writer(words: Split) -> None:
    recombination = Recombination(words)
    for index in range(6):
        made = [recombination.make(index, np.random.default_rng(seed)) for seed in range(20)]
        writers = {words.writer[span.sample] for new in made for span, _, _ in new.spans}
        assert writers == {words.writer[index]}


def test_words_whose_gap_is_not_known_stay_together(words: Split) -> None:
    ranges = words.words.copy()
    ranges[1] = -1  # "c" of "ab c"
    recombination = Recombination(replace(words, words=ranges))
    made = [recombination.make(0, np.random.default_rng(seed)) for seed in range(50)]
    assert {span.text for new in made for span, _, _ in new.spans if span.sample == 0} == {"ab c"}


def test_paragraphs_are_stacked_anew_from_recombined_lines_at_their_own_distance(tmp_path: Path) -> None:
    texts = ["ab c\nd", "b\nd ca", "a b\nc d"]
    samples = []
    for index, text in enumerate(texts):
        item = sample(f"s-{index}", text, width=40, height=56)
        item.image[:] = 10 * index  # the paper
        ranges = []
        for line, top in zip(text.split("\n"), (0, 26), strict=True):
            x = 2
            for word in line.split():
                ranges.append((x, x + 8 * len(word)))
                for value in brightness(word):
                    item.image[top + 4 : top + 20, x : x + 8] = value + 100
                    x += 8
                x += 4
        samples.append(replace(item, words=tuple(ranges), lines=((0, 28), (26, 56))))
    rows = ((name, item) for name in SPLITS for item in samples)
    write_samples(tmp_path / "p.h5", rows, source="p", line_height=28, characters=CHARSET.characters)
    split = read_split(tmp_path / "p.h5", "train")
    images = TextImages(split, CHARSET, config(), recombine=1.0, seed=1)
    seen = set()
    for epoch in range(20):
        images.set_epoch(epoch)
        batch = images[[0, 1, 2]]
        for image, size, tokens in zip(batch.images, batch.sizes, batch.tokens, strict=True):
            text = CHARSET.decode(tokens[1:].tolist())
            seen.add(text)
            assert text.count("\n") == 1
            height, width = size.tolist()
            assert height in {54, 56}
            ink = image[0, :height, :width].numpy()
            for line, row in zip(text.split("\n"), (10, 38), strict=True):
                values = ink[row][ink[row] > 100]
                assert (values[::8] - 100).tolist() == brightness(line)
            assert (ink >= ink[0, 0]).all()  # one paper
    assert len(seen) > 20


def test_recombination_is_anew_every_epoch_and_repeats_with_the_seed(words: Split) -> None:
    one, two = (TextImages(words, CHARSET, config(), recombine=0.5, seed=1) for _ in range(2))

    def texts(images: TextImages) -> list[list[int]]:
        return images[list(range(6))].tokens.tolist()

    assert texts(one) == texts(two)
    one.set_epoch(1)
    assert texts(one) != texts(two)
    two.set_epoch(1)
    assert texts(one) == texts(two)


@pytest.mark.parametrize(
    ("source", "message"),
    [("a", "a: no samples are left; metrics/"), ("ondb_lines", "ondb_lines: no samples .* put ondb_strokes.npz")],
)
def test_a_split_without_samples_is_refused(split: Split, source: str, message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        TextImages(replace(split, offset=split.offset[:0], source=source), CHARSET, config())


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
