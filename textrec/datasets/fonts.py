"""Font files: which there are, what each can write, and which split has it."""

import hashlib
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from textrec.archives.raw import open_archive, read_member
from textrec.base.records import SPLITS
from textrec.base.runtime import TextrecError, parallel_map

LETTERS = "abcdefghijklmnopqrstuvwxyz"

BODY = 56  # pixels from the top of an H to the foot of a p, as fonts are drawn: some three times as many as in a crop
CANVAS, BASE = 120, 81  # rows that letters are drawn in, with room for flourishes, and the row that they stand on
CAPITAL_BODY = 41  # pixels that capitals are high where there is nothing else: with as many pixels of a crop

PROBE_SIZE = 200  # pixels an em
PROBE = "munuaemnuhld"  # letters of one piece each, with no dots
JOINED = 0.5  # pieces a letter: of 102 fonts 32 have 0.33 at most, 64 have 0.75 or more
LOW, TALL, DEEP = "acemnorsuvwxz", "bdfhkl", "gpqy"
# From the top of a tall letter to the foot of a deep one, in heights of a low one: where small letters are capitals it
# is 1.31 at most in the same fonts, else 1.54 at least.
FLAT = 1.42


@dataclass(frozen=True, slots=True)
class Font:
    """A font that can be written with.

    name: of its file, without folders and suffix. content: the file's; digest: of that, in its place where fonts are
    compared. characters: those of the charset that it has, the blank included.
    capitals: whether its small letters look like capitals. joined: whether its letters hang together.
    size: pixels an em at which its letters are BODY high. stroke: pixels that strokes are thick at that size.
    """

    name: str
    content: bytes = field(repr=False, compare=False)
    digest: str
    family: str
    characters: frozenset[str]
    capitals: bool
    joined: bool
    size: float
    stroke: float


def read_fonts(archive: str | Path, characters: str, *, skip_bad: bool) -> tuple[list[Font], dict[str, str]]:
    """Read an archive of fonts and look at each, on all cores.

    Returns those that can write Latin text, and by file name why the others cannot.
    Raises TextrecError where the archive is missing or damaged, and at such a font unless `skip_bad`.
    """
    with open_archive(archive) as packed:
        files = [(name, read_member(packed, name)) for name in sorted(packed.namelist())]
    look = partial(inspect, characters=characters)
    fonts, dropped = [], {}
    looks = parallel_map(look, files, total=len(files), description="fonts", unit="font")
    for (name, _), found in zip(files, looks, strict=True):
        if isinstance(found, Font):
            fonts.append(found)
        elif skip_bad:
            dropped[name] = found
        else:
            raise TextrecError(
                f"data.fonts: {name}: {found}; remove it, or set draw_fonts.on_bad_font to skip such fonts"
            )
    return fonts, dropped


def inspect(file: tuple[str, bytes], *, characters: str) -> Font | str:
    """What a font, a file's name and content, can write of `characters`; or in a few words why it cannot be used."""
    name, content = Path(file[0]).stem, file[1]
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of tables that nobody needs
    try:
        with TTFont(io.BytesIO(content), lazy=True) as tables:
            mapped = {chr(code) for code in tables.getBestCmap() or ()}
            family = tables["name"].getBestFamilyName() or name
        font = ImageFont.truetype(io.BytesIO(content), PROBE_SIZE)
        drawn = {character for character in mapped & set(characters) if character == " " or _has_ink(font, character)}
        if not drawn.issuperset(LETTERS.upper() + " ") or not (drawn.issuperset(LETTERS) or drawn.isdisjoint(LETTERS)):
            return "without all Latin letters"
        capitals = _of_capitals(font, drawn)
        probe = PROBE.upper() if capitals else PROBE
        pieces, stroke = _strokes(font, probe)
        box = font.getbbox("Hdgp".upper() if capitals else "Hdgp")
    except Exception as error:  # what is damaged has parsers raise whatever comes up
        return f"not a font that can be read ({str(error).partition(chr(10))[0] or type(error).__name__})"
    scale = (CAPITAL_BODY if capitals else BODY) / (box[3] - box[1])
    return Font(
        name=name,
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
        family=family,
        characters=frozenset(drawn - {letter for letter in drawn if capitals and letter != letter.upper()}),
        capitals=capitals,
        joined=not capitals and pieces < JOINED,
        size=PROBE_SIZE * scale,
        stroke=stroke * scale,
    )


def _has_ink(font: ImageFont.FreeTypeFont, character: str) -> bool:
    left, top, right, bottom = font.getbbox(character)
    return right > left and bottom > top


def _of_capitals(font: ImageFont.FreeTypeFont, drawn: set[str]) -> bool:
    """Whether small letters are missing, or have the heights of capitals, in whatever size."""
    if drawn.isdisjoint(LETTERS):
        return True
    tops = {letter: -font.getbbox(letter, anchor="ls")[1] for letter in LOW + TALL}
    foot = float(np.median([font.getbbox(letter, anchor="ls")[3] for letter in DEEP]))
    low, tall = (float(np.median([tops[letter] for letter in letters])) for letters in (LOW, TALL))
    return tall + foot < FLAT * low


def _strokes(font: ImageFont.FreeTypeFont, text: str) -> tuple[float, float]:
    """How many pieces of ink there are a letter, and how thick strokes are in pixels."""
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (round(right - left) + 2, round(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, font=font, fill=255)
    ink = np.asarray(image) > 40  # hairlines too
    labelled: Any = ndimage.label(ink, np.ones((3, 3)))
    pieces = labelled[1]
    # Twice the distance from the middle of a stroke, where it is larger than around, to paper.
    away: Any = ndimage.distance_transform_edt(ink)
    return pieces / len(text), float(2 * np.median(away[ink & (away >= ndimage.maximum_filter(away, 3))]))


def split_fonts(fonts: Iterable[Font], seed: int) -> dict[str, list[Font]]:
    """Part fonts among the splits, families whole: a tenth of them to val and to test each, at least one.

    Raises TextrecError where there are some, but of fewer than three families.
    """
    families: dict[str, list[Font]] = {}
    for font in fonts:
        families.setdefault(font.family, []).append(font)
    names = sorted(families)
    if names and len(names) < len(SPLITS):
        raise TextrecError(f"data.fonts: {len(names)} usable families; at least {len(SPLITS)}, one for each split")
    rng = np.random.Generator(np.random.PCG64([seed, *b"fonts"]))
    order = [names[index] for index in rng.permutation(len(names))]
    tenth = max(1, round(len(order) / 10)) if order else 0
    parts = {"train": order[2 * tenth :], "val": order[:tenth], "test": order[tenth : 2 * tenth]}
    return {split: [font for name in sorted(parts[split]) for font in families[name]] for split in SPLITS}
