"""The embedded sample: pages and letters by writers who do not exist, in the archives that IAM and EMNIST come in.

Nothing is downloaded: hands come from `pen`, what they write from `prose`. As in IAM, writers are disjoint
between the splits, some forms stand in no task list, and a few forms are difficult: see the constants below.
"""

import io
import itertools
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import scipy.io
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.records import Box
from textrec.base.runtime import TextrecError, atomic, parallel_map
from textrec.base.zips import zip_info
from textrec.drawn.pen import Ink, Writer, stamp, writer
from textrec.drawn.prose import broken_into_lines, sentences, words_and_marks
from textrec.drawn.whiteboard import record_lines

MIN_FORMS = 12  # fewer do not hold all special forms and three splits
WRITER_FORMS = (4, 3)  # forms by one writer, in turn
UNLISTED_LINES = 2

# Forms that are difficult in the ways in which IAM's are; all are by writers of the train split.
ALL_CAPITALS = "s00-001"  # written in capitals, printed as usual (IAM: g07-000a)
STRAY_LINES = "s00-002"  # lines before and after the text that are not in the print (IAM: p02-109)
LONG_F = "s00-003"  # an f that runs into the next line (IAM: r02-060)
WRONG_LABEL = "s01-000"  # the label follows the print, the writer did not; data/corrections.tsv (IAM: k04-028)
QUOTED = "s01-001"  # quotes, ampersands and apostrophes

OPENINGS = {
    LONG_F: ["One half of the staff left", "before the offer was read out", "in full to those who stayed."],
    WRONG_LABEL: ["We meet on the quay at noon.", "The ferry leaves the island", "when the bell has rung twice."],
    QUOTED: ['"Bread & butter," said Tom,', "\"isn't what I'd call a meal!\"", 'But "Salt & Son" sold no more.'],
}
WRITTEN = {"The ferry leaves the island": "The ferry leaves the harbour"}
STRAY_BEFORE, STRAY_AFTER = ["Exercise No. 12", "(third attempt)"], ["- end of the page -"]

# Lengths in pixels of the scan, which IAM makes at 300 dpi; the archive holds it at half size.
WIDTH, HEIGHT = 2479, 3542
LEFT, RIGHT = 350, WIDTH - 60
PITCH = 190  # between base lines
PRINT_WIDTH = 84  # characters

GLYPHS = {"train": 60, "test": 12}  # writers of one glyph of each class
CLASSES = LINE_CHARACTERS[:62]  # in the order of the by-class mapping


@dataclass(frozen=True)
class Page:
    """A form before it is drawn: `printed` is the text of its header, `lines` are (label, what is written)."""

    id: str
    writer: int
    split: str
    listed: bool
    printed: str
    lines: tuple[tuple[str, str], ...]


def write_sample(folder: Path, *, forms: int, seed: int) -> None:
    """Write iamdb.zip, matlab.zip and ondb_strokes.npz into `folder`; same `forms` and `seed`, same bytes.

    iamdb.zip is laid out as the course archive: half-size grey JPEGs, IAM's XML with boxes in pixels of the full scan,
    the lists of the Large Writer Independent Text Line Recognition Task. matlab.zip holds glyphs in the layout of
    EMNIST by-class, ondb_strokes.npz on-line handwriting.
    Raises TextrecError where `forms` is below MIN_FORMS.
    """
    if forms < MIN_FORMS:
        raise TextrecError(f"the sample needs at least {MIN_FORMS} forms, not {forms}; raise data.sample.forms")
    pages = plan(forms, seed)
    drawn = parallel_map(partial(draw_form, seed=seed), pages, total=forms, description="writing forms", unit="form")
    with atomic(folder / "iamdb.zip") as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for page, (jpeg, xml) in zip(pages, drawn, strict=True):
            archive.writestr(zip_info(f"iamdb/forms/{page.id}.jpg"), jpeg)
            archive.writestr(zip_info(f"iamdb/xml/{page.id}.xml"), xml)
        for name, ids in task_lists(pages).items():
            archive.writestr(zip_info(f"iamdb/task/{name}.txt"), "".join(f"{line}\n" for line in ids).encode())
    with atomic(folder / "matlab.zip") as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(zip_info("matlab/emnist-byclass.mat"), by_class(seed))
    with atomic(folder / "ondb_strokes.npz") as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in record_lines(seed).items():
            archive.writestr(zip_info(name), content)


# ---- what stands on the forms ----


def plan(forms: int, seed: int) -> list[Page]:
    """All forms, writer by writer: about 75 % to train on, 10 % val, 15 % test."""
    val, test = max(3, round(0.1 * forms)), max(2, round(0.15 * forms))
    pages = []
    index = 0
    for split, count in (("train", forms - val - test), ("val", val), ("test", test)):
        first = index
        while count:
            size = min(count, WRITER_FORMS[(index - first) % 2])
            count -= size
            hand = writer(index, seed=seed)
            for number in range(size):
                # In no list stand the forms of the last train writer and one form of the first val writer.
                listed = not (
                    (split == "train" and count == 0) or (split == "val" and (index, number) == (first, size - 1))
                )
                rng = np.random.Generator(np.random.PCG64((seed, 2, index, number)))
                pages.append(_page(f"{hand.id}-{number:03d}", index, split, listed, hand.line_length, rng))
            index += 1
    return pages


def _page(id_: str, index: int, split: str, listed: bool, length: int, rng: np.random.Generator) -> Page:
    opening = OPENINGS.get(id_, [])
    before, after = (STRAY_BEFORE, STRAY_AFTER) if id_ == STRAY_LINES else ([], [])
    count = int(rng.integers(7, 10)) - len(before + opening + after)  # or a few more: a form ends with its sentence
    source = sentences(split, rng)
    text = ""
    while len(lines := broken_into_lines(text, length)) < count:
        text += f"{next(source)} "
    lines = opening + lines
    pairs = [(line, WRITTEN.get(line, line)) for line in lines]
    if id_ == ALL_CAPITALS:
        pairs = [(line.upper(), line.upper()) for line in lines]
    pairs = [*zip(before, before, strict=True), *pairs, *zip(after, after, strict=True)]
    return Page(id_, index, split, listed, " ".join(lines), tuple(pairs))


def task_lists(pages: Iterable[Page]) -> dict[str, list[str]]:
    """Line ids by name of the task file; val forms take turns, and the last lines of the last test form are absent."""
    lists: dict[str, list[str]] = {name: [] for name in ("trainset", "validationset1", "validationset2", "testset")}
    turn = itertools.cycle(("validationset1", "validationset2"))
    for page in pages:
        if page.listed:
            name = next(turn) if page.split == "val" else f"{page.split}set"
            lists[name] += [f"{page.id}-{number:02d}" for number in range(len(page.lines))]
    del lists["testset"][-UNLISTED_LINES:]
    return lists


# ---- a form as image and XML ----


def draw_form(page: Page, *, seed: int) -> tuple[bytes, bytes]:
    """The form's half-size grey JPEG and its XML."""
    hand = writer(page.writer, seed=seed)
    rng = np.random.Generator(np.random.PCG64((seed, 3, page.writer, int(page.id[-3:]))))
    canvas, top = _printed(page)
    paper = np.array(canvas)
    boxes = []
    for number, (_, text) in enumerate(page.lines):
        ink = hand.write(text, rng)
        if page.id == LONG_F and number == 0:
            ink = _with_long_f(ink, text)
        x, y = LEFT + rng.normal(0, 20), top + PITCH * number + rng.normal(0, 5)
        # At the edge of the page people squeeze their letters.
        ink.points[:, 0] *= min(1.0, (RIGHT - x) / ink.points[:, 0].max())
        stamp(paper, ink, x=x, y=y)
        boxes.append(_letter_boxes(ink, len(text), x, y))
    return photographed(paper, hand, rng), _xml(page, hand, boxes)


def _printed(page: Page) -> tuple[Image.Image, int]:
    """The printed part of a form, ink 255, and the base line of the first handwritten line."""
    image = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    large, small = ImageFont.load_default(62), ImageFont.load_default(46)
    draw.text((LEFT, 200), "Sentence Database", fill=255, font=large, stroke_width=1)
    draw.text((2150, 200), page.id.upper(), fill=255, font=large, stroke_width=1, anchor="ra")
    text = "\n".join(broken_into_lines(page.printed, PRINT_WIDTH))
    bottom = 400 + 54 * (text.count("\n") + 1)
    draw.multiline_text((LEFT, 375), text, fill=255, font=small, stroke_width=1, spacing=8)
    for y in (350, bottom + 40, HEIGHT - 240):
        draw.line((LEFT - 15, y, 2165, y), fill=255, width=4)
    draw.text((LEFT, HEIGHT - 220), "Name:", fill=255, font=small)
    return image, bottom + 240


def _with_long_f(ink: Ink, text: str) -> Ink:
    """The first f drawn down by most of a line, as a hurried pen does."""
    letter = text.index("f")
    own = np.flatnonzero(ink.letter == letter)
    lowest = ink.points[own[ink.points[own, 1].argmax()]]
    tail = lowest + np.linspace((0, 0), (-0.1 * PITCH, 0.85 * PITCH), PITCH)
    after = own[-1] + 1
    return Ink(
        np.insert(ink.points, after, tail, axis=0),
        np.insert(ink.radius, after, np.full(PITCH, ink.radius[own].mean())),
        np.insert(ink.letter, after, np.full(PITCH, letter)),
    )


def _letter_boxes(ink: Ink, letters: int, x: float, y: float) -> list[Box | None]:
    """Around the ink of each letter; None for a blank."""
    boxes: list[Box | None] = [None] * letters
    present, starts = np.unique(ink.letter, return_index=True)
    points, reach = ink.points + np.array([x, y]), ink.radius[:, None]
    low = np.floor(np.minimum.reduceat(points - reach, starts)).astype(int)
    high = np.ceil(np.maximum.reduceat(points + reach, starts)).astype(int)
    for letter, (left, top), (right, bottom) in zip(present, low.tolist(), high.tolist(), strict=True):
        boxes[letter] = Box(left, top, right - left + 1, bottom - top + 1)
    return boxes


def photographed(ink: np.ndarray, hand: Writer, rng: np.random.Generator) -> bytes:
    """Half-size grey JPEG of the ink on slightly uneven paper."""
    half = Image.fromarray(ink).reduce(2).crop((0, 0, ink.shape[1] // 2, ink.shape[0] // 2))
    cover = np.array(half.filter(ImageFilter.GaussianBlur(0.6)), np.uint16)
    shade = Image.fromarray(rng.integers(234, 250, (8, 6), np.uint8)).resize(
        cover.shape[::-1], Image.Resampling.BICUBIC
    )
    paper = np.array(shade, np.uint16) + rng.integers(0, 5, cover.shape, np.uint8)
    grey = (paper - ((cover * (paper - hand.ink)) >> 8)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=80)
    return file.getvalue()


def _xml(page: Page, hand: Writer, boxes: list[list[Box | None]]) -> bytes:
    root = ElementTree.Element(
        "form", {"id": page.id, "width": str(WIDTH), "height": str(HEIGHT), "writer-id": hand.id, "version": "2.1"}
    )
    printed = ElementTree.SubElement(root, "machine-printed-part")
    for text in broken_into_lines(page.printed, PRINT_WIDTH):
        ElementTree.SubElement(printed, "machine-print-line", text=_entities(text))
    written = ElementTree.SubElement(root, "handwritten-part")
    for number, ((label, text), letter_boxes) in enumerate(zip(page.lines, boxes, strict=True)):
        id_ = f"{page.id}-{number:02d}"
        line = ElementTree.SubElement(written, "line", id=id_, text=_entities(label), segmentation="ok")
        words = zip(words_and_marks(label), words_and_marks(text), strict=True)
        for index, ((_, name), (start, drawn)) in enumerate(words):
            word = ElementTree.SubElement(line, "word", id=f"{id_}-{index:02d}", text=name)
            for box in filter(None, letter_boxes[start : start + len(drawn)]):
                ElementTree.SubElement(word, "cmp", {key: str(value) for key, value in box._asdict().items()})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="iso-8859-1", xml_declaration=True) + b"\n"


def _entities(text: str) -> str:
    """Marks as IAM has them in lines: as entities that are escaped once more when the file is written."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&apos;")


# ---- EMNIST ----

CANVAS = 28 * 8  # pixels; drawn eight times as large, then reduced
REACH = 20 * 8  # of the longer side of a glyph; NIST's characters keep a margin


def by_class(seed: int) -> bytes:
    """A MATLAB file in the layout of emnist-byclass.mat: train and test glyphs by writers of no form."""
    counts = GLYPHS["train"] + GLYPHS["test"]
    drawn = parallel_map(
        partial(_alphabet, seed=seed), range(counts), total=counts, description="glyphs", unit="writer"
    )
    images = np.stack(list(drawn))  # writer, class, pixels
    dataset = {}
    for name, part in (("train", slice(GLYPHS["train"])), ("test", slice(GLYPHS["train"], None))):
        glyphs = images[part]
        labels = np.tile(np.arange(62, dtype=np.uint8), len(glyphs))[:, None]
        writers = np.repeat(np.arange(counts, dtype=np.uint16)[part], 62)[:, None]
        dataset[name] = {"images": glyphs.reshape(-1, 784), "labels": labels, "writers": writers}
    dataset["mapping"] = np.array([(index, ord(character)) for index, character in enumerate(CLASSES)], np.uint8)
    file = io.BytesIO()
    scipy.io.savemat(file, {"dataset": dataset}, do_compression=True)
    # SciPy begins the file with 116 characters that name the platform and the time.
    return b"MATLAB 5.0 MAT-file, textrec sample".ljust(116) + file.getvalue()[116:]


def _alphabet(index: int, *, seed: int) -> np.ndarray:
    """One glyph of each class by one writer: uint8 (62, 784), white on black, transposed as EMNIST stores them."""
    hand = writer(index, seed=seed + 1_000_000)
    rng = np.random.Generator(np.random.PCG64((seed, 4, index)))
    glyphs = np.zeros((62, 28, 28), np.uint8)
    for number, character in enumerate(CLASSES):
        points = hand.write(character, rng).points
        low, high = points.min(axis=0), points.max(axis=0)
        scale = REACH / (high - low).max()
        ink = Ink((points - (low + high) / 2) * scale, np.full(len(points), 2.2 * hand.pen), np.zeros(len(points), int))
        canvas = np.zeros((CANVAS, CANVAS), np.uint8)
        stamp(canvas, ink, x=CANVAS / 2, y=CANVAS / 2)
        glyphs[number] = np.array(Image.fromarray(canvas).reduce(8))
    return glyphs.transpose(0, 2, 1).reshape(62, 784)
