"""The image encoder: a residual network whose table of blocks is a parameter."""

from typing import Annotated, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from textrec.base.params import Params

Stride = PositiveInt | Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]


class ResNetConfig(Params):
    """One entry a block in each list; a block's input channels are the output channels of the one before (first: 1)."""

    channels: Annotated[list[PositiveInt], Field(min_length=1)]  # output channels
    kernels: list[PositiveInt]  # odd, so that a block of stride 1 keeps the size
    strides: list[Stride]  # down and across: one number for both, or [down, across]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not len(self.channels) == len(self.kernels) == len(self.strides):
            sizes = f"{len(self.channels)}, {len(self.kernels)}, {len(self.strides)}"
            raise ValueError(f"channels, kernels and strides need one entry a block, they have {sizes}")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels must be odd, they are {self.kernels}")
        return self

    def stride_pairs(self) -> list[tuple[int, int]]:
        """(down, across) of each block."""
        return [(stride, stride) if isinstance(stride, int) else (stride[0], stride[1]) for stride in self.strides]

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of features for an image of `height` x `width` pixels: each stride divides, rounding up."""
        for down, across in self.stride_pairs():
            height, width = -(-height // down), -(-width // across)
        return height, width


class ResNet(nn.Module):
    """Images of text to a grid of features.

    Padding is cut off after every convolution, so an image gives the same features alone and in a padded batch.
    """

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        inputs = [1, *config.channels[:-1]]
        table = zip(inputs, config.channels, config.kernels, config.stride_pairs(), strict=True)
        self.blocks = nn.ModuleList(Block(*row) for row in table)

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a padded batch.

        images: float (B, 1, H, W), 0 where padded; sizes: int64 (B, 2), each image's own height and width in pixels.
        Returns float (B, C, H', W'), 0 where padded, and the sizes int64 (B, 2) in rows and columns.
        """
        for block in self.blocks:
            images, sizes = block(images, sizes)
        return images, sizes


class Block(nn.Module):
    """Two convolutions with batch normalisation and a shortcut (He et al. 2016, the basic block)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel, 1, kernel // 2, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != (1, 1) or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.stride: Tensor
        self.register_buffer("stride", torch.tensor(stride), persistent=False)

    def forward(self, inputs: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """See `ResNet.forward`."""
        sizes = (sizes + self.stride - 1) // self.stride
        hidden = self.norm1(self.conv1(inputs)).relu()
        mask = valid_positions(sizes, hidden.shape[-2], hidden.shape[-1])[:, None].to(hidden.dtype)
        hidden = self.norm2(self.conv2(hidden * mask)) + self.shortcut(inputs)
        return hidden.relu() * mask, sizes


def valid_positions(sizes: Tensor, height: int, width: int) -> Tensor:
    """Bool (B, height, width): which positions of a padded grid lie within each image's own `sizes` (B, 2)."""
    rows = torch.arange(height, device=sizes.device) < sizes[:, :1]
    columns = torch.arange(width, device=sizes.device) < sizes[:, 1:]
    return rows[:, :, None] & columns[:, None, :]
