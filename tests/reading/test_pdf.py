"""PDFs that can be searched: the text is found in order, lies on its ink, and is not seen."""

import ctypes
import errno
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from page_readings import SIZE, page_of, rotated
from PIL import ExifTags, Image

from textrec.base.runtime import TextrecError
from textrec.pages.pictures import open_pictures
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.pdf import SearchablePdf

BLOCKS = [["Jumping quickly, a wizard", "had boxed lazy dogs"], ["of Peking; then he left"]]
ORIENTATIONS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def lines_of(path: Path, index: int = 0) -> list[str]:
    """The text of a page as pdfium copies it, without blanks at the ends of lines."""
    with closing(pypdfium2.PdfDocument(path)) as document:
        lines = document[index].get_textpage().get_text_range().splitlines()
    return [line.strip() for line in lines if line.strip()]


def boxes_of(path: Path, size: tuple[int, int], index: int = 0) -> Iterator[tuple[str, float, float]]:
    """Each character of a page but blanks, and the middle of its place in pixels of the page's picture."""
    with closing(pypdfium2.PdfDocument(path)) as document:
        page = document[index]
        text = page.get_textpage()
        x, y = ctypes.c_int(), ctypes.c_int()
        for number in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(number)
            middle = (left + right) / 2, (bottom + top) / 2
            pypdfium2.raw.FPDF_PageToDevice(page, 0, 0, *size, 0, *middle, x, y)
            if character := text.get_text_range(number, 1).strip():
                yield character, x.value, y.value


def assert_on_ink(path: Path, page: PageReading, index: int = 0) -> None:
    """Check that each character is within its line, in the part of it where the character is."""
    places = list(boxes_of(path, page.size, index))
    for line in page.lines:
        text = line.text.replace(" ", "")
        (x, y), along = line.baseline[0], line.baseline[1] - line.baseline[0]
        length, height = np.hypot(*along), np.ptp(line.outline @ np.array([-along[1], along[0]])) / np.hypot(*along)
        found = []
        for character, *place in places:
            at, off = (place - np.array([x, y])) @ np.stack([along, (along[1], -along[0])], axis=1) / length
            if 0 <= at <= length and -0.35 * height < off < 0.8 * height:
                found.append((at, character))
        assert "".join(character for _, character in sorted(found)) == text


def rendered(path: Path, size: tuple[int, int], index: int = 0) -> np.ndarray:
    with closing(pypdfium2.PdfDocument(path)) as document:
        return np.asarray(document[index].render(scale=2).to_pil().convert("L").resize(size), float)


@pytest.mark.parametrize("degrees", [0, 2, -3, 7, 90, 180, 271])
def test_text_is_found_and_lies_on_its_ink_and_is_not_seen(degrees: float, tmp_path: Path) -> None:
    image, page = rotated(*page_of(BLOCKS), degrees)
    image.save(tmp_path / "scan.png")
    for name, blocks in (("with.pdf", page.blocks), ("without.pdf", [])):
        with SearchablePdf(tmp_path / "scan.png", tmp_path / name) as pdf:
            pdf.add(None, replace(page, blocks=blocks))
    assert lines_of(tmp_path / "with.pdf") == [line.text for line in page.lines]
    assert_on_ink(tmp_path / "with.pdf", page)
    one, other = (rendered(tmp_path / name, image.size) for name in ("with.pdf", "without.pdf"))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - np.asarray(image)).mean() < 3
    assert lines_of(tmp_path / "without.pdf") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.png", "with.pdf", "without.pdf"]


def test_a_bent_line_is_written_word_by_word(tmp_path: Path) -> None:
    x = np.linspace(20, 600, 30)
    y = 100 + 30 * np.sin(x / 120)
    outline = np.concatenate([np.column_stack([x, y - 20]), np.column_stack([x, y + 10])[::-1]])
    line = LineReading("a", outline, np.column_stack([x, y]), "one two three four five", 0.9)
    Image.new("L", (640, 200), 255).save(tmp_path / "scan.png")
    with SearchablePdf(tmp_path / "scan.png", tmp_path / "scan.pdf") as pdf:
        pdf.add(None, PageReading((640, 200), 0, [[line]]))
    assert "".join(lines_of(tmp_path / "scan.pdf")).split() == line.text.split()
    for _, at, height in boxes_of(tmp_path / "scan.pdf", (640, 200)):
        assert abs(np.interp(at, x, y - 5) - height) < 8


def test_any_unicode_can_be_copied_and_searched(tmp_path: Path) -> None:
    text = "naïve “ſʒ” Ελληνικά кириллица 漢字 😀𐍈 a\u0301 \x00"
    image, page = page_of([[text]])
    image.save(tmp_path / "scan.png")
    with SearchablePdf(tmp_path / "scan.png", tmp_path / "scan.pdf") as pdf:
        pdf.add(None, page)
    [found] = lines_of(tmp_path / "scan.pdf")
    assert found.split() == text.replace("\x00", "\ufffd").split()
    with closing(pypdfium2.PdfDocument(tmp_path / "scan.pdf")) as document:
        assert document[0].get_textpage().search("кириллица").get_next()


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils are not installed")
@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_poppler_finds_the_lines_in_order(turned: int, tmp_path: Path) -> None:
    image, page = page_of([["naïve 漢字 😀 wizard", "had boxed"], ["lazy dogs"]], turned=turned)
    image.save(tmp_path / "scan.png")
    with SearchablePdf(tmp_path / "scan.png", tmp_path / "scan.pdf") as pdf:
        pdf.add(None, page)
    done = subprocess.run(["pdftotext", tmp_path / "scan.pdf", "-"], capture_output=True, check=True)
    assert (done.stdout.decode().split(), done.stderr) == (page.text.split(), b"")


# ---- pictures ----


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_jpeg_stays_as_it_is_and_is_turned_as_its_exif_says(orientation: int, tmp_path: Path) -> None:
    image, page = page_of(BLOCKS)
    turn = ORIENTATIONS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (image.transpose(turn) if turn is not None else image).save(tmp_path / "scan.jpg", exif=exif, dpi=(144, 144))
    with SearchablePdf(tmp_path / "scan.jpg", tmp_path / "scan.pdf") as pdf:
        pdf.add(None, page)
    with pikepdf.open(tmp_path / "scan.pdf") as pdf:
        [stored] = dict(pdf.pages[0].resources.XObject).values()
        assert stored.read_raw_bytes() == (tmp_path / "scan.jpg").read_bytes()
    assert lines_of(tmp_path / "scan.pdf") == [line.text for line in page.lines]
    assert np.abs(rendered(tmp_path / "scan.pdf", image.size) - np.asarray(image)).mean() < 3
    assert_on_ink(tmp_path / "scan.pdf", page)


@pytest.mark.parametrize(
    "kind",
    ["mirrored.jpg", "turned.tif", "turned.png", "clear.png", "clear white.png", "16 bits.png", "a.webp", "a.gif"],
)
def test_any_picture_is_shown_upright_below_its_text(kind: str, tmp_path: Path) -> None:
    image, page = page_of(BLOCKS)
    exif, stored = Image.Exif(), image
    if kind.startswith("mirrored"):
        exif[0x0112], stored = 2, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    elif kind.startswith("turned"):
        exif[0x0112], stored = 6, image.transpose(Image.Transpose.ROTATE_90)
    elif kind.startswith("clear"):
        stored = Image.new("RGBA", image.size, "white" if "white" in kind else 0)
        stored.putalpha(Image.fromarray(245 - np.minimum(np.asarray(image), 245)))
    elif kind.startswith("16"):
        stored = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    stored.save(tmp_path / kind, **({"exif": exif} if exif else {}))
    with SearchablePdf(tmp_path / kind, tmp_path / "scan.pdf") as pdf:
        pdf.add(None, page)
    [upright] = open_pictures(tmp_path / kind)
    assert np.abs(rendered(tmp_path / "scan.pdf", image.size) - np.asarray(upright.image)).mean() < 5
    assert_on_ink(tmp_path / "scan.pdf", page)


def test_a_tiff_of_several_pages(tmp_path: Path) -> None:
    pages = [page_of([[text, "and more"]]) for text in ("one", "two", "three of them")]
    images = [pages[0][0].convert("1"), pages[1][0], pages[2][0].convert("RGB")]
    images[0].save(tmp_path / "scan.tif", save_all=True, append_images=images[1:], compression=None)
    with SearchablePdf(tmp_path / "scan.tif", tmp_path / "scan.pdf") as pdf:
        for number in (3, 1):  # in any order, and not all
            pdf.add(number, pages[number - 1][1])
    assert [lines_of(tmp_path / "scan.pdf", index) for index in range(3)] == [
        ["one", "and more"],
        [],
        ["three of them", "and more"],
    ]
    assert_on_ink(tmp_path / "scan.pdf", pages[2][1], 2)


def test_smaller_copies_in_a_tiff_are_no_pages_of_its_pdf(tmp_path: Path) -> None:
    image, page = page_of([["one"]])
    small, other = image.reduce(4), page_of([["two"]])
    small.encoderinfo = {"tiffinfo": {ExifTags.Base.NewSubfileType: 1}}
    image.save(tmp_path / "one.tif", save_all=True, append_images=[small])
    image.save(tmp_path / "two.tif", save_all=True, append_images=[small, other[0], small])
    for name, readings in (("one.tif", [page]), ("two.tif", [page, other[1]])):
        with SearchablePdf(tmp_path / name, tmp_path / "scan.pdf") as pdf:
            for number, reading in enumerate(readings, start=1):
                pdf.add(number, reading)
        with pikepdf.open(tmp_path / "scan.pdf") as pdf:
            assert len(pdf.pages) == len(readings)
        for index, reading in enumerate(readings):
            assert lines_of(tmp_path / "scan.pdf", index) == [reading.text]
            assert_on_ink(tmp_path / "scan.pdf", reading, index)


def test_a_picture_that_can_be_no_page_of_a_pdf_is_told(tmp_path: Path) -> None:
    Image.new("L", (1, 1)).save(tmp_path / "scan.png")
    with pytest.raises(TextrecError, match=r"scan.png: PDF can have no such page \(Page size must be between 3"):
        SearchablePdf(tmp_path / "scan.png", tmp_path / "out.pdf").__enter__()


# ---- PDFs ----


def write_pdf(path: Path, changes: list[dict[str, object]], image: Image.Image, content: bytes = b"") -> None:
    """A PDF with a page for each of `changes` to it; the picture fills what is shown of each, 300 dpi."""
    with pikepdf.new() as pdf:
        pixels = pdf.make_stream(
            zlib.compress(image.tobytes()),
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=image.width,
            Height=image.height,
            ColorSpace=pikepdf.Name.DeviceGray,
            BitsPerComponent=8,
            Filter=pikepdf.Name.FlateDecode,
        )
        resources = pdf.make_indirect(pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=pixels)))
        width, height = (side * 72 / 300 for side in image.size)
        inherited = {}
        for change in changes:
            turned = change.get("Rotate", 0) in (90, 270)
            sides = (height, width) if turned else (width, height)
            box = [10.5, -20, 10.5 + sides[0], -20 + sides[1]]
            matrix = {
                90: (0, width, -height, 0, 10.5 + height, -20),
                180: (-width, 0, 0, -height, 10.5 + width, -20 + height),
                270: (0, -width, height, 0, 10.5, -20 + width),
            }.get(change.get("Rotate", 0), (width, 0, 0, height, 10.5, -20))
            stream = f"q {' '.join(map(str, matrix))} cm /Im Do Q".encode()
            page = pikepdf.Dictionary(
                Type=pikepdf.Name.Page, MediaBox=box, Resources=resources, Contents=pdf.make_stream(stream + content)
            )
            for key, value in change.items():
                if key == "grown":  # by a margin that the CropBox takes away again
                    page.CropBox, page.MediaBox = [box[2], box[3], box[0], box[1]], [box[0] - 50, -99, box[2] + 1, 999]
                elif key == "inherited":
                    inherited = {"/MediaBox": page.MediaBox, "/Resources": resources}
                else:
                    page[f"/{key}"] = value
            pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))
        for key, value in inherited.items():
            pdf.Root.Pages[key] = value
            del pdf.pages[0].obj[key]
        pdf.docinfo["/Title"] = "of some archive"
        pdf.save(path)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Rotate": 90},
        {"Rotate": 45},
        {"Rotate": 180},
        {"Rotate": 270},
        {"grown": 1},
        {"grown": 1, "Rotate": 90},
        {"inherited": 1},
    ],
    ids=str,
)
def test_a_pdf_gets_text_on_its_ink(change: dict[str, object], tmp_path: Path) -> None:
    image, _ = page_of(BLOCKS)
    write_pdf(tmp_path / "scan.pdf", [change, {}], image, b" q 2 0 0 2 50 50 cm")  # which leaves its scale behind
    picture = next(open_pictures(tmp_path / "scan.pdf"))
    assert np.abs(np.subtract(picture.image.size, image.size)).max() <= 1
    assert np.abs(np.asarray(picture.image.resize(image.size), float) - np.asarray(image)).mean() < 5
    page = replace(page_of(BLOCKS)[1], size=picture.image.size)
    with SearchablePdf(tmp_path / "scan.pdf", tmp_path / "out.pdf") as pdf:
        pdf.add(1, page)
    assert lines_of(tmp_path / "out.pdf") == [line.text for line in page.lines]
    assert lines_of(tmp_path / "out.pdf", 1) == []
    assert_on_ink(tmp_path / "out.pdf", page)
    again = next(open_pictures(tmp_path / "out.pdf"))
    np.testing.assert_array_equal(np.asarray(again.image), np.asarray(picture.image))
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert pdf.docinfo["/Title"] == "of some archive"


# ---- text that a PDF has already ----


def test_a_pdf_may_be_read_again_over_itself(tmp_path: Path) -> None:
    image, page = page_of([["one"]])
    other = page_of([["zwei"]])[1]
    image.save(tmp_path / "scan.png")
    path, sizes = tmp_path / "scan.pdf", []
    with SearchablePdf(tmp_path / "scan.png", path) as pdf:
        pdf.add(None, page)
    for _ in range(2):
        with SearchablePdf(path, path) as pdf:
            pdf.add(1, replace(other, size=page.size))
        assert lines_of(path) == ["zwei"]
        sizes.append(path.stat().st_size)
    assert sizes[0] == sizes[1]
    with SearchablePdf(path, path) as pdf:
        pdf.add(1, PageReading(page.size, 0, []))
    assert lines_of(path) == ["zwei"]  # nothing was read that could take its place


def place_text(path: Path, content: bytes, *, below: bool = False, form: bool = False) -> None:
    """Add text in a font F to the pages of a PDF, or a form that has it; below: before all that they show."""
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        resources = pdf.make_indirect(pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font)))
        entries = {"Type": pikepdf.Name.XObject, "Subtype": pikepdf.Name.Form, "BBox": [0, 0, 999, 999]}
        stream = pdf.make_stream(content, **entries, Resources=resources)
        for page in pdf.pages:
            page.resources.Font = resources.Font
            page.resources.XObject.Fm = stream
            page.contents_add(b" /Fm Do " if form else content, prepend=below)
        pdf.save(path)


def show(text: str, at: np.ndarray, mode: int = 0) -> bytes:
    """A text of the size of a page's lines, that begins at a place in points."""
    return f"q BT {mode} Tr /F {SIZE * 72 / 300} Tf {at[0]} {at[1]} Td ({text}) Tj ET Q ".encode()


def at(page: PageReading, line: int) -> np.ndarray:
    """Where the baseline of a line begins in a PDF of `write_pdf`."""
    x, y = page.lines[line].baseline[0]
    return np.array([10.5, -20.0]) + np.array([x, page.size[1] - y]) * 72 / 300


def reading(path: Path, blocks: list[list[str]]) -> None:
    """Read a PDF of one page again, over itself."""
    page = page_of(blocks)[1]
    with SearchablePdf(path, path) as pdf:
        pdf.add(1, page)


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("unseen", ["neither filled nor stroked", "below the scan", "white on white"])
def test_text_that_is_not_seen_is_replaced(unseen: str, form: bool, tmp_path: Path) -> None:
    image, page = page_of(BLOCKS)
    path = tmp_path / "scan.pdf"
    write_pdf(path, [{}], image)
    content = show("of an earlier reading", at(page, 0), 3 if unseen.startswith("neither") else 0)
    if unseen.startswith("white"):
        content = b"q 0.9607843 g " + content + b"Q "
        content = content.replace(b"Td", b"Td 50 -60 Td")  # where the scan has no ink
    place_text(path, content, below=unseen.startswith("below"), form=form)
    assert "of an earlier reading" in lines_of(path)
    before = rendered(path, image.size)
    reading(path, BLOCKS)
    assert lines_of(path) == [line.text for line in page.lines]
    assert_on_ink(path, page)
    np.testing.assert_array_equal(rendered(path, image.size), before)


@pytest.mark.parametrize("form", [False, True])
def test_text_that_is_seen_stays_and_is_not_doubled(form: bool, tmp_path: Path) -> None:
    blocks = [["Name and place of birth:"], ["had boxed lazy dogs"], ["Date of today: by hand"]]
    image, page = page_of(blocks)
    path = tmp_path / "form.pdf"
    write_pdf(path, [{}], Image.new("L", image.size, 255))
    printed = show("Name and place of birth:", at(page, 0)) + show("Date of today:", at(page, 2))
    place_text(path, printed + show("an earlier reading", at(page, 1), 3), form=form)
    before = rendered(path, image.size)
    reading(path, blocks)
    np.testing.assert_array_equal(rendered(path, image.size), before)
    assert sorted(" ".join(lines_of(path)).split()) == sorted(page.text.split())
    reading(path, blocks)
    assert sorted(" ".join(lines_of(path)).split()) == sorted(page.text.split())
    born = page_of([["Name and place of birth:"]])[1]
    content = path.read_bytes()
    with SearchablePdf(path, tmp_path / "out.pdf") as pdf:
        pdf.add(1, replace(born, size=page.size))
    assert "Name and place of birth:" in lines_of(tmp_path / "out.pdf")
    assert path.read_bytes() == content


def test_a_form_that_other_pages_show_stays_theirs(tmp_path: Path) -> None:
    image, page = page_of(BLOCKS)
    path = tmp_path / "scan.pdf"
    write_pdf(path, [{}, {}], image)
    place_text(path, show("of both pages", at(page, 2), 3), form=True)
    reading(path, BLOCKS)
    assert lines_of(path) == [line.text for line in page.lines]
    assert lines_of(path, 1) == ["of both pages"]


def test_a_form_that_draws_itself_does_no_harm(tmp_path: Path) -> None:
    image, page = page_of(BLOCKS)
    path = tmp_path / "scan.pdf"
    write_pdf(path, [{}], image)
    place_text(path, show("an earlier reading", at(page, 2), 3) + b" /Fm Do", form=True)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        form = pdf.pages[0].resources.XObject.Fm
        form.Resources.XObject = pikepdf.Dictionary(Fm=form)
        pdf.save(path)
    reading(path, BLOCKS)
    assert lines_of(path) == [line.text for line in page.lines]


@pytest.mark.parametrize("content", [b"q (unfinished", b"3 Tr Tr /Fm Do /None Do Do [ ( ] Q Q Q ET", b"<<<< >> q"])
def test_a_damaged_content_does_no_harm(content: bytes, tmp_path: Path) -> None:
    image, page = page_of(BLOCKS)
    path = tmp_path / "scan.pdf"
    write_pdf(path, [{}], image)
    place_text(path, show("an earlier reading", at(page, 2), 3) + content)
    reading(path, BLOCKS)
    assert set(lines_of(path)) >= {line.text for line in page.lines}


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils are not installed")
def test_poppler_finds_nothing_twice(tmp_path: Path) -> None:
    blocks = [["Name and place of birth:"], ["had boxed lazy dogs"]]
    image, page = page_of(blocks)
    write_pdf(tmp_path / "a.pdf", [{}], image)
    place_text(tmp_path / "a.pdf", show("earlier", at(page, 1), 3) + show("Name and place of birth:", at(page, 0)))
    for _ in range(2):
        reading(tmp_path / "a.pdf", blocks)
        done = subprocess.run(["pdftotext", tmp_path / "a.pdf", "-"], capture_output=True, check=True)
        assert (done.stdout.decode().split(), done.stderr) == (page.text.split(), b"")


# ---- other PDFs ----


def test_a_page_without_anything_gets_text(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.pages.append(pikepdf.Page(pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Page))))
        pdf.save(tmp_path / "bare.pdf")
    picture = next(open_pictures(tmp_path / "bare.pdf"))
    page = replace(page_of([["one", "two"]])[1], size=picture.image.size)
    with SearchablePdf(tmp_path / "bare.pdf", tmp_path / "out.pdf") as pdf:
        pdf.add(1, page)
    assert lines_of(tmp_path / "out.pdf") == ["one", "two"]
    assert_on_ink(tmp_path / "out.pdf", page)


def test_many_pages_share_one_font_and_the_bytes_depend_on_the_input_alone(tmp_path: Path) -> None:
    image, page = page_of([["one", "two"]])
    write_pdf(tmp_path / "scan.pdf", [{}] * 60, image)
    for name in ("a.pdf", "b.pdf"):
        with SearchablePdf(tmp_path / "scan.pdf", tmp_path / name) as pdf:
            for number in range(60):
                pdf.add(number + 1, page)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert lines_of(tmp_path / "a.pdf", 59) == ["one", "two"]
    assert (tmp_path / "a.pdf").read_bytes().count(b"/FontDescriptor") <= 2
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        assert len(pdf.pages[0].resources.Font) == 1


# ---- what goes wrong ----


@pytest.mark.parametrize(("user", "name"), [("secret", "with a password"), ("", "with an owner")])
def test_an_encrypted_pdf_is_told(user: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(path, encryption=pikepdf.Encryption(owner="owner", user=user))
    with pytest.raises(TextrecError, match=f"{name}.pdf: an encrypted PDF, .* save it without its password$"):
        SearchablePdf(path, tmp_path / "out.pdf").__enter__()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        (b"", "an empty file"),
        (b"no picture", "not a picture that can be read"),
        (b"%PDF-1.7\nnothing", "not a PDF that can be read"),
    ],
)
def test_a_source_that_is_none_is_told_in_a_line(content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "scan.pdf").write_bytes(content)
    with pytest.raises(TextrecError, match=told) as raised:
        SearchablePdf(tmp_path / "scan.pdf", tmp_path / "out.pdf").__enter__()
    assert str(raised.value).startswith(str(tmp_path / "scan.pdf"))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out.pdf").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, TextrecError])
def test_what_ends_by_an_error_leaves_what_was_there(error: type[BaseException], tmp_path: Path) -> None:
    image, page = page_of([["one"]])
    image.save(tmp_path / "scan.png")
    (tmp_path / "out.pdf").write_text("before")
    with pytest.raises(error), SearchablePdf(tmp_path / "scan.png", tmp_path / "out.pdf") as pdf:  # noqa: PT012
        pdf.add(None, page)
        raise error
    assert (tmp_path / "out.pdf").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    image, page = page_of([["one"]])
    image.save(tmp_path / "scan.png")
    pdf = SearchablePdf(tmp_path / "scan.png", tmp_path / "out.pdf").__enter__()
    pdf.add(None, page)
    (tmp_path / ".out.pdf.tmp").symlink_to("/dev/full")  # every write to it finds the disk full
    with pytest.raises(OSError, match="No space left") as raised:
        pdf.__exit__(None)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "out.pdf"))
    assert [path.name for path in tmp_path.iterdir()] == ["scan.png"]
