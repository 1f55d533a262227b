"""Where letters are too small for a line finder."""

import numpy as np
import pytest

from textrec.pages.fine_print import fine_print
from textrec.pages.ribbons import covered, outline_of

SHAPE = (400, 600)
PRINT = (40, 100, 60, 250)  # rows, columns


def letters(high: int, wide: int, place: tuple[int, int, int, int], step: int = 12) -> np.ndarray:
    """A page with blocks of ink in a part of it, `step` pixels from one to the next."""
    page = np.full(SHAPE, 230, np.uint8)
    top, bottom, left, right = place
    for row in range(top, bottom, step):
        for column in range(left, right, step):
            page[row : row + high, column : column + wide] = 40
    return page


def over(left: float, right: float, base: float, above: float) -> np.ndarray:
    return np.array([(x, base, above, above / 4) for x in (left, (left + right) / 2, right)])


def lines(*ribbons: np.ndarray) -> np.ndarray:
    return covered(SHAPE, *map(outline_of, ribbons))


@pytest.mark.parametrize(("high", "wide", "step"), [(6, 5, 12), (18, 10, 20)])
def test_many_small_letters_are_fine_print(high: int, wide: int, step: int) -> None:
    ((rows, columns),) = fine_print(letters(high, wide, PRINT, step), lines(over(50, 500, 300, 40)))
    assert (rows.start, rows.stop, columns.start, columns.stop) == pytest.approx(PRINT, abs=step)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(letters(6, 5, PRINT) + 170, id="as light as paper"),
        pytest.param(letters(24, 12, PRINT, step=30), id="large letters"),
        pytest.param(letters(6, 30, (40, 100, 20, 580), step=36), id="dashes"),
        pytest.param(letters(2, 2, PRINT), id="dust"),
        pytest.param(letters(6, 5, (40, 41, 60, 160)), id="few letters"),
        pytest.param(letters(6, 5, (20, 380, 20, 580), step=50), id="letters far from each other"),
        pytest.param(np.full(SHAPE, 230, np.uint8), id="paper"),
    ],
)
def test_else_there_is_none(page: np.ndarray) -> None:
    assert fine_print(page, lines()) == []


def test_what_is_in_lines_that_were_found_is_none() -> None:
    page = letters(6, 5, PRINT)
    every = [over(50, 260, base, 10) for base in range(46, 106, 12)]
    assert fine_print(page, lines(*every)) == []
    ((rows, _),) = fine_print(page, lines(every[0]))
    assert rows.start == pytest.approx(52, abs=6)
