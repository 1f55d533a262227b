"""Readings that people have corrected: a set that grows, kept in git, and made into training lines.

A folder holds each picture as `<id>.png`, grey and upright, without what cameras write beside the pixels (place,
owner), and `corrections.jsonl`, a line for each time that somebody saved, never changed: of an id the latest counts. To
take a correction back, remove its lines.
"""

import errno
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field

from textrec.base.charset import Charset
from textrec.base.params import Params, validate
from textrec.base.records import Sample
from textrec.base.runtime import TextrecError, atomic, named
from textrec.pages.pictures import open_pictures
from textrec.pages.text_area import prepare

LIST = "corrections.jsonl"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class Correction(Params):
    """A picture's text.

    id: SHA-256 of the picture's file. text: what it says. read: what the model read, whose file's SHA-256 is `model`.
    date: when it was saved, in UTC as ISO 8601 writes it, to the second. writer: whoever wrote it, "" where not given.
    """

    id: Digest
    text: str
    read: str
    model: Digest
    date: Date
    writer: str


def encode(image: Image.Image) -> tuple[str, bytes]:
    """The id of a picture, mode L, and the PNG file that the set keeps of it."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(buffer, "PNG")  # pixels alone, without the profile of a camera or scanner
    return hashlib.sha256(buffer.getbuffer()).hexdigest(), buffer.getvalue()


def save_correction(
    folder: str | Path, image: Image.Image, text: str, *, read: str, model: str, writer: str, charset: Charset
) -> Correction:
    """Add a picture, mode L and upright, with its text; several processes may do so at once.

    Blanks around the text and the writer are left out.
    Raises TextrecError where the text is empty or has a character outside `charset`.
    """
    text, writer = text.strip(), writer.strip()
    if not text:
        raise TextrecError("the correction is empty; write what the picture says")
    if unknown := charset.unknown(text):
        known = charset.characters.replace("\n", "")
        raise TextrecError(f"{unknown!r} is not in the charset; the model writes {known!r}")
    name, content = encode(image)
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    correction = Correction(id=name, text=text, read=read, model=model, date=date, writer=writer)
    path = Path(folder) / LIST
    path.parent.mkdir(parents=True, exist_ok=True)
    with named(path), path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        with atomic(path.with_name(f"{name}.png")) as temporary:
            temporary.write_bytes(content)
        _append(file, json.dumps(correction.model_dump(), ensure_ascii=False))
    return correction


def _append(file: io.FileIO, line: str) -> None:
    """Add a line whole, or leave the file as it was."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - 1))
    before = b"" if file.read(1) in (b"\n", b"") else b"\n"  # an editor may have left out the last line's end
    content = before + line.encode() + b"\n"
    if file.write(content) < len(content):
        file.truncate(end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_corrections(folder: str | Path) -> list[Correction]:
    """The latest correction of each picture, by id; none where the list is empty or there is no folder.

    Raises TextrecError where a line is no correction, naming it.
    """
    path = Path(folder) / LIST
    lines = path.read_bytes().splitlines() if path.exists() else []
    corrections = [_correction(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
    latest = {correction.id: correction for correction in sorted(corrections, key=lambda one: one.date)}
    return [latest[name] for name in sorted(latest)]


def _correction(line: bytes, where: str) -> Correction:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise TextrecError(f"{where}: not JSON ({error}); mend the line or remove it") from None
    return validate(values, Correction, where=where)


def corrected_lines(folder: str | Path, corrections: Iterable[Correction], *, line_height: int) -> Iterator[Sample]:
    """Corrections of one line each as samples, cut and resampled as a recogniser does before it reads.

    A writer is `corrected:` and the name given, or the picture's id, so that none is mistaken for a dataset's writer.
    Raises TextrecError where a picture is missing, was changed, or has no ink.
    """
    for correction in corrections:
        path = Path(folder) / f"{correction.id}.png"
        if not path.exists():
            raise TextrecError(f"{path}: not found; restore it, or remove its lines from {path.with_name(LIST)}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != correction.id:
            raise TextrecError(f"{path}: was changed since it was saved; restore it, or save it anew")
        [picture] = open_pictures(path)
        crop = prepare(picture.image, line_height=line_height, paragraph=False)
        if not crop.lines:
            raise TextrecError(f"{path}: no ink in it; remove it, and its lines from {path.with_name(LIST)}")
        yield Sample(correction.id, correction.text, f"corrected:{correction.writer or correction.id}", crop.pixels)
