from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import CHARSET, config, sample, split_of

from textrec.datasets.samples import Split
from textrec.training.recombination import Recombination, TrainingImages


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
    return split_of(tmp_path / "w.h5", samples)


def test_recombined_lines_show_their_text_and_are_as_wide_as_the_sampler_thinks(words: Split) -> None:
    images = TrainingImages(words, CHARSET, config(), recombine=1.0, seed=1)
    seen = set()
    for epoch in range(20):
        images.set_epoch(epoch)
        batch = images[list(range(6))]
        assert batch.sizes.prod(1).tolist() == images.areas(np.arange(6)).tolist()
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
    split = split_of(tmp_path / "p.h5", samples)
    images = TrainingImages(split, CHARSET, config(), recombine=1.0, seed=1)
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
    one, two = (TrainingImages(words, CHARSET, config(), recombine=0.5, seed=1) for _ in range(2))

    def texts(images: TrainingImages) -> list[list[int]]:
        return images[list(range(6))].tokens.tolist()

    assert texts(one) == texts(two)
    one.set_epoch(1)
    assert texts(one) != texts(two)
    two.set_epoch(1)
    assert texts(one) == texts(two)


def test_shares_say_how_often_an_epoch_sees_a_sample(tmp_path: Path) -> None:
    shares = [0.25] * 8 + [1.0, 3.0, 2.5, 2.5]
    samples = [replace(sample(f"s-{i}", "ab", width=30 + i), share=share) for i, share in enumerate(shares)]
    split = split_of(tmp_path / "s.h5", samples)
    images = TrainingImages(split, CHARSET, config(), recombine=0.0)
    seen = []
    for epoch in range(20):
        images.set_epoch(epoch)
        batch = images[list(range(len(images)))]
        assert batch.sizes[:, 1].tolist() == (30 + batch.indices).tolist()
        counts = np.bincount(batch.indices, minlength=12)
        assert counts.sum() == len(images) == 11
        assert all(abs(count - share) < 1 for count, share in zip(counts, shares, strict=True))
        seen.append(counts)
    assert len({tuple(counts) for counts in seen}) > 10
    assert np.mean(seen, axis=0) == pytest.approx(shares, abs=0.35)


def test_a_sample_that_is_seen_several_times_is_made_anew_each_time(words: Split) -> None:
    images = TrainingImages(replace(words, share=words.share * 5), CHARSET, config(), recombine=1.0, seed=1)
    batch = images[list(range(30))]
    assert np.bincount(batch.indices).tolist() == [5] * 6
    of_first = {tuple(tokens) for tokens in batch.tokens[batch.indices == 0].tolist()}
    assert len(of_first) > 2


def test_what_stands_at_an_index_does_not_depend_on_what_was_asked_for_before(words: Split) -> None:
    one, two = (TrainingImages(words, CHARSET, config(), recombine=0.5, seed=1) for _ in range(2))
    one.areas(np.array([0, 2, 4]))
    for index in range(6):
        assert all((a == b).all() for a, b in zip(one[[index]], two[[index]], strict=True))
