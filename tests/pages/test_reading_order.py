"""The order in which lines are read: columns, headings, margins, pieces of one line, and skewed pages."""

import numpy as np
import pytest

from textrec.pages.reading_order import reading_order


def line(left: float, right: float, base: float, height: float = 14.0) -> np.ndarray:
    x = np.linspace(left, right, 10)
    return np.column_stack([x, np.full(10, base), np.full(10, height), np.full(10, height / 3)])


def column(left: float, right: float, first: float, count: int) -> list[np.ndarray]:
    return [line(left, right, first + 25 * number) for number in range(count)]


HEADING = [line(100, 500, 40)]
LEFT, RIGHT = column(50, 280, 100, 5), column(320, 550, 105, 5)
NOTES = [line(10, 90, 130, 8), line(10, 90, 142, 8)]
MAIN = column(120, 560, 100, 8)
PAGES = {
    "one column": [column(50, 550, 60, 6)],
    "two columns": [LEFT, RIGHT],
    "a heading over two columns": [HEADING, LEFT, RIGHT],
    "two columns and what is below": [LEFT, RIGHT, [line(60, 540, 300)], [line(60, 300, 325)]],
    "handwriting below a letterhead": [
        [line(50, 180, 40, 6), line(50, 180, 52, 6), line(50, 180, 64, 6), line(50, 180, 76, 6)],
        [line(400, 550, 42, 6), line(400, 550, 54, 6), line(400, 550, 66, 6), line(400, 550, 78, 6)],
        [line(300, 550, 110, 20), line(50, 280, 150, 20), line(60, 550, 190, 20), line(50, 540, 230, 20)],
    ],
    "a title between columns of small print": [
        [line(50, 150, 30 + 12 * number, 6) for number in range(6)],
        [line(200, 380, 40, 16), line(220, 360, 80, 16)],
        [line(420, 550, 31 + 12 * number, 6) for number in range(6)],
        [line(50, 540, 150, 20), line(50, 550, 190, 20)],
    ],
    "notes in a margin": [NOTES, MAIN],
    "a number at the top right": [[line(500, 550, 40)], MAIN],
    "pieces of one line": [[line(50, 200, 100), line(230, 400, 103), line(430, 550, 98)], column(50, 550, 130, 3)],
    "columns that nearly touch": [column(50, 310, 100, 5), column(300, 550, 105, 5)],
    "an insertion between two lines": [[line(50, 550, 100), line(200, 300, 114, 8), line(50, 550, 130)]],
}


def turned(ribbon: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    x, y, above, below = ribbon.T
    return np.column_stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), above, below])


@pytest.mark.parametrize("degrees", [0, 6, -10])
@pytest.mark.parametrize("page", PAGES)
def test_lines_are_read_as_people_read_them(page: str, degrees: float) -> None:
    lines = [turned(one, degrees) for part in PAGES[page] for one in part]
    shuffled = np.random.default_rng(3).permutation(len(lines))
    order = [shuffled[index] for block in reading_order([lines[index] for index in shuffled]) for index in block]
    assert order == list(range(len(lines)))


def test_blocks_end_at_a_gap_and_at_a_new_column() -> None:
    lines = [*column(50, 550, 60, 4), *column(50, 550, 260, 3)]
    assert reading_order(lines) == [[0, 1, 2, 3], [4, 5, 6]]
    assert reading_order([*LEFT, *RIGHT]) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_page_without_lines() -> None:
    assert reading_order([]) == []
    assert reading_order(HEADING) == [[0]]
