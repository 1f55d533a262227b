"""Lines as ribbons and as maps: what is drawn is found again."""

import numpy as np
import pytest
from scipy import ndimage

from textrec.pages.overlap import counted, overlaps
from textrec.pages.ribbons import Maps, covered, find_ribbons, line_maps, outline_of, ribbon

SHAPE = (300, 400)


def straight(left: float, right: float, base: float, above: float = 18.0, below: float = 6.0, slope: float = 0.0):
    x = np.linspace(left, right, 20)
    return np.column_stack([x, base + slope * (x - left), np.full(20, above), np.full(20, below)])


def bent(left: float, right: float, base: float) -> np.ndarray:
    line = straight(left, right, base)
    line[:, 1] += 6 * np.sin(line[:, 0] / 40)
    return line


PAGES = {
    "lines": [straight(30, 370, base) for base in (40, 66, 92, 118)],
    "of other sizes": [straight(30, 370, 60, 40, 12), straight(30, 150, 90, 8, 3), straight(200, 380, 90, 8, 3)],
    "skewed": [straight(30, 370, base, slope=0.2) for base in (40, 70, 100)],
    "bent": [bent(30, 370, base) for base in (60, 90, 120)],
    "columns": [straight(left, left + 160, base) for base in (40, 66, 92) for left in (20, 190)],
    "over the edge": [straight(-50, 450, 12), straight(100, 450, 295)],
}


@pytest.mark.parametrize("page", PAGES)
def test_lines_that_are_drawn_are_found(page: str) -> None:
    found = find_ribbons(line_maps(PAGES[page], SHAPE))
    expected = [outline_of(one).clip(0, SHAPE[::-1]) for one in PAGES[page]]
    counts = counted(expected, [outline_of(one).clip(0, SHAPE[::-1]) for one in found], least=0.75)
    assert counts == (len(expected),) * 3


def test_a_ribbon_follows_the_line_not_its_letters() -> None:
    tops = [(x, 50 - (14 if x % 40 else 20)) for x in range(20, 381, 10)]  # an ascender here and there
    bottoms = [(x, 50 + (3 if x % 60 else 12)) for x in range(380, 19, -10)]
    found = ribbon(np.array(tops + bottoms, float), np.array([(20, 50), (380, 50)], float))
    assert found is not None
    assert (np.diff(found[:, 0]) > 0).all()
    assert (found[0, 0], found[-1, 0]) == pytest.approx((20, 380), abs=2)
    assert found[:, 1] == pytest.approx(50)
    assert np.ptp(found[:, 2]) < 4
    assert found[:, 2].min() > 13
    assert found[:, 2].max() < 20
    assert 3 <= np.median(found[:, 3]) < 7


def test_a_line_that_runs_down_has_no_ribbon() -> None:
    outline = np.array([(10, 10), (30, 10), (30, 200), (10, 200)], float)
    assert ribbon(outline, np.array([(20, 10), (20, 200)], float)) is None


def test_lines_whose_cores_touch_are_parted() -> None:
    maps = line_maps([straight(30, 370, 60), straight(30, 370, 90)], SHAPE)
    sure = np.where(maps.core > 0, 0.95, 0.02)
    sure[40:90, 100:250] = np.maximum(sure[40:90, 100:250], 0.6)
    assert ndimage.label(sure > 0.5)[1] == 1
    found = find_ribbons(maps._replace(core=sure.astype(np.float32)))
    assert sorted(round(float(np.median(one[:, 1]))) for one in found) == pytest.approx([60, 90], abs=3)


def test_specks_are_no_lines() -> None:
    core = np.zeros(SHAPE, np.float32)
    core[100:103, 100:103] = core[50:60, 200] = core[200, 50] = 1
    tall = np.full(SHAPE, 10, np.float32)
    assert find_ribbons(Maps(core, tall, tall)) == []
    assert find_ribbons(Maps(np.zeros_like(core), tall, tall)) == []


BOX = np.array([(0, 0), (99, 0), (99, 9), (0, 9)], float)


def moved(x: float, y: float) -> np.ndarray:
    return BOX + np.array([x, y])


def test_overlap_is_what_both_cover_of_what_either_does() -> None:
    shares = overlaps([BOX, moved(0, 300)], [BOX, moved(50, 0), moved(0, 5), BOX * 2])
    assert shares[0] == pytest.approx([1, 1 / 3, 1 / 3, 1 / 4], abs=0.03)
    assert (shares[1] == 0).all()
    assert covered((20, 120), BOX).sum() == 1000
    assert covered((20, 120), BOX, moved(0, 5)).sum() == 1500
    assert not covered((20, 120)).any()


def test_each_line_counts_once() -> None:
    below = moved(0, 10)
    both = np.array([(0, 0), (99, 0), (99, 19), (0, 19)], float)
    assert counted([BOX, below], [both]) == (2, 1, 1)  # half of it is one of them
    assert counted([BOX, below], [below, BOX]) == (2, 2, 2)
    assert counted([BOX], [BOX, moved(1, 0)]) == (1, 2, 1)
    none = counted([], [])
    assert (none, none.recall, none.precision) == ((0, 0, 0), 1.0, 1.0)
    total = counted([BOX], []) + counted([below], [below])
    assert (total, total.recall, total.precision) == ((2, 1, 1), 0.5, 1.0)
