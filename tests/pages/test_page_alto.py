import re
from pathlib import Path

import numpy as np
import pytest
from defusedxml import ElementTree
from PIL import ExifTags, Image
from xml_pages import ALTO_SOURCE, PAGE_SOURCE

from textrec.base.runtime import TextrecError
from textrec.pages.cutting import cut_line
from textrec.pages.new_lines import NewLine
from textrec.pages.page_alto import Page, crop_line, is_page, page_pixels, read_page, write_page
from textrec.pages.page_images import page_image

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/"
ALTO = "http://www.loc.gov/standards/alto/ns-"
FIRST = [[10, 20], [190, 30], [190, 50], [10, 40]]
BOX = [[10, 60], [180, 60], [180, 80], [10, 80]]

PAGE_WRITTEN = PAGE_SOURCE.replace(
    """conf='0.1' ><pc:Unicode>Old &lt;text&gt;<""",
    """conf="0.9000" ><pc:Unicode>New &amp; “bold”<""",
).replace(
    """180,80 10,80"/>""",
    """180,80 10,80"/>
        <pc:TextEquiv conf="0.5000">
          <pc:Unicode>second</pc:Unicode>
        </pc:TextEquiv>""",
)
PAGE_READINGS = {0: ("New & “bold”", 0.9), 1: ("second", 0.5)}

ALTO_WRITTEN = (
    re.sub(
        r'<String ID="s" .*<HYP CONTENT="-"/>',
        """<String ID="s" CONTENT='say "x"' HPOS="10" VPOS="20" WIDTH="180" HEIGHT="30" WC="1.0000"/>""",
        ALTO_SOURCE,
        flags=re.DOTALL,
    )
    .replace(
        'HEIGHT="20"/>',
        """HEIGHT="20">
\t\t\t\t\t\t<String CONTENT="" HPOS="10" VPOS="60" WIDTH="170" HEIGHT="20" WC="0.0000"/>
\t\t\t\t\t</TextLine>""",
    )
    .replace('\t\t<ElementRef ID="o2" REF="s2"/>\n', "")
)
ALTO_READINGS = {0: ('say "x"', 1.0), 1: ("", 0.0)}

FORMATS = pytest.mark.parametrize(
    ("source", "written", "readings"),
    [(PAGE_SOURCE, PAGE_WRITTEN, PAGE_READINGS), (ALTO_SOURCE, ALTO_WRITTEN, ALTO_READINGS)],
    ids=["page", "alto"],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(scan(), tmp_path / "scan.png")
    return tmp_path


def scan() -> np.ndarray:
    """A page of 200 x 100 pixels, paper 220, ink 30: a band of ink in the first line, and one above its lower end."""
    image = np.full((100, 200), 220, np.uint8)
    image[34:37, 80:120] = 30
    image[21:25, 150:190] = 30  # in the box of the first line, not in its polygon
    return image


def save(image: np.ndarray, path: Path) -> None:
    Image.fromarray(image).save(path)


def put(folder: Path, source: str, *, encoding: str = "utf-8") -> Path:
    path = folder / "page.xml"
    path.write_bytes(source.encode(encoding))
    return path


def page(folder: Path, source: str) -> Page:
    return read_page(put(folder, source))


def rewrite(folder: Path, source: str, readings: dict[int, tuple[str, float] | None]) -> str:
    out = folder / "out.xml"
    write_page(page(folder, source), out, readings)
    return out.read_bytes().decode()


def page_of(line: str, *, version: str = "2019-07-15", before: str = "", after: str = "") -> str:
    """A PAGE document without prefix around the content of one line; `after` follows the line in its region."""
    return f"""<PcGts xmlns="{PAGE}{version}"><Page imageFilename="scan.png" imageWidth="200" imageHeight="100">{before}
<TextRegion id="r"><Coords points="0,0 200,0 200,100 0,100"/>
  <TextLine id="a">
    {line}
  </TextLine>{after}
</TextRegion></Page></PcGts>"""


def alto_of(line: str, *, unit: str = "pixel", size: str = 'WIDTH="200" HEIGHT="100"', version: str = "v2#") -> str:
    return f"""<alto xmlns="{ALTO}{version}"><Description><MeasurementUnit>{unit}</MeasurementUnit>
<sourceImageInformation><fileName>scan.png</fileName></sourceImageInformation></Description>
<Layout><Page ID="p" PHYSICAL_IMG_NR="1" {size}><PrintSpace><TextBlock ID="t">{line}</TextBlock></PrintSpace></Page>
</Layout></alto>"""


@pytest.mark.parametrize("version", ["2013-07-15", "2019-07-15"])
@pytest.mark.parametrize("prefix", ["", "pc", "ns0"])
def test_reads_page_of_any_version_and_prefix(folder, version, prefix):
    source = PAGE_SOURCE.replace("2019-07-15", version).replace("xmlns:pc", f"xmlns:{prefix}".strip(":"))
    source = source.replace("pc:", prefix + ":" if prefix else "")
    found = page(folder, source)
    first, second = found.lines
    assert (found.kind, found.image, found.size, found.image_size) == (
        "page",
        folder / "scan.png",
        (200, 100),
        (200, 100),
    )
    assert [line.id for line in found.lines] == ["a", "b"]
    assert first.polygon.tolist() == FIRST
    assert second.polygon.tolist() == BOX
    assert first.baseline is not None
    assert first.baseline.tolist() == [[10, 38], [190, 48]]
    assert second.baseline is None
    assert [line.text for line in found.lines] == ["Old <text>", None]
    assert [line.problem for line in found.lines] == [None, None]


def test_reads_alto_with_polygon_or_box(folder):
    found = page(folder, ALTO_SOURCE)
    first, second = found.lines
    assert (found.kind, found.image) == ("alto", folder / "scan.png")
    assert [line.id for line in found.lines] == ["a", "line 2"]
    assert first.polygon.tolist() == FIRST
    assert second.polygon.tolist() == BOX
    assert first.baseline is not None
    assert first.baseline.tolist() == [[10, 38], [190, 48]]
    assert [line.text for line in found.lines] == ["two wor-", None]


def test_reads_points_as_elements_and_no_baseline_from_a_height(folder):
    points = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in FIRST)
    found = page(folder, page_of(f"<Coords>{points}</Coords>", version="2010-03-19"))
    assert found.lines[0].polygon.tolist() == FIRST
    found = page(folder, alto_of('<TextLine HPOS="10" VPOS="60" WIDTH="170" HEIGHT="20" BASELINE="75.5"/>'))
    assert found.lines[0].baseline is None
    assert found.lines[0].polygon.tolist() == BOX


@pytest.mark.parametrize("unit", ["pixel", "mm10", "inch1200"])
def test_scales_from_the_declared_size_to_the_stored_image(folder, unit):
    line = '<TextLine HPOS="25" VPOS="150" WIDTH="425" HEIGHT="50"/>'
    assert page(folder, alto_of(line, unit=unit, size='WIDTH="500" HEIGHT="250"')).lines[0].polygon.tolist() == BOX
    half = PAGE_SOURCE.replace('imageWidth="200" imageHeight="100"', 'imageWidth="100" imageHeight="50"')
    assert page(folder, half).lines[0].polygon.tolist() == (2 * np.array(FIRST)).clip(0, [200, 100]).tolist()


def test_a_page_without_size_has_that_of_its_image(folder):
    line = '<TextLine HPOS="10" VPOS="60" WIDTH="170" HEIGHT="20"/>'
    assert page(folder, alto_of(line, size="")).lines[0].polygon.tolist() == BOX
    zero = PAGE_SOURCE.replace('imageWidth="200"', 'imageWidth="0"')
    assert page(folder, zero).lines[0].polygon.tolist() == FIRST


@pytest.mark.parametrize(
    "name", ["scan.png", "./scan.png", "img/scan.png", "C:\\scans\\scan.png", "https://a.org/scan.png"]
)
def test_finds_the_image_as_given_or_beside_the_xml(folder, name):
    assert page(folder, PAGE_SOURCE.replace("scan.png", name)).image == folder / "scan.png"


def test_finds_the_image_elsewhere(folder):
    elsewhere = folder / "with blank"
    elsewhere.mkdir()
    (folder / "scan.png").rename(elsewhere / "scan.png")
    for name in ["with blank/scan.png", str(elsewhere / "scan.png"), (elsewhere / "scan.png").as_uri()]:
        assert page(folder, PAGE_SOURCE.replace("scan.png", name)).image == elsewhere / "scan.png"


def test_a_line_is_cut_out_of_its_page(folder):
    image = scan()
    first, second = page(folder, PAGE_SOURCE).lines
    strip = crop_line(image, first)
    assert strip.baseline is not None
    assert np.array_equal(strip.pixels, cut_line(image, first.polygon, first.baseline).pixels)
    assert np.array_equal(crop_line(image, second).pixels, image[60:81, 10:181])


@pytest.mark.parametrize("degrees", [0, 4])
def test_lines_with_a_baseline_alone_take_what_room_their_neighbours_leave(folder, degrees):
    rise = 180 * np.tan(np.radians(degrees))
    lines = "".join(f'</TextLine><TextLine><Baseline points="10,{y} 190,{y - rise}"/>' for y in (30, 60, 90))
    _, *found = page(folder, page_of(f'<Coords points="0,0 9,0 9,9 0,9"/>{lines}')).lines
    assert [line.problem for line in found] == [None] * 3
    for line, y in zip(found, (30, 60, 90), strict=True):
        start = line.polygon[line.polygon[:, 0] < 40]
        assert abs(start[:, 1].min() - (y - 0.8 * 30)) < 5
        assert abs(start[:, 1].max() - min(y + 0.35 * 30, 100)) < 5


def test_a_baseline_alone_in_its_page_is_read_too(folder):
    (line,) = page(folder, page_of('<Baseline points="10,60 190,60"/>')).lines
    assert line.problem is None
    assert 5 < np.ptp(line.polygon[:, 1]) < 60


def test_what_is_outside_of_the_image_is_clipped_and_counted(folder):
    line = page(folder, page_of('<Coords points="-5,60 180,60 250,90 180,120 0,100"/>')).lines[0]
    assert line.polygon.tolist() == [[0, 60], [180, 60], [200, 90], [180, 100], [0, 100]]
    assert (line.clipped, line.problem) == (3, None)
    assert crop_line(scan(), line).pixels.shape == (40, 200)


@pytest.mark.parametrize(
    ("coords", "problem"),
    [
        ("", "it has no outline, and no baseline"),
        ('<pc:Baseline points="10,38 10,38"/>', "it has no outline, and no baseline"),
        ("<Coords/>", "it has no outline"),
        ('<Coords points="10,20 30"/>', "'10,20 30' is no list of three or more points"),
        ('<Coords points="10,20 30,b 4,5"/>', "is no list"),
        ('<Coords points="10,20 nan,3 4,5"/>', "is no list"),
        ('<Coords points="10,20 1e300,3 4,5"/>', "is no list"),
        ('<Coords points="10,20 190,30"/>', "is no list of three"),
        ('<Coords points="300,20 400,20 400,40 300,40"/>', "outside of the image"),
        ('<Coords points="10,-20 40,-20 40,-10 10,-10"/>', "outside of the image"),
        ('<Coords points="10,20 10,20 10,20"/>', "no area"),
        ('<Coords points="10,20 40,20 90,20"/>', "no area"),
        ('<Coords points="10,10 20,20 30,30"/>', "no area"),
    ],
)
def test_a_line_that_cannot_be_read_does_not_stop_the_others(folder, coords, problem):
    source = PAGE_SOURCE.replace('<pc:Coords points="10,20 190,30 190,50 10,40"/>', coords.replace("<C", "<pc:C"))
    source = source.replace('<pc:Baseline points="10,38 190,48"/>', "")
    bad, good = page(folder, source).lines
    assert bad.problem is not None
    assert problem in bad.problem
    assert good.problem is None
    written = rewrite(folder, source, {0: None, 1: ("read", 1)})
    assert written.count("TextEquiv") == source.count("TextEquiv") + 2
    assert "Old &lt;text&gt;" in written


@FORMATS
def test_nothing_but_the_texts_changes(folder, source, written, readings):
    assert rewrite(folder, source, readings) == written
    assert rewrite(folder, source, {}) == source
    assert [line.text for line in page(folder, written).lines] == [text for text, _ in readings.values()]


@FORMATS
def test_writing_twice_gives_the_same_bytes(folder, source, written, readings):
    path = put(folder, source)
    for _ in range(2):
        write_page(read_page(path), path, readings)
        assert path.read_bytes() == written.encode()
    assert {file.name for file in folder.iterdir()} == {"page.xml", "scan.png"}


@FORMATS
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("encoding", "declared", "mark"),
    [
        ("utf-8", "UTF-8", ""),
        ("utf-8", "UTF-8", "\ufeff"),
        ("utf-16-le", "UTF-16", "\ufeff"),
        ("utf-16-be", "UTF-16", "\ufeff"),
        ("latin-1", "ISO-8859-1", ""),
        ("cp1252", "windows-1252", ""),
        ("shift-jis", "Shift_JIS", ""),
    ],
)
def test_encoding_mark_and_line_ends_remain(folder, source, written, readings, eol, encoding, declared, mark):
    def stored(text: str) -> bytes:
        text = mark + text.replace("\n", eol).replace("UTF-8", declared).replace("é", "e")
        return text.encode(encoding, "xmlcharrefreplace")

    path = folder / "page.xml"
    path.write_bytes(stored(source))
    assert is_page(path)
    write_page(read_page(path), path, readings)
    # Only the inserted line breaks are the file's own, as everything is that was there.
    assert path.read_bytes() == stored(written)
    assert [line.text for line in read_page(path).lines] == [text for text, _ in readings.values()]


def test_text_is_escaped_and_stays_one_line(folder):
    text = "a<b>&c]]>\"'\t\r\n\x00\x1b\ud800é"
    expected = "a<b>&c]]>\"'  \ufffd\ufffd\ufffdé"
    for source in (PAGE_SOURCE, ALTO_SOURCE):
        assert page(folder, rewrite(folder, source, {0: (text, 1)})).lines[0].text == expected


def children(source: str, name: str) -> list[str]:
    """The local names of the children of the first element `name`."""
    element = next(element for element in ElementTree.fromstring(source).iter() if element.tag.endswith("}" + name))
    return [child.tag.rpartition("}")[2] for child in element]


WORD = '<Word id="w"><Coords points="1,1 2,2 3,1"/><TextEquiv><Unicode>old</Unicode></TextEquiv></Word>'
COORDS = '<Coords points="10,20 190,30 190,50 10,40"/>'


@pytest.mark.parametrize("baseline", ["", '<Baseline points="1,1 2,2"/>'])
@pytest.mark.parametrize("words", ["", WORD, f"{WORD}\n    {WORD.replace('w', 'v')}"])
@pytest.mark.parametrize("equiv", ["", "<TextEquiv/>", "<TextEquiv><Unicode/></TextEquiv>"])
@pytest.mark.parametrize("rest", ["", "<TextStyle/><UserDefined/><Labels/>"])
def test_order_in_page_is_that_of_the_schema_and_words_go(folder, baseline, words, equiv, rest):
    source = page_of(COORDS + baseline + words + equiv + rest)
    written = rewrite(folder, source, {0: ("new", 1)})
    assert re.fullmatch(
        "Coords (Baseline )?TextEquiv (TextStyle UserDefined Labels )?", " ".join([*children(written, "TextLine"), ""])
    )
    assert children(written, "TextEquiv") == ["Unicode"]
    assert "old" not in written
    assert '<TextEquiv conf="1.0000">' in written


def test_main_text_is_that_of_the_lowest_index(folder):
    equivs = [f'<TextEquiv index="{index}"><Unicode>{index}</Unicode></TextEquiv>' for index in (10, 2, 3)]
    source = page_of(COORDS + "".join(equivs))
    assert page(folder, source).lines[0].text == "2"
    written = equivs[1].replace('"2"', '"2" conf="0.3333"').replace(">2<", ">new<")
    assert rewrite(folder, source, {0: ("new", 1 / 3)}) == source.replace(equivs[1], written)


def test_plain_text_says_the_same(folder):
    line = COORDS + "<TextEquiv><PlainText>old</PlainText><Unicode>old</Unicode></TextEquiv>"
    source = page_of(line, version="2013-07-15")
    expected = source.replace(">old<", ">new<").replace("<TextEquiv>", '<TextEquiv conf="1.0000">')
    assert rewrite(folder, source, {0: ("new", 1)}) == expected


def test_page_of_2010_has_plain_text_and_no_confidence(folder):
    source = page_of(COORDS, version="2010-03-19")
    written = rewrite(folder, source, {0: ("new", 1)})
    equiv = """
    <TextEquiv>
      <PlainText>new</PlainText>
      <Unicode>new</Unicode>
    </TextEquiv>"""
    assert written == source.replace(f"    {COORDS}", f"    {COORDS}{equiv}")
    assert rewrite(folder, written, {0: ("newer", 1)}) == written.replace("new<", "newer<")


@pytest.mark.parametrize(("old", "new"), [("", "NEW\nOLD2"), ("one\r\n two", "NEW\nOLD2"), ("the region's own", None)])
def test_a_regions_text_stays_that_of_its_lines(folder, old, new):
    texts = ["", ""] if not old else ["one", "two"]
    line = COORDS + f"<TextEquiv><Unicode>{texts[0]}</Unicode></TextEquiv>"
    second = f'<TextLine id="b">{COORDS}<TextEquiv><Unicode>{texts[1]}</Unicode></TextEquiv></TextLine>'
    region = f'<TextEquiv conf="0.25"><Unicode>{old}</Unicode></TextEquiv>'
    source = page_of(line, after=second + region)
    written = rewrite(folder, source, {0: ("NEW", 0.5), 1: None})
    if new is None:
        assert region in written
    else:
        assert f'<TextEquiv conf="0.5000"><Unicode>NEW\n{texts[1]}</Unicode></TextEquiv>\n</TextRegion>' in written


ALTO_LINE = '<TextLine HPOS="10" VPOS="60" WIDTH="170.5" HEIGHT="20">{}</TextLine>'


@pytest.mark.parametrize("version", ["v2#", "v3#", "v4#"])
@pytest.mark.parametrize("shape", ["", '<Shape><Polygon POINTS="10,20 190,30 190,50 10,40"/></Shape>'])
@pytest.mark.parametrize(
    "strings", ["", '<String CONTENT="a"/>', '<String CONTENT="a"/><SP/><String CONTENT="b"/><HYP CONTENT="-"/>']
)
def test_order_in_alto_is_that_of_the_schema(folder, version, shape, strings):
    source = alto_of(ALTO_LINE.format(shape + strings), version=version)
    written = rewrite(folder, source, {0: ("two words", 0.25)})
    assert children(written, "TextLine") == [*(["Shape"] if shape else []), "String"]
    assert '<String CONTENT="two words" HPOS="10" VPOS="60" WIDTH="170.5" HEIGHT="20" WC="0.2500"/>' in written


def test_a_line_within_what_goes_goes_too(folder):
    inner = f'<TextLine id="inner">{COORDS}<TextEquiv><Unicode>inner</Unicode></TextEquiv></TextLine>'
    source = page_of(COORDS + WORD.replace("</Word>", inner + "</Word>"))
    written = rewrite(folder, source, {0: ("outer", 1), 1: ("lost", 1)})
    assert written == rewrite(folder, page_of(COORDS + WORD), {0: ("outer", 1)})


def test_files_without_line_breaks_get_none(folder):
    source = page_of(COORDS, version="2013-07-15").replace("\n", "")
    source = re.sub(">\\s+<", "><", source)
    written = rewrite(folder, source, {0: ("new", 1)})
    new = '<TextEquiv conf="1.0000"><Unicode>new</Unicode></TextEquiv>'
    assert written == source.replace("</TextLine>", new + "</TextLine>")


BOMB = '<!DOCTYPE PcGts [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("", "page.xml: not well-formed XML: no element found"),
        (PAGE_SOURCE[:600], "not well-formed XML: .*; export the file anew"),
        (PAGE_SOURCE.replace("a &amp; b", "a & b"), "not well-formed XML: .* line 5"),
        (PAGE_SOURCE.replace("&amp;", "&unknown;"), "undefined entity"),
        (PAGE_SOURCE.replace("UTF-8", "no-such"), "not well-formed XML: unknown encoding: no-such"),
        (PAGE_SOURCE.replace("<pc:PcGts", BOMB + "<pc:PcGts", 1), r"declares a document type \(PcGts\)"),
        (PAGE_SOURCE.replace("<pc:PcGts", '<!DOCTYPE x SYSTEM "http://a/b"><pc:PcGts', 1), "declares a document type"),
        ("<html><body/></html>", "root element is <html>, not PAGE's <PcGts> or ALTO's <alto>"),
        (
            page_of("").replace("TextRegion", "Region").replace("TextLine", "Line"),
            "neither a TextLine nor a region of text",
        ),
        (f'<PcGts xmlns="{PAGE}2019-07-15"/>', "has 0 pages"),
        (ALTO_SOURCE.replace("<Page ", "<Page/><Page "), "has 2 pages; export one file for each page"),
        (PAGE_SOURCE.replace("scan.png", ""), "names no image"),
        (ALTO_SOURCE.replace("fileName", "filename"), "names no image"),
        (PAGE_SOURCE.replace("scan.png", "img/lost.png"), "no .*/img/lost.png nor .*/lost.png; put it beside the XML"),
        (PAGE_SOURCE.replace("scan.png", "page.xml"), "page.xml: not a picture that can be read"),
        (PAGE_SOURCE.replace("scan.png", "n" * 5000), "image is missing"),
        (PAGE_SOURCE.replace('"200"', '"wide"'), "imageWidth and imageHeight are wide and 100"),
        (PAGE_SOURCE.replace('"200"', '"-200"'), "imageWidth and imageHeight are -200 and 100"),
        (PAGE_SOURCE.replace('"200"', '"100"'), "its page is 100 x 100, but .*scan.png is 200 x 100 pixels, of other"),
        (alto_of("<TextLine/>", unit="mm10", size=""), "measures in mm10, but its Page has no WIDTH and HEIGHT"),
    ],
)
def test_bad_input_gives_one_line(folder, source, error):
    with pytest.raises(TextrecError, match=error) as caught:
        page(folder, source)
    assert "\n" not in str(caught.value)


def test_is_page_looks_at_the_root_alone(folder):
    expected = {
        PAGE_SOURCE: True,
        ALTO_SOURCE: True,
        PAGE_SOURCE[:600]: True,
        PAGE_SOURCE.replace("<pc:PcGts", BOMB + "<pc:PcGts", 1): True,
        "<svg><PcGts/></svg>": False,
        "<!DOCTYPE html><html/>": False,
        "no XML": False,
        "": False,
    }
    assert {source: is_page(put(folder, source)) for source in expected} == expected
    assert not is_page(folder / "scan.png")


def test_deep_and_wide_xml_is_read(folder):
    deep = PAGE_SOURCE.replace("<x:Word/>", "<x:a>" * 20_000 + "\n" * 200_000 + "</x:a>" * 20_000)
    assert rewrite(folder, deep, PAGE_READINGS).count("<x:a>") == 20_000


def test_damage_gives_a_page_or_one_line(folder):
    chance = np.random.default_rng(7)
    alphabet = list(b"<>/\"'&;= x0123,\xff\0\n-!?[")
    outcomes = {"page": 0, "error": 0}
    for source in (PAGE_SOURCE, ALTO_SOURCE) * 150:
        damaged = bytearray(source.encode())
        for start in chance.integers(len(damaged) - 5, size=chance.integers(1, 3)):
            damaged[start : start + chance.choice([0, 1, 1, 3])] = bytes(chance.choice(alphabet, chance.integers(3)))
        path = folder / "page.xml"
        path.write_bytes(damaged)
        is_page(path)
        try:
            found = read_page(path)
        except TextrecError:
            outcomes["error"] += 1
            continue
        sound = [index for index, line in enumerate(found.lines) if line.problem is None]
        for index in sound:
            assert crop_line(scan(), found.lines[index]).pixels.size
        write_page(found, path, {index: (f"new {index}", 0.5) for index in sound})
        assert [read_page(path).lines[index].text for index in sound] == [f"new {index}" for index in sound]
        outcomes["page"] += 1
    assert min(outcomes.values()) > 20


NUMBERED = {
    "page": PAGE_SOURCE.replace("</pc:Metadata>", '<pc:MetadataItem name="page" value="2"/></pc:Metadata>'),
    "alto": ALTO_SOURCE.replace('PHYSICAL_IMG_NR="1"', 'PHYSICAL_IMG_NR="2"'),
}


@pytest.mark.parametrize("suffix", ["pdf", "tif"])
@pytest.mark.parametrize("kind", NUMBERED)
def test_a_page_of_several_is_an_image(folder, kind, suffix):
    image, name = Image.fromarray(scan()), f"scan.{suffix}"
    Image.new("L", image.size, 255).save(folder / name, resolution=300, save_all=True, append_images=[image])
    source = NUMBERED[kind].replace("scan.png", name)
    found = page(folder, source)
    assert (found.image, found.number, found.image_size) == (folder / name, 2, (200, 100))
    assert abs(page_pixels(found).astype(int) - scan()).mean() < 8  # a PDF keeps JPEG
    for wrong in ("0", "3", "ii"):
        with pytest.raises(
            TextrecError, match=rf"page\.xml: its image .*{name} has 2 pages, and there is no page {wrong}; "
        ):
            page(folder, source.replace('="2"', f'="{wrong}"'))
    for nothing in (' PHYSICAL_IMG_NR="2"', '<pc:MetadataItem name="page" value="2"/>'):
        source = source.replace(nothing, "")
    with pytest.raises(TextrecError, match=rf"{name} has 2 pages, and which of them is meant is not said; give it as"):
        page(folder, source)


@pytest.mark.parametrize("kind", NUMBERED)
@pytest.mark.parametrize("suffix", ["pdf", "tif"])
def test_the_number_of_a_page_is_not_that_of_an_image_of_one(folder, kind, suffix):
    Image.fromarray(scan()).save(folder / f"scan.{suffix}", resolution=300)  # the second of a book, say
    assert page(folder, NUMBERED[kind].replace("scan.png", f"scan.{suffix}")).number == 1


TURNS = {  # from the upright picture to the one that is stored, by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def save_turned(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(scan()).transpose(TURNS[orientation]).save(path, exif=exif)


def stored_box(orientation: int) -> tuple[int, int, int, int]:
    """Where BOX is in the picture that is stored."""
    box = Image.new("L", (200, 100))
    box.paste(255, (*BOX[0], *BOX[2]))
    found = box.transpose(TURNS[orientation]).getbbox()
    assert found
    return found


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_size_says_which_way_an_image_is_taken_that_exif_turns(folder, orientation, suffix):
    save_turned(folder / f"scan.{suffix}", orientation)
    upright = page(folder, PAGE_SOURCE.replace("scan.png", f"scan.{suffix}"))
    assert (upright.image_size, upright.lines[1].polygon.tolist()) == ((200, 100), BOX)
    left, top, right, bottom = stored_box(orientation)
    for scale in (1, 10):  # pixels, and another unit
        place = f'HPOS="{scale * left}" VPOS="{scale * top}"'
        sides = f'WIDTH="{scale * (right - left)}" HEIGHT="{scale * (bottom - top)}"'
        size = f'WIDTH="{100 * scale}" HEIGHT="{200 * scale}"'
        stored = page(folder, alto_of(f"<TextLine {place} {sides}/>", size=size).replace("scan.png", f"scan.{suffix}"))
        assert stored.image_size == (200, 100)
        [polygon] = [line.polygon for line in stored.lines]
        assert [polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()] == [BOX[0], BOX[2]]
    assert abs(page_pixels(stored).astype(int) - scan()).mean() < 8


@pytest.mark.parametrize("orientation", range(5, 9))
def test_lines_that_are_found_are_written_as_the_image_is_stored(folder, orientation):
    save_turned(folder / "scan.jpg", orientation)
    region = '<TextRegion id="r"><Coords points="0,0 100,0 100,200 0,200"/></TextRegion>'
    size = 'imageWidth="100" imageHeight="200"'
    found = page(
        folder, f'<PcGts xmlns="{PAGE}2019-07-15"><Page imageFilename="scan.jpg" {size}>{region}</Page></PcGts>'
    )
    box, baseline = np.array(BOX, float), np.array([(10.0, 75.0), (180.0, 75.0)])
    new = NewLine(box, baseline, "new", 0.5)
    write_page(found, folder / "page.xml", {}, {found.empty_regions[0].element: [new]})
    [line] = read_page(folder / "page.xml").lines
    assert line.baseline is not None
    assert (line.polygon.tolist(), line.baseline.tolist(), line.text) == (BOX, baseline.tolist(), "new")
    left, top, right, bottom = stored_box(orientation)
    assert f"{left},{top}" in (folder / "page.xml").read_text()
    assert f"{right},{bottom}" in (folder / "page.xml").read_text()


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
@pytest.mark.parametrize("orientation", range(2, 5))
def test_where_a_size_does_not_say_which_way_an_image_is_taken_that_is_told(folder, orientation, suffix):
    save_turned(folder / f"scan.{suffix}", orientation)
    source = PAGE_SOURCE.replace("scan.png", f"scan.{suffix}")
    told = rf"page\.xml: its image .*scan\.{suffix} is turned by its EXIF, .*; save the image anew, turned if they are"
    with pytest.raises(TextrecError, match=told):
        page(folder, source)
    own = re.sub("<pc:Creator>.*</pc:Creator>", "<pc:Creator>textrec 1.0</pc:Creator>", source)
    assert page(folder, own).lines[1].polygon.tolist() == BOX  # which are of the upright image


def test_without_a_size_an_image_that_exif_turns_is_told(folder):
    save_turned(folder / "scan.png", 6)
    with pytest.raises(TextrecError, match="is turned by its EXIF"):
        page(folder, alto_of("<TextLine/>", size=""))
    with pytest.raises(TextrecError, match=r"its page is 300 x 100, but .*scan.png is 200 x 100 pixels, of other"):
        page(folder, alto_of("<TextLine/>", size='WIDTH="300" HEIGHT="100"'))


# As people have them: the XML, the name that it gives, and where the image is.
LAYOUTS = {
    "Transkribus": ("doc/page/0001.xml", "scan.png", "doc/scan.png"),
    "OCR-D, from the workspace": ("data/OCR-D-GT/0001.xml", "OCR-D-IMG/scan.png", "data/OCR-D-IMG/scan.png"),
    "another suffix": ("0001.xml", "scan.tif", "scan.png"),
    "another case": ("0001.xml", "SCAN.PNG", "scan.png"),
    "escapes": ("0001.xml", "my%20scan.png", "my scan.png"),
    "an address with a query": ("0001.xml", "https://a.org/iiif/scan.png?size=full", "scan.png"),
    "a name with a per cent sign": ("0001.xml", "50%.png", "50%.png"),
}


@pytest.mark.parametrize(("xml", "name", "image"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_image_is_found_where_people_have_it(tmp_path: Path, xml: str, name: str, image: str) -> None:
    for path in (xml, image):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    save(scan(), tmp_path / image)
    (tmp_path / xml).write_text(PAGE_SOURCE.replace("scan.png", name))
    found = read_page(tmp_path / xml)
    assert found.image.samefile(tmp_path / image)
    given = (tmp_path / xml).parent / name
    assert (found.guess is None) == (given.exists() or "%20" in name)
    assert page_image(tmp_path / xml) == found.image


def test_an_alto_without_a_file_name_has_the_image_of_its_own_name(tmp_path: Path) -> None:
    save(scan(), tmp_path / "0001.png")
    (tmp_path / "0001.xml").write_text(ALTO_SOURCE.replace(" scan.png ", ""))
    found = read_page(tmp_path / "0001.xml")
    assert found.image == tmp_path / "0001.png"
    assert found.guess == f"no image is named: took {tmp_path / '0001.png'}"


@pytest.mark.parametrize("source", [PAGE_SOURCE, ALTO_SOURCE])
def test_an_empty_size_is_none(folder: Path, source: str) -> None:
    assert page(folder, re.sub(r'(imageWidth|imageHeight|WIDTH|HEIGHT)="(200|100)"', r'\1=""', source)).size == (0, 0)
