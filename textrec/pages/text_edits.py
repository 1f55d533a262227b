"""What a line of PAGE XML and of ALTO has to say for a new text, as edits of the XML."""

import statistics
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from textrec.pages.xml_edit import Edit, Element, XmlFile

BOX = ("HPOS", "VPOS", "WIDTH", "HEIGHT")  # ALTO's attributes of a rectangle


def main_equiv(parent: Element) -> Element | None:
    """The text of a line or region in PAGE XML: of several TextEquivs that with the lowest @index, as the schema says.

    One without @index counts as 0, and of equals the first.
    """

    def rank(equiv: Element) -> int:
        index = equiv.attributes.get("index", "")
        return int(index) if index.isdecimal() else 0

    return min(parent.all("TextEquiv"), key=rank, default=None)


def write_page_line(xml: XmlFile, line: Element, text: str, confidence: float) -> list[Edit]:
    """Give a TextLine of PAGE XML its text; its Words go, for they would go on saying the old one."""
    words = [xml.remove(word) for word in line.all("Word")]
    return [*words, *_write_equiv(xml, line, text, confidence)]


def write_regions(xml: XmlFile, lines: Mapping[Element, tuple[str | None, tuple[str, float] | None]]) -> list[Edit]:
    """Keep the regions' texts true: one that was its lines' texts, in any white space, becomes their new texts.

    lines: by TextLine the old text and the new reading (text and confidence), each None where there is none. A region
    without new lines, without a text or with one of its own is left alone. Its @conf is the mean over its new lines.
    """
    edits = []
    for region in dict.fromkeys(line.parent for line in lines if line.parent):
        texts = [lines[line] for line in region.all("TextLine")]
        readings = [new for _, new in texts if new]
        equiv = main_equiv(region)
        unicode = equiv.first("Unicode") if equiv else None
        if readings and unicode and unicode.text.split() == " ".join(old or "" for old, _ in texts).split():
            text = "\n".join(new[0] if new else old or "" for old, new in texts)
            edits += _write_equiv(xml, region, text, statistics.fmean(confidence for _, confidence in readings))
    return edits


def write_alto_line(xml: XmlFile, line: Element, text: str, confidence: float) -> list[Edit]:
    """Give a TextLine of ALTO one String with the line's box, instead of its Strings, SPs and HYP.

    The String's ID is that of the first old one, if any; where the file's ReadingOrder names the others, that goes too.
    """
    old = line.all("String", "SP", "HYP")
    ids = [element.attributes["ID"] for element in old if element.name == "String" and "ID" in element.attributes]
    attributes = {
        **({"ID": ids[0]} if ids else {}),
        "CONTENT": text,
        **{name: line.attributes[name] for name in BOX if name in line.attributes},
        "WC": f"{confidence:.4f}",
    }
    new = f"<{line.prefix}String {spelled(attributes)}/>"
    if not old:
        return [xml.insert(line, new, after=line.first("Shape"))]
    refs = [element for element in xml.elements if ids[1:] and element.attributes.get("REF") in ids[1:]]
    return [(old[0].start, old[0].end, new), *(xml.remove(element) for element in [*old[1:], *refs])]


def spelled(attributes: Mapping[str, str]) -> str:
    """Attributes as a tag has them."""
    return " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())


def _write_equiv(xml: XmlFile, parent: Element, text: str, confidence: float) -> list[Edit]:
    """Set the main text of a TextLine or TextRegion. Before 2013 there is no @conf, but PlainText is a must."""
    equiv = main_equiv(parent)
    old = is_old(parent)
    if equiv and equiv.first("Unicode"):
        conf = [] if old else [xml.set_attribute(equiv, "conf", f"{confidence:.4f}")]
        return [*conf, *(xml.set_text(child, text) for child in equiv.all("PlainText", "Unicode"))]
    outer = xml.child_indent(parent)
    new = new_equiv(parent, text, confidence, outer=outer, inner=outer + outer.removeprefix(xml.indent(parent)))
    if equiv:  # without Unicode, which no schema allows
        return [(equiv.start, equiv.end, new)]
    *_, before = parent.all("AlternativeImage", "Coords", "Baseline", "Word")
    return [xml.insert(parent, new, after=before)]


def is_old(element: Element) -> bool:
    """Whether an element is of PAGE before 2013: coordinates were elements, PlainText a must, @conf was not there."""
    return element.namespace.rpartition("/")[2] < "2013"


def new_equiv(like: Element, text: str, confidence: float, *, outer: str, inner: str) -> str:
    """A TextEquiv in the namespace of `like`; outer, inner: what stands before its end tag, and before its children."""
    prefix, old = like.prefix, is_old(like)
    texts = [f"{inner}<{prefix}{name}>{escape(text)}</{prefix}{name}>" for name in ("PlainText", "Unicode")[not old :]]
    conf = "" if old else f' conf="{confidence:.4f}"'
    return f"<{prefix}TextEquiv{conf}>{''.join(texts)}{outer}</{prefix}TextEquiv>"
