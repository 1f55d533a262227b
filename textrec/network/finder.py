"""The line finder: a small U-Net that looks at a whole page and says where lines of text are (Ronneberger et al. 2015).

It sees a page as `pages.ribbons.reduced_page` gives it, and writes maps of half of that; and it says whether the page
stands upright.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from textrec.base.params import Params, validate
from textrec.base.runtime import TextrecError
from textrec.network.devices import by_bfloat16
from textrec.network.saved import halved, load_saved, save
from textrec.pages.ribbons import Maps

FORMAT = 1
SHRUNK = 2  # a map has one pixel for so many of a page, either way
TURNS = 4  # by how many quarters a page may be turned


class FinderConfig(Params):
    """Shape of the network; saved with its weights."""

    channels: Annotated[list[PositiveInt], Field(min_length=2)]  # at 1/2, 1/4, 1/8 ... of the page's resolution
    dilations: Annotated[list[PositiveInt], Field(min_length=1)]  # of the blocks at the lowest of these


class Found(NamedTuple):
    """What the network says of a batch of pages, float (B, H / 2, W / 2) each: logits of a line's core, and logarithms
    of how many pixels of a map the line reaches above and below from there; and logits of how the page is turned,
    (B, 4), in quarters clockwise.
    """

    core: Tensor
    above: Tensor
    below: Tensor
    turned: Tensor


class LineFinder(nn.Module):
    """Pages in, maps of their lines out."""

    def __init__(self, config: FinderConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.channels
        self.stem = _Convolution(1, wide[0], stride=SHRUNK, kernel=5)
        self.down = nn.ModuleList(_Convolution(*pair, stride=2) for pair in pairwise(wide))
        self.inner = nn.ModuleList(_Block(channels) for channels in wide[:-1])
        self.lowest = nn.Sequential(*(_Block(wide[-1], dilation) for dilation in config.dilations))
        self.up = nn.ModuleList(_Convolution(low + high, high) for high, low in pairwise(wide))
        self.maps = nn.Conv2d(wide[0], 3, 1)
        self.turned = nn.Linear(wide[-1], TURNS)

    @property
    def multiple(self) -> int:
        """What height and width of a page must be multiples of."""
        return SHRUNK * 2 ** len(self.down)

    def forward(self, images: Tensor) -> Found:
        """Of pages, float (B, 1, H, W) in [0, 1], 0 black, H and W multiples of `multiple`."""
        features = self.stem(images.contiguous(memory_format=torch.channels_last))
        skipped = []
        for inner, down in zip(self.inner, self.down, strict=True):
            features = inner(features)
            skipped.append(features)
            features = down(features)
        features = self.lowest(features)
        turned = self.turned(features.mean(dim=(2, 3)))
        for up, skip in zip(reversed(self.up), reversed(skipped), strict=True):
            features = up(torch.cat([functional.interpolate(features, scale_factor=2.0), skip], dim=1))
        core, above, below = self.maps(features).unbind(1)
        return Found(core, above, below, turned)

    @torch.inference_mode()
    def find(self, page: np.ndarray) -> tuple[Maps, np.ndarray]:
        """The maps of a page, uint8 (H, W), and how probably it is turned by 0 to 3 quarters clockwise, (4,)."""
        height, width = page.shape
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        device = self.maps.weight.device
        images = torch.tensor(np.ascontiguousarray(page), device=device)[None, None].float() / 255
        with by_bfloat16(device):
            found = self(functional.pad(images, padding, "replicate"))
        rows, columns = -(-height // SHRUNK), -(-width // SHRUNK)
        core, above, below = (part[0, :rows, :columns].float().cpu() for part in found[:3])
        maps = Maps(*(part.numpy() for part in (core.sigmoid(), above.exp(), below.exp())))
        return maps, found.turned[0].float().softmax(0).cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write the parameters and the weights, matrices as float16."""
        weights = halved(self.state_dict())
        save(path, {"finder": FORMAT, "config": self.config.model_dump(), "weights": weights})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; TextrecError where the file is missing, damaged, or of another format version."""
        remedy = "train it anew by `dvc repro train_finder`, or get it again from where you got it"
        try:
            content = load_saved(path, remedy=remedy)
        except FileNotFoundError:
            raise TextrecError(f"{path}: not found; {remedy}") from None
        if not isinstance(content, dict) or content.get("finder") != FORMAT:
            raise TextrecError(f"{path}: no line finder of format {FORMAT}; {remedy}")
        finder = cls(validate(content["config"], FinderConfig, where=f"{path}: config"))
        try:
            finder.load_state_dict(content["weights"])
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise TextrecError(f"{path}: its weights do not fit its own parameters ({reason}); {remedy}") from None
        return finder.eval()


class _Convolution(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, kernel: int = 3, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class _Block(nn.Module):
    """Two convolutions around which what comes in passes by (He et al. 2016)."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _Convolution(channels, channels, dilation=dilation)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs + self.second(self.first(inputs))).relu()
