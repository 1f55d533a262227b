"""The archives in data/raw: their members and form images read, with a clear line for what is missing or damaged."""

import contextlib
import functools
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from defusedxml import DefusedXmlException, ElementTree
from PIL import Image, UnidentifiedImageError

from textrec.base.runtime import TextrecError
from textrec.base.zips import DAMAGE

REMEDY = "remove the archive and run `dvc repro`, or mend it at its source"


def open_archive(path: str | Path) -> zipfile.ZipFile:
    """Open the archive; TextrecError where it is missing or no whole zip file."""
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` to get it") from None
    except zipfile.BadZipFile as error:
        raise TextrecError(f"{path}: not a whole zip file ({error}); {REMEDY}") from None


def members(archive: zipfile.ZipFile, folder: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Member names in `folder` by form id, sorted by id; TextrecError where two members have one id."""
    found: dict[str, str] = {}
    for name in sorted(archive.namelist()):
        path = PurePosixPath(name)
        if str(path.parent) == folder and path.suffix in suffixes:
            if path.stem in found:
                twice = f"{found[path.stem]} and {name}"
                raise TextrecError(f"{archive.filename}: form {path.stem} stands twice: {twice}; remove one of them")
            found[path.stem] = name
    return dict(sorted(found.items()))


def image_members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Names of the form images by form id."""
    return members(archive, "forms", (".jpg", ".png"))


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a member; TextrecError naming archive and member where it is missing or damaged."""
    with _errors(archive, name):
        return archive.read(name)


def read_xml(archive: zipfile.ZipFile, name: str) -> Any:
    """The root element of a member; TextrecError where it is missing, damaged, malformed, or declares entities."""
    content = read_member(archive, name)
    try:
        return ElementTree.fromstring(content)
    except DefusedXmlException:
        problem = "declares entities, which need not stop to unfold or to read other files"
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        problem = f"not well-formed XML ({error})"
    raise TextrecError(f"{archive.filename}: {name}: {problem}; {REMEDY}")


def image_size(archive: zipfile.ZipFile, name: str) -> tuple[int, int]:
    """Width and height in pixels of the image `name`, read from its header alone; TextrecError where it has none."""
    with _errors(archive, name), archive.open(name) as file, Image.open(file) as image:
        return image.size


def read_form_image(archive: str | Path, form_id: str) -> Image.Image:
    """Decode a form's image from the archive at a path: grey (mode L), dark ink on white paper, at the stored size.

    A process opens the archive once for all forms. TextrecError names archive and form where the image is missing,
    truncated or no image.
    """
    opened, names = _opened(Path(archive), os.getpid())
    if form_id not in names:
        raise TextrecError(f"{archive}: form {form_id} has no image in forms/; {REMEDY}")
    with _errors(opened, names[form_id]), Image.open(io.BytesIO(opened.read(names[form_id]))) as image:
        image.load()
        return image if image.mode == "L" else image.convert("L")


@functools.lru_cache(maxsize=1)
def _opened(path: Path, process: int) -> tuple[zipfile.ZipFile, dict[str, str]]:  # noqa: ARG001
    """The archive and its images, once for each process: forked processes must not share a file position."""
    archive = open_archive(path)
    return archive, image_members(archive)


@contextlib.contextmanager
def _errors(archive: zipfile.ZipFile, name: str) -> Iterator[None]:
    """Tell of a missing or damaged member in one line."""
    try:
        yield
    except KeyError:
        raise TextrecError(f"{archive.filename}: {name} is missing; {REMEDY}") from None
    except UnidentifiedImageError:
        raise TextrecError(f"{archive.filename}: {name} is no image; {REMEDY}") from None
    except (*DAMAGE, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise TextrecError(f"{archive.filename}: {name} cannot be read ({error}); {REMEDY}") from None
