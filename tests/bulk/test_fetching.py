"""Files of a web server that answers as web servers do."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from bulk_jobs import Here, Models, errors, pages, run_job, save_pages
from site_server import Site

from textrec.base.runtime import TextrecError
from textrec.bulk import fetching, listing
from textrec.bulk.fetching import TRIES, fetch_item
from textrec.bulk.listing import Item

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """One with a file; there is little patience with it."""
    monkeypatch.setattr(fetching, "WAIT", 0.01)
    monkeypatch.setattr(listing, "TIMEOUT", (2, 0.5))
    with Site() as server:
        server.files["a.png"] = CONTENT
        yield server


def fetched(site: Site, folder: Path) -> bytes:
    path = fetch_item(Item(f"{site.url}/a.png?token=secret"), folder)
    assert (path.parent, path.suffix) == (folder, ".png")
    return path.read_bytes()


@pytest.mark.parametrize(
    "answer",
    [{"status": 503}, {"status": 429}, {"status": 500}, {"cut": 100}, {"cut": 0}, {"stall": 100}],
    ids=lambda answer: "-".join(map(str, *answer.items())),
)
def test_what_may_go_better_is_tried_again(site: Site, tmp_path: Path, answer: dict[str, int]) -> None:
    site.plan = [answer] * 2
    assert fetched(site, tmp_path) == CONTENT
    assert len(site.ranges) == 3


@pytest.mark.parametrize(
    ("answer", "tries", "told"),
    [
        ({"status": 503}, TRIES, f"HTTP 503 Service Unavailable, {TRIES} times"),
        ({"cut": 100}, TRIES, f", {TRIES} times"),
        ({"stall": 100}, TRIES, f", {TRIES} times"),
        ({"status": 404}, 1, "no such file"),
        ({"status": 403}, 1, "HTTP 403 Forbidden"),
        ({"status": 401}, 1, "HTTP 401 Unauthorized"),
    ],
    ids=lambda value: "-".join(map(str, *value.items())) if isinstance(value, dict) else "",
)
def test_what_does_not_go_is_told(site: Site, tmp_path: Path, answer: dict[str, int], tries: int, told: str) -> None:
    site.plan = [answer] * 10
    with pytest.raises(TextrecError) as raised:
        fetched(site, tmp_path)
    assert str(raised.value).endswith(told)
    assert "secret" not in str(raised.value)
    assert len(site.ranges) == tries
    assert not list(tmp_path.iterdir())


def test_nobody_answers(site: Site, tmp_path: Path) -> None:
    site.close()
    with pytest.raises(TextrecError, match=f"[Cc]onnect.*, {TRIES} times$"):
        fetched(site, tmp_path)


def test_a_member_of_a_tar_file_is_fetched_alone(site: Site, tmp_path: Path) -> None:
    item = Item(f"{site.url}/a.png", "1.jpg", 1000, 500)
    path = fetch_item(item, tmp_path)
    assert (path.read_bytes(), path.suffix) == (CONTENT[1000:1500], ".jpg")
    assert site.ranges == ["bytes=1000-1499"]
    site.plan = [{"ignore_range": True}] * TRIES
    with pytest.raises(TextrecError, match=f"10,240 bytes of 500 came, {TRIES} times$"):
        fetch_item(item, tmp_path)


def test_files_of_this_machine_stay_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(CONTENT)
    assert fetch_item(Item(str(tmp_path / "a.png")), tmp_path / "nowhere") == tmp_path / "a.png"
    with pytest.raises(TextrecError, match=r"1,000 bytes of 20,000 came$"):
        fetch_item(Item(str(tmp_path / "a.png"), "1.png", len(CONTENT) - 1000, 20_000), tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_where_the_disk_is_full_no_other_try_helps(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def full(**_: object) -> Iterator[SimpleNamespace]:
        (tmp_path / "full").symlink_to("/dev/full")
        yield SimpleNamespace(name=str(tmp_path / "full"))

    monkeypatch.setattr(fetching, "NamedTemporaryFile", full)
    with pytest.raises(OSError, match="No space left") as raised:
        fetched(site, tmp_path)
    assert raised.value.filename == str(tmp_path)
    assert len(site.ranges) == 1


def test_pages_of_a_server_are_read_and_do_not_stay(
    site: Site, here: Here, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = save_pages(tmp_path, *(f"{number}.png" for number in range(5)))
    site.files = {path.name: path.read_bytes() for path in paths}
    (tmp_path / "list.txt").write_text("".join(f"{site.url}/{path.name}?token=secret\n" for path in paths))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    del site.files["2.png"]
    counts = run_job(here, models.how, tmp_path / "out", [tmp_path / "list.txt"], unit=3)
    assert (counts["pages"], counts["failed"]) == (5, 1)
    assert pages(tmp_path / "out") == [(f"{site.url}/{path.name}", None, 1) for path in paths]
    assert errors(tmp_path / "out") == {"2.png": "no such file"}
    assert not list((tmp_path / "temporary").iterdir())
