"""A font of PDF that shows nothing and says what is written, so that text can be searched and copied, and not seen.

Each character that is met gets a number of its own, so any of Unicode will do. ISO 32000-1, 9.7 and 9.10.3.
"""

import io
from collections.abc import Mapping
from itertools import chain

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph
from pikepdf import Array, Dictionary, Name, Object, Pdf

from textrec.reading.places import FULL, LETTER, NARROW, WIDE, usual_width

NAME = "TextrecGlyphless"
EM = 1000  # units
SIZE = 500  # units of a mean lower-case letter
WIDTHS = [round(SIZE * width) for width in (NARROW, LETTER, WIDE, FULL)]  # units
ASCENT, DESCENT = 750, -250  # units: the parts of a line above and below its baseline
AT_ONCE = 100  # entries that a block of a ToUnicode map may have


class GlyphlessFont:
    """The font in a PDF: `reference` is what pages name, and has all else once `finish` was called."""

    def __init__(self, pdf: Pdf) -> None:
        self.reference: Object = pdf.make_indirect(Dictionary())
        self._pdf = pdf
        self._codes: dict[str, int] = {}

    def encoded(self, text: str) -> str:
        """A text as a content stream has it, in hexadecimal."""
        return "".join(f"{self._codes.setdefault(character, len(self._codes) + 1):04X}" for character in text)

    def finish(self) -> None:
        """Write down which characters there are."""
        font = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name(f"/{NAME}"),
            Flags=4,  # symbolic: its characters are of no standard set
            FontBBox=Array([0, DESCENT, WIDTHS[-1], ASCENT]),
            ItalicAngle=0,
            Ascent=ASCENT,
            Descent=DESCENT,
            CapHeight=ASCENT,
            StemV=80,
            FontFile2=self._pdf.make_stream(_font_file()),
        )
        widths = [width(character) for character in self._codes]
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name(f"/{NAME}"),
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=self._pdf.make_indirect(font),
            DW=SIZE,
            W=Array([1, Array(widths)]),
            CIDToGIDMap=self._pdf.make_stream(bytes([0, 0, *chain(*((0, 1 + WIDTHS.index(one)) for one in widths))])),
        )
        content = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name(f"/{NAME}"),
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([self._pdf.make_indirect(descendant)]),
            ToUnicode=self._pdf.make_stream(_to_unicode(self._codes)),
        )
        for key, value in content.items():
            self.reference[key] = value


def width(text: str) -> int:
    """How wide a text is, in units."""
    return sum(round(SIZE * usual_width(character)) for character in text)


def _to_unicode(codes: Mapping[str, int]) -> bytes:
    entries = [f"<{code:04X}> <{character.encode('utf-16-be').hex()}>" for character, code in codes.items()]
    blocks = [entries[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE)]
    lines = [
        "/CIDInit /ProcSet findresource begin",
        "12 dict begin",
        "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def",
        "/CMapType 2 def",
        "1 begincodespacerange",
        "<0000> <FFFF>",
        "endcodespacerange",
        *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
        "endcmap",
        "CMapName currentdict /CMap defineresource pop",
        "end",
        "end",
    ]
    return "\n".join(lines).encode()


def _font_file() -> bytes:
    """A font file, TrueType, of a glyph for missing characters and one for each width.

    A glyph has two points and no area: so it has a height, by which pdfium knows that there is text, and no ink.
    """
    widths = dict(zip([".notdef", *map(str, WIDTHS)], [SIZE, *WIDTHS], strict=True))
    builder = FontBuilder(EM, isTTF=True)
    builder.font.recalcTimestamp = False
    builder.updateHead(created=0, modified=0)
    builder.setupGlyphOrder(list(widths))
    builder.setupCharacterMap({})
    builder.setupGlyf({name: _glyph(width) for name, width in widths.items()})
    builder.setupHorizontalMetrics({name: (width, 0) for name, width in widths.items()})
    builder.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    builder.setupNameTable({"familyName": NAME, "styleName": "Regular", "psName": NAME})
    builder.setupOS2()
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def _glyph(width: int) -> Glyph:
    pen = TTGlyphPen(None)
    pen.moveTo((0, DESCENT))
    pen.lineTo((width, ASCENT))
    pen.closePath()
    return pen.glyph()
