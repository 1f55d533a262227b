"""Training images, changed anew each time they are seen: on whole batches, on the device that the batch is on."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from textrec.datasets.samples import MARGIN, SHEET_WIDTH, Split, draw_sheet
from textrec.training.recipe import AugmentParams

# The elastic warp is noise smoothed by a Gaussian of this standard deviation, in line heights: at 28 pixels a line what
# is 20 pixels apart, two to three characters, moves on its own.
ELASTIC_SCALE = 0.5
# Most that slanting may push top against bottom, as a share of the width: a paragraph is as high as it is wide, and
# what slanting needs of the width is lost to the text.
MOST_SHEAR = 0.1
# Widest masked span, in line heights: about a character.
SPAN = 0.35


class Augment(nn.Module):
    """Random changes to a padded batch, the same sizes afterwards; `line_height` is pixels a line of text.

    Each image draws its own random numbers, from torch's generator of the device.
    """

    def __init__(self, params: AugmentParams, *, line_height: int) -> None:
        super().__init__()
        self._params = params
        self._line_height = line_height

    @torch.no_grad()
    def forward(self, images: Tensor, sizes: Tensor) -> Tensor:
        """Change a batch.

        images: uint8 (B, 1, H, W), white ink on black, 0 where padded; sizes: int64 (B, 2), own height and width.
        Returns uint8 (B, 1, H, W), 0 where padded; `images` themselves where every parameter is 0.
        """
        params = self._params
        if not any(params.model_dump().values()):
            return images
        height, width = sizes[:, :1, None], sizes[:, 1:, None]
        rows, columns = (torch.arange(size, device=images.device) for size in images.shape[2:])
        with torch.autocast(images.device.type, enabled=False):
            ink = images[:, 0] / 255
            if params.slant or params.slope or params.shrink or params.shift or params.elastic:
                ink = self._warp(ink, rows + 0.5, columns + 0.5, height, width)
            if params.mask:
                ink = ink.masked_fill(self._spans(rows, columns, len(ink)), 0)
            if params.thickness:
                ink = _thicken(ink, params.thickness)
            if params.blur:
                ink = ink.lerp(_blurred(ink), params.blur * _uniform(ink))
            if params.contrast:
                ink = ink ** (2 ** (params.contrast * _symmetric(ink))) * (1 - params.contrast * _uniform(ink))
            if params.paper:
                ink = ink.lerp(torch.ones_like(ink), params.paper * _uniform(ink))
            if params.noise:
                ink = ink.addcmul(torch.randn_like(ink), params.noise * _uniform(ink))
            ink = ink.clamp(0, 1).mul_(255).round_().mul_((rows[:, None] < height) & (columns < width))
        return ink.to(torch.uint8)[:, None]

    def _warp(self, ink: Tensor, down: Tensor, across: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """Slant, slope, shrink, shift and elastic warp in one sampling.

        Black comes in from outside, and is near enough to paper: in 95 % of IAM's crops that is 7 of 255 or less.
        ink: float (B, H, W); down, across: the pixels' places, float (H,), (W,); height, width: (B, 1, 1).
        """
        params, line = self._params, self._line_height
        y, x = down[:, None] - height / 2, across - width / 2  # (B, H, 1), (B, 1, W), from each image's centre
        most = MOST_SHEAR * width / height
        slant = (params.slant * _symmetric(ink)).clamp(-most, most)
        slope = params.slope * line * _symmetric(ink) / (width / 2)
        scale_y, scale_x = 1 - params.shrink * _uniform(ink), 1 - params.shrink * _uniform(ink)
        # Anywhere in the room that shrinking makes; and narrower still, for the slanted text to stay within the image.
        y = y - _symmetric(ink) * ((1 - scale_y) * height / 2 + params.shift * line)
        x = x - _symmetric(ink) * ((1 - scale_x) * width / 2 + params.shift * line)
        scale_x = scale_x * width / (width + slant.abs() * height)
        grid = torch.stack([x / scale_x + slant * y + width / 2, y / scale_y + slope * x + height / 2])
        if params.elastic:
            grid += self._elastic(down, across, _uniform(ink))
        grid[0] /= ink.shape[2] / 2
        grid[1] /= ink.shape[1] / 2
        grid -= 1  # grid_sample counts from -1 to 1 over the padded image
        return functional.grid_sample(ink[:, None], grid.movedim(0, -1), align_corners=False)[:, 0]

    def _elastic(self, down: Tensor, across: Tensor, share: Tensor) -> Tensor:
        """Smooth displacements across and down in pixels, float (2, B, H, W); `share` of the strength: (B, 1, 1)."""
        weights_y, weights_x = self._gaussians(down), self._gaussians(across)
        noise = torch.randn(2, len(share), weights_y.shape[1], weights_x.shape[1], device=down.device)
        noise *= self._params.elastic * self._line_height * share
        noise[1] /= 2
        return weights_y @ (noise @ weights_x.T)

    def _gaussians(self, positions: Tensor) -> Tensor:
        """Weights (positions, nodes) of a smoothing of noise at nodes a standard deviation apart."""
        scale = ELASTIC_SCALE * self._line_height
        nodes = torch.arange(-1, len(positions) // scale + 3, device=positions.device)
        distance = positions[:, None] / scale - nodes
        weights = torch.exp(-(distance**2) / 2) * (distance.abs() < 4)  # what is left out would be slow to multiply
        return weights / weights.norm(dim=1, keepdim=True)

    def _spans(self, rows: Tensor, columns: Tensor, batch: int) -> Tensor:
        """Bool (B, H, W), True in random spans: in a share of the squares of the size of a line, and as high."""
        line = self._line_height
        squares = (batch, (len(rows) - 1) // line + 1, (len(columns) - 1) // line + 1)
        chosen, start, length = torch.rand(3, *squares, device=rows.device)
        length = torch.where(chosen < self._params.mask, SPAN * length, 0)
        start = start * (1 - length)
        square, within = columns // line, columns % line / line
        start, length = start[..., square], length[..., square]
        return ((within >= start) & (within < start + length))[:, rows // line]


def _uniform(ink: Tensor) -> Tensor:
    """A number from [0, 1) for each image, (B, 1, 1)."""
    return torch.rand(len(ink), 1, 1, device=ink.device)


def _symmetric(ink: Tensor) -> Tensor:
    """A number from [-1, 1) for each image, (B, 1, 1)."""
    return 2 * _uniform(ink) - 1


def _thicken(ink: Tensor, most: float) -> Tensor:
    """Add up to `most` pixels to the strokes, or take as much away: grey dilation or erosion by 2 x 2, blended."""
    amount = most * _symmetric(ink)
    grown = ink * amount.sign()  # eroding is dilating the negative
    for axis in (1, 2):
        size = grown.shape[axis] - 1
        pairs = torch.maximum(grown.narrow(axis, 0, size), grown.narrow(axis, 1, size))
        grown = torch.cat([grown.narrow(axis, 0, 1), pairs], dim=axis)
    return ink.lerp(grown * amount.sign(), amount.abs())


def _blurred(ink: Tensor) -> Tensor:
    """Each pixel averaged with its neighbours, weighted 1, 2, 1 down and across."""
    ink = functional.pad(ink, (1, 1, 1, 1))
    ink = ink[:, :-2] + 2 * ink[:, 1:-1] + ink[:, 2:]
    return (ink[..., :-2] + 2 * ink[..., 1:-1] + ink[..., 2:]) / 16


# ---- the contact sheet ----

SHEET_SAMPLES = 4
SHEET_VERSIONS = 7
SHEET_DRAWS = 16  # of which an operation's strongest is shown
GREY = 208  # between the images, whose paper is white


def augmentation_sheet(path: str | Path, split: Split, params: AugmentParams) -> None:
    """Draw what training sees, as a PNG for a person.

    Samples, evenly spaced over the split, each untouched and then in several versions; then each operation that is on,
    alone and strong: of `SHEET_DRAWS` versions of each sample that which differs most. Torch's random state is kept.
    """
    chosen = np.linspace(0, len(split) - 1, min(SHEET_SAMPLES, len(split))).round().astype(int)
    pieces: list[tuple[str, Image.Image | None]] = [("untouched, and changed anew each time", None)]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for index in chosen:
            versions = _versions(split, index, params, SHEET_VERSIONS)
            pieces.append((f"{split.id[index]}  {split.text[index]}", _tiles([split.image(index), *versions])))
        pieces.append((f"each operation alone, the strongest of {SHEET_DRAWS}", None))
        off = dict.fromkeys(AugmentParams.model_fields, 0.0)
        for name, value in params:
            if value:
                alone = AugmentParams(**off | {name: value})
                pieces.append((f"{name} {value:g}", _tiles([_strongest(split, index, alone) for index in chosen])))
    draw_sheet(path, pieces)


def _versions(split: Split, index: int, params: AugmentParams, count: int) -> np.ndarray:
    image = torch.tensor(split.image(index)).expand(count, 1, -1, -1)  # a copy: what is mapped is read-only
    sizes = torch.tensor(image.shape[2:]).expand(count, -1)
    return Augment(params, line_height=split.line_height)(image, sizes)[:, 0].numpy()


def _strongest(split: Split, index: int, params: AugmentParams) -> np.ndarray:
    versions = _versions(split, index, params, SHEET_DRAWS)
    change = np.abs(versions - split.image(index).astype(np.float32)).mean(axis=(1, 2))
    return versions[change.argmax()]


def _tiles(images: list[np.ndarray]) -> Image.Image:
    """Images side by side, in as many rows as the sheet's width asks for; black ink on white."""
    places, left, top, bottom = [], 0, 0, 0
    for height, width in (image.shape for image in images):
        if left and left + width > SHEET_WIDTH - 2 * MARGIN:
            left, top = 0, bottom
        places.append((left, top))
        left, bottom = left + width + MARGIN, max(bottom, top + height + MARGIN)
    right = max(left + image.shape[1] for (left, _), image in zip(places, images, strict=True))
    tiles = Image.new("L", (right + MARGIN, bottom), GREY)
    for place, image in zip(places, images, strict=True):
        tiles.paste(Image.fromarray(255 - image), place)
    return tiles
