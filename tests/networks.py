"""Small networks and samples for the tests of what needs torch."""

import numpy as np
import torch

from textrec.charset import Charset
from textrec.model import ModelConfig
from textrec.params import validate
from textrec.recognizer import Recognizer
from textrec.records import Sample

torch.set_num_threads(1)  # such networks are faster without threads

CHARSET = Charset("abcd \n")


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


def sample(name: str, text: str, *, width: int, height: int = 28, seed: int = 0) -> Sample:
    image = np.random.default_rng(seed + width).integers(0, 256, (height, width), np.uint8)
    return Sample(name, text, "w", image)
