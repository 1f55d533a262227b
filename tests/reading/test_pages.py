"""Whole pages by a line finder that has learned a little, and a model that has not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import config, recognizer
from PIL import Image, ImageFont
from text_images import WORDS, text_image

from textrec.base.charset import Charset
from textrec.base.runtime import TextrecError
from textrec.datasets.layouts import Layout, LayoutSplit, reduced, write_layouts
from textrec.network.finder import LineFinder
from textrec.pages.overlap import counted
from textrec.reading.pages import CutPage, cut_pages
from textrec.reading.recognizer import Recognizer
from textrec.training import finding
from textrec.training.finding import FinderParams, fit_finder

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*many workers", "ignore:.*is not empty")
SIZE, MARGIN = 22, 40


def page(lines: list[str]) -> tuple[Image.Image, list[tuple[np.ndarray, np.ndarray]]]:
    """A page of text, and outline and baseline of each line."""
    font, found = ImageFont.load_default(SIZE), []
    for row, text in enumerate(lines):
        top, right = MARGIN // 2 + round(1.6 * SIZE) * row, MARGIN + font.getlength(text)
        base = top + SIZE
        box = [(MARGIN, top), (right, top), (right, top + 1.3 * SIZE), (MARGIN, top + 1.3 * SIZE)]
        found.append((np.array(box), np.array([(MARGIN, base), (right, base)])))
    return text_image(lines, size=SIZE, margin=MARGIN), found


def layout(seed: int) -> Layout:
    random = np.random.default_rng(seed)
    image, lines = page([WORDS[index] for index in random.integers(len(WORDS), size=6)])
    return reduced(f"page {seed}", "d", image, lines)


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> LineFinder:
    folder = tmp_path_factory.mktemp("finder")
    write_layouts(folder / "l.h5", [*(("train", layout(seed)) for seed in range(4)), ("val", layout(9))])
    values = {"network": {"channels": [8, 12, 16, 16], "dilations": [1, 2]}, "epochs": 2, "batch_size": 2, "size": 192}
    params = FinderParams(**values, seed=1, lr=0.01, weight_decay=0.01, ema_decay=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "EPOCH", 80)
        splits = (LayoutSplit(folder / "l.h5", split) for split in ("train", "val"))
        return fit_finder(params, *splits, folder=folder)


@pytest.fixture(scope="module")
def reader() -> Recognizer:
    torch.manual_seed(0)
    built = Recognizer.build(config(max_width=1000), Charset("abcd "), line_height=28)
    torch.nn.init.normal_(built.model.ctc_output.weight, std=1.0)
    built.model.eval()
    return built


def test_lines_are_found_where_they_are(finder: LineFinder) -> None:
    image, lines = page(WORDS)
    cut = cut_pages(image, finder)[0]
    found = [line.outline for block in cut.blocks for line in block]
    assert counted([outline for outline, _ in lines], found) == (len(WORDS),) * 3
    assert cut.turned == 0
    assert len(cut.strips) == len(found)
    for block in cut.blocks:
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
    (cut,) = cut_pages(stored, finder)
    assert cut.turned == turned
    found = [line.outline for block in cut.blocks for line in block]
    assert len(found) == len(lines)
    for outline in found:
        (left, top), (right, bottom) = outline.min(axis=0).astype(int), outline.max(axis=0).astype(int)
        part = np.asarray(stored)[top : bottom + 1, left : right + 1]
        assert (part < 128).mean() > 0.03
        assert (part.shape[0] > part.shape[1]) == (turned % 2 == 1)


def test_a_page_is_read_line_by_line(finder: LineFinder, reader: Recognizer, tmp_path: Path) -> None:
    image, _ = page(WORDS)
    image.save(tmp_path / "page.png")
    one, other = reader.read_pages([tmp_path / "page.png", np.asarray(image)], finder)
    assert one.text == other.text
    cut: CutPage = cut_pages(image, finder)[one.turned]
    crops = [reader.crop_line(strip) for strip in cut.strips]
    expected = [reading.text for reading in reader.read_prepared(crops)]
    assert [line.reading.text for block in one.blocks for line in block] == expected
    assert one.text == "\n\n".join("\n".join(line.reading.text for line in block) for block in one.blocks)
    assert 0 <= one.confidence <= 1
    assert reader.read_pages([image], finder, greedy=True)[0].text != ""


def test_a_blank_page_has_no_lines(finder: LineFinder, reader: Recognizer) -> None:
    (found,) = reader.read_pages([Image.new("L", (300, 400), 245)], finder)
    assert (found.blocks, found.text, found.confidence) == ([], "", 0.0)


def test_a_model_of_paragraphs_reads_no_pages(finder: LineFinder) -> None:
    with pytest.raises(TextrecError, match="this is a model of paragraphs; name one of lines"):
        recognizer().read_pages([Image.new("L", (300, 400), 245)], finder)
