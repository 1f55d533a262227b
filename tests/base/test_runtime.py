import functools
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textrec.base.runtime import AHEAD, TextrecError, atomic, parallel_map, read_json, tell_dropped, write_json


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_atomic_keeps_the_last_good_file_on_any_error(tmp_path, error):
    path = tmp_path / "new" / "folder" / "out.txt"
    with atomic(path) as temporary:
        temporary.write_text("good")
        assert not path.exists()
    assert path.read_text() == "good"
    with pytest.raises(error), atomic(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert path.read_text() == "good"
    assert [file.name for file in path.parent.iterdir()] == ["out.txt"]


def test_json_is_rounded_and_readable(tmp_path):
    value = {"cer": 1 / 3, "counts": [1, (2.00001, "é")], "deep": {"value": 0.5, "none": None}}
    write_json(tmp_path / "m.json", value, digits=3)
    text = (tmp_path / "m.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"cer": 0.333, "counts": [1, [2.0, "é"]], "deep": {"value": 0.5, "none": None}}
    assert "é" in text
    assert text.endswith("}\n")


def square(number, delay=0.0):
    time.sleep(delay if number == 0 else 0)  # the first item ends last
    return number * number


def fail_at(number, bad):
    if number == bad:
        raise TextrecError(f"item {number} is bad; mend it")
    return number


@pytest.mark.parametrize("workers", [1, 2, None])
def test_results_come_in_the_order_of_the_items(workers):
    work = functools.partial(square, delay=0.05)
    results = parallel_map(work, iter(range(30)), total=30, description="", unit="item", workers=workers)
    assert list(results) == [number**2 for number in range(30)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_arrives_as_it_was_raised(workers):
    work = functools.partial(fail_at, bad=7)
    results = parallel_map(work, range(30), total=30, description="", unit="item", workers=workers)
    seen = []
    with pytest.raises(TextrecError, match=r"^item 7 is bad; mend it$"):
        seen.extend(results)
    assert len(seen) <= 7


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_items_are_taken_than_are_soon_needed(workers):
    taken = itertools.count()
    items = (next(taken) for _ in range(1000))
    results = parallel_map(square, items, total=1000, description="", unit="item", workers=workers)
    assert [next(results), next(results)] == [0, 1]
    assert next(taken) <= 2 + AHEAD * workers
    results.close()


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)
    path.with_name("done").touch()


def test_leaving_off_does_not_wait_for_what_is_in_the_making(tmp_path):
    paths = [tmp_path / "at once", tmp_path / "go", tmp_path / "go"]
    paths[0].touch()
    results = parallel_map(wait_for, paths, total=3, description="", unit="item", workers=2)
    next(results)
    (tmp_path / "done").unlink()
    results.close()
    assert not (tmp_path / "done").exists()
    (tmp_path / "go").touch()


def test_functions_of_libraries_work():
    assert list(parallel_map(math.sqrt, [1, 4], total=2, description="", unit="item", workers=2)) == [1, 2]


@pytest.fixture
def start(tmp_path, pytestconfig):
    """Start a script in `tmp_path` whose `main` has the body `body`, as a stage is run."""

    def start(body):
        (tmp_path / "out.txt").write_text("good")
        (tmp_path / "stage.py").write_text(
            "import os, signal, sys, time\n"
            "from textrec.base.runtime import *\n"
            "def slow(number):\n    time.sleep(0.2)\n    return number\n"
            "def killed_at(number):\n    return number if number < 7 else os.kill(os.getpid(), signal.SIGKILL)\n"
            "def main():\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "run(main)\n"
        )
        return subprocess.Popen(
            [sys.executable, "stage.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(pytestconfig.rootpath)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def outcome(process):
    _, errors = process.communicate()
    return process.returncode, errors


def kept(folder):
    return (folder / "out.txt").read_text() == "good" and {file.name for file in folder.iterdir()} == {
        "out.txt",
        "stage.py",
    }


def test_a_stage_that_ends_well_says_nothing(start):
    assert outcome(start("pass")) == (0, "")


def test_bad_input_is_one_line(start):
    assert outcome(start(r"raise TextrecError('a.zip: form x:\n  is bad; mend it')")) == (
        1,
        "error: a.zip: form x: is bad; mend it\n",
    )


def test_a_missing_file_is_one_line_that_names_it(start):
    assert outcome(start("open('nowhere/file.txt')")) == (1, "error: nowhere/file.txt: No such file or directory\n")


def test_what_was_left_out_is_one_line_and_nothing_where_none_was(capsys):
    tell_dropped({"lines": {"no text": 2, "no box": 1200}, "forms": {}, "images": {"no form": 1}}, see="metrics/a.json")
    tell_dropped({"lines": {}, "forms": {"no image": 0}}, see="metrics/a.json")
    expected = "left out lines: 1,200 no box, 2 no text; images: 1 no form; see metrics/a.json\n"
    assert capsys.readouterr() == ("", expected)


def test_a_bug_still_shows_where_it_is(start):
    code, errors = outcome(start("1 / 0"))
    assert code == 1
    assert "Traceback" in errors
    assert "ZeroDivisionError" in errors


FULL = """
with atomic('out.txt') as temporary:
    temporary.symlink_to('/dev/full')  # every write to it finds the disk full
    temporary.write_text('new')
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_a_full_disk_is_one_line_with_the_remedy(start, tmp_path):
    code, errors = outcome(start(FULL))
    assert code == 1
    assert errors == (
        "error: out.txt: No space left on device; free some space on this disk and run the same command again\n"
    )
    assert kept(tmp_path)


LONG = """
with atomic('out.txt') as temporary:
    temporary.write_text('half')
    for _ in parallel_map(slow, range(1000), total=1000, description='', unit='item', workers=2):
        print('begun', flush=True)
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("whole_group", [False, True], ids=["parent", "group"])
def test_a_signal_ends_workers_and_keeps_the_last_good_file(start, tmp_path, sent, code, whole_group, monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", functools.partial(popen, start_new_session=True))
    process = start(LONG)
    assert process.stdout.readline() == "begun\n"
    if whole_group and sent == signal.SIGINT:  # as a terminal does on Ctrl-C
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    got, errors = outcome(process)
    assert got == code
    assert "Traceback" not in errors
    assert errors.count("\n") == (sent == signal.SIGINT)
    assert kept(tmp_path)
    with pytest.raises(ProcessLookupError):  # no worker is left in its group
        os.killpg(process.pid, 0)


KILLED = """
with atomic('out.txt') as temporary:
    temporary.write_text('half')
    for _ in parallel_map(killed_at, range(1000), total=1000, description='', unit='item', workers=2):
        pass
"""


def test_a_killed_worker_ends_the_stage_with_one_line(start, tmp_path):
    code, errors = outcome(start(KILLED))
    assert code == 1
    assert errors == (
        "error: stage: a worker process was killed, as the system does where memory runs out; "
        "free some memory and run the same command again\n"
    )
    assert kept(tmp_path)


def test_workers_end_with_a_parent_that_is_killed(start, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", functools.partial(subprocess.Popen, start_new_session=True))
    process = start(LONG)
    assert process.stdout.readline() == "begun\n"
    process.kill()
    process.communicate(timeout=60)  # to the end of the output, which workers hold open


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "decoders.json"
    with pytest.raises(TextrecError, match=r"decoders.json: not found; run `dvc repro` or `dvc pull` to get it"):
        read_json(path)
    path.write_text("<<<<<<< HEAD")
    with pytest.raises(TextrecError, match=r"decoders.json: not JSON \(.*\); remove it and run `dvc repro`"):
        read_json(path)
