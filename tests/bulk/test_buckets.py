"""Pictures in a bucket of S3, by a server on the loopback interface."""

import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="buckets need the extra 'cluster'")
pytest.importorskip("moto.server", reason="a bucket on this machine needs moto")

import boto3
from bulk_jobs import Here, Models, errors, pages, rows, run_job, save_pages
from repository import ROOT
from s3_server import ACCESS, BUCKET, S3, SECRET, UNKNOWN
from s3fs import S3FileSystem
from site_server import Site

from textrec.base.runtime import TextrecError
from textrec.bulk import fetching
from textrec.bulk.fetching import TRIES

NAMES = ["a.png", "b.png", "sub/c.png"]
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A bucket with three pictures, a file that is none, and two of them once more in a tar file."""
    folder = tmp_path_factory.mktemp("bucket")
    paths = save_pages(folder, *NAMES)
    with S3() as made:
        client = boto3.client(
            "s3",
            endpoint_url=made.url,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        shard = io.BytesIO()
        with tarfile.open(fileobj=shard, mode="w") as archive:
            for path in paths[:2]:
                archive.add(path, path.name)
        for name, path in zip(NAMES, paths, strict=True):
            client.put_object(Bucket=BUCKET, Key=name, Body=path.read_bytes())
        client.put_object(Bucket=BUCKET, Key="sub/notes.txt", Body=b"none")
        client.put_object(Bucket=BUCKET, Key="shards/0.tar", Body=shard.getvalue())
        client.close()
        yield made


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fetching, "WAIT", 0.01)
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    server.asked.clear()
    S3FileSystem.clear_instance_cache()
    yield server
    server.refusals.clear()
    S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("source", "found", "left"),
    [
        (f"s3://{BUCKET}", [*NAMES[:2], "shards/0.tar/a.png", "shards/0.tar/b.png", NAMES[2]], 1),
        (f"s3://{BUCKET}/sub/", NAMES[2:], 1),
        (f"s3://{BUCKET}/?.png", NAMES[:2], 0),
        (f"s3://{BUCKET}/sub/c.png", NAMES[2:], 0),
        (f"s3://{BUCKET}/shards/*.tar", ["shards/0.tar/a.png", "shards/0.tar/b.png"], 0),
    ],
)
@pytest.mark.usefixtures("s3")
def test_what_a_bucket_has(
    source: str, found: list[str], left: int, here: Here, models: Models, tmp_path: Path
) -> None:
    counts = run_job(here, models.how, tmp_path / "out", [source])
    read = ["/".join(filter(None, (url, member))) for url, member, _ in pages(tmp_path / "out")]
    assert read == [f"s3://{BUCKET}/{name}" for name in found]
    assert (counts["pages"], counts.get("left", 0), counts.get("failed", 0)) == (len(found), left, 0)
    assert all(row["text"] for row in rows(tmp_path / "out"))


def test_a_list_asks_for_each_picture_once(s3: S3, here: Here, models: Models, tmp_path: Path) -> None:
    names = [*NAMES, "gone.png"]
    (tmp_path / "list.txt").write_text("".join(f"s3://{BUCKET}/{name}\n" for name in names))
    counts = run_job(here, models.how, tmp_path / "out", [tmp_path / "list.txt"])
    assert (counts["pages"], errors(tmp_path / "out")) == (4, {"gone.png": "no such file"})
    assert sorted(s3.asked) == sorted(f"GET /{BUCKET}/{name}" for name in names)


def test_a_server_that_asks_to_be_asked_less(s3: S3, here: Here, models: Models, tmp_path: Path) -> None:
    s3.refusals |= {"a.png": 2, "sub/c.png": 1000}
    counts = run_job(here, models.how, tmp_path / "out", [f"s3://{BUCKET}/?.png", f"s3://{BUCKET}/sub"])
    assert (counts["pages"], counts["failed"]) == (3, 1)
    assert errors(tmp_path / "out") == {"c.png": f"SlowDown, {TRIES} times"}


@pytest.mark.parametrize("source", ["s3://nowhere", "s3://nowhere/scans", "s3://nowhere/*.png", "s3://nowhere/a.tar"])
@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there(source: str, models: Models, here: Here, tmp_path: Path) -> None:
    with pytest.raises(TextrecError) as raised:
        run_job(here, models.how, tmp_path / "out", [source])
    assert str(raised.value).startswith((f"{source}: no such file", f"{source}: no picture there"))
    assert not list(tmp_path.glob("out/*.parquet"))


@pytest.mark.parametrize("kind", ["none", "refused"])
@pytest.mark.parametrize("source", ["", "/?.png", "/shards/0.tar", "/a.png"])
def test_credentials_that_do_not_serve(
    s3: S3, models: Models, here: Here, tmp_path: Path, kind: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "refused":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", UNKNOWN)
    else:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("HOME", str(tmp_path))
    told = "refused; are credentials for it set, as fsspec wants them, and may they read it?"
    start = time.monotonic()
    if source.endswith("a.png"):  # it is not asked for before it is read
        assert run_job(here, models.how, tmp_path / "out", [f"s3://{BUCKET}{source}"])["failed"] == 1
        assert errors(tmp_path / "out") == {"a.png": told}
    else:
        with pytest.raises(TextrecError) as raised:
            run_job(here, models.how, tmp_path / "out", [f"s3://{BUCKET}{source}"])
        assert str(raised.value) == f"s3://{BUCKET}{source}: {told}"
    assert time.monotonic() - start < 60
    assert all(asked.startswith(("GET", "HEAD")) for asked in s3.asked)


@pytest.mark.usefixtures("s3")
def test_the_command_reads_buckets_and_servers_and_tells_no_secret(models: Models, tmp_path: Path) -> None:
    [path] = save_pages(tmp_path, "w.png")
    with Site() as site:
        site.files["w.png"] = path.read_bytes()
        web = site.url.replace("//", "//user:secretpassword@")
        addresses = [f"{web}/w.png?token=secrettoken", f"{web}/gone.png?token=secrettoken", f"s3://{BUCKET}/sub"]
        (tmp_path / "list.txt").write_text("\n".join(addresses))
        words = ["bulk", "list.txt", addresses[0], f"s3://{BUCKET}/shards", "--out", "out"]
        options = ["--model", models.model, "--page", "--unit", 2, "--workers", 1]
        done = subprocess.run(
            [sys.executable, "-m", "textrec.cli", *map(str, (*words, *options))],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    told = "note: 1 files are left, as they are no pictures by their names\n"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{told}4 pages read, 7 lines, 1 could not be read\n"
    assert errors(tmp_path / "out") == {"gone.png": "no such file"}
    assert pages(tmp_path / "out") == [
        (f"{site.url}/w.png", None, 1),
        (f"{site.url}/gone.png", None, 1),
        (f"s3://{BUCKET}/sub/c.png", None, 1),
        (f"s3://{BUCKET}/shards/0.tar", "a.png", 1),
        (f"s3://{BUCKET}/shards/0.tar", "b.png", 1),
    ]
    for path in tmp_path.glob("out/**/*"):
        if path.is_file() and path.name != "plan.parquet":
            assert not [word for word in (b"secret", ACCESS.encode()) if word in path.read_bytes()]
