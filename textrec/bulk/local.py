"""Reading on this machine: processes that read, each on a core, and are begun anew where they die."""

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pebble import ProcessExpired, ProcessPool

from textrec.bulk.job import Task
from textrec.bulk.listing import Item
from textrec.bulk.worker import How, Reader

_reader: Reader  # of a process


class Processes:
    """As many processes as there are workers, each with a model of its own; a context manager."""

    def __init__(self, model: Path, finder: Path, how: How, *, workers: int, cores: int) -> None:
        self._workers = workers
        # Spawned, as what has begun threads must not be forked.
        self._pool = ProcessPool(
            workers,
            initializer=_begin,
            initargs=(model, finder, how, cores),
            context=multiprocessing.get_context("spawn"),
        )

    def read(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        """See `job.Runner`."""
        tasks = iter(tasks)
        begun: dict[Future[pa.Table], Task] = {}
        while True:
            for task in islice(tasks, self._workers + 1 - len(begun)):  # and one more, so that none waits
                begun[self._pool.schedule(_read, args=(task.items,))] = task
            if not begun:
                return
            for future in wait(begun, return_when=FIRST_COMPLETED).done:
                task, died = begun.pop(future), future.exception()
                if isinstance(died, ProcessExpired):
                    yield task, f"the process that reads it died ({_how(died.exitcode)})"
                else:
                    yield task, future.result()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return "killed, as the system does where memory runs out" if -code == signal.SIGKILL else signal.Signals(-code).name


def _begin(model: Path, finder: Path, how: How, cores: int) -> None:
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers it
    _reader = Reader(model, finder, how, cores=cores)


def _read(items: list[Item]) -> pa.Table:
    return _reader.read(items)
