"""Lines found over two columns: parted where others begin, and where it is not sure that they go on."""

import numpy as np
import pytest

from textrec.pages.columns import part_at_columns

HEIGHT = 10.0
PLACES = 341  # one a pixel, from 20 to 360
BESIDE = [(20.0, 180.0), (200.0, 360.0)]
OVER = [(20.0, 360.0)]


def line(left: float, right: float, base: float, slope: float = 0.0) -> np.ndarray:
    x = np.linspace(left, right, 20)
    return np.column_stack([x, base + slope * x, np.full(20, HEIGHT), np.full(20, 3.0)])


def core_of(one: np.ndarray, unsure_at: float, least: float = 0.8) -> np.ndarray:
    """Sure but for a few pixels around a place."""
    x = np.linspace(one[0, 0], one[-1, 0], PLACES)
    return np.where(np.abs(x - unsure_at) < 4, least, 0.99)


def parted(
    rows: list[list[tuple[float, float]]], unsure_at: float = 192.0, least: float = 0.8, slope: float = 0.0
) -> list[tuple[int, int, int]]:
    """What becomes of rows of lines: row, begin and end of each; of a page that is skewed as of a level one."""
    lines, cores = [], []
    for number, row in enumerate(rows):
        aside = slope * 30 * number
        for left, right in row:
            lines.append(line(left - aside, right - aside, 30.0 * number, slope))
            cores.append(core_of(lines[-1], unsure_at - aside, least))
    found = []
    for part in part_at_columns(lines, cores):
        assert (np.diff(part[:, 0]) > 0).all()
        level = float(np.median(part[:, 1] - slope * part[:, 0]))
        found.append((round(level / 30), *(round(x + slope * level) for x in part[[0, -1], 0])))
    return sorted(found)


@pytest.mark.parametrize("slope", [0.0, 0.1, -0.1])
def test_a_line_over_two_columns_that_others_show_is_parted(slope: float) -> None:
    *others, (_, _, end), (_, begin, _) = parted([BESIDE] * 6 + [OVER], slope=slope)
    assert [(left, right) for _, left, right in others] == [tuple(map(int, ends)) for ends in BESIDE * 6]
    assert end == begin
    assert 185 < end < 199


@pytest.mark.parametrize(
    ("rows", "unsure_at", "least"),
    [
        pytest.param([BESIDE] * 5 + [OVER], 192, 0.8, id="few begin there"),
        pytest.param([[(200.0, 360.0)]] * 6 + [OVER], 192, 0.8, id="none of them is beside a line"),
        pytest.param([[(200.0, 207.0)]] * 6 + [OVER], 192, 0.8, id="they are short, and beside themselves"),
        pytest.param(
            [*([BESIDE] * 6), [(197.0, 360.0)], [(203.0, 360.0)], OVER], 180, 0.8, id="it is where fewer begin"
        ),
        pytest.param([BESIDE] * 6 + [OVER], 192, 0.98, id="it is sure that it goes on"),
        pytest.param([BESIDE] * 6 + [OVER], 150, 0.5, id="it is unsure elsewhere"),
        pytest.param([BESIDE] * 6 + [[(180.0, 360.0)]], 192, 0.8, id="it begins near it"),
        pytest.param([BESIDE] * 6 + [[(20.0, 204.0)]], 192, 0.8, id="it ends near it"),
    ],
)
def test_other_lines_stay_whole(rows: list[list[tuple[float, float]]], unsure_at: float, least: float) -> None:
    whole = [(number, round(left), round(right)) for number, row in enumerate(rows) for left, right in row]
    assert parted(rows, unsure_at, least) == whole


def test_a_line_over_three_columns_is_parted_twice() -> None:
    three = [(20.0, 120.0), (140.0, 240.0), (260.0, 360.0)]
    lines = [line(*ends, 30.0 * number) for number in range(7) for ends in three[2 * (number // 6) :]] + [
        line(20, 360, 210)
    ]
    cores = [core_of(one, 132) for one in lines]
    cores[-1] = np.minimum(cores[-1], core_of(lines[-1], 252))
    parts = part_at_columns(lines, cores)
    assert [(round(part[0, 0]), round(part[-1, 0])) for part in parts[-3:]] == [(20, 129), (129, 249), (249, 360)]


def test_columns_that_begin_close_to_each_other_part_a_line_once() -> None:
    lines = [line(*ends, 30.0 * number) for number in range(12) for ends in (BESIDE[0], (200 + number // 6 * 13, 360))]
    lines.append(line(20, 360, 360))
    cores = [core_of(one, 197, least=0.8) for one in lines]
    parts = part_at_columns(lines, cores)
    assert [(round(part[0, 0]), round(part[-1, 0])) for part in parts[-2:]] == [(20, 194), (194, 360)]


def test_a_page_without_lines_has_no_columns() -> None:
    assert part_at_columns([], []) == []
