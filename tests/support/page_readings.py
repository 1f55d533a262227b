"""Pages of which it is known what is read: pictures of text in a font, and their readings."""

import numpy as np
from PIL import Image, ImageFont
from text_images import text_image

from textrec.reading.page_reading import LineReading, PageReading

SIZE, MARGIN = 30, 50


def page_of(blocks: list[list[str]], *, turned: int = 0) -> tuple[Image.Image, PageReading]:
    """A picture of lines one below the other, turned by quarters clockwise, and what is to be read of it."""
    font = ImageFont.load_default(SIZE)
    lines = [text for block in blocks for text in block]
    image = text_image(lines, size=SIZE, margin=MARGIN)
    found = []
    for row, text in enumerate(lines):
        top, right = MARGIN // 2 + round(1.6 * SIZE) * row, MARGIN + font.getlength(text)
        outline = [(MARGIN, top), (right, top), (right, top + 1.3 * SIZE), (MARGIN, top + 1.3 * SIZE)]
        base = np.array([(MARGIN, top + SIZE), (right, top + SIZE)])
        found.append(LineReading(f"line-{row + 1}", np.array(outline), base, text, 0.9, (0.9,) * len(text)))
    rest = iter(found)
    page = PageReading(image.size, turned, [[next(rest) for _ in block] for block in blocks])
    return rotated(image, page, -90 * turned)


def rotated(image: Image.Image, page: PageReading, degrees: float) -> tuple[Image.Image, PageReading]:
    """A picture turned by degrees counterclockwise about its middle, and its lines with it."""
    out = image.rotate(degrees, expand=True, fillcolor=245, resample=Image.Resampling.BICUBIC)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))

    def place(points: np.ndarray) -> np.ndarray:
        return (points - np.array(image.size) / 2) @ np.array([[cos, -sin], [sin, cos]]) + np.array(out.size) / 2

    moved = ({"outline": place(line.outline), "baseline": place(line.baseline)} for line in page.lines)
    return out, PageReading(out.size, page.turned, page.blocks).filled(moved)
