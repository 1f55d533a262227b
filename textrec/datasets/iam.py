"""The IAM database to forms: machine-print filter, label corrections, usable lines and the official splits."""

import csv
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zipfile import ZipFile

from textrec.archives.raw import image_members, image_size, members, open_archive, read_member
from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import Params
from textrec.base.records import SPLITS, Box, Form, Line, Word, form_of
from textrec.base.runtime import TextrecError
from textrec.datasets.iam_xml import WrittenForm, WrittenLine, read_form

# The Large Writer Independent Text Line Recognition Task: the lists that name the lines of each split.
TASK_LISTS = {
    "train": ("task/trainset.txt",),
    "val": ("task/validationset1.txt", "task/validationset2.txt"),
    "test": ("task/testset.txt",),
}
CORRECTIONS = "data/corrections.tsv"
MEND = "mend the XML"
UNKNOWN = "unknown character"
FEW = 20  # ids that the report names before it only counts them


class IamParams(Params):
    """How the forms are parsed."""

    on_bad_line: Literal["error", "skip"]  # a line that has no usable boxes or an unknown character


class Correction(NamedTuple):
    """A wrong label: `wrong` stands in one line of the form and becomes `right`."""

    form: str
    wrong: str
    right: str
    reason: str


class Flaw(NamedTuple):
    """Why a line cannot be used: the reason that it is counted under, what is wrong, what to do about it."""

    reason: str
    detail: str
    remedy: str


class Report:
    """What is kept of the archive, and what is dropped or changed and why; filled while forms are parsed."""

    def __init__(self) -> None:
        self.forms: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.listed_lines: Counter[str] = Counter()
        self.writers: defaultdict[str, set[str]] = defaultdict(set)
        self.noted: dict[str, defaultdict[str, list[str]]] = {
            kind: defaultdict(list)
            for kind in ("unlisted_forms", "dropped_lines", "dropped_forms", "dropped_images", "corrections")
        }

    def keep(self, form: Form) -> None:
        """Count a form that is handed on."""
        listed = sum(line.listed for line in form.lines)
        self.forms[form.split] += 1
        self.lines[form.split] += len(form.lines)
        self.listed_lines[form.split] += listed
        self.writers[form.split].add(form.writer)
        if not listed:
            self.note("unlisted_forms", form.split, form.id)

    def note(self, kind: str, reason: str, form_or_line: str) -> None:
        """Count a form or line that is dropped or changed for a reason."""
        self.noted[kind][reason].append(form_or_line)

    def dropped(self) -> dict[str, dict[str, int]]:
        """How many lines, forms and images are dropped, by reason."""
        return {
            kind: {reason: len(ids) for reason, ids in self.noted[f"dropped_{kind}"].items()}
            for kind in ("lines", "forms", "images")
        }

    def metrics(self) -> dict[str, Any]:
        """Counts by split, and by reason what was dropped or changed, with the ids where they are few."""
        counts = {
            "forms": self.forms,
            "writers": {split: len(self.writers[split]) for split in SPLITS},
            "lines": self.lines,
            "listed_lines": self.listed_lines,
        }
        by_split = {name: {split: count[split] for split in SPLITS} for name, count in counts.items()}
        noted = {
            kind: {reason: _few(ids) for reason, ids in sorted(reasons.items())} for kind, reasons in self.noted.items()
        }
        return by_split | noted


def _few(ids: list[str]) -> dict[str, Any]:
    return {"count": len(ids)} | ({"ids": " ".join(ids)} if len(ids) <= FEW else {})


def parse_forms(
    path: str | Path, corrections: str | Path, *, charset: CharsetParams, skip_bad_lines: bool, report: Report
) -> Iterator[Form]:
    """Yield the forms of the archive at `path` that have an image and handwriting, ordered by id, and fill `report`.

    Texts are normalised. A line that cannot be used (no text, no box, a box of no size or outside the page, a character
    outside a charset that does not depend on the data) raises TextrecError or, with `skip_bad_lines`, is dropped and
    reported; of the last kind also where `charset.on_unknown` is skip. Whatever else is wrong with the archive or the
    corrections raises TextrecError. Memory holds one form at a time, whatever their number.
    An archive without members, as `download` writes where there is no IAM, has no forms.
    """
    table = read_corrections(corrections)
    with open_archive(path) as archive:
        if not archive.namelist():
            return
        documents, images = members(archive, "xml", (".xml",)), image_members(archive)
        writers = {form: read_form(archive, name).writer for form, name in documents.items()}
        lists = read_task_lists(archive, writers)
        splits = assign_splits(writers, lists, where=path)
        for form in sorted(images.keys() - writers.keys()):
            report.note("dropped_images", "no form", form)
        for form in sorted(table.keys() - writers.keys()):
            report.note("corrections", "form not in the archive", form)
        for form_id, name in documents.items():
            if form_id not in images:
                report.note("dropped_forms", "no image", form_id)
                continue
            written = read_form(archive, name)
            handwriting = keep_handwriting(written, report)
            lines = correct(handwriting, table.get(form_id, []), report)
            lines = [in_charset(line, charset, report) for line in lines]
            page = page_size(written, image_size(archive, images[form_id]))
            lines = usable_lines(lines, page, f"{path}: {name}", charset, skip_bad_lines, report)
            if lines:
                form = _form(written, lines, splits[form_id], lists[splits[form_id]])
                report.keep(form)
                yield form
            else:
                reason = "no usable line" if handwriting else "no line in the printed text"
                report.note("dropped_forms", reason, form_id)
    for split in SPLITS:
        if not report.forms[split]:
            raise TextrecError(f"{path}: split {split} is empty; see {', '.join(TASK_LISTS[split])} in the archive")


def _form(written: WrittenForm, lines: list[WrittenLine], split: str, listed: Collection[str]) -> Form:
    parsed = tuple(Line(line.id, line.text, line.id in listed, merge_words(line)) for line in lines)
    return Form(written.id, written.writer, split, written.width, written.height, parsed)


def keep_handwriting(form: WrittenForm, report: Report) -> list[WrittenLine]:
    """The lines from the first that occurs in the form's printed text to the last; the others are headers and notes.

    A line occurs where its text does or its text without the last character (a hyphen or a period of the writer's).
    Five forms (f07-101a, g01-022, g07-000a, g07-003a, g07-007a) are written in capitals: a form with more capitals
    than small letters is compared with the printed text in capitals.
    """
    letters = "".join(line.text for line in form.lines)
    capitals = sum(map(str.isupper, letters)) > sum(map(str.islower, letters))
    printed = form.printed.upper() if capitals else form.printed

    def occurs(line: WrittenLine) -> bool:
        text = line.text.upper() if capitals else line.text
        return bool(text) and (text in printed or (len(text) > 1 and text[:-1] in printed))

    found = [index for index, line in enumerate(form.lines) if occurs(line)]
    kept = form.lines[found[0] : found[-1] + 1] if found else []
    for line in form.lines:
        if line not in kept:
            report.note("dropped_lines", "not in the printed text", line.id)
    return kept


def merge_words(line: WrittenLine) -> tuple[Word, ...]:
    """The blank-separated words of a line's text with the boxes of the XML's words, whose punctuation stands apart.

    Where the XML's words spell something else (a wrong or corrected label), nothing tells which boxes belong to which
    word: the first word then takes all of them, in document order, so that the line's region stays right.
    """
    words = []
    parts = iter(line.parts)
    for text in line.text.split():
        spelled, boxes = "", []
        while len(spelled) < len(text) and (part := next(parts, None)):
            spelled += part[0].replace(" ", "")
            boxes += part[1]
        if spelled != text:
            break
        words.append(Word(text, tuple(boxes)))
    else:
        if next(parts, None) is None:
            return tuple(words)
    first, *others = line.text.split()
    every = tuple(box for _, boxes in line.parts for box in boxes)
    return (Word(first, every), *(Word(word, ()) for word in others))


# ---- label corrections ----


def read_corrections(path: str | Path) -> dict[str, list[Correction]]:
    """Corrections by form id, from a tab-separated table with the header `form wrong right reason`.

    Raises TextrecError naming the row that has not four values.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; restore it, it is in git") from None
    if not rows or rows[0] != list(Correction._fields):
        raise TextrecError(f"{path}: row 1 must be the tab-separated header {' '.join(Correction._fields)}")
    table: dict[str, list[Correction]] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(Correction._fields) or not all(row):
            values = " | ".join(row)
            raise TextrecError(f"{path}: row {number} has not four tab-separated values, but {values or 'none'}")
        table.setdefault(row[0], []).append(Correction(*row))
    return table


def correct(lines: list[WrittenLine], corrections: list[Correction], report: Report) -> list[WrittenLine]:
    """Lines with their form's corrections applied; TextrecError where a wrong text stands in several lines."""
    for correction in corrections:
        matching = [line for line in lines if correction.wrong in line.text]
        if len(matching) > 1:
            raise TextrecError(
                f"{CORRECTIONS}: {correction.wrong!r} stands in lines {', '.join(line.id for line in matching)}; "
                "give more of the line that is meant"
            )
        for line in matching:
            lines = [
                other._replace(text=other.text.replace(correction.wrong, correction.right)) if other is line else other
                for other in lines
            ]
            report.note("corrections", "applied", line.id)
        if not matching:
            report.note("corrections", "text not found", correction.form)
    return lines


# ---- usable lines ----


def in_charset(line: WrittenLine, charset: CharsetParams, report: Report) -> WrittenLine:
    """A line with its texts as the charset wants them; what is still outside of it is a flaw."""

    def written(text: str) -> str:
        return charset.written(text, charset.fixed) if charset.fixed else charset.normalized(text)

    text = written(line.text)
    if text != charset.normalized(line.text):
        report.note("corrections", "letters without their marks", line.id)
    return line._replace(text=text, parts=[(written(part), boxes) for part, boxes in line.parts])


def page_size(form: WrittenForm, image_size: tuple[int, int]) -> tuple[float, float]:
    """Width and height of the page that its stored image shows, in pixels of the original scan.

    A stored image may be cut below the last line; a row more is granted for the rounding of its height.
    """
    width, height = image_size
    return form.width, min(form.height, (height + 1) * form.width / width)


def usable_lines(
    lines: list[WrittenLine],
    page: tuple[float, float],
    where: str,
    charset: CharsetParams,
    skip_bad_lines: bool,
    report: Report,
) -> list[WrittenLine]:
    """The lines that can be cropped and read; of the others one raises TextrecError, or all are counted."""
    usable = []
    for line in lines:
        flaw = find_flaw(line, page, charset.fixed)
        if not flaw:
            usable.append(line)
        elif skip_bad_lines or (flaw.reason == UNKNOWN and charset.on_unknown != "error"):
            report.note("dropped_lines", flaw.reason, line.id)
        else:
            remedy = f"{flaw.remedy}, or set parse_iam.on_bad_line to skip"
            raise TextrecError(f"{where}: line {line.id}: {flaw.detail}; {remedy}")
    return usable


def find_flaw(line: WrittenLine, page: tuple[float, float], charset: Charset | None) -> Flaw | None:
    """What keeps a line from being used, None for nothing; `charset` None where it depends on the data."""
    if unknown := charset.unknown(line.text) if charset else "":
        detail = f"{unknown!r} in {line.text!r} is not in the charset"
        return Flaw(UNKNOWN, detail, f"correct the label in {CORRECTIONS}")
    if not line.text:
        return Flaw("no text", "its text is empty", MEND)
    boxes = [box for _, boxes in line.parts for box in boxes]
    if not boxes:
        return Flaw("no box", "no word of it has a <cmp> box", MEND)
    width, height = page
    for box in boxes:
        if min(box.width, box.height) < 1:
            return Flaw("box of no size", f"{_place(box)} has no size", MEND)
        if min(box.x, box.y) < 0 or box.right > width or box.bottom > height:
            problem = f"{_place(box)} is not within the page of {width:g} x {height:g}"
            return Flaw("box outside the page", problem, MEND)
    return None


def _place(box: Box) -> str:
    return f"the box at x={box.x} y={box.y}, {box.width} x {box.height} pixels,"


# ---- splits ----


def read_task_lists(archive: ZipFile, forms: Collection[str]) -> dict[str, set[str]]:
    """The line ids that the official lists name for each split.

    Raises TextrecError on a line of a form not in `forms`, and on a form in the lists of two splits.
    """
    lists: dict[str, set[str]] = {split: set() for split in SPLITS}
    first: dict[str, tuple[str, str]] = {}  # by form, where it was met
    for split, names in TASK_LISTS.items():
        for name in names:
            lines = read_member(archive, name).decode("utf-8", errors="replace").split()
            if unknown := [line for line in lines if form_of(line) not in forms]:
                where = f"{archive.filename}: {name}"
                raise TextrecError(f"{where}: line {unknown[0]} is of no form in xml/; mend the list or add its form")
            for form in map(form_of, lines):
                other, there = first.setdefault(form, (split, name))
                if other != split:
                    problem = f"form {form} stands in {there} and in {name}"
                    raise TextrecError(f"{archive.filename}: {problem}; leave it in one of them")
            lists[split].update(lines)
    return lists


def assign_splits(
    writers: Mapping[str, str], lists: Mapping[str, Collection[str]], *, where: str | Path
) -> dict[str, str]:
    """The split of each form: that of the lists its writer's forms stand in, train where they stand in none.

    writers: by form id. lists: line ids by split, of the archive `where`. So an unlisted form follows its writer, and
    no line of a form is left out of its split. Raises TextrecError where a writer's forms stand in two splits.
    """
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for split in SPLITS:
        for line in lists[split]:
            found[writers[form_of(line)]][split].add(form_of(line))
    for writer, splits in sorted(found.items()):
        if len(splits) > 1:
            found_in = "; ".join(f"{split}: {' '.join(sorted(forms)[:3])}" for split, forms in splits.items())
            problem = f"writer {writer} stands in {len(splits)} splits ({found_in})"
            raise TextrecError(f"{where}: {problem}; mend the lists in task/, or the writers in xml/")
    return {form: next(iter(found[writer]), "train") for form, writer in writers.items()}
