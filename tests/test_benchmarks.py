import importlib
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from repository import ROOT
from torch import Tensor, nn
from torch.nn import functional

from textrec.base.charset import LINE_CHARACTERS, Charset
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
