"""Pictures that no model can read: how sure it is of them.

Usage: python benchmarks/strangers.py MODEL FOLDER [PICTURES]

MODEL is a checkpoint, FOLDER a reproduced project, of whose IAM test lines some are turned; PICTURES: a folder for the
pictures. Twenty of each kind are made, always the same. Mean and highest confidence of each kind, and of all.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from HersheyFonts import HersheyFonts
from machine import ROOT, save
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

sys.path.insert(0, str(ROOT))

from textrec.base.runtime import TextrecError
from textrec.datasets.samples import Split, read_split
from textrec.reading.recognizer import BLANK, Recognizer

COUNT = 20
SIZE = (700, 90)
Maker = Callable[[np.random.Generator], Image.Image]


def written(font: str, random: np.random.Generator, letters: int = 26) -> Image.Image:
    """Words of another script, or of signs, drawn with a pen."""
    pen = HersheyFonts()
    pen.load_default_font(font)
    pen.normalize_rendering(48)
    words = ["".join(chr(97 + code) for code in random.integers(letters, size=random.integers(2, 9))) for _ in range(6)]
    image = Image.new("L", SIZE, 245)
    draw = ImageDraw.Draw(image)
    for (x1, y1), (x2, y2) in pen.lines_for_text(" ".join(words)):
        draw.line((20 + x1, y1 + 12, 20 + x2, y2 + 12), fill=60, width=3)
    return image


def of_line(split: Split, change: Callable[[Image.Image], Image.Image]) -> Maker:
    """A line of handwriting, changed."""

    def make(random: np.random.Generator) -> Image.Image:
        pixels = 255 - split.image(int(random.integers(len(split))))
        line = Image.fromarray(pixels).resize((3 * pixels.shape[1], 3 * pixels.shape[0]), Image.Resampling.BICUBIC)
        return change(ImageOps.expand(line, 20, 245))

    return make


def grain(random: np.random.Generator) -> Image.Image:
    """Paper and nothing else, or stone, cloth, clouds."""
    noise = ndimage.gaussian_filter(random.normal(0, 1, SIZE[::-1]), random.uniform(0, 12, 2))
    levels = random.uniform(100, 230) + random.uniform(3, 60) * noise / noise.std()
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def shapes(random: np.random.Generator) -> Image.Image:
    """Circles, boxes, strokes: a diagram."""
    image = Image.new("L", SIZE, 245)
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(4, 14)):
        x, y, width, height = random.integers((0, 0, 10, 10), (640, 60, 120, 60))
        kind = random.choice(["ellipse", "rectangle", "line"])
        if kind == "line":
            draw.line((x, y, x + width, y + height), fill=60, width=3)
        else:
            getattr(draw, kind)((x, y, x + width, y + height), outline=60, width=3)
    return image


def scribble(random: np.random.Generator) -> Image.Image:
    """A pen that goes up and down and means nothing."""
    image = Image.new("L", SIZE, 245)
    count = int(random.integers(20, 160))
    x = np.cumsum(np.abs(random.normal(640 / count, 300 / count, count))) + 15
    y = 45 + np.cumsum(random.normal(0, 12, count))
    points = np.column_stack([x, 45 + (y - y.mean()).clip(-35, 35)])
    ImageDraw.Draw(image).line([tuple(point) for point in points.tolist()], fill=60, width=3, joint="curve")
    return image


def bars(random: np.random.Generator) -> Image.Image:
    """A bar code."""
    widths = random.choice([3, 6, 9, 12], 90)
    row = np.repeat(np.arange(90) % 2, widths)[: SIZE[0] - 40]
    pixels = np.full(SIZE[::-1], 245, np.uint8)
    pixels[10:80, 20 : 20 + len(row)] = np.where(row, 30, 245)
    return Image.fromarray(pixels)


def makers(lines: Split) -> dict[str, Maker]:
    """The kinds of pictures, by name."""
    scripts = ("cyrillic", "greek", "japanese", "astrology", "music")
    return {
        "upside down": of_line(lines, lambda line: line.rotate(180)),
        "mirrored": of_line(lines, ImageOps.mirror),
        "on its side": of_line(lines, lambda line: line.crop((0, 0, 300, line.height)).rotate(90, expand=True)),
        **{script: lambda random, script=script: written(script, random) for script in scripts},
        "grain": grain,
        "shapes": shapes,
        "scribble": scribble,
        "bars": bars,
    }


def main() -> None:
    """Make, read, print and save."""
    model, lines = Recognizer.load(sys.argv[1]), read_split(Path(sys.argv[2]) / "data/processed/iam_lines.h5", "test")
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    figures, all_of_them = {}, []
    for number, (name, make) in enumerate(makers(lines).items()):
        random = np.random.default_rng(number)
        images = [make(random) for _ in range(COUNT)]
        if folder:
            folder.mkdir(exist_ok=True)
            for index, image in enumerate(images):
                image.save(folder / f"{name.replace(' ', '_')}_{index}.png")
        crops = []
        for image in images:
            try:
                crops.append(model.crop(image))
            except TextrecError:
                crops.append(None)
        read = iter(model.read_prepared([crop for crop in crops if crop]))
        readings = [next(read) if crop else BLANK for crop in crops]
        sure = [reading.confidence for reading in readings]
        all_of_them += sure
        refused, text = sum(crop is None for crop in crops), readings[0].text
        figures[name] = {"mean": round(float(np.mean(sure)), 3), "highest": round(max(sure), 3), "refused": refused}
        print(f"{name:12}", figures[name], repr(text))
    figures["all"] = {"mean": round(float(np.mean(all_of_them)), 3), "highest": round(max(all_of_them), 3)}
    print(figures["all"], len(all_of_them), "pictures")
    save("strangers", figures)


if __name__ == "__main__":
    main()
