"""Where the image of a file of PAGE XML or ALTO is, and which page of that."""

import contextlib
import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from textrec.base.runtime import TextrecError
from textrec.pages.pictures import SUFFIXES, count_pages
from textrec.pages.xml_edit import Element, plain, read_xml

KINDS = {"PcGts": "page", "alto": "alto"}  # by root element


def image_name(kind: str, root: Element, page: Element) -> str:
    """What the XML says that its image is called; empty where it says nothing."""
    if kind == "page":
        return page.attributes.get("imageFilename", "").strip()
    name = root.first("Description", "sourceImageInformation", "fileName")
    return name.text.strip() if name else ""


def page_image(path: str | Path) -> Path | None:
    """The image of a file of PAGE XML or ALTO; None where it has none that can be found, or is no such file."""
    with contextlib.suppress(TextrecError):
        xml = read_xml(path)
        root = xml.elements[0]
        for page in (element for element in xml.elements if element.name == "Page" and root.name in KINDS):
            return find_image(xml.path, image_name(KINDS[root.name], root, page))
    return None


def find_image(path: Path, name: str) -> Path:
    """The image of an XML file: the first that there is of these names in these folders.

    Names: as the XML gives it; without the escapes and the query of an address; the last part of it.
    Folders: the XML's; the one above (Transkribus); for a name with folders of its own two more (OCR-D, whose paths are
    those from the workspace).
    At last a file beside the XML, or one folder up, whose name differs in its case or suffix alone; where the XML gives
    no name, from the XML's own.
    """
    given = _local(name) if name else path.name
    bare = re.split(r"[\\/]", given)[-1]
    names = list(dict.fromkeys([name, given, bare])) if name else []
    near = [path.parent, path.absolute().parent.parent]
    places = [folder / one for folder in near for one in names]
    places += [folder / given for folder in path.absolute().parent.parents[1:3] if name and given != bare]
    for place in places:
        with contextlib.suppress(OSError, ValueError):  # a name that no file can have
            if place.is_file():
                return place
    for folder in near:
        with contextlib.suppress(OSError, ValueError):
            alike = (one for one in folder.iterdir() if one.stem.lower() == Path(bare).stem.lower())
            if found := sorted(one for one in alike if one.suffix.lower() in SUFFIXES and one.is_file()):
                return found[0]
    if not name:
        raise TextrecError(f"{path}: names no image; add Page@imageFilename (PAGE) or fileName (ALTO)")
    missing = " nor ".join(dict.fromkeys(str(path.parent / one) for one in (given, bare)))
    raise TextrecError(f"{path}: its image is missing, there is no {missing}; put it beside the XML")


def named(path: Path, name: str) -> set[Path]:
    """Where the XML says that its image is."""
    return {path.parent / name, path.parent / _local(name)}


def _local(name: str) -> str:
    """The path that a file name or an address gives, without escapes and query."""
    parts = urlsplit(name)
    if parts.scheme in ("file", "http", "https") or "%" in name or "?" in name:
        return unquote(parts.path, errors="surrogateescape")
    return name


def spelled_name(name: str) -> str:
    """What XML is to call an image: by its name, or where XML cannot hold that with the escapes of an address."""
    return name if plain(name) == name else quote(os.fsencode(name))


def page_number(kind: str, root: Element, page: Element, image: Path, path: Path) -> int:
    """Which page of its image's file a page is, from 1.

    ALTO has an attribute for it, which counts for all kinds of things where the image has but one page. PAGE has none:
    there it is a MetadataItem as `reading.page_files` writes it.
    Raises TextrecError where the image has several pages and the XML says none of them.
    """
    count = count_pages(image) or 1
    if count == 1:
        return 1
    if kind == "alto":
        given, place = page.attributes.get("PHYSICAL_IMG_NR", "").strip(), "the Page's PHYSICAL_IMG_NR"
    else:
        items = metadata.all("MetadataItem") if (metadata := root.first("Metadata")) else []
        numbers = [item.attributes.get("value", "").strip() for item in items if item.attributes.get("name") == "page"]
        given, place = numbers[0] if numbers else "", 'the value of a MetadataItem of the name "page"'
    if given.isdecimal() and 1 <= int(given) <= count:
        return int(given)
    said = f"and there is no page {given}" if given else "and which of them is meant is not said"
    raise TextrecError(f"{path}: its image {image} has {count} pages, {said}; give it as {place}, from 1")
