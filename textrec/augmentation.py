"""Training images, changed anew each time they are seen: on whole batches, on the device that the batch is on."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from textrec.recipe import AugmentParams

# The elastic warp is noise smoothed by a Gaussian of this standard deviation, in line heights: at 28 pixels a line what
# is 20 pixels apart, two to three characters, moves on its own.
ELASTIC_SCALE = 0.5
# Most that slanting may push top against bottom, as a share of the width: a paragraph is as high as it is wide, and
# what slanting needs of the width is lost to the text.
MOST_SHEAR = 0.2
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
                ink = self._warp(ink, height, width)
            if params.thickness:
                ink = _thicken(ink, params.thickness)
            if params.blur:
                ink = ink.lerp(_blurred(ink), params.blur * _uniform(ink))
            if params.contrast:
                ink = ink ** (2 ** (params.contrast * _symmetric(ink))) * (1 - params.contrast * _uniform(ink))
            if params.mask:
                ink = ink.masked_fill(self._spans(rows, columns, len(ink)), 0)
            if params.paper:
                paper = params.paper * _uniform(ink)
                ink = paper + (1 - paper) * ink
            if params.noise:
                ink = ink + params.noise * _uniform(ink) * torch.randn_like(ink)
            ink = ink.clamp(0, 1) * ((rows[:, None] < height) & (columns < width))
        return (ink * 255).round().to(torch.uint8)[:, None]

    def _warp(self, ink: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """Slant, slope, shrink, shift and elastic warp in one sampling; black comes in from outside, as paper is."""
        params, line = self._params, self._line_height
        down, across = (torch.arange(size, device=ink.device) + 0.5 for size in ink.shape[1:])
        y, x = down[:, None] - height / 2, across - width / 2  # (B, H, 1), (B, 1, W), from each image's centre
        slant = params.slant * _symmetric(ink)
        most = MOST_SHEAR * width / height
        slant = slant.clamp(-most, most)
        slope = params.slope * line * _symmetric(ink) / (width / 2)
        shrink_y, shrink_x = 1 - params.shrink * _uniform(ink), 1 - params.shrink * _uniform(ink)
        # Anywhere in the room that shrinking makes; and as narrow as the slanted text must be to stay within the image.
        y = y - _symmetric(ink) * ((1 - shrink_y) * height / 2 + params.shift * line)
        x = x - _symmetric(ink) * ((1 - shrink_x) * width / 2 + params.shift * line)
        shrink_x = shrink_x * width / (width + slant.abs() * height)
        source_x, source_y = x / shrink_x + slant * y, y / shrink_y + slope * x
        if params.elastic:
            move_x, move_y = self._elastic(down, across, len(ink)) * (params.elastic * line * _uniform(ink))
            source_x, source_y = source_x + move_x, source_y + move_y / 2
        # grid_sample counts from -1 to 1 over the padded image
        grid = torch.stack(
            [(source_x + width / 2) * (2 / ink.shape[2]) - 1, (source_y + height / 2) * (2 / ink.shape[1]) - 1], dim=-1
        )
        return functional.grid_sample(ink[:, None], grid, align_corners=False)[:, 0]

    def _elastic(self, down: Tensor, across: Tensor, batch: int) -> Tensor:
        """Smooth random fields of mean 0 and variance 1, float (2, B, H, W)."""
        weights_y, weights_x = self._gaussians(down), self._gaussians(across)
        noise = torch.randn(2, batch, weights_y.shape[1], weights_x.shape[1], device=down.device)
        return weights_y @ (noise @ weights_x.T)

    def _gaussians(self, positions: Tensor) -> Tensor:
        """Weights (positions, nodes) of a smoothing of noise at nodes a standard deviation apart."""
        scale = ELASTIC_SCALE * self._line_height
        nodes = torch.arange(-2, len(positions) // scale + 4, device=positions.device)
        weights = torch.exp(-((positions[:, None] / scale - nodes) ** 2) / 2)
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
    signed = ink * amount.sign()  # eroding is dilating the negative
    grown = signed.clone()
    grown[:, 1:] = torch.maximum(signed[:, 1:], signed[:, :-1])
    signed = grown.clone()
    grown[..., 1:] = torch.maximum(signed[..., 1:], signed[..., :-1])
    return ink.lerp(grown * amount.sign(), amount.abs())


def _blurred(ink: Tensor) -> Tensor:
    """Each pixel averaged with its neighbours in a square of 3."""
    return functional.avg_pool2d(ink[:, None], 3, stride=1, padding=1)[:, 0]
