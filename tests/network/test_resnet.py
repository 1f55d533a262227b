import pytest
import torch
from torch import nn

from textrec.base.params import validate
from textrec.base.runtime import TextrecError
from textrec.network.resnet import ResNet, ResNetConfig, valid_positions

TABLE = {"channels": [4, 6, 8], "kernels": [5, 3, 3], "strides": [2, 1, [3, 2]]}


def config(**changes: object) -> ResNetConfig:
    return validate(TABLE | changes, ResNetConfig, where="resnet")


@pytest.fixture
def network() -> ResNet:
    torch.manual_seed(0)
    network = ResNet(config())
    for module in network.modules():  # norms as after training: they turn 0 into something else
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
    return network.eval()


@pytest.mark.parametrize("height", [1, 5, 28, 29, 57])
@pytest.mark.parametrize("width", [1, 2, 31, 100, 101])
def test_the_declared_output_size_is_that_of_the_network(network: ResNet, height: int, width: int) -> None:
    features, sizes = network(torch.rand(1, 1, height, width), torch.tensor([[height, width]]))
    assert features.shape == (1, 8, *config().output_size(height, width))
    assert tuple(sizes[0].tolist()) == config().output_size(height, width)


def test_an_image_gives_the_same_features_alone_and_padded(network: ResNet) -> None:
    image = torch.rand(1, 1, 20, 45)
    padded = torch.zeros(2, 1, 41, 90)
    padded[0, :, :20, :45] = image
    padded[1] = torch.rand(1, 41, 90)
    alone, _ = network(image, torch.tensor([[20, 45]]))
    together, sizes = network(padded, torch.tensor([[20, 45], [41, 90]]))
    rows, columns = sizes[0].tolist()
    torch.testing.assert_close(together[:1, :, :rows, :columns], alone)
    assert not together[0, :, rows:].any()
    assert not together[0, :, :, columns:].any()


def test_valid_positions() -> None:
    positions = valid_positions(torch.tensor([[1, 2], [2, 3]]), 2, 3)
    assert positions.tolist() == [[[True, True, False], [False] * 3], [[True] * 3, [True] * 3]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernels": [3, 3]}, "one entry a block, they have 3, 2, 3"),
        ({"kernels": [3, 4, 3]}, r"kernels must be odd, they are \[3, 4, 3\]"),
        ({"strides": [2, 0, 1]}, "resnet.strides.1"),
        ({"channels": []}, "resnet.channels"),
        ({"chanels": [1]}, "did you mean 'channels'"),
    ],
)
def test_an_impossible_table_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        config(**changes)
