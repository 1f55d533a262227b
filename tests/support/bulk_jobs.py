"""Jobs of `textrec bulk` on tiny pages, and what is in their tables."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from repository import ROOT
from small_pages import page
from text_images import WORDS

from textrec.archives.fetch import digest
from textrec.bulk.job import Job, Runner, Task
from textrec.bulk.worker import How, Reader
from textrec.reading.recognizer import BOXED_FINDER

FATAL = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests/support/fatal")))}
PATIENCE = 240  # seconds


class Models(NamedTuple):
    """A model's file, that of the line finder of the box, and how they read."""

    model: Path
    finder: Path
    how: How

    @classmethod
    def of(cls, model: Path) -> "Models":
        return cls(model, BOXED_FINDER, How(digest(model), digest(BOXED_FINDER), kind="page"))


class Here:
    """Reads in this very process."""

    def __init__(self, models: Models) -> None:
        self._reader = Reader(*models)

    def read(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        for task in tasks:
            yield task, self._reader.read(task.items)

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None: ...


def save_pages(folder: Path, *names: str) -> list[Path]:
    """A tiny page of one to three lines under each name; their paths."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        page(WORDS[: 1 + index % 3])[0].save(path)
    return [folder / name for name in names]


def run_job(runner: Runner, how: How, out: Path, sources: Sequence[object], *, unit: int = 2) -> dict[str, int]:
    """Run a job, or go on with it; its counts that are not 0."""
    job = Job(out, how)
    with job.open([str(source) for source in sources], unit) as left:
        return {name: count for name, count in {**job.run(runner), "left": left.files}.items() if count}


def parts(out: Path) -> list[Path]:
    """A job's tables."""
    return sorted(out.glob("*.parquet"))


def rows(out: Path) -> list[dict[str, Any]]:
    """All rows of a job, in their order."""
    return [row for part in parts(out) for row in pq.read_table(part).to_pylist()]


def pages(out: Path) -> list[tuple[str, str | None, int]]:
    """Each page as often as it stands in the tables: source, member, number."""
    return [(row["source"], row["member"], row["page"]) for row in rows(out) if row["line"] in (None, 1)]


def errors(out: Path) -> dict[str, str]:
    """By the name of each page's file, or of its member in a tar, why it could not be read."""
    return {Path(row["member"] or row["source"]).name: row["error"] for row in rows(out) if row["error"]}


def wait_for(what: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)
