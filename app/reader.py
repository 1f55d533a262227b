"""A recogniser in a process of its own: one that takes too long is ended, and the page itself never imports torch."""

import contextlib
import hashlib
import multiprocessing
import signal
from dataclasses import astuple
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textrec.base.charset import Charset
from textrec.base.runtime import TextrecError

if TYPE_CHECKING:
    from textrec.reading.recognizer import Recognizer


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


class Reader:
    """Reads pictures, one at a time, by the model of a file, the usual one where none is named; `card` describes it.

    Raises TextrecError where the file is no model.
    """

    card: Card

    def __init__(self, model: Path | None) -> None:
        """Load the model."""
        self._model = model
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # one forked from a server would have its locks, held for ever
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(self._model, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed
        try:
            answer = self._connection.recv()
        except EOFError:
            raise TextrecError(f"{self._model or 'textrec'}: the process that should read has ended") from None
        if isinstance(answer, TextrecError):
            raise answer
        self.card = answer

    def read(self, picture: Path, *, seconds: float) -> Read:
        """Read a picture's file, of several pages the first.

        Raises TextrecError where it cannot be read, or not within so many seconds.
        """
        try:
            self._connection.send(picture)
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


# ---- in the other process ----


def _work(model: Path | None, connection: Connection) -> None:
    """Send the card, then for each path that comes a Read; a TextrecError instead where there is none."""
    from textrec.reading.recognizer import Recognizer, usual_model

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the page to end
    try:
        model = usual_model() if model is None else model
        recognizer = Recognizer.load(model)
        connection.send(_describe(recognizer, model))
    except TextrecError as error:
        connection.send(error)
        return
    with contextlib.suppress(EOFError):  # the page is no more
        while picture := connection.recv():
            try:
                [reading] = recognizer.read([picture])
                connection.send(Read(*astuple(reading)))
            except TextrecError as error:
                connection.send(error)


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
