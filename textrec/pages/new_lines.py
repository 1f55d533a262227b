"""Lines put into a region of PAGE XML or ALTO that has none, as edits of the XML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Self
from xml.sax.saxutils import quoteattr

import numpy as np

from textrec.pages.text_edits import is_old, new_equiv
from textrec.pages.xml_edit import Edit, Element, XmlFile, plain

BEFORE = ("AlternativeImage", "Coords", "UserDefined", "Labels", "Roles", "Shape")  # what stands in front of lines


@dataclass(frozen=True, eq=False)
class NewLine:
    """A line that was found: outline float64 (N, 2) and baseline (M, 2); text None where it was not read."""

    outline: np.ndarray
    baseline: np.ndarray
    text: str | None
    confidence: float

    def scaled(self, factor: np.ndarray) -> Self:
        """The line in other units, of so many in x and in y."""
        return replace(self, outline=self.outline * factor, baseline=self.baseline * factor)


def new_lines(xml: XmlFile, found: Mapping[Element, Sequence[NewLine]]) -> list[Edit]:
    """Put lines into regions, in their order, each with an id that the file has not yet."""
    taken = {value for element in xml.elements for name, value in element.attributes.items() if name.lower() == "id"}
    names = (name for number in count(1) if (name := f"line-{number}") not in taken)
    edits = []
    for region, lines in found.items():
        write = _page_line if region.name == "TextRegion" else _alto_line
        own = xml.child_indent(region)
        step = own.removeprefix(xml.indent(region))
        # In one edit, as several at one place have no order.
        texts = [write(region, next(names), line, own, step) for line in lines]
        before = region.all(*BEFORE)
        if texts:
            edits.append(xml.insert(region, own.join(texts), after=before[-1] if before else None))
    return edits


def _page_line(region: Element, name: str, line: NewLine, own: str, step: str) -> str:
    p, inner = region.prefix, own + step

    def points(tag: str, values: np.ndarray) -> str:
        pairs = values.round().astype(int).tolist()
        if is_old(region):
            return f"<{p}{tag}>" + "".join(f'<{p}Point x="{x}" y="{y}"/>' for x, y in pairs) + f"</{p}{tag}>"
        return f'<{p}{tag} points="{" ".join(f"{x},{y}" for x, y in pairs)}"/>'

    parts = [points("Coords", line.outline), points("Baseline", line.baseline)]
    if line.text is not None:
        parts.append(new_equiv(region, plain(line.text), line.confidence, outer="", inner=""))
    return f"<{p}TextLine id={quoteattr(name)}>{''.join(inner + part for part in parts)}{own}</{p}TextLine>"


def _alto_line(region: Element, name: str, line: NewLine, own: str, step: str) -> str:
    p, inner = region.prefix, own + step
    (left, top), (right, bottom) = (corner.round().astype(int) for corner in (line.outline.min(0), line.outline.max(0)))
    box = f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'
    outline, baseline = (
        " ".join(f"{x},{y}" for x, y in points.round().astype(int).tolist()) for points in (line.outline, line.baseline)
    )
    if not region.namespace.endswith("v4#"):
        baseline = str(round(float(np.median(line.baseline[:, 1]))))  # its height alone
    parts = [f'<{p}Shape><{p}Polygon POINTS="{outline}"/></{p}Shape>']
    content = quoteattr(plain(line.text or ""))
    wc = "" if line.text is None else f' WC="{line.confidence:.4f}"'
    parts.append(f"<{p}String CONTENT={content} {box}{wc}/>")
    body = "".join(inner + part for part in parts)
    return f'<{p}TextLine ID={quoteattr(name)} {box} BASELINE="{baseline}">{body}{own}</{p}TextLine>'
