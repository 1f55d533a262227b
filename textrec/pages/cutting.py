"""Crops cut out of an image and resampled once: the same for training and for reading."""

import numpy as np
from PIL import Image

Bounds = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the stored image


def resample(image: Image.Image, bounds: Bounds, height: int) -> np.ndarray:
    """Inverted pixels within `bounds`, `height` pixels high and as wide as keeps the proportion; uint8."""
    left, top, right, bottom = bounds
    width = max(1, round(height * (right - left) / (bottom - top)))
    return np.invert(np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, bounds)))
