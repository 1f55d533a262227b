"""What was read of a page in each format: valid, the same for all, and read again where textrec reads the format."""

import csv
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring
from page_readings import page_of, rotated
from PIL import ExifTags, Image

from textrec.pages.page_alto import page_pixels, read_page, write_page
from textrec.pages.pictures import open_pictures
from textrec.reading.formats import DOCUMENTS, record
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.places import find_words

NASTY = "a<b> & \"c\" 'd' ]]> \x00\x0b\ud800\ufffe\u2028 é漢😀 \t z"
HARD = LineReading("line-9", np.array([(3.0, 4.0), (90.0, 4.0), (90.0, 30.0)]), np.zeros((0, 2)), NASTY, 0.5)
PAGES = {
    "plain": page_of([["Jumping quickly,", "a wizard"], ["had boxed"]])[1],
    "turned": page_of([["Jumping quickly,", "a wizard"]], turned=1)[1],
    "upside down": page_of([["a wizard"]], turned=2)[1],
    "empty": PageReading((40, 30), 0, []),
    "without text": PageReading((100, 40), 0, [[replace(HARD, text="")], [replace(HARD, id="b", text="  ")]]),
    "problem": PageReading((100, 40), 3, [[replace(HARD, text="", problem='it is "bad" \x00 & <ugly>')]]),
    "nasty": PageReading((100, 40), 0, [[HARD, replace(HARD, id="line-10", outline=HARD.outline - 200)]]),
}

# Of each element the children in order, the attributes that it must have, and those that it may have, as far as they
# are written: by PAGE's documentation of 2019-07-15 and ALTO's of version 4.4.
SCHEMATA = {
    "page": {
        "PcGts": ("Metadata Page ", "", "schemaLocation"),
        "Metadata": ("Creator Created LastChange (MetadataItem )*", "", ""),
        "MetadataItem": ("", "value", "type name"),
        "Page": ("(ReadingOrder )?(TextRegion )*", "imageFilename imageWidth imageHeight", "orientation"),
        "ReadingOrder": ("OrderedGroup ", "", ""),
        "OrderedGroup": ("(RegionRefIndexed )+", "id", ""),
        "RegionRefIndexed": ("", "index regionRef", ""),
        "TextRegion": ("Coords (TextLine )*(TextEquiv )*", "id", ""),
        "TextLine": ("Coords (Baseline )?(TextEquiv )*", "id", "comments production"),
        "Coords": ("", "points", ""),
        "Baseline": ("", "points", ""),
        "TextEquiv": ("Unicode ", "", "conf"),
        **dict.fromkeys(("Creator", "Created", "LastChange", "Unicode"), ("", "", "")),
    },
    "alto": {
        "alto": ("Description Layout ", "", "schemaLocation SCHEMAVERSION"),
        "Description": ("MeasurementUnit sourceImageInformation (Processing )*", "", ""),
        "sourceImageInformation": ("fileName ", "", ""),
        "Processing": ("processingCategory processingDateTime processingSoftware ", "ID", ""),
        "processingSoftware": ("softwareName softwareVersion ", "", ""),
        "Layout": ("(Page )+", "", ""),
        "Page": ("PrintSpace ", "ID PHYSICAL_IMG_NR", "WIDTH HEIGHT PC ROTATION"),
        "PrintSpace": ("(TextBlock )*", "", "HPOS VPOS WIDTH HEIGHT"),
        "TextBlock": ("(TextLine )+", "ID", "HPOS VPOS WIDTH HEIGHT"),
        "TextLine": ("Shape (String (SP )?)+", "", "ID HPOS VPOS WIDTH HEIGHT BASELINE"),
        "Shape": ("Polygon ", "", ""),
        "Polygon": ("", "POINTS", ""),
        "String": ("", "CONTENT", "HPOS VPOS WIDTH HEIGHT WC"),
        "SP": ("", "", ""),
        **dict.fromkeys(("MeasurementUnit", "fileName", "softwareName", "softwareVersion"), ("", "", "")),
        **dict.fromkeys(("processingCategory", "processingDateTime"), ("", "", "")),
    },
}
VALUES = {
    "points": r"(\d+,\d+ )+\d+,\d+",
    **dict.fromkeys(("POINTS", "BASELINE"), r"(\d+ \d+ )+\d+ \d+"),
    **dict.fromkeys(("HPOS", "VPOS", "WIDTH", "HEIGHT", "imageWidth", "imageHeight", "index"), r"\d+"),
    **dict.fromkeys(("conf", "WC", "PC"), r"0\.\d+|1\.0+"),
    **dict.fromkeys(("id", "ID", "regionRef"), r"[A-Za-z_][\w.-]*"),
    "orientation": "-90|90|180",
    "ROTATION": "90|180|270",
}


def document(kind: str, page: PageReading, name: str = "scan.png", number: int | None = None) -> str:
    made = DOCUMENTS[kind]
    return made.head + made.of_page(page, name, number) + made.tail


def local(name: str) -> str:
    return name.rpartition("}")[2]


def assert_valid(kind: str, text: str) -> Element:
    """Check a document against SCHEMATA; its root."""
    root = fromstring(text.encode())
    names = [value for element in root.iter() for key, value in element.items() if key in ("id", "ID")]
    assert len(set(names)) == len(names)
    for element in root.iter():
        order, must, may = SCHEMATA[kind][local(element.tag)]
        children = "".join(f"{local(child.tag)} " for child in element)
        assert re.fullmatch(order, children), (element.tag, children)
        given = {local(key) for key in dict(element.items())}
        assert set(must.split()) <= given <= {*must.split(), *may.split()}
        for key, value in element.items():
            assert re.fullmatch(VALUES.get(key, ".*"), value), (key, value)
    return root


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("kind", SCHEMATA)
def test_xml_is_valid(kind: str, name: str) -> None:
    root = assert_valid(kind, document(kind, PAGES[name], 'a "name" & <more>.png', 3))
    assert len([element for element in root.iter() if local(element.tag) == "TextLine"]) == len(PAGES[name].lines)
    assert 'a "name" & <more>.png' in {*(element.text for element in root.iter()), *root[1].attrib.values()}


@pytest.mark.parametrize("kind", SCHEMATA)
def test_xml_is_read_again_as_it_was(kind: str, tmp_path: Path) -> None:
    image, page = rotated(*page_of([["Jumping quickly,", "a wizard"], ["had boxed"]]), 4)
    image.save(tmp_path / "scan.png")
    path = tmp_path / "scan.xml"
    path.write_text(document(kind, page), encoding="utf-8")
    read = read_page(path)
    assert (read.image, read.image_size, read.guess) == (tmp_path / "scan.png", image.size, None)
    for line, found in zip(page.lines, read.lines, strict=True):
        assert (found.id, found.text, found.problem, found.clipped) == (line.id, line.text, None, 0)
        assert found.baseline is not None
        np.testing.assert_array_equal(found.polygon, line.outline.round())
        np.testing.assert_array_equal(found.baseline, line.baseline.round())
    assert page_pixels(read).shape == image.size[::-1]
    write_page(read, path, {0: ("another text", 0.5)})
    assert [line.text for line in read_page(path).lines] == ["another text", *(line.text for line in page.lines[1:])]
    assert_valid(kind, path.read_text())


@pytest.mark.parametrize("suffix", ["pdf", "tif"])
@pytest.mark.parametrize("kind", SCHEMATA)
def test_xml_of_a_page_of_several_is_read_again_from_that_page(kind: str, suffix: str, tmp_path: Path) -> None:
    image, page = page_of([["Jumping quickly,"]])
    path = tmp_path / f"scan.{suffix}"
    Image.new("L", image.size, 255).save(path, save_all=True, append_images=[image], resolution=300)
    (tmp_path / "scan.xml").write_text(document(kind, page, path.name, 2), encoding="utf-8")
    read = read_page(tmp_path / "scan.xml")
    assert read.number == 2
    assert np.abs(np.subtract(read.image_size, image.size)).max() <= 1
    assert page_pixels(read).min() < 100


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", SCHEMATA)
def test_xml_of_a_picture_that_exif_turns_is_read_again_as_it_was(kind: str, orientation: int, tmp_path: Path) -> None:
    image, page = page_of([["Jumping quickly,"]])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(tmp_path / "scan.png", exif=exif)
    upright = next(open_pictures(tmp_path / "scan.png")).image
    (tmp_path / "scan.xml").write_text(document(kind, replace(page, size=upright.size)), encoding="utf-8")
    read = read_page(tmp_path / "scan.xml")
    assert read.image_size == upright.size
    assert np.array_equal(page_pixels(read), np.asarray(upright))


@pytest.mark.parametrize(
    "name", ["a\nb.png", "a\tb.png", "\udcff\udcfe #?%20.png", "50%.png", "a&b<c>\"'.png", "a\\b.png"]
)
@pytest.mark.parametrize("kind", SCHEMATA)
def test_a_picture_is_found_again_whatever_it_is_called(kind: str, name: str, tmp_path: Path) -> None:
    image, page = page_of([["Jumping quickly,"]])
    (tmp_path / "scans").mkdir()
    image.save(tmp_path / "scans" / name)
    (tmp_path / "scan.xml").write_text(document(kind, page, f"scans/{name}"), encoding="utf-8")
    read = read_page(tmp_path / "scan.xml")
    assert (read.image, read.guess) == (tmp_path / "scans" / name, None)


def test_what_lies_outside_and_what_xml_cannot_hold_is_read_again(tmp_path: Path) -> None:
    Image.new("L", (100, 40)).save(tmp_path / "scan.png")
    for kind in SCHEMATA:
        (tmp_path / kind).write_text(document(kind, PAGES["nasty"]), encoding="utf-8")
        first, second = read_page(tmp_path / kind).lines
        assert first.text is not None
        assert first.text.replace("\ufffd", "").split() == ["a<b>", "&", '"c"', "'d'", "]]>", "é漢😀", "z"]
        assert (first.problem, second.problem) == (None, "its outline has no area")


def test_page_xml_says_what_was_not_read_and_what_regions_say() -> None:
    [problem] = [
        line for line in assert_valid("page", document("page", PAGES["problem"])).iter() if line.get("comments")
    ]
    assert problem.get("comments") == 'it is "bad" \ufffd & <ugly>'
    assert [local(child.tag) for child in problem] == ["Coords"]
    root = assert_valid("page", document("page", PAGES["plain"]))
    texts = [element[-1][0].text for element in root.iter() if local(element.tag) == "TextRegion"]
    assert texts == ["Jumping quickly,\na wizard", "had boxed"]
    assert not [line for line in root.iter() if line.get("production")]
    marked = PAGES["plain"].filled([{}, {"printed": True}, {}])
    [print_] = [line for line in assert_valid("page", document("page", marked)).iter() if line.get("production")]
    assert (print_.get("id"), print_.get("production")) == ("line-2", "printed")


@pytest.mark.parametrize(("turned", "orientation", "rotation"), [(1, "-90", "270"), (2, "180", "180"), (3, "90", "90")])
def test_xml_says_how_a_page_is_turned(turned: int, orientation: str, rotation: str) -> None:
    page = PageReading((10, 20), turned, [])
    assert f' orientation="{orientation}"' in document("page", page)
    assert f' ROTATION="{rotation}"' in document("alto", page)


class Hocr(HTMLParser):
    """The elements of an hOCR as a browser finds them: class, properties, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], str]] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if (kind := given.get("class")) and (title := given.get("title")):
            parts = (part.strip().partition(" ") for part in title.split(";"))
            self.found.append((kind, {name: value for name, _, value in parts}, ""))
            self.ids.append(given["id"] or "")

    def handle_data(self, data: str) -> None:
        if self.found and data.strip():
            self.found[-1] = (*self.found[-1][:2], data)


def test_hocr_has_pages_areas_lines_and_words() -> None:
    made = DOCUMENTS["hocr"]
    pages = [made.of_page(PAGES[name], f"{name}.png", number) for number, name in enumerate(PAGES, start=1)]
    text = "".join([made.head, *pages, made.tail])
    fromstring(text.encode())
    hocr = Hocr(text)
    assert len(set(hocr.ids)) == len(hocr.ids)
    found = [properties for kind, properties, _ in hocr.found if kind == "ocr_page"]
    assert [one["ppageno"] for one in found] == [str(index) for index in range(len(PAGES))]
    assert [one["image"] for one in found] == [f'"{name}.png"' for name in PAGES]
    for kind, count in (
        ("ocr_carea", [len(page.blocks) for page in PAGES.values()]),
        ("ocr_line", [len(page.lines) for page in PAGES.values()]),
    ):
        assert sum(one == kind for one, *_ in hocr.found) == sum(count)
    first = Hocr(document("hocr", PAGES["plain"])).found
    assert [told for kind, _, told in first if kind == "ocrx_word"] == PAGES["plain"].text.split()
    assert {properties["x_wconf"] for kind, properties, _ in first if kind == "ocrx_word"} == {"90"}
    assert first[3][1]["baseline"] == "0.000 -9"
    assert 'textangle 270"' in document("hocr", PAGES["turned"])


def test_a_slope_in_hocr_is_that_of_the_line() -> None:
    page = rotated(*page_of([["Jumping quickly,"]]), 5)[1]
    [line] = [properties for kind, properties, _ in Hocr(document("hocr", page)).found if kind == "ocr_line"]
    slope, height = map(float, line["baseline"].split())
    left, _, _, bottom = map(float, line["bbox"].split())
    (x, y), _ = page.lines[0].baseline
    assert slope == pytest.approx(-np.tan(np.deg2rad(5)), abs=1e-3)
    assert bottom + height + slope * (x - left) == pytest.approx(y, abs=1.5)


def test_a_table_has_the_columns_of_tesseract() -> None:
    rows = list(
        csv.DictReader(document("tsv", PAGES["plain"], number=2).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    columns = "level page_num block_num par_num line_num word_num left top width height conf text"
    assert list(rows[0]) == columns.split()
    assert [row["level"] for row in rows] == list("12345545523455")
    assert {row["page_num"] for row in rows} == {"2"}
    assert [row["text"] for row in rows if row["level"] == "5"] == PAGES["plain"].text.split()
    assert {row["conf"] for row in rows if row["level"] == "5"} == {"90.00"}
    for name in PAGES:
        text = document("tsv", PAGES[name])
        assert {len(row.split("\t")) for row in text.rstrip("\n").split("\n")} == {12}


def test_a_record_has_all_that_is_known() -> None:
    page = PAGES["nasty"]
    made = json.loads(json.dumps(record(page, "scan.pdf", 4)))
    assert (made["path"], made["page"], made["width"], made["height"], made["turned"]) == ("scan.pdf", 4, 100, 40, 0)
    assert (made["text"], made["confidence"]) == (page.text, 0.5)
    assert made["lines"][0] == {
        "id": "line-9",
        "block": 1,
        "polygon": HARD.outline.tolist(),
        "baseline": [],
        "text": NASTY,
        "confidence": 0.5,
        "characters": [],
        "printed": False,
    }
    assert "page" not in record(page, "scan.png")
    assert record(PAGES["problem"], "scan.png")["lines"][0]["problem"] == PAGES["problem"].lines[0].problem
    assert [line["block"] for line in record(PAGES["plain"], "scan.png")["lines"]] == [1, 1, 2]


def test_words_lie_on_their_ink() -> None:
    image, page = page_of([["Jumping quickly, illicit mammoths"]])
    dark = (np.asarray(image) < 150).any(axis=0)
    words = find_words(page.lines[0])
    assert [word.text for word in words] == page.text.split()
    gaps = [(one.polygon[:, 0].max(), other.polygon[:, 0].min()) for one, other in itertools.pairwise(words)]
    for end, start in gaps:  # where a blank is thought to be, there is one
        middle = round((end + start) / 2)
        assert not dark[middle - 12 : middle + 12].all()


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_words_part_their_line(turned: int) -> None:
    _, page = page_of([["one two three"]], turned=turned)
    [line] = page.lines
    words = find_words(replace(line, characters=(0.5,) * 3 + (0.7,) + (1.0,) * 3 + (0.7,) + (0.2,) * 5))
    assert [round(word.confidence, 6) for word in words] == [0.5, 1.0, 0.2]
    np.testing.assert_allclose(words[0].baseline[0], line.baseline[0])
    np.testing.assert_allclose(words[-1].baseline[-1], line.baseline[-1])
    along = (line.baseline[1] - line.baseline[0]) / np.hypot(*(line.baseline[1] - line.baseline[0]))
    reaches = [(word.polygon @ along).tolist() for word in words]
    assert all(max(one) < min(other) for one, other in itertools.pairwise(reaches))
    assert np.ptp(np.concatenate(reaches)) == pytest.approx(np.ptp(line.outline @ along), abs=1)


def test_words_follow_a_bent_baseline_and_do_without_one() -> None:
    x = np.linspace(0, 300, 31)
    y = 60 + 20 * np.sin(x / 100)
    outline = np.concatenate([np.column_stack([x, y - 20]), np.column_stack([x, y + 10])[::-1]])
    line = LineReading("a", outline, np.column_stack([x, y]), "one two three four", 0.9)
    words = find_words(line)
    for word in words:
        middle = word.polygon.mean(axis=0)
        assert abs(np.interp(middle[0], x, y - 5) - middle[1]) < 4
        assert len(word.baseline) > 2
    for baseline in (np.zeros((0, 2)), np.full((2, 2), 7.0)):
        bare = find_words(replace(line, baseline=baseline))
        assert [word.text for word in bare] == line.text.split()
        assert bare[0].baseline[0].tolist() == [0, outline[:, 1].max()]
    away = find_words(replace(line, baseline=line.baseline + 1000))
    assert all(word.polygon is line.outline for word in away)
