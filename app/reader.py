"""A recogniser in a process of its own: one that takes too long is ended, and the page itself never imports torch."""

import contextlib
import hashlib
import multiprocessing
import signal
from dataclasses import astuple
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from textrec.base.charset import Charset
from textrec.base.runtime import TextrecError
from textrec.network.memory import bound_memory, give_back
from textrec.pages.cutting import cut_line
from textrec.pages.pictures import open_pictures
from textrec.reading.page_reading import LineReading, PageReading

if TYPE_CHECKING:
    from textrec.network.finder import LineFinder
    from textrec.reading.recognizer import Recognizer

SECONDS = 120.0  # that a reading may take: of a page with many lines, on a slow processor
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "reader"}  # of Gradio's events that read


class Card(NamedTuple):
    """What a model's file says of it.

    path: the file. size: its bytes. ctc: whether it has a CTC head beside its decoder. line_height: pixels.
    max_length, max_height, max_width: the longest text in characters, the largest image in pixels.
    """

    path: Path
    sha256: str
    size: int
    parameters: int
    charset: Charset
    ctc: bool
    line_height: int
    max_length: int
    max_height: int
    max_width: int

    @property
    def paragraphs(self) -> bool:
        """Whether it reads several lines at once."""
        return "\n" in self.charset.characters


class Read(NamedTuple):
    """What was read: as `textrec.reading.recognizer.Reading`."""

    text: str
    confidence: float
    characters: tuple[float, ...]


class _Line(NamedTuple):
    """A line to be cut out of its picture, turned by so many quarters as `np.rot90` does, and whether it is to be read.

    It is in pixels of the picture so turned.
    """

    picture: Path
    quarters: int
    line: LineReading
    read: bool


class Reader:
    """Reads pictures, one at a time, by the model of a file, the usual one where none is named; `card` describes it.

    finder: a file of a line finder; the usual one where none is named. Raises TextrecError where a file is none such.
    """

    card: Card

    def __init__(self, model: Path | None, finder: Path | None = None) -> None:
        """Load the model."""
        self._model, self._finder = model, finder
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # one forked from a server would have its locks, held for ever
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(self._model, self._finder, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed
        try:
            answer = self._connection.recv()
        except EOFError:
            raise TextrecError(f"{self._model or 'textrec'}: the process that should read has ended") from None
        if isinstance(answer, TextrecError):
            raise answer
        self.card = answer

    def read(self, picture: Path, *, seconds: float) -> Read | PageReading:
        """Read a picture's file, of several pages the first: a line, or what a model of paragraphs reads; else a page.

        Raises TextrecError where it cannot be read, or not within so many seconds.
        """
        return self._ask(picture, seconds)

    def read_line(self, picture: Path, quarters: int, line: LineReading, *, seconds: float) -> Read:
        """Read a line, in pixels of its picture turned by so many quarters, as `np.rot90` does; errors as of `read`."""
        return self._ask(_Line(picture, quarters, line, read=True), seconds)

    def cut_line(self, picture: Path, quarters: int, line: LineReading, *, seconds: float) -> np.ndarray:
        """What `read_line` reads of, straightened: grey, uint8 (height, width); errors as of `read`."""
        return self._ask(_Line(picture, quarters, line, read=False), seconds)

    def _ask(self, request: Path | _Line, seconds: float) -> Any:
        try:
            self._connection.send(request)
            answer = self._connection.recv() if self._connection.poll(seconds) else None
            problem = f"not read within {seconds:g} seconds; cut the picture into parts"
        except (EOFError, OSError):
            answer = None
            problem = "the process that reads has ended, perhaps for want of memory; cut the picture into parts"
        if answer is None:
            self.close()
            self._start()
            raise TextrecError(problem)
        if isinstance(answer, TextrecError):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.join()


def first_page(path: str | Path) -> Image.Image:
    """The picture of a file, of several pages the first: mode L, upright by its EXIF."""
    return next(open_pictures(path)).image


def named(error: TextrecError, picture: str) -> str:
    """The message, with the picture's name instead of where the server keeps it."""
    return str(error).replace(picture, Path(picture).name)


# ---- in the other process ----


def _work(model: Path | None, finder: Path | None, connection: Connection) -> None:
    """Send the card, then what was read for each request that comes; a TextrecError instead where there is none."""
    from textrec.network.finder import LineFinder
    from textrec.reading.recognizer import Recognizer, boxed_finder, usual_model

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the page to end
    bound_memory()
    try:
        model = usual_model() if model is None else model
        recognizer = Recognizer.load(model)
        lines = LineFinder.load(finder) if finder else boxed_finder()
        connection.send(_describe(recognizer, model))
    except TextrecError as error:
        connection.send(error)
        return
    with contextlib.suppress(EOFError):  # the page is no more
        while request := connection.recv():
            try:
                connection.send(_answer(request, recognizer, lines))
            except TextrecError as error:
                connection.send(error)
            give_back()


def _answer(request: Path | _Line, recognizer: "Recognizer", finder: "LineFinder") -> Read | PageReading | np.ndarray:
    from textrec.reading.pages import read_way

    if isinstance(request, _Line):
        upright = _upright(request.picture, request.quarters)
        strip = cut_line(upright, request.line.outline, request.line.baseline)
        if not request.read:
            return strip.pixels
        [reading] = recognizer.read_prepared([recognizer.crop_line(strip)])
    else:
        way, whole = recognizer.look(first_page(request), finder)
        readings = recognizer.read_prepared(way.crops)
        if not whole:
            return read_way(way, iter(readings))
        [reading] = readings
    return Read(*astuple(reading))


@lru_cache(maxsize=1)  # line after line of one page is looked at
def _upright(picture: Path, quarters: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(np.asarray(first_page(picture)), quarters))


def _describe(recognizer: "Recognizer", model: Path) -> Card:
    network, content = recognizer.model, model.read_bytes()
    return Card(
        path=model,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        charset=recognizer.charset,
        ctc=network.ctc_output is not None,
        line_height=network.line_height,
        max_length=network.config.max_length - 2,  # without <START> and <END>
        max_height=network.config.max_height,
        max_width=network.config.max_width,
    )
