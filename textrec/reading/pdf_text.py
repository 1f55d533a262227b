"""Text that a page of a PDF has already: what nobody sees of it is taken away, and where the rest is, is known."""

import contextlib
import io
import math
import warnings
from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
from pikepdf import ContentStreamInstruction, Dictionary, Name, Object, Page, Pdf, Stream

from textrec.pages.pictures import PDFIUM

# Operators of content streams, ISO 32000-1, annex A: what shows text, and what shows anything or marks it.
SHOW = frozenset(["Tj", "TJ", "'", '"'])
PAINT = SHOW | frozenset(["S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "sh", "Do", "INLINE IMAGE"])
PAINT |= frozenset(["BMC", "BDC", "EMC", "MP", "DP"])
ENCODING = {"/Length", "/Filter", "/DecodeParms"}  # of a stream
UNSEEN = 3  # the mode of text that is neither filled nor stroked
LOOK = 3_000_000  # pixels of a page of which it is looked whether text is seen: 175 dpi of A4


def remove_unseen(pdf: Pdf, page: Page) -> np.ndarray:
    """Take the text from a page that is not seen; float64 (N, 2), in points, the middles of the characters that are.

    That is what is neither filled nor stroked, as most write it that recognise text in scans; and all of it where the
    page looks the same without, as where it lies below a scan. A content that is damaged stays as it is.
    """
    with pikepdf.new() as copy:
        copy.pages.append(page)
        shown = copy.pages[0]
        if _without_text(copy, shown, seen=True) is None:
            return np.zeros((0, 2))
        _put(copy, shown, _without_text(copy, shown, seen=False))
        seen, look = _look(copy)
        _put(copy, shown, _without_text(copy, shown, seen=True))
        unseen = not len(seen) or np.array_equal(look, _look(copy)[1])
    _put(pdf, page, _without_text(pdf, page, seen=unseen))
    return seen[:0] if unseen else seen


def _look(pdf: Pdf) -> tuple[np.ndarray, np.ndarray]:
    """The middles of the characters of a PDF's first page, and how that looks."""
    file = io.BytesIO()
    pdf.save(file)
    with PDFIUM, contextlib.closing(pypdfium2.PdfDocument(file.getvalue())) as document:
        page: Any = document[0]
        text = page.get_textpage()
        letters = [number for number in range(text.count_chars()) if text.get_text_range(number, 1).strip()]
        boxes = [text.get_charbox(number, loose=True) for number in letters]
        look = page.render(scale=math.sqrt(LOOK / math.prod(page.get_size()))).to_numpy().copy()
        return np.reshape(boxes, (-1, 2, 2)).mean(axis=1), look


def inherited(node: Object, name: Name) -> Object | None:
    """What a page has of a name, or else the nearest of the nodes above it."""
    while name not in node and Name.Parent in node:
        node = node[Name.Parent]
    return node.get(name)


def _put(pdf: Pdf, page: Page, content: list[Any] | None) -> None:
    """Give a page a content, None for that which it has, and take from it what that does not need."""
    if content is not None:
        page.obj.Contents = pdf.make_stream(pikepdf.unparse_content_stream(content))
        page.remove_unreferenced_resources()


def _without_text(pdf: Pdf, page: Page, *, seen: bool) -> list[Any] | None:
    """The content of a page without text that is neither filled nor stroked, or without any; None where none is there.

    seen: whether what is seen goes, too.
    """
    return _Remover(pdf, seen).content(page, inherited(page.obj, Name.Resources), unseen=False)


class _Remover:
    """Takes text out of contents, and out of the forms that they draw.

    A form is not changed, as other pages may draw it: another takes its place.
    """

    def __init__(self, pdf: Pdf, seen: bool) -> None:
        self._pdf, self._seen = pdf, seen
        self._forms: dict[tuple[int, int, bool], Object | None] = {}

    def content(self, holder: Page | Object, resources: Object | None, *, unseen: bool) -> list[Any] | None:
        """A page's or a form's content without text, and without what but changes a state for it.

        unseen: whether text is neither filled nor stroked at first. None where there is no such text.
        """
        outer: list[list[Any]] = []  # what stands before each q that is open
        kept: list[Any] = []
        states, same = [unseen], True
        for one in _instructions(holder):
            operator, operands = str(one.operator), one.operands
            if operator in SHOW and (self._seen or states[-1]):
                same = False
                continue
            if operator == "Do" and (form := _form(resources, operands)) is not None:
                drawn = self._form(form, resources, unseen=states[-1])
                if drawn is None or drawn.objgen != form.objgen:
                    same = False
                    if drawn is not None:
                        kept.append(ContentStreamInstruction([_name(drawn, resources)], one.operator))
                    continue
            if operator == "Tr" and len(operands):
                states[-1] = bool(operands[0] == UNSEEN)
            elif operator == "q":
                outer.append(kept)
                kept = []
                states.append(states[-1])
            kept.append(one)
            if operator == "Q" and outer:
                inner, kept = kept, outer.pop()
                kept += inner if _paints(inner) else []
                states.pop()
        return None if same else [*chain(*outer), *kept]

    def _form(self, form: Object, resources: Object | None, *, unseen: bool) -> Object | None:
        """What is drawn in place of a form: itself where it has no such text, nothing where it has nothing else."""
        key = (*form.objgen, unseen)
        if key not in self._forms:
            self._forms[key] = None  # if it draws itself, which none may
            content = self.content(form, form.get(Name.Resources, resources), unseen=unseen)
            if content is not None:
                self._forms[key] = self._like(form, content) if _paints(content) else None
        return self._forms[key]

    def _like(self, form: Object, content: list[Any]) -> Object:
        entries = {key: value for key, value in form.stream_dict.items() if key not in ENCODING}
        return self._pdf.make_stream(pikepdf.unparse_content_stream(content), Dictionary(entries))


def _instructions(holder: Page | Object) -> list[Any]:
    """Those of a content; none of a damaged one, of which pikepdf knows but the beginning."""
    with warnings.catch_warnings(record=True) as damage, contextlib.suppress(pikepdf.PdfError):
        warnings.simplefilter("always")
        instructions = pikepdf.parse_content_stream(holder)
        return [] if damage else [*instructions]
    return []


def _form(resources: Object | None, operands: Sequence[Any]) -> Object | None:
    """The form that a Do names; None where that is an image, or nothing."""
    known = None if resources is None else resources.get(Name.XObject)
    named = None if known is None or not operands else known.get(operands[0])
    return named if isinstance(named, Stream) and named.get(Name.Subtype) == Name.Form else None


def _name(form: Object, resources: Any) -> Name:
    """What resources call a form, which they may not have yet."""
    known = resources[Name.XObject]
    names = (f"/Textrec{number}" for number in count(1))
    name = next(name for name in names if name not in known or known[name].objgen == form.objgen)
    known[name] = form
    return Name(name)


def _paints(content: list[Any]) -> bool:
    return any(str(one.operator) in PAINT for one in content)
