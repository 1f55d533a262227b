"""XML changed in place: where each element stands, byte for byte, so that all else of the file stays as it is."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from textrec.base.runtime import TextrecError, atomic

Edit = tuple[int, int, str]  # these bytes of `XmlFile.data` become this text

_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_ATTRIBUTE = re.compile(r"""\s([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_INDENT = re.compile(rb"\r?\n[ \t]*\Z")
_DEEPEST_INDENT = 256  # bytes: how far before an element its indentation is looked for
_FORBIDDEN = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # by XML 1.0, section 2.2


@dataclass(eq=False)
class Element:
    """An element and where it stands in `XmlFile.data`: start tag [start, inside), end tag [outside, end).

    `inside`, `outside` and `end` are the same where one tag is both (`<a/>`). `prefix` is as written ("pc:" or "").
    `text` is the element's own character data, without that of its children.
    """

    name: str
    namespace: str
    prefix: str
    attributes: dict[str, str]
    parent: "Element | None"
    start: int
    inside: int = 0
    outside: int = 0
    end: int = 0
    text: str = ""
    children: list["Element"] = field(default_factory=list, repr=False)

    def all(self, *names: str) -> list["Element"]:
        """The children of these names and of this element's namespace, in document order."""
        return [child for child in self.children if child.name in names and child.namespace == self.namespace]

    def first(self, *path: str) -> "Element | None":
        """The first child of the first name's first child of the second name, and so on."""
        found = [self]
        for name in path:
            found = found[0].all(name)
            if not found:
                return None
        return found[0]


@dataclass(frozen=True, eq=False)
class XmlFile:
    """A parsed file: its text as UTF-8, whatever the codec it is stored in, and its elements in document order."""

    path: Path
    data: bytes = field(repr=False)
    codec: str
    elements: list[Element] = field(repr=False)

    def write(self, path: str | Path, edits: list[Edit]) -> None:
        """Write the file with `edits`; every other byte stays. `path` may be the file itself.

        An edit of what an outer one replaces is void. What the file's codec lacks becomes a character reference.
        """
        pieces, position = [], 0
        for start, end, new in sorted(edits):
            if start >= position:
                pieces += [self.data[position:start], new.encode()]
                position = end
        text = b"".join([*pieces, self.data[position:]]).decode()
        with atomic(path) as temporary:
            temporary.write_bytes(text.encode(self.codec, "xmlcharrefreplace"))

    def indent(self, element: Element) -> str:
        """The line break and the blanks before an element; nothing where it does not begin a line."""
        match = _INDENT.search(self.data[max(element.start - _DEEPEST_INDENT, 0) : element.start])
        return match[0].decode() if match else ""

    def child_indent(self, element: Element) -> str:
        """The indentation of an element's children: one step deeper, as the element is than its parent."""
        own = self.indent(element)
        step = own.removeprefix(self.indent(element.parent)) if element.parent else own
        return own + step if own else ""

    def set_attribute(self, element: Element, name: str, value: str) -> Edit:
        """Give an element's attribute another value; the last of the tag where it is new."""
        tag = self.data[element.start : element.inside].decode()
        attributes = list(_ATTRIBUTE.finditer(tag))
        for attribute in attributes:
            if attribute[1] == name:
                start, end = (element.start + len(tag[:index].encode()) for index in attribute.span(2))
                return start, end, quoteattr(value)
        last = attributes[-1].end() if attributes else len(tag.rstrip("/>").rstrip())
        position = element.start + len(tag[:last].encode())
        return position, position, f" {name}={quoteattr(value)}"

    def set_text(self, element: Element, text: str) -> Edit:
        """Replace all that an element holds by text."""
        if element.inside == element.end:
            return self._open(element, escape(text))
        return element.inside, element.outside, escape(text)

    def insert(self, parent: Element, new: str, *, after: Element | None = None) -> Edit:
        """Put a new child `after` one of its siblings, first where that is None, on a line of its own."""
        new = self.child_indent(parent) + new
        if parent.inside == parent.end:
            return self._open(parent, new + self.indent(parent))
        position = after.end if after else parent.inside
        return position, position, new

    def remove(self, element: Element) -> Edit:
        """Take an element out, with the line break and the indentation before it."""
        return element.start - len(self.indent(element).encode()), element.end, ""

    def _open(self, element: Element, content: str) -> Edit:
        """`<a/>` becomes `<a>content</a>`."""
        position = element.end - len("/>")
        return position, element.end, f">{content}</{element.prefix}{element.name}>"


def plain(text: str) -> str:
    """One line that XML can hold: a line break or tab becomes a blank, a forbidden character U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", re.sub(r"\r\n|[\t\n\r]", " ", text))


def read_xml(path: str | Path) -> XmlFile:
    """Parse a file of any encoding that Python knows.

    Raises TextrecError where it is not well-formed, has a document type (the way to entities, external files and XML
    bombs; neither PAGE nor ALTO has one), or could not be written back byte for byte.
    """
    path = Path(path)
    raw = path.read_bytes()
    try:
        codec = _codec(raw)
        text = raw.decode(codec)
        same = text.encode(codec) == raw
        elements = _parse(text.encode(), path)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise TextrecError(f"{path}: not well-formed XML: {error}; export the file anew") from None
    if not same:
        raise TextrecError(f"{path}: its encoding ({codec}) would not be written back as it is; save it as UTF-8")
    return XmlFile(path, text.encode(), codec, elements)


def root_name(path: str | Path) -> str | None:
    """The name of an XML file's root element or document type, without prefix; None for any other file.

    Reads no more than the file's first 64 KiB.
    """
    names = []

    class Found(Exception):  # noqa: N818 -- not an error: the way out of the parser
        pass

    def found(name: str, *_: object) -> NoReturn:
        names.append(re.split("[ :]", name)[-1])
        raise Found

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = parser.StartDoctypeDeclHandler = found
    with Path(path).open("rb") as file, contextlib.suppress(Found, expat.ExpatError, LookupError, ValueError):
        start = file.read(1 << 16)
        parser.Parse(start.decode(_codec(start), "ignore"), False)  # ignore: the last character may be cut in two
    return names[0] if names else None


def _codec(raw: bytes) -> str:
    """XML 1.0, appendix F: by the byte order mark or the first characters, else as declared, else UTF-8."""
    for codec, starts in {"utf-16-le": (b"\xff\xfe", b"<\0"), "utf-16-be": (b"\xfe\xff", b"\0<")}.items():
        if raw.startswith(starts):
            return codec
    declared = _DECLARED.match(raw)
    return declared[1].decode() if declared else "utf-8"


def _parse(data: bytes, path: Path) -> list[Element]:
    """Elements of UTF-8 `data` in document order. A tag ends where the parser's next event begins."""
    parser = expat.ParserCreate("utf-8", " ")
    parser.namespace_prefixes = True
    elements: list[Element] = []
    inner: list[tuple[Element, list[str]]] = []  # those open, the innermost last, and the pieces of their texts
    unfinished: list[tuple[Element, str]] = []  # the tag that the last event was

    def finish_tag() -> None:
        while unfinished:
            element, edge = unfinished.pop()
            setattr(element, edge, parser.CurrentByteIndex)

    def start(name: str, attributes: dict[str, str]) -> None:
        finish_tag()
        namespace, local, prefix = _split_name(name)
        parent = inner[-1][0] if inner else None
        element = Element(local, namespace, prefix, attributes, parent, parser.CurrentByteIndex)
        if parent:
            parent.children.append(element)
        elements.append(element)
        inner.append((element, []))
        unfinished.append((element, "inside"))

    def end(_: str) -> None:
        finish_tag()
        element, pieces = inner.pop()
        element.text = "".join(pieces)
        element.outside = parser.CurrentByteIndex
        unfinished.append((element, "end"))

    def characters(text: str) -> None:
        finish_tag()
        inner[-1][1].append(text)

    def refuse(name: str, *_: object) -> NoReturn:
        raise TextrecError(f"{path}: declares a document type ({name}), which PAGE and ALTO have not; remove it")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.DefaultHandler = lambda _: finish_tag()  # comments and all the rest
    parser.Parse(data, True)
    elements[0].end = elements[0].end or len(data)  # where nothing follows the root
    return elements


def _split_name(name: str) -> tuple[str, str, str]:
    """What expat calls "namespace local prefix" as namespace, local name, and prefix as written."""
    match name.split(" "):
        case [namespace, local, prefix]:
            return namespace, local, f"{prefix}:"
        case [namespace, local]:
            return namespace, local, ""
    return "", name, ""
