"""Draw docs/lines.png: test lines with what was read in them. Run from the project's root after `dvc repro`."""

from PIL import Image, ImageDraw, ImageFont

from textrec.base.records import read_predictions
from textrec.datasets.samples import read_split

LINES = range(3, 260, 37)
SCALE = 2


def main() -> None:
    """Write the picture."""
    split, predictions = (
        read_split("data/processed/iam_lines.h5", "test"),
        read_predictions("data/predictions/test.jsonl"),
    )
    font = ImageFont.load_default(20)
    picture = Image.new("L", (900, len(LINES) * 100 + 10), 255)
    draw = ImageDraw.Draw(picture)
    for row, index in enumerate(LINES):
        line = Image.fromarray(255 - split.image(index))
        picture.paste(
            line.resize((line.width * SCALE, line.height * SCALE), Image.Resampling.BICUBIC), (10, 10 + row * 100)
        )
        draw.text((14, 68 + row * 100), predictions[index].read, fill=0, font=font)
    picture.save("docs/lines.png")


if __name__ == "__main__":
    main()
