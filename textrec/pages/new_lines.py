"""Lines put into a region of PAGE XML or ALTO that has none, as edits of the XML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Self

import numpy as np

from textrec.pages.page_coordinates import moved
from textrec.pages.text_edits import BOX, is_old, new_equiv, spelled
from textrec.pages.xml_edit import Edit, Element, XmlFile, plain

BEFORE = ("AlternativeImage", "Coords", "UserDefined", "Labels", "Roles", "Shape")  # what stands in front of lines


@dataclass(frozen=True, eq=False)
class NewLine:
    """A line that was found: outline float64 (N, 2) and baseline (M, 2); text None where it was not read."""

    outline: np.ndarray
    baseline: np.ndarray
    text: str | None
    confidence: float

    def moved(self, matrix: np.ndarray) -> Self:
        """The line in other coordinates, by `page_coordinates.moved`."""
        return replace(self, outline=moved(self.outline, matrix), baseline=moved(self.baseline, matrix))


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
        if is_old(region):
            elements = (f'<{p}Point x="{x}" y="{y}"/>' for x, y in _whole(values))
            return f"<{p}{tag}>{''.join(elements)}</{p}{tag}>"
        return f'<{p}{tag} points="{_pairs(values)}"/>'

    parts = [points("Coords", line.outline), points("Baseline", line.baseline)]
    if line.text is not None:
        parts.append(new_equiv(region, plain(line.text), line.confidence, outer="", inner=""))
    return f"<{p}TextLine {spelled({'id': name})}>{''.join(inner + part for part in parts)}{own}</{p}TextLine>"


def _alto_line(region: Element, name: str, line: NewLine, own: str, step: str) -> str:
    p, inner = region.prefix, own + step
    (left, top), (right, bottom) = _whole(np.stack([line.outline.min(axis=0), line.outline.max(axis=0)]))
    box = dict(zip(BOX, map(str, (left, top, right - left, bottom - top)), strict=True))
    baseline = _pairs(line.baseline)
    if not region.namespace.endswith("v4#"):
        baseline = str(round(float(np.median(line.baseline[:, 1]))))  # its height alone
    string = {"CONTENT": plain(line.text or ""), **box}
    if line.text is not None:
        string["WC"] = f"{line.confidence:.4f}"
    shape = f'<{p}Shape><{p}Polygon POINTS="{_pairs(line.outline)}"/></{p}Shape>'
    body = f"{inner}{shape}{inner}<{p}String {spelled(string)}/>"
    return f"<{p}TextLine {spelled({'ID': name, **box, 'BASELINE': baseline})}>{body}{own}</{p}TextLine>"


def _whole(points: np.ndarray) -> list[list[int]]:
    return points.round().astype(int).tolist()


def _pairs(points: np.ndarray) -> str:
    return " ".join(f"{x},{y}" for x, y in _whole(points))
