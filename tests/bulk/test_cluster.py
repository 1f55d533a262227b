"""Reading on a Ray cluster, a real one on loopback: nodes are processes, and some of them die."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bulk_jobs import parts, rows, wait_for
from networks import line_recognizer
from repository import ROOT
from text_images import WORDS, text_image

pytest.importorskip("ray", reason="Ray is not installed")
from ray_nodes import ENVIRONMENT, NODE, SUPPORT, nodes

PICTURES = 8
PATIENCE = 600  # seconds
pytestmark = pytest.mark.filterwarnings("ignore")  # of what Ray brings along


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with nodes(2) as made:
        yield made


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "lines.ckpt"
    line_recognizer(max_width=1200).save(path)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(PICTURES):
        text_image([WORDS[number % len(WORDS)]], size=40, margin=20).save(folder / f"{number}.png")
    return folder


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """`textrec bulk` as a process of its own, which is gone in the end."""
    command = [sys.executable, "-m", "textrec.cli", "bulk", *map(str, arguments), "--lines"]
    environment = os.environ | ENVIRONMENT
    # Elsewhere, as Ray has all nodes look for modules in the folder that a job is begun in.
    with subprocess.Popen(command, env=environment, cwd=SUPPORT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def bulk(*arguments: object) -> tuple[int, str]:
    with started(*arguments) as process:
        _, err = process.communicate(timeout=PATIENCE)
        return process.returncode, err


def test_a_cluster_reads_what_one_machine_reads(cluster: Any, model: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").symlink_to(pictures)
    sources = [tmp_path / "pictures", tmp_path / "bad.png"]
    (tmp_path / "bad.png").write_text("no picture")
    alone, together = tmp_path / "alone", tmp_path / "together"
    options = ["--model", model, "--unit", 3]
    assert bulk(*sources, "--out", alone, *options, "--workers", 1)[0] == 1
    code, err = bulk(*sources, "--out", together, *options, "--cluster", cluster.address)
    assert (code, err.splitlines()[-1]) == (1, f"{PICTURES} pages read, {PICTURES} lines, 1 could not be read")
    assert [path.name for path in parts(together)] == [path.name for path in parts(alone)]
    for one, other in zip(rows(alone), rows(together), strict=True):
        assert one.pop("confidence") == pytest.approx(other.pop("confidence"), abs=1e-4)
        assert one.pop("characters") == pytest.approx(other.pop("characters"), abs=1e-4)
        assert one == other


def test_a_picture_that_kills_becomes_an_error(cluster: Any, model: Path, pictures: Path, tmp_path: Path) -> None:
    pages = [pictures / "0.png", tmp_path / "fatal.png", pictures / "1.png"]
    (tmp_path / "fatal.png").write_bytes((pictures / "2.png").read_bytes())
    code, err = bulk(*pages, "--out", tmp_path / "out", "--model", model, "--cluster", cluster.address)
    assert (code, err.splitlines()[-1]) == (1, "2 pages read, 2 lines, 1 could not be read")
    found = {row["source"]: row["error"] for row in rows(tmp_path / "out")}
    died = "the process that reads it died, each time it was tried"
    assert found == {str(page): None for page in pages} | {str(pages[1]): died}


@pytest.mark.parametrize("victim", ["node", "driver"])
def test_what_dies_loses_nothing(cluster: Any, model: Path, pictures: Path, tmp_path: Path, victim: str) -> None:
    out = tmp_path / "out"
    command = [pictures, "--out", out, "--model", model, "--unit", 1, "--cluster", cluster.address]
    with started(*command) as process:
        wait_for(lambda: len(parts(out)) > 0 or process.poll() is not None)
        if victim == "node":
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            _, err = process.communicate(timeout=PATIENCE)
            cluster.add_node(num_cpus=1, **NODE)
            assert process.returncode == 0, err
        else:
            process.send_signal(signal.SIGKILL)
            process.wait()
            before = {path: path.stat().st_mtime_ns for path in parts(out)}
            assert len(before) < PICTURES
            assert bulk(*command)[0] == 0
            assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert Counter(row["source"] for row in rows(out)) == Counter(map(str, pictures.iterdir()))
    assert not any(row["error"] for row in rows(out))


def test_a_node_of_another_version_is_told(
    cluster: Any, model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "textrec").mkdir()
    (tmp_path / "textrec/__init__.py").write_text('__version__ = "0.0.1"\n')
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        node = cluster.add_node(num_cpus=1, **NODE)
    try:
        code, err = bulk(pictures, "--out", tmp_path / "out", "--model", model, "--cluster", cluster.address)
    finally:
        cluster.remove_node(node)
    assert code == 1
    assert "has textrec 0.0.1, here is" in err.splitlines()[-1]
    assert err.splitlines()[-1].endswith("have the same on all")


@pytest.mark.parametrize("listening", [False, True])
def test_an_address_without_a_cluster_is_told(model: Path, pictures: Path, tmp_path: Path, listening: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if not listening:
            server.close()
        start = time.monotonic()
        code, err = bulk(pictures, "--out", tmp_path / "out", "--model", model, "--cluster", address)
    assert code == 1
    assert err.splitlines()[-1].startswith("error: --cluster")
    assert address in err.splitlines()[-1]
    assert time.monotonic() - start < PATIENCE / 2


def test_without_ray_it_says_what_to_install(model: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text('raise ImportError("not here")\n')
    command = [sys.executable, "-m", "textrec.cli", "bulk", pictures, "--out", tmp_path / "out", "--model", model]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))}
    done = subprocess.run([*map(str, command), "--cluster"], env=environment, capture_output=True, text=True)
    told = "error: --cluster: Ray is not installed; run `pip install textrec[cluster]`"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, told)
