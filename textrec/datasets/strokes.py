"""On-line handwriting (IAM-OnDB): lines recorded as pen strokes, drawn as crops of scanned forms look.

https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database (Liwicki and Bunke 2005): text of the same corpus
as IAM's, written on a whiteboard by other people. `archives.sources` brings it to one archive, with members of either
kind, or with none where there is no such data:

    points.npy, stroke_end.npy, line_end.npy, line_id.npy, text.npy     all lines packed end to end
    lineStrokes/<line>.xml, ascii/<form>.txt                            the strokes of a line, the texts of a form
"""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
from PIL import Image
from pydantic import NonNegativeInt
from scipy.stats import siegelslopes

from textrec.archives.raw import members, open_archive, read_member, read_xml
from textrec.base.charset import Charset
from textrec.base.params import Params
from textrec.base.records import Form, Sample, form_of
from textrec.base.runtime import TextrecError, parallel_map
from textrec.drawn.pen import Ink, stamp
from textrec.pages.cutting import rows_of_line

REMEDY = "fetch IAM-OnDB anew, then `dvc repro -f -s download`"


class DrawOndb(Params):
    """Section `draw_ondb`."""

    skip_test_texts: bool
    """Drop lines whose text a val or test form holds: the writers of IAM and of IAM-OnDB copied the same corpus."""
    seed: NonNegativeInt


class PenLine(NamedTuple):
    """A line as it was recorded: points, int (n, 2), x to the right and y down; where each stroke ends, int (m,)."""

    id: str
    text: str
    points: np.ndarray
    stroke_end: np.ndarray


# ---- reading ----


def read_lines(path: str | Path) -> Iterator[PenLine]:
    """Yield the lines of the archive in its order; those without a transcript have an empty text.

    Raises TextrecError naming the member that is missing, damaged, or does not fit to the others.
    """
    with open_archive(path) as archive:
        if "points.npy" in archive.namelist():
            yield from _packed_lines(archive)
        else:
            yield from _xml_lines(archive)


def _packed_lines(archive: ZipFile) -> Iterator[PenLine]:
    points, stroke_end = _array(archive, "points"), _array(archive, "stroke_end")
    line_end, ids, texts = (_array(archive, name) for name in ("line_end", "line_id", "text"))
    _check(archive, "points", points.shape == (len(points), 2) and points.dtype.kind == "i")
    _check(archive, "stroke_end", _divides(stroke_end, len(points)))
    _check(archive, "line_end", _divides(line_end, len(stroke_end)))
    for name, values in (("line_id", ids), ("text", texts)):
        _check(archive, name, values.shape == line_end.shape and values.dtype.kind == "U")
    edges = np.concatenate([[0], stroke_end])
    first = 0
    for id_, text, last in zip(ids.tolist(), texts.tolist(), line_end.tolist(), strict=True):
        start, end = edges[first], edges[last]
        yield PenLine(id_, text, points[start:end], stroke_end[first:last] - start)
        first = last


def _array(archive: ZipFile, name: str) -> np.ndarray:
    try:
        return np.atleast_1d(np.load(io.BytesIO(read_member(archive, f"{name}.npy"))))
    except (ValueError, EOFError) as error:
        raise TextrecError(f"{archive.filename}: {name}.npy is no array ({error}); {REMEDY}") from None


def _divides(ends: np.ndarray, whole: int) -> bool:
    """Whether the ends rise from part to part up to that of the whole."""
    if ends.ndim != 1 or ends.dtype.kind != "i" or not ends.size:
        return False
    return bool((np.diff(ends, prepend=0) > 0).all()) and ends[-1] == whole


def _check(archive: ZipFile, name: str, good: bool) -> None:
    if not good:
        raise TextrecError(f"{archive.filename}: {name}.npy does not fit to the other arrays; {REMEDY}")


def _xml_lines(archive: ZipFile) -> Iterator[PenLine]:
    transcripts = members(archive, "ascii", (".txt",))
    form, texts = "", []
    for id_, name in members(archive, "lineStrokes", (".xml",)).items():
        if form_of(id_) != form:
            form = form_of(id_)
            texts = _transcripts(archive, transcripts[form]) if form in transcripts else []
        number = id_.removeprefix(f"{form}-")
        text = texts[int(number) - 1] if number.isdecimal() and 0 < int(number) <= len(texts) else ""
        strokes = _strokes(archive, name)
        points = np.concatenate([np.zeros((0, 2), int), *strokes])
        yield PenLine(id_, text, points, np.cumsum([len(stroke) for stroke in strokes], dtype=int))


def _transcripts(archive: ZipFile, name: str) -> list[str]:
    """The lines of a form, which stand under `CSR:`; what stands before is what a program read in it."""
    _, found, text = read_member(archive, name).decode("latin-1").partition("CSR:")
    if not found:
        raise TextrecError(f"{archive.filename}: {name} has no part 'CSR:'; {REMEDY}")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _strokes(archive: ZipFile, name: str) -> list[np.ndarray]:
    """The strokes of a line, int (n, 2) each."""
    root = read_xml(archive, name)
    try:
        strokes = [
            np.array([(int(point.attrib["x"]), int(point.attrib["y"])) for point in stroke.iterfind("Point")])
            for stroke in root.iterfind("StrokeSet/Stroke")
        ]
    except (KeyError, ValueError):
        problem = "a point without x or y, or of which one is no whole number"
        raise TextrecError(f"{archive.filename}: {name}: {problem}; {REMEDY}") from None
    return [stroke for stroke in strokes if len(stroke)]


# ---- which lines, and their texts ----

# Transcripts are spaced by hand, some with a blank on either side of every mark; IAM's are not.
SPACING = (
    (r"\s+", " "),
    (",,", '"'),  # as a German writes it
    (r" (?=[.,;:?!)])|(?<=\() ", ""),
    (r"(?<=\w) ?' ?(?=(?:s|ll|re|ve|d|m|t)\b)", "'"),
    (r'(?<=^") | (?="$)|^ | $', ""),
)
MIDDLE = (5, 95)  # percentiles of the points' heights: what lies between is the line's height, whatever else there is
SHAPE = (0.1, 3.0)  # widths of a character in such heights; in IAM-OnDB 99.8 % lie between 0.22 and 1.5


def clean(text: str) -> str:
    """A transcript spaced as IAM's are."""
    for pattern, replacement in SPACING:
        text = re.sub(pattern, replacement, text)
    return text


class Report:
    """What is drawn and what is dropped and why; filled while lines are read."""

    def __init__(self) -> None:
        self.lines = 0
        self.drawn = 0
        self.test_texts = 0
        self.dropped: Counter[str] = Counter()

    def metrics(self) -> dict[str, Any]:
        """Counts; `test_texts` are the lines whose text a val or test form holds, whether they are dropped or not."""
        return {
            "lines": self.lines,
            "drawn": self.drawn,
            "test_texts": self.test_texts,
            "dropped": dict(sorted(self.dropped.items())),
        }


def usable_lines(
    lines: Iterable[PenLine], forms: Iterable[Form], params: DrawOndb, report: Report, *, charset: Charset
) -> Iterator[PenLine]:
    """Yield the lines that can be trained on, their texts spaced as IAM's, and fill `report`.

    forms: those of IAM. A val or test form holds a line's text where the line's letters and digits stand in it, in
    their order, or where it has the same passage of the corpus, which the first seven characters of an id name.
    """
    held = [form for form in forms if form.split != "train"]
    passages = {form.id[:7] for form in held}
    texts = "\n".join(_letters(" ".join(line.text for line in form.lines)) for form in held)
    for line in lines:
        text = clean(line.text)
        report.lines += 1
        tested = line.id[:7] in passages or (bool(_letters(text)) and _letters(text) in texts)
        report.test_texts += tested
        reason = _flaw(text, line.points, charset) or (
            "text of a val or test form" if tested and params.skip_test_texts else ""
        )
        if reason:
            report.dropped[reason] += 1
        else:
            report.drawn += 1
            yield line._replace(text=text)


def _letters(text: str) -> str:
    return re.sub("[^0-9a-z]", "", text.lower())


def _flaw(text: str, points: np.ndarray, charset: Charset) -> str:
    """Why a line cannot be drawn, or nothing."""
    if not text:
        return "no transcript"
    if charset.unknown(text):
        return "character outside the charset"
    x, y = points.T.astype(int)
    width, height = (np.ptp(x), np.ptp(np.percentile(y, MIDDLE))) if len(points) else (0, 0)
    if not SHAPE[0] < width / max(height * len(text), 1e-9) < SHAPE[1]:
        return "strokes that no such text has"
    return ""


# ---- drawing ----

SUPERSAMPLING = 4  # drawn so many times as large, then reduced as crops are
# Ranges to draw at random from, in shares of the line's height, chosen such that margins, thickness and brightness of
# the strokes and widths of characters are distributed as in the crops of 4,755 training lines of IAM.
MARGIN = (0.08, 0.15)
PEN = (0.018, 0.051)
BRIGHTNESS = (0.75, 1.0)  # of white
STRETCH = (1.0, 1.25)  # across: people write narrower on a whiteboard
ROWS = 100  # in which a line's strokes are counted, to know how high its letters are
FEW_LOWS = 8  # low points, too few to tell the slope of a line from the shape of a word
STEP = 1.0  # supersampled pixels between the points that are drawn; no more than a pen's radius


def draw_lines(lines: list[PenLine], *, height: int, seed: int) -> Iterator[Sample]:
    """Draw lines, on all cores; their ids and writers (unknown: the form instead) cannot be taken for those of IAM."""
    work = partial(_sample, height=height, seed=seed)
    return parallel_map(work, lines, total=len(lines), description="draw", unit="line")


def _sample(line: PenLine, *, height: int, seed: int) -> Sample:
    rng = np.random.Generator(np.random.PCG64([seed, *line.id.encode()]))
    image = draw(line, height=height, rng=rng)
    return Sample(f"ondb-{line.id}", line.text, f"ondb-{form_of(line.id)}", image, listed=False)


def draw(line: PenLine, *, height: int, rng: np.random.Generator) -> np.ndarray:
    """The line as a crop of a scan shows one: uint8 (height, width), white ink on black, its slope taken out."""
    size = height * SUPERSAMPLING
    left, right = rng.uniform(*MARGIN, 2) * size
    radius = rng.uniform(*PEN) * size / 2
    points = _level(line.points)
    # Where the pen's points are, rather than its ink, is a slip of the pen next to nothing.
    top, tall = points[:, 1].min(), max(np.ptp(points[:, 1]), 1e-9)
    rows = rows_of_line(np.bincount(((points[:, 1] - top) * (ROWS / tall)).astype(int)))
    upper, lower = (top + row * tall / ROWS for row in rows)
    scale = size / (lower - upper)
    points = (points - (points[:, 0].min(), upper)) * (scale * rng.uniform(*STRETCH), scale) + (left + radius, 0)
    ink = _trace(points, line.stroke_end)
    page = np.zeros((size, round(ink[:, 0].max() + radius + right)), np.uint8)
    ink = ink[(ink[:, 1] > 0) & (ink[:, 1] < size)]
    stamp(page, Ink(ink, np.full(len(ink), radius), np.zeros(len(ink), int)), x=0, y=0)
    width = max(1, round(page.shape[1] / SUPERSAMPLING))
    crop = np.asarray(Image.fromarray(page).resize((width, height), Image.Resampling.BILINEAR))
    return (crop * rng.uniform(*BRIGHTNESS)).astype(np.uint8)


def _level(points: np.ndarray) -> np.ndarray:
    """The points sheared such that the low ones, where the pen turns upwards, lie on a level but for outliers."""
    x, y = points.T.astype(float)
    lows = np.flatnonzero((y[1:-1] >= y[:-2]) & (y[1:-1] > y[2:])) + 1
    slope = siegelslopes(y[lows], x[lows])[0] if len(lows) >= FEW_LOWS else 0.0
    return np.stack([x, y - slope * x], axis=1)


def _trace(points: np.ndarray, stroke_end: np.ndarray) -> np.ndarray:
    """Points at most STEP apart along each stroke; a stroke of one point is that point."""
    way = np.diff(points, axis=0, append=points[-1:])
    way[stroke_end - 1] = 0  # the pen is lifted
    count = np.maximum(np.ceil(np.sqrt(np.square(way).sum(axis=1)) / STEP), 1).astype(int)
    share = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)) / np.repeat(count, count)
    return np.repeat(points, count, axis=0) + np.repeat(way, count, axis=0) * share[:, None]
