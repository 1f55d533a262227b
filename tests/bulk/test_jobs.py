"""Jobs: what is in the tables, and what becomes of a job that is said again, otherwise, or twice."""

import contextlib
import errno
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_jobs import Here, Models, errors, pages, parts, rows, run_job, save_pages
from commands import Run
from PIL import Image
from small_pages import page
from text_images import WORDS

from textrec.base.runtime import TextrecError, describe
from textrec.bulk.job import Job, Task
from textrec.bulk.listing import Left
from textrec.bulk.rows import ROWS
from textrec.reading.recognizer import Recognizer

PAGES = ["a.png", "b.png", "c.png", "d.png", "e.png"]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    save_pages(tmp_path / "scans", *PAGES)
    return tmp_path / "scans"


def names(out: Path) -> list[str]:
    return [Path(source).name for source, _, _ in pages(out)]


def save_book(path: Path, count: int) -> None:
    """A file of so many pages of one or two lines."""
    pictures = [page(WORDS[: 1 + number % 2])[0] for number in range(count)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])


class Few:
    """Reads so many tasks, then breaks off."""

    def __init__(self, runner: Here, count: int) -> None:
        self._runner, self._count = runner, count

    def read(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        for _, done in zip(range(self._count), self._runner.read(tasks), strict=False):
            yield done
        raise KeyboardInterrupt

    def __enter__(self) -> "Few":
        return self

    def __exit__(self, *_: object) -> None: ...


def test_tables_have_what_a_recognizer_reads(here: Here, models: Models, scans: Path, tmp_path: Path) -> None:
    counts = run_job(here, models.how, tmp_path / "out", [scans])
    lines = sum(1 + number % 3 for number in range(len(PAGES)))
    assert counts == {"pages": len(PAGES), "lines": lines}
    paths = [scans / name for name in PAGES]
    found = rows(tmp_path / "out")
    for path, reading in zip(paths, Recognizer.load(models.model).read_pages(paths), strict=True):
        mine = [row for row in found if row["source"] == str(path)]
        assert [row["line"] for row in mine] == [*range(1, len(mine) + 1)]
        for row, line in zip(mine, reading.lines, strict=True):
            assert row["text"] == line.text != ""
            assert row["confidence"] == pytest.approx(line.confidence, abs=1e-3)
            assert row["printed"] is line.printed
            assert row["characters"] == pytest.approx(line.characters, abs=1e-2)
            assert np.array(row["polygon"]) == pytest.approx(line.outline, abs=0.06)
            assert np.array(row["baseline"]) == pytest.approx(line.baseline, abs=0.06)
            assert (row["width"], row["height"]) == reading.size
            assert (row["page"], row["turned"], row["block"], row["model"]) == (1, 0, 1, models.how.model)
            assert (row["member"], row["error"]) == (None, None)


def test_tables_are_read_by_what_people_have(here: Here, models: Models, scans: Path, tmp_path: Path) -> None:
    pandas, duckdb = pytest.importorskip("pandas"), pytest.importorskip("duckdb")
    out = tmp_path / "out"
    run_job(here, models.how, out, [scans])
    assert [path.name for path in parts(out)] == [f"part-00000{unit}.parquet" for unit in range(3)]
    assert all(pq.read_schema(part).equals(ROWS, check_metadata=False) for part in parts(out))
    texts = [row["text"] for row in rows(out)]
    assert pq.read_table(out)["text"].to_pylist() == texts
    assert pandas.read_parquet(out)["text"].tolist() == texts
    counted = duckdb.sql(f"SELECT count(*), count(DISTINCT source) FROM '{out}/*.parquet'")  # noqa: S608
    assert counted.fetchall() == [(len(texts), len(PAGES))]


def test_pages_without_lines_and_those_that_cannot_be_read(here: Here, models: Models, tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    save_pages(scans, "good.png", "cut.png", "last.png")
    (scans / "cut.png").write_bytes((scans / "cut.png").read_bytes()[:300])
    (scans / "empty.png").touch()
    (scans / "text.jpg").write_text("no picture")
    Image.new("L", (300, 200), 255).save(scans / "blank.png")
    counts = run_job(here, models.how, out, [scans, scans / "gone.png"])
    assert counts == {"pages": 7, "failed": 4, "empty": 1, "lines": 4}
    assert Counter(names(out)) == Counter([*(path.name for path in scans.iterdir()), "gone.png"])
    told = errors(out)
    assert told.keys() == {"cut.png", "empty.png", "text.jpg", "gone.png"}
    assert (told["empty.png"], told["gone.png"]) == ("an empty file", "No such file or directory")
    [blank] = [row for row in rows(out) if row["source"].endswith("blank.png")]
    assert (blank["width"], blank["height"], blank["line"], blank["text"]) == (300, 200, None, None)


def test_files_of_many_pages_are_split_and_each_page_has_its_number(here: Here, models: Models, tmp_path: Path) -> None:
    for name in ("a.tif", "b.pdf"):
        save_book(tmp_path / name, 5)
    out = tmp_path / "out"
    counts = run_job(here, models.how, out, [tmp_path / "a.tif", tmp_path / "b.pdf"], unit=3)
    assert (counts["pages"], len(parts(out))) == (10, 4)
    assert [(Path(source).name, number) for source, _, number in pages(out)] == [
        *(("a.tif", number) for number in range(1, 6)),
        *(("b.pdf", number) for number in range(1, 6)),
    ]
    save_book(tmp_path / "a.tif", 3)  # it has fewer pages now
    parts(out)[1].unlink()
    run_job(here, models.how, out, [tmp_path / "a.tif", tmp_path / "b.pdf"], unit=3)
    assert [row["error"] for row in rows(out) if row["error"]] == ["has no page 4 any more", "has no page 5 any more"]


def test_members_of_tar_files(here: Here, models: Models, scans: Path, tmp_path: Path) -> None:
    import tarfile

    save_book(scans / "f.tif", 3)
    (scans / "a.json").write_text("{}")
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for path in sorted(scans.iterdir()):
            archive.add(path, path.name)
    counts = run_job(here, models.how, tmp_path / "out", [tmp_path / "shard.tar"])
    assert (counts["pages"], counts["left"]) == (len(PAGES) + 3, 1)
    shard = str(tmp_path / "shard.tar")
    assert pages(tmp_path / "out") == [
        *((shard, name, 1) for name in PAGES),
        *((shard, "f.tif", number) for number in (1, 2, 3)),
    ]


@pytest.mark.usefixtures("here")
def test_lines_and_names_that_are_no_text(models: Models, tmp_path: Path) -> None:
    [path] = save_pages(tmp_path, os.fsdecode(b"\xff.png"))
    reader = Here(models._replace(how=replace(models.how, kind="line")))
    run_job(reader, models.how, tmp_path / "out", [tmp_path / path.name])
    [row] = rows(tmp_path / "out")
    assert (row["source"], row["line"], row["page"]) == (f"{tmp_path}/\\udcff.png", 1, 1)
    assert os.fsencode(row["source"].encode().decode("unicode_escape")) == os.fsencode(path)


def test_a_job_that_was_broken_off_goes_on(here: Here, models: Models, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_job(Few(here, 1), models.how, out, [scans])
    before = {path: path.stat().st_mtime_ns for path in parts(out)}
    assert len(before) == 1
    (out / ".part-000001.parquet.tmp").write_text("what a kill left")
    save_pages(scans, "z.png")  # comes too late: the list was made when the job was begun
    assert run_job(here, models.how, out, [scans])["pages"] == len(PAGES)
    assert names(out) == PAGES
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(path.name for path in out.iterdir()) == ["_job", *(path.name for path in parts(out))]
    after = {path: path.stat().st_mtime_ns for path in parts(out)}
    assert run_job(here, models.how, out, [scans])["pages"] == len(PAGES)
    assert {path: path.stat().st_mtime_ns for path in after} == after


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "other"}, "was begun with model "),
        ({"finder": "other"}, "was begun with finder "),
        ({"greedy": True}, "was begun with greedy False, and not True"),
        ({"kind": None}, "was begun with kind page, and not None"),
        ({"sources": ["elsewhere"]}, "was begun with sources ['"),
        ({"unit": 3}, "was begun with unit 2, and not 3"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_job_that_is_said_otherwise_is_refused(
    models: Models, scans: Path, tmp_path: Path, change: dict, told: str
) -> None:
    out = tmp_path / "out"
    with Job(out, models.how).open([str(scans)], 2):
        pass
    values = {"sources": [str(scans)], "unit": 2} | change
    how = replace(models.how, **{name: value for name, value in change.items() if hasattr(models.how, name)})
    with pytest.raises(TextrecError) as raised, Job(out, how).open(values["sources"], values["unit"]):
        pass
    assert str(raised.value).startswith(f"{out}: {told}")
    assert str(raised.value).endswith("; say it as then, or name another folder")


def test_two_jobs_do_not_write_to_one_folder(models: Models, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Job(out, models.how).open([str(scans)], 2), pytest.raises(TextrecError) as raised:  # noqa: SIM117
        with Job(out, models.how).open([str(scans)], 2):
            pass
    told = "another job is writing there; wait for it, or name another folder"
    assert str(raised.value) == f"{out}: {told}"
    with Job(out, models.how).open([str(scans)], 2) as left:
        assert left == Left()


def test_a_folder_of_other_tables_is_left_alone(models: Models, scans: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "mine.parquet")
    with (
        pytest.raises(TextrecError, match="has tables of something else"),
        Job(tmp_path, models.how).open([str(scans)], 2),
    ):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_a_full_disk_is_told_and_leaves_whole_tables(here: Here, models: Models, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".part-000001.parquet.tmp").symlink_to("/dev/full")  # every write to it finds the disk full
    with pytest.raises(OSError, match="No space left") as raised:
        run_job(here, models.how, out, [scans])
    assert raised.value.errno == errno.ENOSPC
    assert "free some space on this disk and run the same command again" in describe(raised.value)
    assert names(out) == PAGES[:2]
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    run_job(here, models.how, out, [scans])
    assert names(out) == PAGES


def test_a_table_that_is_damaged_is_told(here: Here, models: Models, scans: Path, tmp_path: Path) -> None:
    run_job(here, models.how, tmp_path / "out", [scans])
    path = parts(tmp_path / "out")[1]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TextrecError, match=rf"^{path}: not a whole table of this job"):
        run_job(here, models.how, tmp_path / "out", [scans])
    path.unlink()
    run_job(here, models.how, tmp_path / "out", [scans])
    assert names(tmp_path / "out") == PAGES


def test_what_may_be_secret_stays_in_the_plan(models: Models, tmp_path: Path) -> None:
    source = "https://user:secret@host/a.png?token=secret"
    with Job(tmp_path, models.how).open([source], 2):
        pass
    told = json.loads((tmp_path / "_job/job.json").read_text())
    assert told["sources"] == ["https://host/a.png"]
    plan = tmp_path / "_job/plan.parquet"
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != plan:
            assert b"secret" not in path.read_bytes()


def test_the_command_tells_and_counts(
    run: Run, models: Models, here: Here, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textrec.bulk.local.Processes", lambda *_, **__: contextlib.nullcontext(here))
    (scans / "notes.txt").write_text("no picture")
    bare = scans.with_name("bare")
    bare.mkdir()
    command = ("bulk", scans, bare, "--out", "out", "--model", models.model, "--page", "--unit", 2)
    code, out, err = run(*command)
    lines = [
        f"note: {bare}: no picture there",
        "note: 1 files are left, as they are no pictures by their names",
        "5 pages read, 9 lines, 0 could not be read",
    ]
    assert (code, out, err.splitlines()) == (0, "", lines)
    assert run(*command)[::2] == (0, f"{lines[-1]}\n")
    (scans / "bad.png").touch()
    Image.new("L", (300, 200), 255).save(scans / "blank.png")
    code, _, err = run("bulk", scans, "--out", "more", "--model", models.model, "--page")
    assert (code, err.splitlines()[1]) == (1, "6 pages read, 9 lines, 1 without text, 1 could not be read")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["bulk", "scans"], 2, "the following arguments are required: --out"),
        (["bulk", "--out", "out"], 2, "the following arguments are required: SOURCE"),
        (["bulk", "scans", "--out", "out", "--unit", "0"], 2, "argument --unit: '0' is no number from 1 on"),
        (["bulk", "scans", "--out", "out", "--workers", "x"], 2, "argument --workers: 'x' is no number from 1 on"),
        (["bulk", "gone", "--out", "out"], 1, "error: gone: no such file, folder or bucket"),
        (["bulk", "scans", "--out", "scans/a.png"], 1, "error: scans/a.png/_job: Not a directory"),
    ],
)
@pytest.mark.usefixtures("scans")
def test_wrong_options(run: Run, arguments: list[str], code: int, message: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
