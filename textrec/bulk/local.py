"""Reading on this machine: processes that read, each on a core, and are begun anew where they die."""

import contextlib
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pyarrow as pa

from textrec.base.runtime import TextrecError, leave_signals_to_parent, signals_waiting
from textrec.bulk.job import Task
from textrec.bulk.listing import Item
from textrec.bulk.worker import How, Reader

STILLBORN = 3  # processes in a row that may die before they can read; then none will


class Processes:
    """As many processes as there are workers, each with a model of its own; a context manager.

    scratch: a folder for what they fetch, which goes with them, as does what was left there.
    """

    def __init__(self, model: Path, finder: Path, how: How, *, workers: int, cores: int, scratch: Path) -> None:
        self._workers, self._scratch = workers, scratch
        self._begin = partial(_Process, partial(Reader, model, finder, how, cores=cores), scratch)
        self._beginning: dict[Any, _Process] = {}  # by their connections
        self._idle: list[_Process] = []
        self._busy: dict[Any, tuple[_Process, Task]] = {}
        self._stillborn = 0

    def read(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        """See `job.Runner`.

        Raises TextrecError or OSError where nothing can be read, as no process lives or the disk is full.
        """
        todo, waiting = iter(tasks), deque[Task]()
        done: list[tuple[Task, pa.Table | str]] = []
        while True:
            waiting += islice(todo, self._workers - len(self._busy) - len(waiting))
            while waiting and self._idle:
                process, task = self._idle.pop(), waiting.popleft()
                process.give(task.items)
                self._busy[process.connection] = process, task
            for _ in range(len(waiting) - len(self._beginning)):
                process = self._begin()
                self._beginning[process.connection] = process
            yield from done  # while the processes read on
            if not self._busy and not waiting:
                return
            ready = wait([*self._busy, *self._beginning])
            done = [self._answer(one) for one in ready if one in self._busy]
            for connection in ready:
                if connection in self._beginning:
                    self._began(connection)

    def _answer(self, connection: Any) -> tuple[Task, pa.Table | str]:
        process, task = self._busy.pop(connection)
        try:
            table = process.take()
        except _DiedError as died:
            return task, f"the process that reads it died ({died})"
        self._idle.append(process)
        return task, table

    def _began(self, connection: Any) -> None:
        process = self._beginning.pop(connection)
        try:
            process.take()
        except _DiedError as died:
            self._stillborn += 1
            if self._stillborn == STILLBORN:
                problem = f"processes die before they can read ({died})"
                raise TextrecError(f"{problem}; free some memory, or have fewer --workers") from None
        else:
            self._stillborn = 0
            self._idle.append(process)

    def __enter__(self) -> "Processes":
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._beginning.values(), *self._idle, *(process for process, _ in self._busy.values())):
            process.end()
        shutil.rmtree(self._scratch, ignore_errors=True)


class _DiedError(Exception):
    """How a process died."""


class _Process:
    """One process, which says None once it can read, then a table for all items that it is given."""

    def __init__(self, reader: partial[Reader], scratch: Path) -> None:
        context = get_context("spawn")  # as what has begun threads must not be forked
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, reader, scratch), daemon=True)
        with signals_waiting():
            self._process.start()
        theirs.close()  # so that the connection ends with the process, in the middle of a table too

    def give(self, items: list[Item]) -> None:
        """Have items read."""
        with contextlib.suppress(OSError):  # it has died, as `take` will tell
            self.connection.send(items)

    def take(self) -> pa.Table | None:
        """What it says; raises _DiedError, or what kept it from reading."""
        try:
            said = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            self.connection.close()
            raise _DiedError(_how(self._process.exitcode)) from None
        if isinstance(said, Exception):
            raise said
        return said

    def end(self) -> None:
        """Kill it: it has nothing to clean up."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return "killed, as the system does where memory runs out" if -code == signal.SIGKILL else signal.Signals(-code).name


def _serve(connection: Connection, reader: partial[Reader], scratch: Path) -> None:
    """Read in this process, until its parent ends it. What nobody thought of ends it as well, with its traceback."""
    leave_signals_to_parent()
    tempfile.tempdir = str(scratch)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent has gone
        try:
            read = reader().read
            connection.send(None)
            while True:
                connection.send(read(connection.recv()))
        except (TextrecError, OSError) as error:
            connection.send(error)
