import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytorch_lightning as lightning
import torch
from PIL import Image, ImageDraw
from repository import ROOT
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from textrec.base.charset import LINE_CHARACTERS, Charset
from textrec.base.edit_distance import char_errors
from textrec.network.batches import Batch


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


class Known(lightning.LightningModule):
    """Layers whose multiplications are known."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.lstm = nn.LSTM(8, 16, batch_first=True)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        rows = self.lstm(self.conv(batch.images.float())[:, :, 0].mT)[0][:, None]
        return functional.scaled_dot_product_attention(rows, rows, rows).sum()


def batch(count: int, height: int, width: int) -> Batch:
    sizes = torch.tensor([[height, width]] * count)
    images = torch.zeros((count, 1, height, width), dtype=torch.uint8)
    return Batch(images, sizes, torch.full((count, 89), 7), torch.arange(count))


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
def test_multiplications_of_convolution_lstm_and_attention_are_counted(benchmark: Callable[[str], Any]) -> None:
    convolution, recurrent, attention = 2 * 5 * 9 * 8, 5 * 4 * 16 * (8 + 16), 2 * 5 * 5 * 16
    counted = benchmark("training_step").count_macs(Known(), batch(3, 2, 5))
    assert counted == convolution + recurrent + attention


@pytest.mark.parametrize(("name", "dim"), [("original", 64), ("course", 256)])
@pytest.mark.filterwarnings("ignore:.*self.log:UserWarning")
def test_ancestors_see_25_positions_of_a_line(benchmark: Callable[[str], Any], name: str, dim: int) -> None:
    network = getattr(benchmark("ancestors"), name)(len(Charset(LINE_CHARACTERS)))
    assert network.encoder(torch.zeros(2, network.channels, 28, 800)).shape == (2, dim, 1, 25)
    network.training_step(batch(2, 28, 800), 0).backward()
    assert all(weight.grad is not None for weight in network.parameters() if weight.requires_grad)


def test_the_course_has_a_resnet_18(benchmark: Callable[[str], Any]) -> None:
    encoder = benchmark("ancestors").course(83).encoder
    weights = sum(weight.numel() for weight in encoder.parameters()) - (512 + 1) * 256  # the projection is its own
    assert weights == 11_689_512 - (512 + 1) * 1000  # as torchvision's documentation has it, without the classifier


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


@pytest.mark.parametrize("variant", ["upright", "skewed", "turned 90", "turned 180", "turned 270", "photo"])
def test_lines_move_along_with_their_page(benchmark: Callable[[str], Any], variant: str) -> None:
    true_pages = benchmark("true_pages")
    image, outline = Image.new("L", (300, 400), 250), box(60, 80, 200, 130)
    ImageDraw.Draw(image).rectangle((60, 80, 199, 129), fill=0)
    page = true_pages.TruePage("a", image, [true_pages.TrueLine(outline, outline[2:], "a")])
    moved = true_pages.varied(page, variant)
    mask = Image.new("1", moved.image.size)
    ImageDraw.Draw(mask).polygon([tuple(point) for point in moved.lines[0].outline.tolist()], fill=1)
    line, pixels = np.asarray(mask), np.asarray(moved.image)
    inner, outer = ndimage.binary_erosion(line, iterations=3), ndimage.binary_dilation(line, iterations=3)
    around = ndimage.binary_dilation(outer, iterations=5) & ~outer
    assert pixels[inner].max() < 30 < 80 < pixels[around].min()
    assert np.array_equal(moved.lines[0].baseline, moved.lines[0].outline[2:])
    assert np.array_equal(true_pages.varied(page, variant).image, moved.image)


def test_a_page_is_judged_by_outlines_and_by_text(benchmark: Callable[[str], Any]) -> None:
    judging, true_pages = benchmark("judging"), benchmark("true_pages")
    places = [box(20, top, 180, top + 20) for top in (20, 60, 100, 140)]
    texts = ["first", "", "third", "fourth"]
    lines = [true_pages.TrueLine(place, None, text) for place, text in zip(places, texts, strict=True)]
    found = [(places[3], "fourth"), (places[1], "unknown"), (places[0], "fist"), (box(190, 20, 199, 190), "next page")]
    page = true_pages.TruePage("a", Image.new("L", (200, 200)), lines)
    outcome = judging.judged(page, [judging.FoundLine(*line) for line in found])
    assert (outcome.untranscribed, outcome.counts, outcome.beside) == (1, (3, 3, 2), 1)
    assert outcome.characters == len("first\nthird\nfourth")
    assert outcome.any_order == char_errors("first", "fist") + char_errors("third", "next page")
    assert outcome.there < outcome.cer


def test_order_alone_is_no_error_where_it_does_not_count(benchmark: Callable[[str], Any]) -> None:
    errors = benchmark("judging").errors_in_any_order
    assert errors(["one", "two"], ["two", "", "one"]) == 0
    assert errors(["one two"], ["one ", "two"]) == len("two") + len("two\n")
    assert errors(["one"], []) == len("one\n")


def test_what_a_kill_leaves_is_told_from_what_is_whole(benchmark: Callable[[str], Any], tmp_path: Path) -> None:
    bulk = benchmark("bulk")
    xml = b"<PcGts><Page><TextRegion><TextLine/></TextRegion></Page></PcGts>"
    for name, content in (("a.xml", xml), ("b.xml", xml[:-3]), (".c.xml.tmp", xml), ("d.xml", b"<PcGts/>")):
        (tmp_path / name).write_bytes(content)
    read, tables = bulk.COMMANDS["read"], bulk.COMMANDS["bulk"]
    assert [read.pages(path) for path in bulk.files(tmp_path, read)] == [["a"], [], []]
    table = pa.table({"source": ["/s/1.jpg", "/s/1.jpg", "/s/2.jpg", "/s/3.jpg"], "line": [1, 2, 1, None]})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    assert [tables.pages(path) for path in bulk.files(tmp_path, tables)] == [["1", "2"], []]
    assert bulk.memory(os.getpid()) > 10
