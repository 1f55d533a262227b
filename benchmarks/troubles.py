"""What paper and scanners do to handwriting, done to drawn forms: CER and confidence under each trouble.

Usage: python benchmarks/troubles.py MODEL FOLDER [SPLIT [FORMS [PICTURES]]]

MODEL is a checkpoint; FOLDER a reproduced project, of whose forms (data/interim/iam.jsonl) the first FORMS (20) of
SPLIT (val) are taken. PICTURES: a folder for one picture of each trouble, to look at.

    page, N degrees        the page turned; lines by outline and baseline of PAGE XML
    page, no baseline      the same, by outline alone
    page, no outline       the same, by baseline alone
    N degrees              each line a picture of its own, turned
    ruled, squared, dark rule, shadow, red on blue, frame, thumb
"""

import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import ROOT, save
from PIL import Image, ImageDraw

sys.path.insert(0, str(ROOT))

from textrec.archives.raw import read_form_image
from textrec.base.edit_distance import char_errors
from textrec.base.records import Form, read_forms
from textrec.datasets.crops import line_regions
from textrec.pages.text_area import Crop
from textrec.reading.recognizer import Recognizer, boxed_finder
from textrec.reading.sheets import Sheet, open_sheet

MARGIN = 20  # pixels of paper around a line that is a picture
DESCENDERS = 0.22  # of a line's region, below its baseline


def turned(image: Image.Image, degrees: float, fill: str | int = 245) -> Image.Image:
    """As a scanner or a camera turns it."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)


def ruled(image: Image.Image, pitch: float = 0.45, *, squared: bool = False, ink: str = "#88a8e0") -> Image.Image:
    """On paper with lines, `pitch` of the picture's height apart."""
    paper, (width, height) = Image.new("RGB", image.size, "white"), image.size
    draw, step = ImageDraw.Draw(paper), max(6, round(pitch * height))
    for y in range(step // 2, height, step):
        draw.line((0, y, width, y), fill=ink, width=max(1, height // 60))
    for x in range(step // 3, width if squared else 0, step):
        draw.line((x, 0, x, height), fill=ink, width=max(1, height // 60))
    return Image.fromarray(np.minimum(np.asarray(paper), np.asarray(image.convert("RGB"))))


def dark_rule(image: Image.Image) -> Image.Image:
    """On a dark line."""
    image, y = image.copy(), round(image.height * 0.7)
    ImageDraw.Draw(image).line((0, y, image.width, y), fill=30, width=max(1, image.height // 40))
    return image


def shadow(image: Image.Image) -> Image.Image:
    """Half of the light over the left, with a hard and oblique edge."""
    light, (width, height) = Image.new("L", image.size, 255), image.size
    ImageDraw.Draw(light).polygon([(0, 0), (0.5 * width, 0), (0.3 * width, height), (0, height)], fill=115)
    return Image.fromarray((np.asarray(image, np.float32) * np.asarray(light) / 255).astype(np.uint8))


def red_on_blue(image: Image.Image) -> Image.Image:
    """Ink and paper of one brightness."""
    share = (np.asarray(image, np.float32) / 255)[..., None]
    return Image.fromarray((share * (110, 110, 230) + (1 - share) * (230, 72, 60)).astype(np.uint8))


def frame(image: Image.Image) -> Image.Image:
    """In a drawn frame."""
    image = image.copy()
    ImageDraw.Draw(image).rectangle((4, 4, image.width - 5, image.height - 5), outline=40, width=3)
    return image


def thumb(image: Image.Image) -> Image.Image:
    """With a thumb in the corner."""
    high = round(1.4 * image.height)
    page = Image.new("L", (image.width + high, high), 245)
    page.paste(image, (high, 0))
    ImageDraw.Draw(page).ellipse((-high // 3, high // 2, high // 2, high + high // 3), fill=110)
    return page


TROUBLES: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{f"{degrees} degrees": functools.partial(turned, degrees=degrees) for degrees in (0, 1, 2, 3, 5, -5, 10)},
    "ruled": ruled,
    "squared": functools.partial(ruled, pitch=0.2, squared=True),
    "dark rule": dark_rule,
    "shadow": shadow,
    "red on blue": red_on_blue,
    "frame": frame,
    "thumb": thumb,
}


def page_xml(
    form: Form, image: Image.Image, degrees: float, *, outline: bool, baseline: bool
) -> tuple[Image.Image, str]:
    """The page turned about its middle, and PAGE XML of its lines."""
    page, scale = turned(image, degrees), image.width / form.width
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    def points(*corners: tuple[float, float]) -> str:
        placed = (np.array(corners) * scale - np.array(image.size) / 2) @ turn.T + np.array(page.size) / 2
        return " ".join(f"{round(x)},{round(y)}" for x, y in placed)

    lines = []
    for line, box in zip(form.lines, line_regions(form), strict=True):
        level = box.bottom - DESCENDERS * box.height
        corners = (box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom)
        inside = f'<Coords points="{points(*corners)}"/>' if outline else ""
        inside += f'<Baseline points="{points((box.x, level), (box.right, level))}"/>' if baseline else ""
        lines.append(f'<TextLine id="{line.id}">{inside}</TextLine>')
    root = '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">'
    body = f'<Page imageFilename="page.png" imageWidth="{page.width}" imageHeight="{page.height}">{"".join(lines)}'
    return page, f"{root}{body}</Page></PcGts>"


def main() -> None:
    """Measure, print and save."""
    model, source = Recognizer.load(sys.argv[1]), Path(sys.argv[2])
    split = sys.argv[3] if len(sys.argv) > 3 else "val"
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    pictures = Path(sys.argv[5]) if len(sys.argv) > 5 else None
    forms = [form for form in read_forms(source / "data/interim/iam.jsonl") if form.split == split][:count]
    images = [read_form_image(source / "data/raw/iamdb.zip", form.id) for form in forms]
    texts = [line.text for form in forms for line in form.lines]
    figures = {}

    def told(name: str, crops: list[Crop | None], seconds: float) -> None:
        found = model.read_prepared([crop or Crop(np.zeros((28, 28), np.uint8), 0) for crop in crops])
        errors = sum(char_errors(text, reading.text) for reading, text in zip(found, texts, strict=True))
        figures[name] = {
            "cer": round(errors / sum(map(len, texts)), 4),
            "confidence": round(float(np.mean([reading.confidence for reading in found])), 3),
            "refused": sum(crop is None for crop in crops),
            "milliseconds": round(1000 * seconds / len(crops), 1),
        }
        print(name, figures[name], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for given in ("", ", no baseline", ", no outline"):
            for degrees in (0, 1, 2, 3, 5):
                sheets = []
                for form, image in zip(forms, images, strict=True):
                    kinds = {"outline": given != ", no outline", "baseline": given != ", no baseline"}
                    page, xml = page_xml(form, image, degrees, **kinds)
                    page.save(f"{folder}/page.png", compress_level=0)
                    Path(folder, "page.xml").write_text(xml)
                    sheets.append(open_sheet(f"{folder}/page.xml", None, model, boxed_finder(), None))
                seconds = sum(sheet.seconds for sheet in sheets)
                told(f"page, {degrees} degrees{given}", [crop for sheet in sheets for crop in crops_of(sheet)], seconds)
    lines = []
    for form, image in zip(forms, images, strict=True):
        scale = image.width / form.width
        for box in line_regions(form):
            edges = [round(edge * scale) for edge in (box.x, box.y, box.right, box.bottom)]
            line = Image.new("L", (edges[2] - edges[0] + 2 * MARGIN, edges[3] - edges[1] + 2 * MARGIN), 245)
            line.paste(image.crop(tuple(edges)), (MARGIN, MARGIN))
            lines.append(line)
    for name, trouble in TROUBLES.items():
        sheets = []
        for line in lines:
            path = Path(folder, "line.png")
            path.parent.mkdir(exist_ok=True)
            trouble(line).save(path, compress_level=0)
            sheets.append(open_sheet(str(path), None, model, boxed_finder(), "line"))
        crops = [crop for sheet in sheets for crop in crops_of(sheet)]
        told(name, crops, sum(sheet.seconds for sheet in sheets))
        if pictures:
            pictures.mkdir(exist_ok=True)
            picture = trouble(lines[3])
            sheet = Image.new("RGB", (picture.width, picture.height + 60), "gray")
            sheet.paste(picture.convert("RGB"))
            if crop := crops[3]:
                sheet.paste(Image.fromarray(255 - crop.pixels), (0, picture.height + 10))
            sheet.save(pictures / f"{name.replace(' ', '_')}.png")
    if split == "test":
        save("troubles", figures)


def crops_of(sheet: Sheet) -> list[Crop | None]:
    """What is to be read of each line of a page; None of one that cannot be, and of a page that cannot be opened."""
    if not sheet.way:
        return [None]
    given = iter(sheet.crops)
    return [None if line.problem else next(given) for line in sheet.way.page.lines]


if __name__ == "__main__":
    main()
