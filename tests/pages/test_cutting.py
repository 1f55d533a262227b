"""Lines cut out of a page: by outline, level along a baseline, on paper."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage
from text_images import text_image

from textrec.pages.cutting import LONGEST, bands, cut_line, resample, rows_of_line

WIDE = text_image(["Jumping quickly, a wizard had boxed", "the lazy dogs of Peking; then he left"])
TOP, BASE, BOTTOM = 20, 72, 92  # of its first line
LEFT, RIGHT = 50, WIDE.width - 50


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def alike(one: np.ndarray, two: np.ndarray) -> float:
    """Correlation of two strips where they overlap, at the best of places up to three pixels apart."""
    height, width = np.minimum(one.shape, two.shape) - 6
    fixed = one[3 : 3 + height, 3 : 3 + width].ravel()
    places = ((down, across) for down in range(7) for across in range(7))
    return max(np.corrcoef(fixed, two[y : y + height, x : x + width].ravel())[0, 1] for y, x in places)


LEVEL = cut_line(np.asarray(WIDE), box(LEFT, TOP, RIGHT, BOTTOM), np.array([(LEFT, BASE), (RIGHT, BASE)], float))


def turned(points: np.ndarray, degrees: float, page: Image.Image) -> np.ndarray:
    """Where points of WIDE are on it turned, which `page` is."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - np.array(WIDE.size) / 2) @ turn.T + np.array(page.size) / 2


def test_a_level_line_is_its_box() -> None:
    assert np.array_equal(LEVEL.pixels, np.asarray(WIDE)[TOP : BOTTOM + 1, LEFT : RIGHT + 1])
    assert LEVEL.baseline == pytest.approx(BASE - TOP)


@pytest.mark.parametrize("degrees", [-15, -5, 1, 5, 15, 60, 90, 180, -90])
def test_a_sloping_line_comes_out_level_along_its_baseline(degrees: float) -> None:
    page = WIDE.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=245)
    outline = turned(box(LEFT, TOP, RIGHT, BOTTOM), degrees, page)
    baseline = turned(np.array([(LEFT, BASE), (LEFT + 200, BASE), (RIGHT, BASE)]), degrees, page)
    strip = cut_line(np.asarray(page), outline, baseline)
    assert alike(LEVEL.pixels, strip.pixels) > 0.95
    assert strip.baseline is not None
    assert abs(strip.baseline - (BASE - TOP)) < 3


def test_a_bent_line_is_straightened() -> None:
    radius, middle = 900.0, np.array(WIDE.size) / 2
    page = Image.new("L", (WIDE.width, WIDE.height + 200))
    across, up = np.meshgrid(np.arange(page.width) - middle[0], radius + BASE - np.arange(page.height))
    places = BASE - (np.hypot(across, up) - radius), radius * np.arctan2(across, up) + middle[0]
    page = ndimage.map_coordinates(np.asarray(WIDE), places, order=1, cval=245)
    angles = np.linspace(LEFT - middle[0], RIGHT - middle[0], 15) / radius

    def arc(row: float) -> np.ndarray:
        away = radius + BASE - row
        return np.column_stack([middle[0] + away * np.sin(angles), radius + BASE - away * np.cos(angles)])

    strip = cut_line(page, np.concatenate([arc(TOP), arc(BOTTOM)[::-1]]), arc(BASE))
    assert abs(len(strip.pixels) - (BOTTOM - TOP)) < 12
    assert alike(LEVEL.pixels, strip.pixels) > 0.8


def test_a_baseline_drawn_from_right_to_left_does_not_turn_the_line_over() -> None:
    outline = box(LEFT, TOP, RIGHT, BOTTOM)
    strip = cut_line(np.asarray(WIDE), outline, np.array([(RIGHT, BASE), (LEFT, BASE + 2.0)]))
    assert alike(LEVEL.pixels, strip.pixels) > 0.95


@pytest.mark.parametrize(
    "baseline",
    [
        [(LEFT, 900.0), (RIGHT, 900.0)],
        [(LEFT, 1e9), (RIGHT, -1e9)],
        [(LEFT, BASE), (LEFT, BASE)],
        [(0, 0), (LONGEST, 0)],
    ],
    ids=["of another line", "beyond all pages", "a point", "too long"],
)
def test_a_baseline_that_cannot_be_the_lines_is_left_out(baseline: list[tuple[float, float]]) -> None:
    strip = cut_line(np.asarray(WIDE), box(LEFT, TOP, RIGHT, BOTTOM), np.array(baseline, float))
    assert np.array_equal(strip.pixels, LEVEL.pixels)
    assert strip.baseline is None


@pytest.mark.parametrize("row", [TOP, TOP - 10, BOTTOM + 8])
def test_a_line_above_the_text_is_no_row_to_stand_on(row: float) -> None:
    strip = cut_line(np.asarray(WIDE), box(LEFT, TOP, RIGHT, BOTTOM), np.array([(LEFT, row), (RIGHT, row)], float))
    assert strip.baseline is None


@pytest.mark.parametrize(("ink", "paper"), [(30, 220), (225, 35)], ids=["dark on light", "light on dark"])
@pytest.mark.parametrize("degrees", [0, 3])
def test_paper_fills_what_lies_outside_of_the_outline(degrees: float, ink: int, paper: int) -> None:
    image = Image.new("L", (300, 100), paper)
    ImageDraw.Draw(image).rectangle((80, 50, 200, 53), fill=ink)
    ImageDraw.Draw(image).rectangle((0, 0, 300, 20), fill=ink)  # a neighbour, within the box of the outline
    outline = np.array([(10, 10), (30, 30), (270, 30), (290, 10), (290, 80), (10, 80)], float)
    baseline = np.array([(10, 60), (290, 60 + 280 * np.tan(np.radians(degrees)))])
    pixels = cut_line(np.asarray(image), outline, baseline).pixels
    assert np.count_nonzero(abs(pixels.astype(int) - ink) < 60) < 1.3 * 4 * 121
    assert set(np.unique(pixels[:8])) <= {ink, paper}


def test_paper_is_that_within_the_outline() -> None:
    triangle = np.array([(10, 20), (190, 20), (100, 80)], float)
    mask = Image.new("L", (200, 100))
    ImageDraw.Draw(mask).polygon([(10, 20), (190, 20), (100, 80)], fill=1)
    page = np.where(np.asarray(mask), 220, 40).astype(np.uint8)  # on a table
    assert set(np.unique(cut_line(page, triangle, None).pixels)) == {220}


def test_paper_follows_a_shadow() -> None:
    shadow = np.tile(np.linspace(100, 240, 200), (100, 1)).astype(np.uint8)
    outline = np.array([(10, 20), (190, 30), (190, 50), (10, 40)], float)
    pixels = cut_line(shadow, outline, None).pixels.astype(int)
    assert np.abs(pixels - shadow[20:51, 10:191]).max() <= 12  # a single grey for the whole line would be off by 70
    assert np.abs(np.diff(pixels, axis=1)).max() <= 12  # no step that would look like a stroke


def test_bands_are_as_high_as_the_distance_to_the_next_line() -> None:
    rows = (100, 150, 200, 600)
    outlines = bands([np.array([(50, y), (850, y)], float) for y in rows])
    heights = [np.ptp(outline[:, 1]) for outline in outlines if outline is not None]
    assert heights[:3] == pytest.approx([1.15 * 50] * 3, abs=1)
    assert heights[3] == pytest.approx(1.15 * 1.5 * 50, abs=1)  # beside a blank: as the others, about
    assert bands([np.zeros((2, 2)), np.array([(0, 50), (300, 50)], float)])[0] is None


# ---- rows, and resampling ----


def test_letters_are_as_large_whatever_reaches_above_and_below() -> None:
    ink = np.zeros(200)
    ink[80:120] = 50
    plain, tails, bits = rows_of_line(ink), ink.copy(), ink.copy()
    tails[40:160] += 1.5
    bits[:3] += 12
    for changed in (tails, bits):
        top, bottom = rows_of_line(changed)
        assert (bottom - top) == pytest.approx(plain[1] - plain[0], rel=0.1)
        assert (bottom + top) == pytest.approx(plain[1] + plain[0], rel=0.1)
    assert plain == pytest.approx((100 - 12 * 3.6, 100 + 12 * 3.6))


def test_rows_of_dashes_do_not_cut_off_letters() -> None:
    ink = np.full(100, 1.0)
    ink[49:51] = 200
    top, bottom = rows_of_line(ink)
    assert top < 12
    assert bottom > 88


def test_rows_may_lie_outside_of_the_picture_which_is_paper_there() -> None:
    image = Image.new("L", (40, 10), 250)
    ImageDraw.Draw(image).rectangle((10, 0, 25, 9), fill=0)
    pixels = resample(image, (0, -5, 40, 15), 20)
    assert pixels.shape == (20, 40)
    assert (pixels[6:14, 12:24] == 255).all()
    assert (pixels[:4] == 5).all()
    assert (pixels[-4:] == 5).all()
