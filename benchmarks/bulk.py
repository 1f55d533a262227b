"""Many pages by `textrec read` and by `textrec bulk`: their speed, the memory that they take, what a kill leaves.

Usage: python benchmarks/bulk.py SCRATCH [PAGES [MORE]]

PAGES (1,000) pictures, links to the forms of data/raw/iamdb.zip (`dvc repro download`: the 200 of the embedded sample)
over and over, are read by `textrec read FOLDER --page --out page --to OUT` and by `textrec bulk FOLDER --page --out
OUT`. Once half of the pages are there the command is killed with all its processes (SIGKILL); each file that is there
must be whole. Then the same command is given again: it must leave those as they are and write the rest, so that each
page is there once, and nothing else may be left in OUT. Then `textrec bulk` reads MORE pictures (10,000; 0: none)
without a kill. Pages a second are of what is read to the end, what beginning takes included. Memory is the highest of
the samples in each tenth of the pages: of all processes of the command the sum of what each has for itself and its
share of what several have (PSS). It should not grow. At last the PAGES are written once more from the tables that are
there, as a cluster would send them: so many pages a second the process could take that writes.
"""

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from machine import ROOT, save, tree

from textrec.base.runtime import TextrecError, usable_cores
from textrec.bulk.job import Job, Task
from textrec.bulk.worker import How
from textrec.pages.xml_edit import read_xml

PATIENCE = 0.5  # seconds between two looks
UNIT = 64  # pages of a table; fewer where there are few pages


class Command(NamedTuple):
    """A way to read a folder. words: for so many pages. files: what its files are called. pages: those of a file, by
    the names of their pictures; none where it is not whole.
    """

    words: Callable[[Path, Path, int], list[str]]
    files: str
    pages: Callable[[Path], list[str]]


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    scratch = Path(sys.argv[1]).resolve()
    count, more = (int(sys.argv[place]) if len(sys.argv) > place else usual for place, usual in ((2, 1000), (3, 10000)))
    figures: dict[str, Any] = {"cores": usable_cores()}
    for name, pages in [("read", count), ("bulk", count), *([("bulk", more)] if more else [])]:
        out = scratch / f"bulk/{name}-{pages}"
        if out.exists():
            raise SystemExit(f"{out}: remove it, or what is read would be there already")
        figures[f"{name} {pages}"] = measured(COMMANDS[name], linked(scratch, pages), out, pages, kill=pages == count)
    figures["writing"] = writing(scratch, count)
    for name, values in figures.items():
        print(f"{name:12} {values}")
    save("bulk", figures)


def measured(command: Command, pictures: Path, out: Path, count: int, *, kill: bool) -> dict[str, Any]:
    """The figures of a command that reads so many pages, once to the end; before that until it is killed."""
    words, figures = command.words(pictures, out, count), {}
    written: dict[Path, int] = {}
    if kill:
        _, before = run(words, command, out, count, until=count // 2)
        written = {path: path.stat().st_mtime_ns for path in files(out, command)}
        figures["broken_by_the_kill"] = [path.name for path in written if not command.pages(path)]
        figures["peaks_before_mib"] = before
    there = sum(len(command.pages(path)) for path in written)
    start = time.perf_counter()
    code, peaks = run(words, command, out, count, until=None)
    seconds = time.perf_counter() - start
    found = files(out, command)
    pages = [page for path in found for page in command.pages(path)]
    return figures | {
        "pages": count,
        "killed_after": there if kill else None,
        "written_again": [path.name for path, at in written.items() if path.stat().st_mtime_ns != at],
        "missing": count - len(set(pages)),
        "twice": len(pages) - len(set(pages)),
        "left_over": [
            path.name for path in out.rglob("*") if path.name.endswith(".tmp") or path.parent.name == "scratch"
        ],
        "exit_code": code,
        "pages_a_second": (count - there) / seconds,
        "peak_mib": max(peaks),
        "peaks_mib": peaks,
    }


class Ready:
    """A `textrec.bulk.job.Runner` that has read already. tables: of each unit, as a stream of Arrow's."""

    def __init__(self, tables: list[bytes]) -> None:
        self._tables = tables

    def read(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        """Give the tables."""
        for task in tasks:
            with pa.ipc.open_stream(self._tables[task.unit]) as stream:
                yield task, stream.read_all()

    def __enter__(self) -> "Ready":
        return self

    def __exit__(self, *_: object) -> None: ...


def writing(scratch: Path, count: int) -> dict[str, float]:
    """How fast what `textrec bulk` read of so many pages is written; bytes a page of pictures and tables."""
    done = files(scratch / f"bulk/bulk-{count}", COMMANDS["bulk"])
    streams = []
    for path in done:
        table, stream = pq.read_table(path), pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        streams.append(stream.getvalue().to_pybytes())
    pictures = linked(scratch, count)
    with TemporaryDirectory(dir=scratch) as folder:
        job = Job(Path(folder), How("model", "finder"))
        with job.open([str(pictures)], unit(count)):
            start = time.perf_counter()
            job.run(Ready(streams))
            seconds = time.perf_counter() - start
    return {
        "pages_a_second": count / seconds,
        "bytes_in": sum(path.stat().st_size for path in pictures.iterdir()) / count,
        "bytes_sent": sum(map(len, streams)) / count,
        "bytes_out": sum(path.stat().st_size for path in done) / count,
    }


def linked(scratch: Path, count: int) -> Path:
    """A folder of so many pictures."""
    pages, folder = scratch / "bulk/pages", scratch / "bulk/pictures"
    for made in (pages, folder):
        made.mkdir(parents=True, exist_ok=True)
    archive = ROOT / "data/raw/iamdb.zip"
    if not archive.exists():
        raise SystemExit(f"{archive} is not there; `dvc repro download` makes it")
    kept = []
    with zipfile.ZipFile(archive) as forms:
        for name in sorted(name for name in forms.namelist() if Path(name).suffix == ".jpg"):
            kept.append(pages / Path(name).name)
            kept[-1].write_bytes(forms.read(name))
    names = {f"{number:05}.jpg": page for number, page in enumerate(islice(cycle(kept), count))}
    for link in folder.iterdir():
        link.unlink()
    for name, page in names.items():
        (folder / name).symlink_to(page)
    return folder


def run(words: list[str], command: Command, out: Path, count: int, *, until: int | None) -> tuple[int, list[int]]:
    """Run a command to its end, or until so many pages are there, then kill it; its exit code, and peaks in MiB."""
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "textrec.cli", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    peaks: dict[int, float] = {}
    each = 1 if command is COMMANDS["read"] else unit(count)
    while process.poll() is None:
        done = min(count, each * len(files(out, command)))
        if until is not None and done >= until:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        peaks[10 * done // count] = max(memory(process.pid), peaks.get(10 * done // count, 0.0))
        time.sleep(PATIENCE)
    return process.returncode, [round(value) for value in peaks.values()]


def memory(pid: int) -> float:
    """MiB that a process and those below it have now, what several of them share counted once (PSS)."""
    return sum(map(_share, tree(pid))) / 1024


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def files(folder: Path, command: Command) -> list[Path]:
    """What a command wrote there under its name."""
    return sorted(folder.glob(f"[!.]{command.files}"))


# ---- the two ----


def unit(count: int) -> int:
    """Pages of a table, where there are so many in all."""
    return max(1, min(UNIT, count // 20))


def read_words(pictures: Path, out: Path, _count: int) -> list[str]:
    """What is typed."""
    return ["read", str(pictures), "--page", "--out", "page", "--to", str(out)]


def bulk_words(pictures: Path, out: Path, count: int) -> list[str]:
    """What is typed."""
    return ["bulk", str(pictures), "--page", "--out", str(out), "--unit", str(unit(count))]


def page_of_xml(path: Path) -> list[str]:
    """The page of a file of PAGE XML that is whole to its end, and has lines."""
    try:
        return [path.stem] if any(element.name == "TextLine" for element in read_xml(path).elements) else []
    except TextrecError:
        return []


def pages_of_table(path: Path) -> list[str]:
    """The pages that were read of a table that is whole."""
    try:
        rows = pq.read_table(path, columns=["source", "line"]).to_pylist()
    except (OSError, pa.ArrowInvalid):
        return []
    return [Path(row["source"]).stem for row in rows if row["line"] == 1]


COMMANDS = {
    "read": Command(read_words, "*.xml", page_of_xml),
    "bulk": Command(bulk_words, "*.parquet", pages_of_table),
}

if __name__ == "__main__":
    main()
