"""The two networks that this one descends from, as they are trained: what benchmarks/training_step.py compares with.

`original` is the small network of github.com/mariovas3/text-recogniser (iam_lines_experiment_config.yaml), a rewrite of
`course`, that of "Full Stack Deep Learning" (github.com/the-full-stack/fsdl-text-recognizer-2022,
resnet_transformer.py). Both end in torch's own Transformer decoder and are trained in float32 with Adam on lines padded
to 28 x 800 pixels and 89 tokens; both shrink an image 32 times in both directions, so that a line has 25 positions.
Written anew from those facts, but for what no timing depends on: weights begin as torch has them, batches come first,
and padding counts in the loss (the course leaves it out).
"""

import itertools
import math

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.nn import functional

from textrec.base.charset import PAD
from textrec.network.batches import Batch
from textrec.network.layers import sinusoids

HEADS, LAYERS = 4, 4  # of the decoders of both
LENGTH = 89  # tokens of a line, the longest of IAM's and <START> and <END>


class Residual(nn.Module):
    """What `body` gives, plus its input by way of `shortcut`."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        """From float (B, C, H, W) to float (B, C', H', W')."""
        return self.body(inputs) + self.shortcut(inputs)


class ImagePositions(nn.Module):
    """Sinusoids of rows in the first half of the features, of columns in the second (Singh and Karayev 2021)."""

    def forward(self, features: Tensor) -> Tensor:
        """From float (B, D, H, W) to the same shape."""
        dim, rows, columns = features.shape[1:]
        vertical, horizontal = (sinusoids(size, dim // 2).T.to(features) for size in (rows, columns))
        grid = [vertical[:, :, None].expand(-1, -1, columns), horizontal[:, None].expand(-1, rows, -1)]
        return features + torch.cat(grid)


class Ancestor(lightning.LightningModule):
    """An encoder of images, float (B, C, H, W) to float (B, dim, H', W'), and torch's decoder of text.

    The rewrite has GPT's manner: learned positions that are added to unscaled tokens, norms first, no dropout.
    """

    def __init__(self, encoder: nn.Module, *, vocabulary: int, dim: int, fc_dim: int, rewrite: bool) -> None:
        super().__init__()
        self.channels = 1 if rewrite else 3
        self.encoder = encoder
        self.embedding = nn.Embedding(vocabulary, dim)
        self.scale = 1.0 if rewrite else math.sqrt(dim)
        self.position = nn.Parameter(sinusoids(LENGTH, dim), requires_grad=rewrite)
        self.dropout = nn.Dropout(0.0 if rewrite else 0.1)
        dropout = 0.0 if rewrite else 0.4
        layer = nn.TransformerDecoderLayer(dim, HEADS, fc_dim, dropout, batch_first=True, norm_first=rewrite)
        self.decoder = nn.TransformerDecoder(layer, LAYERS, nn.LayerNorm(dim) if rewrite else None)
        self.output = nn.Linear(dim, vocabulary)
        self.future: Tensor
        self.register_buffer("future", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1), persistent=False)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Teacher forcing."""
        memory = self.encoder((batch.images / 255).repeat(1, self.channels, 1, 1)).flatten(2).mT
        tokens = batch.tokens[:, :-1]
        length = tokens.shape[1]
        text = self.dropout(self.embedding(tokens) * self.scale + self.position[:length])
        hidden = self.decoder(text, memory, self.future[:length, :length], tgt_key_padding_mask=tokens == PAD)
        loss = functional.cross_entropy(self.output(hidden).mT, batch.tokens[:, 1:])
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.images))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as both."""
        return torch.optim.Adam(self.parameters(), lr=0.001)


def original(vocabulary: int) -> Ancestor:
    """Nine narrow blocks, learned positions of the text and none of the image, a pre-norm decoder of width 64."""
    channels = [1, 4, 4, 8, 8, 16, 16, 32, 32, 64]
    encoder = nn.Sequential()
    for index, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
        kernel, stride = (3 if index else 5), (1 if index % 2 else 2)
        body = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2),
            nn.BatchNorm2d(outputs, track_running_stats=False),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, kernel, 1, kernel // 2),
        )
        encoder.append(Residual(body, nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride)))
        if index < len(channels) - 2:
            encoder.extend([nn.BatchNorm2d(outputs, track_running_stats=False), nn.ReLU()])
    return Ancestor(encoder, vocabulary=vocabulary, dim=64, fc_dim=128, rewrite=True)


def course(vocabulary: int) -> Ancestor:
    """ResNet-18 (He et al. 2016) on grey repeated to three channels, sinusoids, a post-norm decoder of width 256."""
    encoder = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
    )
    for inputs, outputs, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
        narrow = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        shortcut = nn.Identity() if inputs == outputs else nn.Sequential(narrow, nn.BatchNorm2d(outputs))
        encoder.extend([Residual(_body(inputs, outputs, stride), shortcut), nn.ReLU()])
        encoder.extend([Residual(_body(outputs, outputs, 1), nn.Identity()), nn.ReLU()])
    encoder.extend([nn.Conv2d(512, 256, 1), ImagePositions()])
    return Ancestor(encoder, vocabulary=vocabulary, dim=256, fc_dim=1024, rewrite=False)


def _body(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )
