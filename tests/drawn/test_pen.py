import numpy as np
import pytest

from textrec.base.charset import LINE_CHARACTERS
from textrec.drawn.pen import HANDS, LINE_WIDTH, Ink, smooth_noise, stamp, writer


def generator(seed=1):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("index", range(len(HANDS)))
def test_every_hand_writes_every_character(index):
    ink = writer(index, seed=1).write(LINE_CHARACTERS, generator())
    drawn = set(ink.letter.tolist())
    assert drawn == {i for i, character in enumerate(LINE_CHARACTERS) if character != " "}
    assert np.isfinite(ink.points).all()
    assert (np.diff(ink.letter) >= 0).all()


def test_letters_differ_between_occurrences_and_not_between_runs():
    hand = writer(0, seed=1)
    ink = hand.write("ee", generator())
    first, second = (ink.points[ink.letter == letter] for letter in (0, 1))
    apart = (second - second.mean(axis=0)) - (first - first.mean(axis=0))
    assert 0.5 < np.abs(apart).max() < 30
    np.testing.assert_array_equal(ink.points, hand.write("ee", generator()).points)


def test_writers_differ():
    hands = [writer(index, seed=1) for index in range(24)]
    assert len({hand.size for hand in hands}) == len(hands)
    assert {(hand.small, hand.other) for hand in hands} == set(HANDS)


def test_a_line_of_the_stated_length_fits():
    text = "we had been told that it was quite near the old market hall"
    for index in range(16):
        hand = writer(index, seed=1)
        ink = hand.write(text[: hand.line_length], generator())
        assert 0.6 * LINE_WIDTH < ink.points[:, 0].max() < 1.25 * LINE_WIDTH


def test_noise_is_smooth_and_of_unit_deviation():
    noise = smooth_noise(generator(), 20_000, 2, 14)
    assert noise.shape == (20_000, 2)
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.08)
    assert np.abs(np.diff(noise, axis=0)).max() < 0.8
    assert smooth_noise(generator(), 0, 1, 5).shape == (0, 1)


def test_stamp_draws_discs_and_stays_on_the_page():
    page = np.zeros((40, 60), np.uint8)
    stamp(page, Ink(np.array([[0.0, 0.0]]), np.array([3.0]), np.array([0])), x=20.2, y=10.4)
    rows, columns = np.nonzero(page)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 13, 17, 23)
    assert page[10, 20] == 255
    assert page[7, 17] == 0
    stamp(page, Ink(np.array([[59.0, 39.0]]), np.array([3.0]), np.array([0])), x=0, y=0)
    assert page[39, 59] == 255


def test_stamp_ignores_the_last_bit():
    pages = np.zeros((2, 200, 400), np.uint8)
    ink = writer(3, seed=1).write("steady", generator())
    for page, factor in zip(pages, (1, 1 + 1e-13), strict=True):
        stamp(page, Ink(ink.points * factor, ink.radius * factor, ink.letter), x=10, y=120)
    assert pages[0].any()
    np.testing.assert_array_equal(pages[0], pages[1])
