"""What was read of a page in the formats that people use: PAGE XML, ALTO, hOCR, tables, and data for JSON.

name: of the picture, as the file is to name it. number: the page of the picture's file, from 1, None where it has but
one. Coordinates are whole pixels within the picture. Confidences are in [0, 1], or in percent where a format has them
so. What XML cannot hold of a text becomes U+FFFD.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from textrec import __version__
from textrec.pages.page_coordinates import SOFTWARE
from textrec.pages.page_images import spelled_name
from textrec.pages.xml_edit import plain
from textrec.reading.page_files import QUARTER, alto, page_xml
from textrec.reading.page_reading import LineReading, PageReading
from textrec.reading.places import Box, box_of, box_of_lines, find_words

# ---- hOCR ----

HOCR_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8" />
<title></title>
<meta name="ocr-system" content="{SOFTWARE} {__version__}" />
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word" />
</head>
<body>
"""
HOCR_TAIL = "</body>\n</html>\n"


def hocr(page: PageReading, name: str, number: int | None = None) -> str:
    """A page of hOCR 1.2, to stand between HOCR_HEAD and HOCR_TAIL with others, of which each has its own number."""
    at = number or 1
    picture = spelled_name(name).replace('"', "%22")
    title = f'image "{picture}"; bbox {_spaced((0, 0, *page.size))}; ppageno {at - 1}'
    root = Element("div", {"class": "ocr_page", "id": f"page_{at}", "title": title})
    for index, block in enumerate(page.blocks, start=1):
        box = {"title": f"bbox {_spaced(box_of_lines(block, page))}"}
        area = SubElement(root, "div", {"class": "ocr_carea", "id": f"block_{at}_{index}", **box})
        paragraph = SubElement(area, "p", {"class": "ocr_par", "id": f"par_{at}_{index}", **box})
        for line in block:
            title = f"bbox {_spaced(box_of(line.outline, page))}{_hocr_slope(line, page)}"
            names = {"class": "ocr_line", "id": f"{line.id}_{at}", "title": title}
            element = SubElement(paragraph, "span", names)
            for place, word in enumerate(find_words(line), start=1):
                title = f"bbox {_spaced(box_of(word.polygon, page))}; x_wconf {100 * word.confidence:.0f}"
                names = {"class": "ocrx_word", "id": f"{line.id}_{at}_{place}", "title": title}
                SubElement(element, "span", names).text = plain(word.text)
    indent(root)
    # An element that HTML does not know as empty must have an end.
    return tostring(root, encoding="unicode", short_empty_elements=False) + "\n"


def _hocr_slope(line: LineReading, page: PageReading) -> str:
    """How a line is written: counterclockwise in degrees where its page is turned, else its slope and its height above
    the box's lower left corner.
    """
    if page.turned:
        return f"; textangle {-page.turned % 4 * QUARTER}"
    if len(line.baseline) < 2 or np.ptp(line.baseline[:, 0]) == 0:
        return ""
    left, _, _, bottom = box_of(line.outline, page)
    slope, height = np.polyfit(line.baseline[:, 0] - left, line.baseline[:, 1] - bottom, 1)
    return f"; baseline {slope:.3f} {height:.0f}"


def _spaced(box: Box) -> str:
    return " ".join(map(str, box))


# ---- tables ----

TSV_HEAD = "level page_num block_num par_num line_num word_num left top width height conf text\n".replace(" ", "\t")


def tsv(page: PageReading, _name: str, number: int | None = None) -> str:
    """Rows of Tesseract's table, to stand below TSV_HEAD: the page (level 1), block, paragraph, line, word (5).

    Confidence is that of a word in percent, else -1.
    """
    rows = [_row(1, (number or 1, 0, 0, 0, 0), (0, 0, *page.size))]
    for index, block in enumerate(page.blocks, start=1):
        at, box = (number or 1, index), box_of_lines(block, page)
        rows += [_row(2, (*at, 0, 0, 0), box), _row(3, (*at, 1, 0, 0), box)]
        for place, line in enumerate(block, start=1):
            rows.append(_row(4, (*at, 1, place, 0), box_of(line.outline, page)))
            for count, word in enumerate(find_words(line), start=1):
                told = f"{100 * word.confidence:.2f}", plain(word.text)
                rows.append(_row(5, (*at, 1, place, count), box_of(word.polygon, page), *told))
    return "".join(rows)


def _row(level: int, place: tuple[int, ...], box: Box, conf: str = "-1", text: str = "") -> str:
    left, top, right, bottom = box
    return "\t".join(map(str, (level, *place, left, top, right - left, bottom - top, conf, text))) + "\n"


# ---- JSON ----


def record(page: PageReading, path: str, number: int | None = None) -> dict[str, Any]:
    """The page as data for JSON: coordinates in pixels with one decimal, `block` from 1."""
    blocks = [(index, line) for index, block in enumerate(page.blocks, start=1) for line in block]
    return {
        "path": path,
        **({} if number is None else {"page": number}),
        "width": page.size[0],
        "height": page.size[1],
        "turned": page.turned,
        "text": page.text,
        "confidence": round(page.confidence, 4),
        "lines": [_line_record(line, index) for index, line in blocks],
    }


def _line_record(line: LineReading, block: int) -> dict[str, Any]:
    return {
        "id": line.id,
        "block": block,
        "polygon": line.outline.round(1).tolist(),
        "baseline": line.baseline.round(1).tolist(),
        "text": line.text,
        "confidence": round(line.confidence, 4),
        "characters": [round(value, 4) for value in line.characters],
        "printed": line.printed,
        **({} if line.problem is None else {"problem": line.problem}),
    }


# ---- all of them ----


class Document(NamedTuple):
    """How a format's files are made: `head`, what `of_page` says of each page, `tail`.

    several: a file may have more than one page.
    """

    suffix: str
    of_page: Callable[[PageReading, str, int | None], str]
    several: bool
    head: str = ""
    tail: str = ""


DOCUMENTS = {
    "page": Document(".xml", page_xml, several=False),
    "alto": Document(".xml", alto, several=False),
    "hocr": Document(".hocr", hocr, several=True, head=HOCR_HEAD, tail=HOCR_TAIL),
    "tsv": Document(".tsv", tsv, several=True, head=TSV_HEAD),
}
