"""What is read of a picture: its text, level and cut out, whatever the paper is like."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage
from text_images import HEIGHT, LINE, WORDS, likeness, line_crop, text_image

from textrec.pages.cutting import Strip, resample
from textrec.pages.pictures import gray
from textrec.pages.text_area import line_rows, prepare, prepare_line


def cut(line: Image.Image) -> np.ndarray:
    """A line's crop, of its whole width, as the datasets' are."""
    top, bottom = line_rows(line)
    return resample(line, (0, top, line.width, bottom), HEIGHT)


def test_a_clean_scan_is_cut_as_the_datasets_are() -> None:
    left, top, right, bottom = ImageOps.invert(LINE.point(lambda level: 255 if level > 200 else level)).getbbox()
    tight = LINE.crop((left - 9, top - 7, right + 9, bottom + 5))
    assert np.array_equal(line_crop(tight), cut(tight))


def test_margins_go_and_dust_with_them() -> None:
    page = Image.new("L", (2400, 1200), 245)
    page.paste(LINE, (700, 600))
    ImageDraw.Draw(page).rectangle((30, 30, 33, 33), fill=60)
    found = line_crop(page)
    assert found.shape[0] == HEIGHT
    assert likeness(line_crop(LINE), found) > 0.95


@pytest.mark.parametrize(
    "change",
    [
        lambda image: 255 - image,
        lambda image: image * np.linspace(0.45, 1, image.shape[1]),
        lambda image: image * np.linspace(1, 0.5, image.shape[0])[:, None],
        lambda image: 235 - (245 - image) * 0.25,
        lambda image: 0.6 * image,
        lambda image: image + np.random.default_rng(0).normal(0, 6, image.shape),
        lambda image: ndimage.zoom(image, 3.3, order=1),
        lambda image: ndimage.zoom(image, 0.6, order=1),
    ],
    ids=["light on dark", "shadow across", "shadow down", "faint", "dim", "noise", "large", "small"],
)
def test_what_scans_are_not_is_mended(change) -> None:
    pixels = np.clip(change(np.asarray(LINE, float)), 0, 255).astype(np.uint8)
    found, expected = line_crop(Image.fromarray(pixels)), line_crop(LINE)
    assert likeness(expected, found) > 0.85
    assert np.median(found) < 40  # paper
    assert np.percentile(found, 99) > 90  # ink


@pytest.mark.parametrize("degrees", [-14, -5, -2, 1, 3, 8, 14])
def test_a_line_that_slopes_is_levelled(degrees: float) -> None:
    turned = LINE.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=245)
    assert likeness(line_crop(LINE), line_crop(turned)) > 0.85


def test_a_page_that_slopes_is_levelled() -> None:
    page = text_image(WORDS)
    turned = page.rotate(6, Image.Resampling.BICUBIC, expand=True, fillcolor=245)
    level, found = (prepare(image, line_height=HEIGHT, paragraph=True) for image in (page, turned))
    assert found.lines == level.lines == 4
    assert likeness(level.pixels, found.pixels) > 0.75


def ruled(image: Image.Image, *, pitch: float, squared: bool = False, ink: int = 160, thick: int = 2) -> Image.Image:
    """On paper with lines, `pitch` of the picture's height apart."""
    paper, step = Image.new("L", image.size, 245), round(pitch * image.height)
    for y in range(step // 2, image.height, step):
        ImageDraw.Draw(paper).line((0, y, image.width, y), fill=ink, width=thick)
    for x in range(step // 3, image.width if squared else 0, step):
        ImageDraw.Draw(paper).line((x, 0, x, image.height), fill=ink, width=thick)
    return Image.fromarray(np.minimum(np.asarray(paper), np.asarray(image)))


def framed(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).rectangle((6, 6, image.width - 7, image.height - 7), outline=40, width=3)
    return image


def shaded(image: Image.Image) -> Image.Image:
    """With a hard shadow, whose edge is oblique, over the left half."""
    light = Image.new("L", image.size, 255)
    ImageDraw.Draw(light).polygon([(0, 0), (400, 0), (250, image.height), (0, image.height)], fill=115)
    return Image.fromarray((np.asarray(image) * (np.asarray(light) / 255)).astype(np.uint8))


def held(image: Image.Image) -> Image.Image:
    """With a thumb in the corner."""
    page = Image.new("L", (image.width + 200, image.height + 80), 245)
    page.paste(image, (200, 0))
    ImageDraw.Draw(page).ellipse((-60, 120, 110, 330), fill=110)
    return page


@pytest.mark.parametrize(
    "trouble",
    [
        lambda image: ruled(image, pitch=0.45),
        lambda image: ruled(image, pitch=0.2, squared=True),
        lambda image: ruled(image, pitch=0.2, squared=True).rotate(0.4, Image.Resampling.BICUBIC, fillcolor=245),
        lambda image: ruled(image, pitch=0.9, ink=50, thick=3),
        framed,
        shaded,
        held,
    ],
    ids=[
        "ruled",
        "squared",
        "squared, not quite level",
        "one dark rule",
        "frame",
        "hard shadow",
        "thumb in the corner",
    ],
)
def test_what_is_on_the_paper_beside_the_writing_goes(trouble) -> None:
    expected, found = line_crop(LINE), line_crop(trouble(LINE))
    assert abs(expected.shape[1] - found.shape[1]) < 0.08 * expected.shape[1]
    assert likeness(expected, found) > 0.7


def test_a_dark_table_goes_and_a_shadow_does_not() -> None:
    table = Image.new("L", (LINE.width + 300, LINE.height), 60)
    table.paste(LINE, (300, 0))
    assert likeness(line_crop(LINE), line_crop(table)) > 0.9


def test_ink_of_the_brightness_of_its_paper_is_seen_by_its_colour() -> None:
    share = (np.asarray(LINE, float) / 255)[..., None]
    image = Image.fromarray((share * (110, 110, 230) + (1 - share) * (230, 72, 60)).astype(np.uint8))
    assert np.ptp(np.asarray(image.convert("L"))) < 20
    assert likeness(line_crop(LINE), line_crop(gray(image))) > 0.85


def test_a_coloured_blank_is_blank() -> None:
    random = np.random.default_rng(0)
    paper = np.clip(random.normal((90, 140, 200), 3, (300, 900, 3)), 0, 255).astype(np.uint8)
    assert prepare(gray(paper), line_height=HEIGHT, paragraph=False).lines == 0


def test_a_strip_of_any_length_keeps_its_ink() -> None:
    strip = Image.new("L", (25_000, 120), 245)
    for left in range(0, 25_000 - LINE.width, LINE.width):
        strip.paste(LINE.crop((0, 20, LINE.width, 120)), (left, 0))
    assert line_crop(strip).shape[1] > 25_000 * HEIGHT / 120


def test_a_baseline_between_lines_on_their_side_leaves_something_to_look_at() -> None:
    page = np.ascontiguousarray(np.rot90(np.asarray(text_image(WORDS[:2]))))
    for top in (40, 60, 120):
        for baseline in (100.0, 160.0, 180.0):
            assert prepare_line(Strip(page[top : top + 200], baseline), line_height=HEIGHT).pixels.size


def test_of_an_outline_with_bits_of_its_neighbours_the_line_is_taken() -> None:
    page = np.asarray(text_image(WORDS[:3]))
    foot = 30 + 70 + 42  # of the second line
    alone = prepare_line(Strip(page[foot - 48 : foot + 16], 48.0), line_height=HEIGHT)
    for top, bottom in ((-80, 30), (-60, 60), (-85, 50)):
        for baseline in (float(-top), None):
            found = prepare_line(Strip(page[foot + top : foot + bottom], baseline), line_height=HEIGHT)
            assert found.lines == 1
            assert likeness(alone.pixels, found.pixels) > 0.8, (top, bottom, baseline)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 12])
@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_lines_are_counted(count: int, scale: float) -> None:
    image = text_image([WORDS[row % 4] for row in range(count)])
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    crop = prepare(image, line_height=HEIGHT, paragraph=True)
    assert crop.lines == count
    assert crop.pixels.shape[0] == HEIGHT * count


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 3), (900, 90), (2000, 3000)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_page_has_no_lines(size: tuple[int, int], level: int) -> None:
    crop = prepare(Image.new("L", size, level), line_height=HEIGHT, paragraph=False)
    assert crop.lines == 0
    assert not crop.pixels.any()


def test_paper_that_is_not_quite_even_is_blank_all_the_same() -> None:
    random = np.random.default_rng(0)
    paper = 220 + random.normal(0, 3, (300, 900)) + np.linspace(-15, 15, 900)
    image = Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))
    assert prepare(image, line_height=HEIGHT, paragraph=False).lines == 0


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_line_that_goes_up_or_down_the_picture_is_known_for_turned(degrees: int) -> None:
    assert prepare(LINE.rotate(degrees, expand=True), line_height=HEIGHT, paragraph=False).turned
    assert not prepare(LINE, line_height=HEIGHT, paragraph=False).turned


def test_letters_that_are_higher_than_wide_are_not_turned() -> None:
    found = [prepare(text_image([letter]), line_height=HEIGHT, paragraph=False).turned for letter in "IlfJ1!|tji:"]
    assert not any(found)


@pytest.mark.parametrize("text", ["1", "l", "L", "E", "till", "Hill", "ill"])
def test_straight_strokes_of_short_texts_are_no_rules(text: str) -> None:
    page = text_image([text])
    ink = ImageOps.invert(page).point(lambda level: level if level > 30 else 0).getbbox()
    assert ink
    tight = page.crop((ink[0] - 4, ink[1] - 4, ink[2] + 4, ink[3] + 4))
    assert likeness(line_crop(tight), cut(tight)) > 0.95


def test_the_line_is_found_above_the_rule_that_its_baseline_is_drawn_on() -> None:
    page = np.asarray(ruled(text_image(WORDS[1:2]), pitch=0.9, ink=90, thick=3))
    foot = 30 + 42
    dashes = page.copy()
    dashes[foot + 8 : foot + 11, ::40] = 60
    found = prepare_line(Strip(dashes[foot - 50 : foot + 30], 60.0), line_height=HEIGHT)
    alone = prepare_line(Strip(np.asarray(text_image(WORDS[1:2]))[foot - 48 : foot + 16], 48.0), line_height=HEIGHT)
    assert likeness(alone.pixels, found.pixels) > 0.8


def test_few_tall_letters_at_the_edge_of_their_outline_stay() -> None:
    page = np.asarray(text_image(["man 1707 on"]))
    foot = 30 + 42
    tall = prepare_line(Strip(page[foot - 31 : foot + 16], 31.0), line_height=HEIGHT)
    assert tall.pixels[:12].max() > 150
    assert likeness(tall.pixels, cut(Image.fromarray(page[foot - 31 : foot + 2, 55:-55]))) > 0.5
