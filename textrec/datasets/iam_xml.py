"""IAM's XML: one document to one `WrittenForm`, every attribute checked."""

import html
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from zipfile import ZipFile

from textrec.archives.raw import read_xml
from textrec.base.records import Box
from textrec.base.runtime import TextrecError


class WrittenLine(NamedTuple):
    """A handwritten line as the XML has it: `parts` are its words, punctuation apart, each with its boxes."""

    id: str
    text: str
    parts: list[tuple[str, list[Box]]]


class WrittenForm(NamedTuple):
    """A form as the XML has it: size in pixels of the original scan, printed lines joined by blanks."""

    id: str
    writer: str
    width: int
    height: int
    printed: str
    lines: list[WrittenLine]


def read_form(archive: ZipFile, name: str) -> WrittenForm:
    """Parse the member `name`, whose stem must be the form's id. Texts are unescaped and their blanks single.

    Raises TextrecError on XML that is malformed or declares entities, on a missing attribute, on a number that is
    none, and on an id that stands twice or belongs to another form.
    """
    where = f"{archive.filename}: {name}"
    root = read_xml(archive, name)
    form = _attribute(root, "id", where)
    if form != PurePosixPath(name).stem:
        raise TextrecError(f"{where}: holds form {form!r}; a form's id and the name of its member must be the same")
    lines = []
    for line in root.iterfind("handwritten-part/line"):
        lines.append(_line(line, where))
        _check_id(lines, form, where)
    printed = [_label(line, where) for line in root.iterfind("machine-printed-part/machine-print-line")]
    width, height = _number(root, "width", where), _number(root, "height", where)
    if min(width, height) < 1:
        raise TextrecError(f"{where}: the form is {width} x {height} pixels; restore this member")
    return WrittenForm(form, _attribute(root, "writer-id", where), width, height, " ".join(printed), lines)


def _line(line: Any, where: str) -> WrittenLine:
    line_id = _attribute(line, "id", where)
    where = f"{where}: line {line_id}"
    parts = [
        (_label(word, where), [_box(cmp, where) for cmp in word.iterfind("cmp")]) for word in line.iterfind("word")
    ]
    return WrittenLine(line_id, _label(line, where), parts)


def _check_id(lines: list[WrittenLine], form: str, where: str) -> None:
    line_id = lines[-1].id
    if line_id.rpartition("-")[0] != form:
        raise TextrecError(f"{where}: line {line_id} has the id of another form's line; mend the XML")
    if any(line.id == line_id for line in lines[:-1]):
        raise TextrecError(f"{where}: line {line_id} stands twice; mend the XML")


def _box(cmp: Any, where: str) -> Box:
    return Box(*(_number(cmp, name, where) for name in Box._fields))


def _label(element: Any, where: str) -> str:
    """The text of a line or word. IAM escapes it twice: what XML parsing leaves of a quote is `&quot;`."""
    return " ".join(html.unescape(_attribute(element, "text", where)).split())


def _attribute(element: Any, name: str, where: str) -> str:
    value = element.get(name)
    if value is None:
        raise TextrecError(f"{where}: <{element.tag}> has no attribute {name!r}; mend the XML")
    return value


def _number(element: Any, name: str, where: str) -> int:
    value = _attribute(element, name, where)
    try:
        return int(value)
    except ValueError:
        problem = f"{name} of <{element.tag}> is {value!r}, not a whole number"
        raise TextrecError(f"{where}: {problem}; mend the XML") from None
