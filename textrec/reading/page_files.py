"""What was read of a page as PAGE XML and as ALTO, made anew; `formats` says what name and number are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from textrec import __version__
from textrec.pages.page_coordinates import SOFTWARE
from textrec.pages.page_images import spelled_name
from textrec.pages.xml_edit import plain
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.places import Box, box_of, box_of_lines, find_words, pixels

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
QUARTER = 90  # degrees


# ---- PAGE ----


def page_xml(page: PageReading, name: str, number: int | None = None) -> str:
    """PAGE XML of 2019-07-15, which `pages.page_alto` reads again: a TextRegion for each block.

    A line that was not read has no TextEquiv, and its problem as @comments.
    """
    root = _root("PcGts", PAGE, f"{PAGE}/pagecontent.xsd")
    metadata = SubElement(root, "Metadata")
    now = _now()
    for tag, text in (("Creator", f"{SOFTWARE} {__version__}"), ("Created", now), ("LastChange", now)):
        SubElement(metadata, tag).text = text
    if number is not None:
        SubElement(metadata, "MetadataItem", type="other", name="page", value=str(number))
    width, height = map(str, page.size)
    attributes = {"imageFilename": spelled_name(name), "imageWidth": width, "imageHeight": height}
    if page.turned:
        attributes["orientation"] = str((1 - page.turned) % 4 * QUARTER - QUARTER)  # clockwise, from -90 to 180
    body = SubElement(root, "Page", attributes)
    if page.blocks:
        order = SubElement(SubElement(body, "ReadingOrder"), "OrderedGroup", id="order")
        for index in range(len(page.blocks)):
            SubElement(order, "RegionRefIndexed", index=str(index), regionRef=f"block-{index + 1}")
    for index, block in enumerate(page.blocks, start=1):
        region = SubElement(body, "TextRegion", id=f"block-{index}")
        left, top, right, bottom = box_of_lines(block, page)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        SubElement(region, "Coords", points=_page_points(corners))
        for line in block:
            _page_line(region, line, page)
        if read := [line for line in block if line.problem is None]:
            _page_text(region, "\n".join(plain(line.text) for line in read), replace(page, blocks=[read]).confidence)
    return _document(root)


def _page_line(region: Element, line: LineReading, page: PageReading) -> None:
    told = {} if line.problem is None else {"comments": plain(line.problem)}
    told |= {"production": "printed"} if line.printed else {}
    element = SubElement(region, "TextLine", {"id": line.id, **told})
    SubElement(element, "Coords", points=_page_points(pixels(line.outline, page)))
    if len(line.baseline) > 1:
        SubElement(element, "Baseline", points=_page_points(pixels(line.baseline, page)))
    if line.problem is None:
        _page_text(element, plain(line.text), line.confidence)


def _page_text(parent: Element, text: str, confidence: float) -> None:
    SubElement(SubElement(parent, "TextEquiv", conf=f"{confidence:.4f}"), "Unicode").text = text


def _page_points(points: Sequence[tuple[int, int]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


# ---- ALTO ----


def alto(page: PageReading, name: str, number: int | None = None) -> str:
    """ALTO 4.4, which `pages.page_alto` reads again: a String for each word, an empty one where there is none."""
    root = _root("alto", ALTO, "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd", {"SCHEMAVERSION": "4.4"})
    description = SubElement(root, "Description")
    SubElement(description, "MeasurementUnit").text = "pixel"
    SubElement(SubElement(description, "sourceImageInformation"), "fileName").text = spelled_name(name)
    processing = SubElement(description, "Processing", ID="processing")
    SubElement(processing, "processingCategory").text = "contentGeneration"
    SubElement(processing, "processingDateTime").text = _now()
    software = SubElement(processing, "processingSoftware")
    SubElement(software, "softwareName").text = SOFTWARE
    SubElement(software, "softwareVersion").text = __version__
    width, height = map(str, page.size)
    attributes = {"ID": "page", "PHYSICAL_IMG_NR": str(number or 1), "WIDTH": width, "HEIGHT": height}
    attributes["PC"] = f"{page.confidence:.4f}"
    if page.turned:
        attributes["ROTATION"] = str(-page.turned % 4 * QUARTER)  # counterclockwise
    body = SubElement(SubElement(root, "Layout"), "Page", attributes)
    space = SubElement(body, "PrintSpace", _alto_box((0, 0, *page.size)))
    for index, block in enumerate(page.blocks, start=1):
        element = SubElement(space, "TextBlock", {"ID": f"block-{index}", **_alto_box(box_of_lines(block, page))})
        for line in block:
            _alto_line(element, line, page)
    return _document(root)


def _alto_line(block: Element, line: LineReading, page: PageReading) -> None:
    box = _alto_box(box_of(line.outline, page))
    baseline = {"BASELINE": _alto_points(line.baseline, page)} if len(line.baseline) > 1 else {}
    element = SubElement(block, "TextLine", {"ID": line.id, **box, **baseline})
    SubElement(SubElement(element, "Shape"), "Polygon", POINTS=_alto_points(line.outline, page))
    words = find_words(line)
    for index, word in enumerate(words):
        if index:
            SubElement(element, "SP")
        place = _alto_box(box_of(word.polygon, page))
        SubElement(element, "String", {"CONTENT": plain(word.text), **place, "WC": f"{word.confidence:.4f}"})
    if not words:  # the schema wants one
        SubElement(element, "String", {"CONTENT": "", **box})


def _alto_points(points: np.ndarray, page: PageReading) -> str:
    return " ".join(f"{x} {y}" for x, y in pixels(points, page))


def _alto_box(box: Box) -> dict[str, str]:
    left, top, right, bottom = box
    return {"HPOS": str(left), "VPOS": str(top), "WIDTH": str(right - left), "HEIGHT": str(bottom - top)}


# ---- both ----


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _root(tag: str, namespace: str, schema: str, attributes: Mapping[str, str] | None = None) -> Element:
    names = {"xmlns": namespace, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    return Element(tag, {**names, "xsi:schemaLocation": f"{namespace} {schema}", **(attributes or {})})


def _document(root: Element) -> str:
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'
