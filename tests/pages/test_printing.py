import numpy as np
import pytest
from text_images import WORDS, text_image

from textrec.base.params import load
from textrec.datasets.drawing import DrawLines
from textrec.datasets.paper import crop
from textrec.datasets.pen_hands import pen_hands
from textrec.pages.cutting import Strip
from textrec.pages.printing import is_printed
from textrec.pages.text_area import prepare_line

SIZES = (18, 30, 60)


def printed(text: str, size: int) -> np.ndarray:
    return prepare_line(Strip(np.asarray(text_image([text], size=size, margin=size)), None), line_height=28).pixels


@pytest.mark.parametrize("size", SIZES)
def test_print_is_known(size: int) -> None:
    assert all(is_printed(printed(text, size)) is True for text in WORDS)  # JSON knows no numbers of numpy


@pytest.mark.parametrize("height", [28, 40])
def test_handwriting_is_not_taken_for_it(
    height: int, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pytestconfig.rootpath)
    paper = load("draw_lines", DrawLines).paper
    found = []
    for number in range(20):
        rng = np.random.default_rng(number)
        hand = pen_hands(1)("train", number, rng)
        found.append(is_printed(crop(hand.write(WORDS[number % len(WORDS)], rng), paper, height=height, rng=rng)[0]))
    assert sum(found) <= 1


def test_of_a_few_letters_nothing_is_said() -> None:
    assert not is_printed(printed("ab", 40))
    assert not is_printed(np.zeros((28, 28), np.uint8))
