"""Pictures of text in a font, for what reads pictures."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from textrec.pages.text_area import prepare

HEIGHT = 28
WORDS = ["Jumping quickly, a wizard", "had boxed the lazy dogs", "of Peking; then he left", "by night for good reason"]


def line(text: str = "handwriting", *, size: int = 40, ink: int = 40, paper: int = 245) -> Image.Image:
    """A line of text on a page with margins, mode L."""
    image = Image.new("L", (20 * len(text) * size // 40 + 2 * size, 3 * size), paper)
    ImageDraw.Draw(image).text((size, size), text, fill=ink, font=ImageFont.load_default(size))
    return image


def text_image(lines: list[str], *, size: int = 44, margin: int = 60, paper: int = 245, ink: int = 60) -> Image.Image:
    """Dark text on light paper, mode L, about as IAM's scans."""
    font = ImageFont.load_default(size)
    pitch = round(1.6 * size)
    width = round(max(font.getlength(line) for line in lines)) + 2 * margin
    image = Image.new("L", (width, pitch * len(lines) + 2 * margin - (pitch - size) // 2), paper)
    for row, line in enumerate(lines):
        ImageDraw.Draw(image).text((margin, margin // 2 + pitch * row), line, fill=ink, font=font)
    return image


LINE = text_image(WORDS[:1])


def line_crop(image: Image.Image) -> np.ndarray:
    """What is read of a picture of one line, HEIGHT pixels high."""
    crop = prepare(image, line_height=HEIGHT, paragraph=False)
    assert crop.lines == 1
    return crop.pixels


def likeness(one: np.ndarray, two: np.ndarray) -> float:
    """Correlation of two crops of one line, brought to the width of the first."""
    other = np.asarray(Image.fromarray(two).resize(one.shape[::-1]))
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
