"""Pages as archives keep them, PAGE XML and ALTO: the outline of each line in, its text and confidence out.

What is written is the file as it was, byte for byte, but for what says the text of the lines that were read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from textrec.base.runtime import TextrecError
from textrec.pages.cutting import Strip, bands, cut_line
from textrec.pages.new_lines import NewLine, new_lines
from textrec.pages.page_coordinates import declared_size, inverse, moved, points_of, to_pixels
from textrec.pages.page_images import KINDS, find_image, image_name, named, page_number
from textrec.pages.pictures import open_pictures, picture_size
from textrec.pages.text_edits import BOX, main_equiv, write_alto_line, write_page_line, write_regions
from textrec.pages.xml_edit import Edit, Element, XmlFile, plain, read_xml, root_name

REGIONS = {"TextRegion", "TextBlock"}  # PAGE's and ALTO's
NO_OUTLINE = "it has no outline, and no baseline that would do"


@dataclass(frozen=True, eq=False)
class PageLine:
    """A line of text on a page.

    `id` is the XML's, or "line <number from 1>" where it gives none. `polygon` is float64 (N, 2), x and y in pixels of
    the upright image and within it; `clipped` of its points were not; where the XML has none, a band along the
    baseline. `baseline` likewise, (N, 2), unclipped; None where the XML has none, or its height alone. `text` is what
    the XML says now, None where it says nothing. `problem` says why the line cannot be read, None for a sound one: only
    sound ones may be cropped.
    """

    id: str
    polygon: np.ndarray
    clipped: int
    baseline: np.ndarray | None
    text: str | None
    problem: str | None
    element: Element = field(repr=False)


@dataclass(frozen=True, eq=False)
class PageRegion:
    """A region of text on a page: `polygon` as of a line."""

    polygon: np.ndarray
    element: Element = field(repr=False)


@dataclass(frozen=True, eq=False)
class Page:
    """A page of PAGE XML or ALTO: `lines` in document order.

    `number` is the page of the image's file, from 1. `size` is the width and height that the XML declares, in its own
    unit (0, 0 where it does not), `image_size` that of the image in pixels as it stands upright by its EXIF. `guess`
    says where the image was found, where that is not the place that the XML gives, else None. `to_pixels` makes the
    XML's coordinates pixels of the upright image, by `page_coordinates.moved`. `empty_regions` are those in which no
    line is.
    """

    path: Path
    kind: str
    image: Path
    number: int
    size: tuple[float, float]
    image_size: tuple[int, int]
    lines: list[PageLine]
    guess: str | None
    to_pixels: np.ndarray
    empty_regions: list[PageRegion]
    xml: XmlFile = field(repr=False)


def is_page(path: str | Path) -> bool:
    """Whether a file's root element is that of PAGE XML or ALTO; looks at the first 64 KiB, whatever they hold."""
    return root_name(path) in KINDS


def read_page(path: str | Path) -> Page:
    """Read the lines of a PAGE XML file (2009 to 2019) or an ALTO file (1 to 4), in any encoding that Python knows.

    Raises TextrecError where the XML is not safe and well-formed, is neither PAGE nor ALTO, has neither lines nor
    regions of text, or several pages, gives sizes that are none, and where its image is missing, unreadable, of other
    proportions, or has several pages, or is turned by EXIF, and the XML does not say which page and which way it means.
    What is wrong with one line alone is that line's `problem`.
    """
    xml = read_xml(path)
    root = xml.elements[0]
    if root.name not in KINDS:
        raise TextrecError(f"{path}: its root element is <{root.name}>, not PAGE's <PcGts> or ALTO's <alto>")
    kind = KINDS[root.name]
    own = [element for element in xml.elements if element.namespace == root.namespace]
    pages = [element for element in own if element.name == "Page"]
    if len(pages) != 1:
        raise TextrecError(f"{path}: has {len(pages)} pages; export one file for each page")
    lines = [element for element in own if element.name == "TextLine"]
    regions = [element for element in own if element.name in REGIONS and not element.all("TextLine")]
    if not lines and not regions:
        raise TextrecError(
            f"{path}: has neither a TextLine nor a region of text; give its picture, whose lines are found"
        )
    name = image_name(kind, root, pages[0])
    image = find_image(xml.path, name)
    number = page_number(kind, root, pages[0], image, xml.path)
    image_size, orientation = picture_size(image, number)
    size = declared_size(kind, root, pages[0], xml.path)
    matrix = to_pixels(root, size, image_size, orientation, xml.path, image)
    return Page(
        path=xml.path,
        kind=kind,
        image=image,
        number=number,
        size=size,
        image_size=image_size,
        guess=None if image in named(xml.path, name) else f"{name or 'no image is named'}: took {image}",
        to_pixels=matrix,
        empty_regions=[
            PageRegion(np.clip(moved(points, matrix), 0, image_size), region)
            for region in regions
            if (points := _region_points(kind, region)) is not None
        ],
        lines=_outlined(
            [_line(kind, element, number, matrix, image_size) for number, element in enumerate(lines, start=1)],
            image_size,
        ),
        xml=xml,
    )


def page_pixels(page: Page) -> np.ndarray:
    """The page's image, upright, grey, uint8 (H, W).

    Raises TextrecError where it cannot be read.
    """
    return np.asarray(next(open_pictures(page.image, start=page.number)).image)


def crop_line(image: np.ndarray, line: PageLine) -> Strip:
    """Cut a sound line out of its page, as `cutting.cut_line` does; image: as of `page_pixels`."""
    return cut_line(image, line.polygon, line.baseline)


def write_page(
    page: Page,
    path: str | Path,
    readings: Mapping[int, tuple[str, float] | None],
    found: Mapping[Element, Sequence[NewLine]] | None = None,
) -> None:
    """Write a page again with new texts; `path` may be the page's own. found: lines to put into empty regions.

    readings: by the index into `page.lines`, text and confidence in [0, 1]; a line that has none, or None, stays.

    PAGE: the main TextEquiv (lowest @index) gets @conf and Unicode, PlainText too where it has one; further TextEquivs
    are alternatives and stay. The line's Words go: they would say the old text. A region's text that was its lines'
    texts, one below the other, stays so; any other is left alone. @custom stays, with what it says of the old text's
    characters. Before 2013 PAGE had no @conf.
    ALTO: one String with the line's box, @CONTENT and @WC, and the first old String's ID, instead of the line's
    Strings, SPs and HYP.
    """
    write_line = write_page_line if page.kind == "page" else write_alto_line
    new = {index: (plain(reading[0]), reading[1]) for index, reading in readings.items() if reading}
    edits: list[Edit] = []
    for index, (text, confidence) in new.items():
        edits += write_line(page.xml, page.lines[index].element, text, confidence)
    if page.kind == "page":
        texts = {line.element: (line.text, new.get(index)) for index, line in enumerate(page.lines)}
        edits += write_regions(page.xml, texts)
    back = inverse(page.to_pixels)
    edits += new_lines(
        page.xml, {region: [line.moved(back) for line in lines] for region, lines in (found or {}).items()}
    )
    page.xml.write(path, edits)


def _outlined(lines: list[PageLine], image_size: tuple[int, int]) -> list[PageLine]:
    """Give lines that have a baseline and no outline one: a band along it, as high as the neighbours allow."""
    bare = {index for index, line in enumerate(lines) if line.problem == NO_OUTLINE and line.baseline is not None}
    if not bare:
        return lines
    drawn = [index for index, line in enumerate(lines) if line.baseline is not None]
    outlines = bands([baseline for line in lines if (baseline := line.baseline) is not None])
    for index, outline in zip(drawn, outlines, strict=True):
        if index in bare and outline is not None:
            within = np.clip(outline, 0, image_size)
            problem = _problem("", outline, within)
            lines[index] = replace(lines[index], polygon=within, problem=problem)
    return lines


def _line(kind: str, element: Element, number: int, matrix: np.ndarray, image_size: tuple[int, int]) -> PageLine:
    outline, baseline, text = (_page_line if kind == "page" else _alto_line)(element)
    points = None if outline is None else points_of(outline)
    polygon = np.zeros((0, 2)) if points is None else moved(points, matrix)
    within = np.clip(polygon, 0, image_size)
    drawn = None if baseline is None else points_of(baseline)
    return PageLine(
        id=element.attributes.get("id" if kind == "page" else "ID") or f"line {number}",
        polygon=within,
        clipped=int((within != polygon).any(axis=1).sum()),
        baseline=None if drawn is None or len(drawn) < 2 else moved(drawn, matrix),
        text=text,
        problem=_problem(outline, polygon, within),
        element=element,
    )


def _problem(outline: str | None, polygon: np.ndarray, within: np.ndarray) -> str | None:
    if outline is None:
        return NO_OUTLINE
    if len(polygon) < 3:
        return f"its outline {outline[:40]!r} is no list of three or more points"
    if np.ptp(within, axis=0).min() == 0 < np.ptp(polygon, axis=0).min():
        return "it lies outside of the image"
    # The smallest singular value is that of the polygon's spread across: zero for points on a straight line.
    if np.ptp(within, axis=0).min() < 1 or np.linalg.svd(within - within.mean(axis=0), compute_uv=False)[-1] < 0.5:
        return "its outline has no area"
    return None


def _page_line(line: Element) -> tuple[str | None, str | None, str | None]:
    """Outline and baseline as they stand in the XML, and the text."""
    coords, baseline, equiv = line.first("Coords"), line.first("Baseline"), main_equiv(line)
    unicode = equiv.first("Unicode") if equiv else None
    return _page_points(coords), _page_points(baseline), unicode.text if unicode else None


def _region_points(kind: str, region: Element) -> np.ndarray | None:
    """The outline of a region; None where it has none that makes an area."""
    outline = _page_points(region.first("Coords")) if kind == "page" else _alto_outline(region)
    points = None if outline is None else points_of(outline)
    return points if points is not None and len(points) > 2 else None


def _page_points(coords: Element | None) -> str | None:
    """Since 2013 an attribute, before then an element for each point."""
    if coords is None:
        return None
    points = (f"{point.attributes.get('x', '')},{point.attributes.get('y', '')}" for point in coords.all("Point"))
    return coords.attributes.get("points") or " ".join(points) or None


def _alto_line(line: Element) -> tuple[str | None, str | None, str | None]:
    """As `_page_line`; without a polygon the box is the outline. Strings are words, so a blank parts them."""
    baseline = line.attributes.get("BASELINE")
    if baseline and len(baseline.split()) == 1 and "," not in baseline:
        baseline = None  # before ALTO 4 its height alone, which says nothing of its slope
    strings = line.all("String")
    words = " ".join(string.attributes.get("CONTENT", "") for string in strings)
    hyphens = "".join(hyphen.attributes.get("CONTENT", "") for hyphen in line.all("HYP"))
    return _alto_outline(line), baseline, words + hyphens if strings else None


def _alto_outline(element: Element) -> str | None:
    """The polygon of a line or block, else its box."""
    polygon = element.first("Shape", "Polygon")
    outline = polygon.attributes.get("POINTS") if polygon else None
    box = points_of(" ".join(element.attributes.get(name, "") for name in BOX))
    if outline or box is None or len(box) != 2:
        return outline
    (x, y), (width, height) = box.tolist()
    right, bottom = x + width, y + height
    return f"{x},{y} {right},{y} {right},{bottom} {x},{bottom}"
