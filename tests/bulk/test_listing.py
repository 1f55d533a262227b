"""What a job reads, and in which units: sources of every kind, listed and not read."""

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from bulk_jobs import FATAL
from PIL import Image
from site_server import Site

from textrec.base.runtime import TextrecError
from textrec.bulk import listing
from textrec.bulk.listing import Item, Left, Plan, shown, write_plan

DOT = io.BytesIO()
Image.new("L", (4, 4), 255).save(DOT, "PNG")


def listed(tmp_path: Path, *sources: object, size: int = 100) -> tuple[list[list[Item]], Left]:
    """The units of some sources, and what is left."""
    left = write_plan(tmp_path / "plan", [str(source) for source in sources], size)
    plan = Plan(tmp_path / "plan")
    units = [plan.items(unit) for unit in range(len(plan.sizes))]
    assert plan.sizes.tolist() == [sum(item.pages for item in unit) for unit in units]
    return units, left


def names(tmp_path: Path, *sources: object) -> list[str]:
    """The names of what some sources have, in a folder."""
    units, _ = listed(tmp_path, *sources)
    return [os.path.relpath(item.member or item.url, tmp_path) for unit in units for item in unit]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with four pictures and two files that are none."""
    folder = tmp_path / "scans"
    for name in ("b.png", "a.JPG", "sub/c.webp", "sub/deep/d.png", "notes.txt", "sub/README"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(DOT.getvalue())
    return folder


def write_tar(path: Path, members: list[str], mode: Any = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name in members:
            member = tarfile.TarInfo(name)
            member.size = len(DOT.getvalue())
            archive.addfile(member, io.BytesIO(DOT.getvalue()))
    return path


def test_a_folder_with_all_below_it(scans: Path, tmp_path: Path) -> None:
    units, left = listed(tmp_path, scans, size=3)
    found = [[os.path.relpath(item.url, scans) for item in unit] for unit in units]
    assert found == [["a.JPG", "b.png", "sub/c.webp"], ["sub/deep/d.png"]]
    assert left == Left(2, [])


def test_files_patterns_and_what_is_named_twice(scans: Path, tmp_path: Path) -> None:
    assert names(tmp_path, scans / "*.png", scans / "b.png", scans) == [
        "scans/b.png",
        "scans/a.JPG",
        "scans/sub/c.webp",
        "scans/sub/deep/d.png",
    ]
    assert names(tmp_path, scans / "s*") == ["scans/sub/c.webp", "scans/sub/deep/d.png"]
    assert names(tmp_path, scans / "sub/README") == ["scans/sub/README"]  # it is named: whoever says so knows


def test_names_that_mean_something_elsewhere(tmp_path: Path) -> None:
    odd = ["a#1.png", "b?c.png", "d[1].png", "e::f.png", "g h\n.png", "~i.png", os.fsdecode(b"\xff.png")]
    for name in odd:
        (tmp_path / "odd").mkdir(exist_ok=True)
        (tmp_path / "odd" / name).write_bytes(DOT.getvalue())
    units, _ = listed(tmp_path, tmp_path / "odd")
    assert [Path(item.url).name for item in units[0]] == sorted(odd)
    assert units[0][-1].source.endswith(r"\udcff.png")
    for name in odd:
        assert names(tmp_path, tmp_path / "odd" / name) == [f"odd/{name}"]


def test_a_source_without_a_picture_among_others_is_told(scans: Path, tmp_path: Path) -> None:
    write_tar(tmp_path / "bare.tar", ["1.json"])
    (tmp_path / "bare").mkdir()
    (tmp_path / "list.txt").write_text(f"{tmp_path}/bare\n{scans}/b.png\n")
    (tmp_path / "bare.txt").touch()
    sources = [tmp_path / name for name in ("bare.tar", "list.txt", "gone*.png", "bare.txt")]
    units, left = listed(tmp_path, *sources)
    assert [item.url for item in units[0]] == [str(scans / "b.png")]
    assert left == Left(1, [str(tmp_path / name) for name in ("bare.tar", "bare", "gone*.png", "bare.txt")])


@pytest.mark.usefixtures("scans")
def test_a_list_names_pictures_folders_and_tar_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tar(tmp_path / "shard.tar", ["in.png"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("﻿scans/b.png\n\n  scans/sub  \nshard.tar\ngone.png\n", encoding="utf-8")
    found = ["scans/b.png", "scans/sub/c.webp", "scans/sub/deep/d.png", "in.png", "gone.png"]
    assert names(tmp_path, "list.txt") == found
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "list.txt").read_bytes())))
    assert names(tmp_path, "-") == found


def test_a_list_of_addresses_is_not_asked_for_one_by_one(tmp_path: Path) -> None:
    addresses = [f"s3://nobody/{number}.png" for number in range(5)] + ["https://nobody.invalid/a.png?key=1"]
    (tmp_path / "list.txt").write_text("\n".join(addresses))
    units, _ = listed(tmp_path, tmp_path / "list.txt")
    assert [item.url for item in units[0]] == addresses
    assert units[0][-1].source == "https://nobody.invalid/a.png"
    assert units[0][-1].suffix == ".png"


def test_members_of_a_tar_file_are_known_by_where_they_lie(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "shard.tar", ["1.json", "1.png", "2.json", "deep/2.PNG"])
    [items], left = listed(tmp_path, path)
    assert ([item.member for item in items], left) == (["1.png", "deep/2.PNG"], Left(2, []))
    for item in items:
        assert item.start is not None
        assert path.read_bytes()[item.start :][: item.size] == DOT.getvalue()


def test_tar_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "shard.tar", ["1.png", "2.png", "3.png"])
    whole = path.read_bytes()
    block = tarfile.BLOCKSIZE
    damages = {
        "no tar file": b"no tar file" * 100,
        "empty": b"",
        "cut in a member": whole[: 3 * block + 10],
        "cut between members": whole[: 2 * block],
        "a damaged head": whole[: 2 * block] + b"x" * block + whole[3 * block :],
    }
    for content in damages.values():
        path.write_bytes(content)
        with pytest.raises(TextrecError, match=rf"^{path}: not a whole tar file \(.*\); get it again$"):
            listed(tmp_path, path)
    for name, mode in (("shard.tar.gz", "w:gz"), ("shard.tgz", "w:gz"), ("shard.tar.xz", "w:xz")):
        path = write_tar(tmp_path / name, ["1.png"], mode)
        with pytest.raises(TextrecError, match=rf"^{path}: of a compressed tar file no member can be read alone"):
            listed(tmp_path, path)


def test_pages_of_a_file_are_parts_of_units(tmp_path: Path) -> None:
    dot = Image.new("L", (4, 4), 255)
    for name in ("a.tif", "b.pdf"):
        dot.save(tmp_path / name, save_all=True, append_images=[dot] * 4)
    (tmp_path / "c.png").write_bytes(DOT.getvalue())
    dot.save(tmp_path / "d.tif")
    (tmp_path / "e.pdf").write_bytes(b"%PDF- and no more")
    units, _ = listed(tmp_path, *(tmp_path / name for name in ("a.tif", "b.pdf", "c.png", "d.tif", "e.pdf")), size=3)
    assert [[(Path(item.url).name, item.first, item.last) for item in unit] for unit in units] == [
        [("a.tif", 1, 3)],
        [("a.tif", 4, 5)],
        [("b.pdf", 1, 3)],
        [("b.pdf", 4, 5), ("c.png", None, None)],
        [("d.tif", None, None), ("e.pdf", None, None)],
    ]
    assert [page.first for page in units[1][0].singly()] == [4, 5]


def test_a_decoder_that_crashes_does_not_end_the_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FATAL.items():
        monkeypatch.setenv(name, value)
    dot = Image.new("L", (4, 4), 255)
    for name in ("a.pdf", "fatal.pdf", "z.pdf"):
        dot.save(tmp_path / name, save_all=True, append_images=[dot])
    units, _ = listed(tmp_path, *sorted(tmp_path.glob("*.pdf")))
    assert [item.last for item in units[0]] == [2, None, 2]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("gone", "gone: no such file, folder or bucket"),
        ("gone/*.png", "gone/*.png: no picture there; known are"),
        ("empty", "empty: no picture there; known are"),
        ("gone.txt", "gone.txt: no such file"),
        ("gone.tar", "gone.tar: no such file"),
        ("nope://host/a.tar", "nope://host/a.tar: ValueError: Protocol not known: nope"),
    ],
)
def test_a_source_that_lists_nothing(source: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TextrecError) as raised:
        write_plan(tmp_path / "plan", [source], 2)
    assert str(raised.value).startswith(told)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may see all")
def test_a_folder_that_must_not_be_seen_is_told(scans: Path, tmp_path: Path) -> None:
    (scans / "sub").chmod(0)
    with pytest.raises(TextrecError, match="Permission denied"):
        listed(tmp_path, scans)
    (scans / "sub").chmod(0o700)


def test_tar_files_on_a_web_server(tmp_path: Path) -> None:
    with Site() as site:
        site.files["shard.tar"] = write_tar(tmp_path / "shard.tar", ["1.png", "2.png"]).read_bytes()
        address = f"{site.url}/shard.tar?token=secret"
        [items], _ = listed(tmp_path, address)
        assert [(item.url, item.source, item.member) for item in items] == [
            (address, f"{site.url}/shard.tar", "1.png"),
            (address, f"{site.url}/shard.tar", "2.png"),
        ]
        for name in ("gone.tar", "list.txt"):
            with pytest.raises(TextrecError, match=rf"^{site.url}/{name}: no such file$"):
                listed(tmp_path, f"{site.url}/{name}?token=secret")
        site.files["list.txt"] = b"x.png\n"
        site.plan = [{"status": 403}] * 2
        with pytest.raises(TextrecError, match=rf"^{site.url}/list.txt: HTTP 403 Forbidden$"):
            listed(tmp_path, f"{site.url}/list.txt?token=secret")


def test_plans_of_many_groups_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "GROUP", 4)
    (tmp_path / "list.txt").write_text("".join(f"https://a/{number}.png\n" for number in range(25)))
    units, _ = listed(tmp_path, tmp_path / "list.txt", size=3)
    assert [len(unit) for unit in units] == [3] * 8 + [1]
    assert [item.url for unit in units for item in unit] == [f"https://a/{number}.png" for number in range(25)]
    plan = Plan(tmp_path / "plan")
    assert plan.items(7) == units[7]
    assert plan.items(0) == units[0]


def test_secrets_of_addresses_are_not_shown() -> None:
    assert shown("https://user:secret@host/a.png?token=secret#secret") == "https://host/a.png"
    assert shown("s3://key:secret@bucket/a?.png") == "s3://bucket/a?.png"
    assert shown("s3://bucket/page#1.png?X-Amz-Signature=secret") == "s3://bucket/page#1.png"
    assert shown("/scans/a@b?c=d#e.png") == "/scans/a@b?c=d#e.png"
