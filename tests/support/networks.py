"""Small networks and samples for the tests of what needs torch."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from textrec.base.charset import PAD, SPECIALS, Charset
from textrec.base.params import validate
from textrec.base.records import SPLITS, Sample
from textrec.datasets.samples import Split, read_split, write_samples
from textrec.network.model import ModelConfig, ResNetTransformer
from textrec.reading.recognizer import Recognizer

torch.set_num_threads(1)  # such networks are faster without threads

CHARSET = Charset("abcd \n")
SIZES = torch.tensor([[28, 120], [28, 37], [56, 160], [28, 8], [28, 90]])  # of images, height and width
FIRST = len(SPECIALS)  # the token of the first character


def config(**changes: object) -> ModelConfig:
    values = {
        "resnet": {"channels": [4, 8], "kernels": [3, 3], "strides": [2, [4, 2]]},
        "row_step": 1,
        "lstm_dim": 8,
        "lstm_layers": 1,
        "encoder_dropout": 0.0,
        "tf_dim": 16,
        "tf_fc_dim": 32,
        "tf_heads": 2,
        "tf_layers": 2,
        "tf_dropout": 0.0,
        "learned_positions": True,
        "ctc_weight": 1.0,
        "ctc_shortcut": 0.5,
        "max_length": 40,
        "max_height": 64,
        "max_width": 200,
    }
    return validate(values | changes, ModelConfig, where="model")


def recognizer(seed: int = 0, **changes: object) -> Recognizer:
    """A network that has not been trained, but writes various texts of various lengths."""
    torch.manual_seed(seed)
    built = Recognizer.build(config(**changes), CHARSET, line_height=28)
    torch.nn.init.normal_(built.model.output.weight, std=1.0)
    built.model.eval()
    return built


def line_recognizer(**changes: object) -> Recognizer:
    """The same for single lines: its charset has no newline."""
    built = recognizer(**changes)
    built.model.newline = -1
    return Recognizer(built.model, Charset("abcd e"), built.calibration)


def model(seed: int = 0, **changes: object) -> ResNetTransformer:
    """An untrained network whose texts depend on the image, each head writing the tokens that it may."""
    built = recognizer(seed, **changes).model
    for layer in (built.encoder_output, built.ctc_output):
        torch.nn.init.normal_(layer.weight, std=1.0)
    with torch.no_grad():
        built.output.bias[[0, 1, 3]] = -1e4
        built.ctc_output.bias[1:4] = -1e4
    return built


def sample(name: str, text: str, *, width: int, height: int = 28, seed: int = 0) -> Sample:
    image = np.random.default_rng(seed + width).integers(0, 256, (height, width), np.uint8)
    return Sample(name, text, "w", image)


def split_of(path: Path, samples: Iterable[Sample]) -> Split:
    """Write a sample file whose splits are alike, and read one of them."""
    rows = ((name, sample) for sample in samples for name in SPLITS)
    write_samples(path, rows, source=path.stem, line_height=28, characters=CHARSET.characters)
    return read_split(path, "train")


def batch(sizes: Tensor) -> Tensor:
    """Images of the sizes, the same image for the same size wherever it stands in the batch."""
    height, width = sizes.amax(0).tolist()
    images = torch.zeros(len(sizes), 1, height, width, dtype=torch.uint8)
    for image, (rows, columns) in zip(images, sizes.tolist(), strict=True):
        generator = torch.Generator().manual_seed(rows * 1000 + columns)
        image[0, :rows, :columns] = torch.randint(0, 256, (rows, columns), generator=generator, dtype=torch.uint8)
    return images


def cut(tokens: list[int]) -> list[int]:
    """A row of `generate` without the padding behind its end."""
    while tokens and tokens[-1] == PAD:
        tokens = tokens[:-1]
    return tokens
