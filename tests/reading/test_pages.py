"""Whole pages by a line finder that has learned a little, and a model that has not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from networks import config, recognizer
from PIL import Image, ImageDraw
from repository import ROOT
from small_pages import line_recognizer, page, small_finder
from text_images import WORDS

from textrec.base.charset import Charset
from textrec.base.runtime import TextrecError
from textrec.network.finder import SHRUNK, LineFinder
from textrec.pages.overlap import counted
from textrec.pages.printing import is_printed
from textrec.pages.ribbons import Maps, find_ribbons, line_maps, reduced_page
from textrec.pages.text_area import Crop
from textrec.reading.pages import Way, find_lines, is_one_line, page_ribbons
from textrec.reading.recognizer import Recognizer

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*many workers", "ignore:.*is not empty")


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> LineFinder:
    return small_finder(tmp_path_factory.mktemp("finder"))


@pytest.fixture(scope="module")
def reader() -> Recognizer:
    return line_recognizer()


def lines_of(image: Image.Image, finder: LineFinder) -> Way:
    return find_lines(image, finder, lambda strip: Crop(strip.pixels, 1), lambda crops: [0.5] * len(crops))


def test_lines_are_found_where_they_are(finder: LineFinder) -> None:
    image, lines = page(WORDS)
    found, crops = lines_of(image, finder)
    assert counted([outline for outline, _ in lines], [line.outline for line in found.lines]) == (len(WORDS),) * 3
    assert (found.turned, found.size) == (0, image.size)
    assert len(crops) == len(found.lines)
    assert len({line.id for line in found.lines}) == len(crops)
    for block in found.blocks:
        assert [line.baseline[:, 1].mean() for line in block] == sorted(line.baseline[:, 1].mean() for line in block)


@pytest.mark.parametrize("turned", [1, 2, 3])
def test_outlines_lie_on_the_ink_of_a_page_that_is_turned(
    finder: LineFinder, turned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, lines = page(WORDS)
    way = np.eye(4)[turned]
    find = finder.find
    monkeypatch.setattr(finder, "find", lambda small: (find(small)[0], way), raising=False)
    stored = Image.fromarray(np.rot90(np.asarray(image), -turned))
    found, _ = lines_of(stored, finder)
    assert (found.turned, found.size) == (turned, stored.size)
    assert len(found.lines) == len(lines)
    for line in found.lines:
        (left, top), (right, bottom) = line.outline.min(axis=0).astype(int), line.outline.max(axis=0).astype(int)
        part = np.asarray(stored)[top : bottom + 1, left : right + 1]
        assert (part < 128).mean() > 0.03
        assert (part.shape[0] > part.shape[1]) == (turned % 2 == 1)


@pytest.mark.parametrize("size", [(1, 1), (300, 1), (1, 300)])
@pytest.mark.parametrize("turned", [1, 2, 3])
def test_a_row_of_pixels_is_a_page_too(
    finder: LineFinder, size: tuple[int, int], turned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, find = np.eye(4)[turned], finder.find
    monkeypatch.setattr(finder, "find", lambda small: (find(small)[0], way), raising=False)
    assert lines_of(Image.new("L", size), finder).page.size == size


def test_fine_print_is_looked_at_closely() -> None:
    """By the line finder that is brought along, which does not see print as small as that of this letterhead."""
    finder, image = LineFinder.load(ROOT / "models/pages.ckpt"), Image.new("L", (2200, 2800), 240)
    canvas = ImageDraw.Draw(image)
    text, feet = "The fine print at the head of letters", [164 + 32 * number for number in range(6)]
    for left in (150, 1700):
        for foot in feet:
            canvas.text((left, foot), text, 20, anchor="ls", font_size=14)
    canvas.text((600, 250), "Written larger, as by hand", 20, anchor="ls", font_size=70)
    small, scale = reduced_page(image)
    maps, _ = finder.find(small)
    assert len(find_ribbons(maps)) == 1
    found = page_ribbons(np.asarray(image), small, scale, maps, finder)
    ends = np.array([(*one[[0, -1], 0], np.median(one[:, 1])) for one in found])
    long = canvas.textlength(text, font_size=14)
    expected = [(left, left + long, foot) for left in (150, 1700) for foot in feet]
    assert ends[1:][np.lexsort((ends[1:, 2], ends[1:, 0] > 1000))] == pytest.approx(np.array(expected), abs=15)


def test_fine_print_may_run_over_the_edge(finder: LineFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    page = np.full((300, 400), 240, np.uint8)
    for row in range(230, 300, 12):
        for column in range(100, 300, 12):
            page[row : row + 6, column : column + 5] = 20

    def find(part: np.ndarray) -> tuple[Maps, np.ndarray]:
        height, width = (size // SHRUNK for size in part.shape)
        x = np.linspace(10, width - 10, 20)
        line = np.column_stack([x, np.full(20, height + 2.0), np.full(20, 10.0), np.full(20, 2.0)])
        return line_maps([line], (height, width)), np.eye(4)[0]

    monkeypatch.setattr(finder, "find", find, raising=False)
    empty = line_maps([], (150, 200))
    (found,) = page_ribbons(page, page, 1.0, empty, finder)
    assert np.median(found[:, 1]) > len(page)


def test_a_page_is_read_line_by_line(finder: LineFinder, reader: Recognizer, tmp_path: Path) -> None:
    image, _ = page(WORDS)
    image.save(tmp_path / "page.png")
    one, other = reader.read_pages([tmp_path / "page.png", np.asarray(image)], finder=finder)
    assert one.text == other.text
    crops = reader.find_lines(image, finder).crops
    expected = [reading.text for reading in reader.read_prepared(crops)]
    assert [line.text for line in one.lines] == expected
    assert one.text == "\n\n".join("\n".join(line.text for line in block) for block in one.blocks)
    marks = [is_printed(crop.pixels) for crop in crops]
    assert [line.printed for line in one.lines] == marks
    assert any(marks)
    assert 0 <= one.confidence <= 1
    assert reader.read_pages([image], finder=finder, greedy=True)[0].text != ""


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
@pytest.mark.parametrize("thought", [0, 1, 2, 3])
def test_which_way_is_up_is_what_reads_best(
    finder: LineFinder, monkeypatch: pytest.MonkeyPatch, turned: int, thought: int
) -> None:
    image, _ = page(["MWMWMWMWMW ililililil"] * len(WORDS))
    stored = Image.fromarray(np.rot90(np.asarray(image), -turned))
    probable = np.full(4, 0.2) + 0.2 * np.eye(4)[thought]
    find = finder.find
    monkeypatch.setattr(finder, "find", lambda small: (find(small)[0], probable), raising=False)

    def upright(crops: Sequence[np.ndarray]) -> list[float]:
        """Most of the ink is where lines begin, if they are lines."""
        halves = [[half.mean() for half in np.array_split(crop, 2, axis=1)] for crop in crops]
        long = [crop.shape[1] > 3 * len(crop) for crop in crops]
        return [float(is_long and left > right) for is_long, (left, right) in zip(long, halves, strict=True)]

    found = find_lines(stored, finder, lambda strip: Crop(255 - strip.pixels, 1), upright)
    assert found.page.turned == turned
    assert len(found.page.lines) == len(WORDS)


def test_a_line_that_does_not_fit_the_model_says_so_and_the_others_are_read(finder: LineFinder) -> None:
    image, _ = page([*WORDS[:3], "ab"])
    narrow = Recognizer.build(config(max_width=100), Charset("abcd "), line_height=28)
    narrow.model.eval()
    (read,) = narrow.read_pages([image], finder=finder)
    assert "the text takes" in (read.lines[0].problem or "")
    assert read.lines[-1].problem is None


@pytest.mark.parametrize(("count", "single"), [(1, True), (2, False), (4, False)])
def test_a_picture_of_one_line_is_known_from_a_page(
    finder: LineFinder, reader: Recognizer, count: int, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _ = page(WORDS[:count])
    find = finder.find
    monkeypatch.setattr(finder, "find", lambda small: (find(small)[0], np.eye(4)[0]), raising=False)
    found, whole = reader.look(image, finder)
    assert whole == single
    assert not reader.look(image, finder, "page")[1]
    assert len(found.page.lines) == count if not single else 1
    if single:
        assert reader.look(image, finder, "line")[0].page.size == image.size
    else:
        with pytest.raises(TextrecError, match="not one; read it as a page"):
            reader.look(image, finder, "line")


def test_bits_of_other_lines_make_no_page_of_a_line(finder: LineFinder, reader: Recognizer) -> None:
    image, lines = page(WORDS[:3])
    (_, top), (_, bottom) = lines[1][0].min(axis=0), lines[1][0].max(axis=0)
    cut = image.crop((0, int(top) - 12, image.width, int(bottom) + 10))  # with feet and heads of its neighbours
    assert is_one_line(reader.find_lines(cut, finder).page)
    assert reader.look(cut, finder)[1]


def test_a_blank_page_has_no_lines(finder: LineFinder, reader: Recognizer) -> None:
    (found,) = reader.read_pages([Image.new("L", (300, 400), 245)], finder=finder)
    assert (found.blocks, found.text, found.confidence) == ([], "", 0.0)


def test_a_model_of_paragraphs_reads_no_pages(finder: LineFinder) -> None:
    with pytest.raises(TextrecError, match="this is a model of paragraphs; name one of lines"):
        recognizer().read_pages([Image.new("L", (300, 400), 245)], finder=finder)
