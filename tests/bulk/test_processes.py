"""Real processes that read, and are killed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from bulk_jobs import FATAL, PATIENCE, Models, errors, pages, parts, run_job, save_pages, wait_for
from repository import ROOT

from textrec.base.runtime import TextrecError
from textrec.bulk.job import Job
from textrec.bulk.local import Processes

MANY = 24


@pytest.fixture(scope="module")
def processes(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """One that dies of a file whose name ends in fatal.png."""
    scratch = tmp_path_factory.mktemp("job") / "scratch"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FATAL.items():
            patch.setenv(name, value)
        with Processes(*models, workers=1, cores=1, scratch=scratch) as running:
            yield running
    assert not scratch.exists()


def children() -> list[psutil.Process]:
    """The processes that read for this one."""
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_a_picture_that_kills_becomes_an_error(processes: Processes, models: Models, tmp_path: Path) -> None:
    save_pages(tmp_path, "a.png", "b.png", "fatal.png", "z.png")
    counts = run_job(processes, models.how, tmp_path / "out", [tmp_path], unit=3)
    assert (counts["pages"], counts["failed"]) == (4, 1)
    assert Counter(Path(source).name for source, _, _ in pages(tmp_path / "out")) == Counter(
        ["a.png", "b.png", "fatal.png", "z.png"]
    )
    died = "the process that reads it died (killed, as the system does where memory runs out), each time it was tried"
    assert errors(tmp_path / "out") == {"fatal.png": died}


def test_a_process_that_is_killed_loses_nothing(processes: Processes, models: Models, tmp_path: Path) -> None:
    paths, out = save_pages(tmp_path / "scans", *(f"{number}.png" for number in range(6))), tmp_path / "out"
    job = Job(out, models.how)
    with job.open([str(tmp_path / "scans")], 2):
        read = processes.read

        def killing(tasks: Any) -> Any:
            for number, done in enumerate(read(tasks)):
                if number == 0:  # the next has been given out by now
                    [child] = children()
                    child.kill()
                yield done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(processes, "read", killing)
            counts = job.run(processes)
    assert counts["pages"] == len(paths)
    assert not errors(out)
    assert Counter(source for source, _, _ in pages(out)) == Counter(map(str, paths))


def test_processes_that_never_come_to_reading_are_told(models: Models, tmp_path: Path) -> None:
    save_pages(tmp_path / "scans", "a.png")
    fatal = tmp_path / "fatal.png"
    fatal.write_bytes(models.model.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FATAL.items():
            patch.setenv(name, value)
        with (
            Processes(fatal, models.finder, models.how, workers=1, cores=1, scratch=tmp_path / "scratch") as running,
            pytest.raises(TextrecError, match="processes die before they can read") as raised,
        ):
            run_job(running, models.how, tmp_path / "out", [tmp_path / "scans"])
    assert str(raised.value).endswith("; free some memory, or have fewer --workers")
    assert not parts(tmp_path / "out")


@contextlib.contextmanager
def command(models: Models, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`textrec bulk` as a process group of its own, which is gone in the end."""
    words = ["bulk", "scans", "--out", "out", "--model", models.model, "--page", "--unit", 1, "--workers", 1]
    with subprocess.Popen(
        [sys.executable, "-m", "textrec.cli", *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def group(leader: int) -> list[int]:
    """The processes of a group that live."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_a_command_that_is_interrupted_and_killed_goes_on(models: Models, tmp_path: Path) -> None:
    [picture], out = save_pages(tmp_path, "page.png"), tmp_path / "out"
    (tmp_path / "scans").mkdir()
    for number in range(MANY):
        (tmp_path / f"scans/{number:02}.png").symlink_to(picture)
    times: dict[Path, int] = {}
    for number in (signal.SIGINT, signal.SIGKILL):
        with command(models, tmp_path) as process:
            wait_for(lambda: len(parts(out)) > len(times) or process.poll() is not None)  # noqa: B023
            assert process.poll() is None
            os.killpg(process.pid, number)
            _, err = process.communicate(timeout=PATIENCE)
            wait_for(lambda: not group(process.pid))
        if number == signal.SIGINT:
            assert (process.returncode, err) == (130, "error: interrupted; all that was written is whole\n")
            assert sorted(path.name for path in out.glob("_job/*")) == ["job.json", "lock", "plan.parquet"]
        assert all(path.stat().st_mtime_ns == at for path, at in times.items())
        times = {path: path.stat().st_mtime_ns for path in parts(out)}
        assert 0 < len(times) < MANY
    with command(models, tmp_path) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, f"{MANY} pages read, {MANY} lines, 0 could not be read\n")
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())
    assert [source for source, _, _ in pages(out)] == [str(path) for path in sorted((tmp_path / "scans").iterdir())]
    assert sorted(path.name for path in out.iterdir() if path not in parts(out)) == ["_job"]
    assert sorted(path.name for path in out.glob("_job/*")) == ["job.json", "lock", "plan.parquet"]


def test_what_reads_ends_with_a_command_that_is_killed(models: Models, tmp_path: Path) -> None:
    save_pages(tmp_path / "scans", "a.png")
    with command(models, tmp_path) as process:
        wait_for(lambda: len(group(process.pid)) > 2)  # the command, multiprocessing's tracker, one that reads
        process.kill()
        process.wait(PATIENCE)
        wait_for(lambda: not group(process.pid))
