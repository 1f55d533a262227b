import fcntl
import io
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Run
from drive_server import Drive
from projects import Project

from textrec import cli

# Files in the order of the time that they take, where it is long, so that processes that share the work end together.
# Two that need the reproduced project do not begin at once.
LONGEST = (
    "test_experiments",
    "test_runs",
    "test_docs",
    "test_gdrive_remote",
    "test_pipeline",
    "test_gdrive",
    "test_app",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which `dvc repro` has run once, committed; made once for all processes that test. Copy it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "reproduced"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            project = Project.create(folder.with_suffix(".new"))
            project.dvc("repro")
            project.commit()
            shutil.move(project.folder, folder)
    return folder


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive() as server:
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `textrec` in tmp_path: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def call(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["textrec", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


@pytest.fixture
def browser_ports() -> Iterator[None]:
    """Google's login comes back to ports 8080 and 8090 of this machine: one test at a time has them."""
    with (Path(tempfile.gettempdir()) / "textrec-tests-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
