"""A job: a folder of tables of text, a file for each unit of pages, which is there whole or not at all.

The folder is the whole state of a job: units whose files are there are done, and who says the job again goes on with
the others. So whatever dies in between, each page stands in the tables once.
"""

import contextlib
import fcntl
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from textrec import __version__
from textrec.base.runtime import TextrecError, atomic, read_json, write_json
from textrec.bulk.listing import Item, Left, Plan, shown, write_plan
from textrec.bulk.rows import count, row_of_error, table_of
from textrec.bulk.worker import How

TRIES = 3  # of a page at which processes die
COUNTS = b"textrec.counts"  # in a file's metadata


class Task(NamedTuple):
    """Items that are read at once: those of a unit, or one of them."""

    unit: int
    items: list[Item]


class Runner(Protocol):
    """Has tasks read by processes that may die."""

    def read(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        """Each task, in any order, with what was read, or how its process died. No more are begun than it has hands."""
        ...

    def __enter__(self) -> "Runner": ...

    def __exit__(self, *_: object) -> None: ...


class Job:
    """A job's folder: tables, and in `_job`, which no reader of tables looks into, what is to be read."""

    def __init__(self, folder: Path, how: How) -> None:
        self._folder, self._how = folder, how
        self._state = folder / "_job"
        self._plan: Plan

    @property
    def scratch(self) -> Path:
        """A folder for what goes with the process that has the job."""
        return self._state / "scratch"

    @contextlib.contextmanager
    def open(self, sources: Sequence[str], size: int) -> Iterator[Left]:
        """Have it for this process alone, with the plan that it began with, or one made now.

        Gives what that plan leaves. Raises TextrecError where another process has the job, and where it was begun with
        other sources, models or options.
        """
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                remedy = "wait for it, or name another folder"
                raise TextrecError(f"{self._folder}: another job is writing there; {remedy}") from None
            yield self._begin(sources, size)

    def _begin(self, sources: Sequence[str], size: int) -> Left:
        told = {"sources": [*map(shown, sources)], "unit": size, **asdict(self._how)}
        del told["batch_size"], told["device"]  # which change next to nothing
        path, before, left = self._state / "plan.parquet", self._state / "job.json", Left()
        if before.exists():
            begun = read_json(before)
            for name, value in told.items():
                if begun.get(name) != value:
                    problem = f"was begun with {name} {begun.get(name)}, and not {value}"
                    raise TextrecError(f"{self._folder}: {problem}; say it as then, or name another folder")
        elif any(self._folder.glob("*.parquet")):
            raise TextrecError(f"{self._folder}: has tables of something else; name another folder")
        else:
            with atomic(path) as temporary:
                temporary.touch(mode=0o600)  # URLs may have secrets in them
                left = write_plan(temporary, sources, size)
            write_json(before, told | {"textrec": __version__})
        self._plan = Plan(path)
        return left

    def run(self, runner: Runner) -> Counter[str]:
        """Have all units read that are not done, and count what is in the tables: see `rows.count`.

        Raises TextrecError where a table cannot be written; those that are there are whole.
        """
        sizes = self._plan.sizes
        todo = [unit for unit in range(len(sizes)) if not self._file(unit).exists()]
        lost: list[Task] = []
        pages, done = int(sizes.sum()), int(sizes.sum() - sizes[todo].sum())
        with tqdm(total=pages, initial=done, desc="read", unit="page", smoothing=0, disable=None) as bar:
            for task, table in runner.read(Task(unit, self._plan.items(unit)) for unit in todo):
                if isinstance(table, str):
                    lost.append(task)
                else:
                    self._write(task.unit, table)
                    bar.update(int(sizes[task.unit]))
            for task in lost:
                self._write(task.unit, pa.concat_tables(self._one_by_one(task, runner)))
                bar.update(int(sizes[task.unit]))
        return sum((self._counts(unit) for unit in range(len(sizes))), Counter())

    def _one_by_one(self, task: Task, runner: Runner) -> list[pa.Table]:
        """Read each page of a task at which a process died alone, before it is given up."""
        pages = [page for item in task.items for page in item.singly()]
        tables: dict[Item, pa.Table] = {}
        reason = ""
        for _ in range(TRIES - 1):
            todo = [Task(task.unit, [page]) for page in pages if page not in tables]
            for one, table in runner.read(todo):
                if isinstance(table, str):
                    reason = table
                else:
                    tables[one.items[0]] = table
        error = f"{reason}, each time it was tried"
        given_up = {page: [row_of_error(page, error, self._how.model)] for page in pages if page not in tables}
        tables |= {page: table_of(rows) for page, rows in given_up.items()}
        return [tables[page] for page in pages]

    def _file(self, unit: int) -> Path:
        return self._folder / f"part-{unit:06d}.parquet"

    def _write(self, unit: int, table: pa.Table) -> None:
        counts = json.dumps(count(table))
        metadata = {**(table.schema.metadata or {}), COUNTS: counts, "textrec": __version__}
        with atomic(self._file(unit)) as temporary:
            pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")

    def _counts(self, unit: int) -> Counter[str]:
        try:
            return Counter(json.loads(pq.read_schema(self._file(unit)).metadata[COUNTS]))
        except (pa.ArrowInvalid, KeyError, TypeError) as error:
            problem = f"{self._file(unit)}: not a whole table of this job ({error})"
            raise TextrecError(f"{problem}; remove it and run the same command again") from None
