"""Small IAM archives: pages with a bar of ink for each box, and the XML and task lists that go with them."""

import io
import zipfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (1000, 1400)  # pixels of the original scan
LISTS = ("trainset", "validationset1", "validationset2", "testset")


@dataclass
class Page:
    """A form; lines are (text, boxes): the n-th word takes the n-th box, further boxes are the last word's."""

    id: str
    writer: str
    task: str | None
    lines: list[tuple[str, list[tuple[int, int, int, int]]]]
    printed: list[str] | None = None  # the lines' texts where None
    replace: dict[str, str] = field(default_factory=dict)  # in the finished XML

    def xml(self) -> bytes:
        quoted = [escape(escape(text)) for text, _ in self.lines]  # twice, as IAM does
        printed = quoted if self.printed is None else [escape(escape(text)) for text in self.printed]
        parts = [f'<form id="{self.id}" writer-id="{self.writer}" width="{SIZE[0]}" height="{SIZE[1]}">']
        parts.append("<machine-printed-part>")
        parts += [f'<machine-print-line text="{text}"/>' for text in printed]
        parts.append("</machine-printed-part><handwritten-part>")
        for index, (text, (plain, boxes)) in enumerate(zip(quoted, self.lines, strict=True)):
            parts.append(f'<line id="{self.id}-{index:02}" text="{text}">')
            words = plain.split()
            for number, word in enumerate(words):
                own = boxes[number:] if number == len(words) - 1 else boxes[number : number + 1]
                cmps = "".join(f'<cmp x="{x}" y="{y}" width="{w}" height="{h}"/>' for x, y, w, h in own)
                parts.append(f'<word text="{escape(escape(word))}">{cmps}</word>')
            parts.append("</line>")
        text = "\n".join([*parts, "</handwritten-part></form>"])
        for old, new in self.replace.items():
            assert old in text
            text = text.replace(old, new, 1)
        return text.encode()

    def image(self, *, scale: float, kind: str) -> bytes:
        pixels = np.full(SIZE[::-1], 255, np.uint8)
        for _, boxes in self.lines:
            for x, y, width, height in boxes:
                pixels[max(y, 0) : y + height, max(x, 0) : x + width] = 20
        image = Image.fromarray(pixels)
        image = image.resize((round(SIZE[0] * scale), round(SIZE[1] * scale)), Image.Resampling.BOX)
        file = io.BytesIO()
        image.save(file, kind, quality=95)
        return file.getvalue()


def line(text: str, y: int, *, height: int = 50) -> tuple[str, list[tuple[int, int, int, int]]]:
    """A line whose words stand 150 pixels apart."""
    return text, [(100 + 150 * index, y, 100, height) for index in range(len(text.split()))]


def pages() -> list[Page]:
    """One form for each split, of two lines each."""
    return [
        Page("a01-000", "001", "trainset", [line("A quick fox", 200), line("jumps over", 320)]),
        Page("b01-000", "002", "validationset1", [line("the lazy dog", 200), line("and sleeps", 320)]),
        Page("c01-000", "003", "testset", [line("all day", 200), line("long", 320)]),
    ]


def members(forms: list[Page], *, scale: float = 0.5, suffix: str = "jpg") -> dict[str, bytes]:
    kind = {"jpg": "JPEG", "png": "PNG"}[suffix]
    found = {f"forms/{page.id}.{suffix}": page.image(scale=scale, kind=kind) for page in forms}
    found |= {f"xml/{page.id}.xml": page.xml() for page in forms}
    for name in LISTS:
        ids = [f"{page.id}-{n:02}" for page in forms if page.task == name for n in range(len(page.lines))]
        found[f"task/{name}.txt"] = "\n".join(ids).encode()
    return found


def write_archive(path: Path, contents: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path
