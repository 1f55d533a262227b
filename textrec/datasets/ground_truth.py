"""Ground truth as people have it, in whatever folders: pages of PAGE XML and ALTO with their images, and pairs of the
image and the text of a line (NAME.png with NAME.gt.txt or NAME.txt).

Pages are parted among the splits by whole documents, which are folders unless a pattern says otherwise.
"""

import contextlib
import hashlib
import re
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator
from tqdm import tqdm

from textrec.archives.raw import open_archive
from textrec.base.params import Params
from textrec.base.records import SPLITS
from textrec.base.runtime import TextrecError, parallel_map
from textrec.datasets.truth_report import FILES, IGNORED, Report
from textrec.pages.page_alto import read_page
from textrec.pages.page_images import KINDS, page_image
from textrec.pages.pictures import SUFFIXES
from textrec.pages.xml_edit import read_xml, root_name

IMAGES = SUFFIXES - {".pdf"}
TEXTS = (".gt.txt", ".txt")  # of a line's image, the first that there is

# Reasons to drop a file.
BAD_FILE, NO_TRUTH, NO_IMAGE = "cannot be read", "image without XML or text", "text without image"

Share = Annotated[float, Field(ge=0, lt=1)]


class ImportPages(Params):
    """Section `import_pages`."""

    document: str
    """A regular expression: what it, or its first group, finds in a page's path is the document; "": the folder is."""
    val_share: Share
    """Of the documents that lie in no folder train, val or test."""
    test_share: Share
    on_bad_input: Literal["error", "skip"]
    """A page or line that cannot be read or cut; what has no text is left out in any case."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError("val_share and test_share leave nothing to train on; lower them")
        try:
            re.compile(self.document)
        except re.error as error:
            problem = f"import_pages.document is {self.document!r}: not a regular expression ({error})"
            raise TextrecError(problem) from None
        return self


class Page(NamedTuple):
    """A file of PAGE XML or ALTO, or the image of a line: `path` below the folder of all, `corpus` the first of it."""

    path: str
    corpus: str
    document: str
    split: str


class Written(NamedTuple):
    """A line as its file has it: its id there, its text if any, and why it cannot be cut."""

    id: str
    text: str | None
    problem: str | None


def skip_or_stop(report: Report, params: ImportPages, kind: str, file: str, reason: str, problem: str) -> None:
    """Report a file, or a line of it, that is bad input; or raise the TextrecError."""
    if params.on_bad_input == "error":
        raise TextrecError(f"{problem}, or set import_pages.on_bad_input to skip")
    tqdm.write(f"skipped: {problem}", file=sys.stderr)
    report.note(_corpus(file), kind, reason, problem)


# ---- which pages there are ----


@contextlib.contextmanager
def unpacked(archive: str | Path) -> Iterator[Path]:
    """A folder, for as long, that holds what is in the archive; TextrecError where it is missing or damaged."""
    with open_archive(archive) as opened, tempfile.TemporaryDirectory(dir=Path(archive).parent) as folder:
        try:
            opened.extractall(folder)  # `download` refused names that lead out of it
        except (zipfile.BadZipFile, zlib.error) as error:
            raise TextrecError(f"{archive}: damaged ({error}); remove it and run `dvc repro`") from None
        yield Path(folder).resolve()


def find_pages(folder: Path, params: ImportPages, report: Report) -> list[tuple[Page, list[Written]]]:
    """The pages below a folder whose own folders are corpora, by path, with their lines; the rest is reported.

    Raises TextrecError where a document stands in two splits, and at bad input where that is to be an error.
    """
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    roots = {file: root_name(folder / file) for file in files if file.lower().endswith(".xml")}
    xml = [file for file, root in roots.items() if root is None or root in KINDS]
    images = [file for file in files if PurePosixPath(file).suffix.lower() in IMAGES]
    pages, claimed = _xml_pages(folder, xml, params, report)
    texts = {file: _text_of(file, set(files)) for file in images if file not in claimed}
    for file, text in texts.items():
        try:
            pages[file] = [Written("", _read_text(folder, file, text), None)]
        except TextrecError as error:
            skip_or_stop(report, params, FILES, file, NO_TRUTH if text is None else BAD_FILE, str(error))
    for file in sorted(set(files) - {*xml, *images, *filter(None, texts.values())}):
        if file.endswith(TEXTS[0]):
            skip_or_stop(
                report, params, FILES, file, NO_IMAGE, f"{file}: the image of its line is missing; put it beside"
            )
        else:
            report.note(_corpus(file), IGNORED, "neither image nor transcript", file)
    for file, lines in pages.items():
        report.find(_corpus(file), len(lines))
    return [(page, pages[page.path]) for page in _assigned(sorted(pages), params)]


def _xml_pages(
    folder: Path, files: list[str], params: ImportPages, report: Report
) -> tuple[dict[str, list[Written]], set[str]]:
    """The lines of each file, and the images that are theirs."""
    read = parallel_map(partial(_read_xml, folder=folder), files, total=len(files), description="read", unit="page")
    pages: dict[str, list[Written]] = {}
    owners: dict[str, str] = {}
    for file, (lines, problem, image) in zip(files, read, strict=True):
        if image in owners:  # PAGE and ALTO of one page, say
            problem = f"{file}: its image {image} is also that of {owners[image]}; remove one of them"
        elif image:
            owners[image] = file
        if problem:
            skip_or_stop(report, params, FILES, file, BAD_FILE, problem)
        else:
            pages[file] = lines
    return pages, set(owners)


def _read_xml(file: str, *, folder: Path) -> tuple[list[Written], str | None, str | None]:
    """The lines of a file of PAGE or ALTO, or what is wrong with it; and its image below the folder, if any."""
    path = folder / file
    lines, problem = [], None
    try:
        if any(element.name == "TextLine" for element in read_xml(path).elements):  # an empty page is no mistake
            lines = [Written(line.id, line.text, line.problem) for line in read_page(path).lines]
    except TextrecError as error:
        problem = str(error).replace(f"{folder}/", "")
    image = page_image(path) or next((one for end in sorted(IMAGES) if (one := path.with_suffix(end)).is_file()), None)
    real = image and image.resolve()
    if real and not real.is_relative_to(folder):
        return [], f"{file}: its image {image} is not among your pages; put it beside the XML", None
    return lines, problem, real.relative_to(folder).as_posix() if real else None


def _text_of(image: str, files: set[str]) -> str | None:
    """The file that has the text of a line's image."""
    stem = image.removesuffix(PurePosixPath(image).suffix)
    return next((stem + suffix for suffix in TEXTS if stem + suffix in files), None)


def _read_text(folder: Path, image: str, name: str | None) -> str:
    if name is None:
        raise TextrecError(f"{image}: neither XML nor a file {' or '.join(TEXTS)} gives its text; add one")
    try:
        text = (folder / name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextrecError(f"{name}: not UTF-8 text ({error}); save it as UTF-8") from None
    if (count := sum(bool(line.strip()) for line in text.splitlines())) > 1:
        raise TextrecError(f"{name}: has {count} lines, but {image} is taken for one; cut it, or give XML")
    return text


def _corpus(file: str) -> str:
    return file.partition("/")[0]


# ---- splits ----


def _assigned(files: Iterable[str], params: ImportPages) -> list[Page]:
    """The pages of files with their documents and splits."""
    pages = [_page(file, params) for file in files]
    splits: dict[tuple[str, str], Page] = {}
    for page in pages:
        other = splits.setdefault((page.corpus, page.document), page)
        if other.split != page.split:
            where = f"{other.path} is in {other.split}, {page.path} in {page.split}"
            remedy = "move one, or set import_pages.document"
            raise TextrecError(f"document {page.document} of {page.corpus} stands in two splits: {where}; {remedy}")
    return pages


def _page(file: str, params: ImportPages) -> Page:
    corpus, *folders = PurePosixPath(file).parts[:-1]
    named = [folder for folder in folders if folder in SPLITS]
    document = "/".join(folder for folder in folders if folder not in SPLITS) or "."
    if params.document and (match := re.search(params.document, file)):
        document = match[1] if match.lastindex else match[0]
    if named:
        return Page(file, corpus, document, named[0])
    digest = hashlib.sha256(f"{corpus}/{document}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    val = place < params.test_share + params.val_share
    return Page(file, corpus, document, "test" if place < params.test_share else "val" if val else "train")
