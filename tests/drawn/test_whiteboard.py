"""The embedded sample's on-line handwriting as whoever reads the archive sees it."""

import numpy as np
import pytest
from pen_strokes import write_ondb

from textrec.base.charset import LINE_CHARACTERS
from textrec.datasets.strokes import clean, draw, read_lines
from textrec.drawn import whiteboard


@pytest.fixture(scope="module")
def members():
    return whiteboard.record_lines(1)


@pytest.fixture(scope="module")
def lines(members, tmp_path_factory):
    return list(read_lines(write_ondb(tmp_path_factory.mktemp("ondb") / "ondb.zip", members)))


def test_there_are_some_hundred_lines_of_known_characters(lines):
    assert len(lines) == len({line.id for line in lines}) == whiteboard.WRITERS * whiteboard.LINES
    assert len({line.text for line in lines}) > 0.95 * len(lines)
    for line in lines:
        assert not set(line.text) - set(LINE_CHARACTERS)
        assert clean(line.text) == line.text
        assert line.points.dtype == np.int16


def test_the_same_seed_gives_the_same_bytes(members):
    assert whiteboard.record_lines(1) == members
    assert whiteboard.record_lines(2) != members


def test_the_pen_is_lifted_between_letters_and_not_within_a_stroke(lines):
    for line in lines[::20]:
        letters = len(line.text.replace(" ", ""))
        assert 0.15 * letters < len(line.stroke_end) < 4 * letters
        steps = np.hypot(*np.diff(line.points.astype(float), axis=0).T)
        within = np.delete(steps, line.stroke_end[:-1] - 1)
        assert within.max() < 30  # of some 60 for a small letter


def test_lines_climb_and_are_drawn_level(lines):
    slopes = [np.polyfit(*line.points.T.astype(float), 1)[0] for line in lines]
    assert np.mean(slopes) < -0.01
    assert np.std(slopes) > 0.02
    for line in lines[::20]:
        image = draw(line, height=28, rng=np.random.default_rng(1)).astype(float)
        rows, columns = np.nonzero(image > 60)
        assert abs(np.polyfit(columns, rows, 1)[0]) < 0.02
        assert 3 < image.shape[1] / len(line.text) < 20
