"""Fonts of letters made of bars, no two alike: low, tall and deep ones, as handwriting has."""

import string
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

CHARACTERS = string.ascii_letters + string.digits + " .,-'"
TALL, DEEP, LOW = 700, -200, 400  # units of 1000 an em
ADVANCE = 500


def write_font(
    path: Path,
    *,
    family: str = "Bars",
    characters: str = CHARACTERS,
    capitals: bool = False,
    joined: bool = False,
    flavor: str | None = None,
) -> Path:
    """Write a font; `capitals`: for small letters, too; `joined`: its letters hang together at the base line."""
    names = [f"u{ord(character):04x}" for character in characters]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(character): name for character, name in zip(characters, names, strict=True)})
    shapes = {
        name: _letter(character.upper() if capitals else character, joined)
        for character, name in zip(characters, names, strict=True)
    }
    builder.setupGlyf({".notdef": _letter(" ", joined), **shapes})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", *names), (ADVANCE, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-300)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-300)
    builder.setupPost()
    builder.font.flavor = flavor
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)
    return path


def _letter(character: str, joined: bool):
    pen = TTGlyphPen(None)
    if character != " ":
        tall = character.isupper() or character.isdigit() or character in "bdfhklt"
        top, bottom = (TALL if tall else LOW), (DEEP if character in "gjpqy" else 0)
        _bar(pen, 60, bottom, 130, top)
        _bar(pen, 60, top - 70, 200 + 3 * (ord(character) % 60), top)  # its own
        if joined:
            _bar(pen, 0, 0, ADVANCE, 60)
    return pen.glyph()


def _bar(pen: TTGlyphPen, left: int, bottom: int, right: int, top: int) -> None:
    pen.moveTo((left, bottom))
    for point in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(point)
    pen.closePath()
