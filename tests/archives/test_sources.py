import hashlib
import importlib.resources
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml
from pen_strokes import packed
from raw_archives import IAM, write_originals, write_tgz, write_zip
from repository import ROOT
from site_server import Site

import textrec.archives.fetch
from textrec.archives.fetch import Url, fetch
from textrec.archives.sources import DataParams, bring
from textrec.base.params import load, validate
from textrec.base.runtime import TextrecError

MAT = {"matlab/emnist-byclass.mat": b"by class", "matlab/emnist-letters.mat": b"letters"}


def parameters(**changes) -> DataParams:
    values = {
        "source": "local",
        "sample": {"forms": 12, "seed": 1},
        "path": "archives",
        "urls": {},
        "gdrive": {"folder": None, "files": {}},
        "sha256": {},
        "ground_truth": [],
        "fonts": None,
        "corpus": [],
        "workers": "local",
        "max_unpacked_gib": 1.0,
        "max_member_mib": 1.0,
    }
    return validate(values | changes, DataParams, where="params.yaml: data")


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project folder, current, with the course archive and EMNIST in archives/."""
    monkeypatch.chdir(tmp_path)
    write_zip(tmp_path / "archives/iamdb.zip", {f"iamdb/{name}": data for name, data in IAM.items()})
    write_zip(tmp_path / "archives/matlab.zip", MAT)
    return tmp_path


# ---- local ----


def test_course_archive_keeps_members_untouched_in_the_one_layout(project):
    extra = {"iamdb/readme.txt": b"", "__MACOSX/iamdb/forms/._a01-000u.jpg": b"", "iamdb/task/readme.txt": b""}
    write_zip(project / "archives/iamdb.zip", {f"iamdb/{name}": data for name, data in IAM.items()} | extra)
    report = bring(parameters(), Path("data/raw")).lines
    assert contents(project / "data/raw/iamdb.zip") == IAM
    assert contents(project / "data/raw/matlab.zip") == {"emnist-byclass.mat": b"by class"}
    assert report[0] == "iamdb.zip: 3 forms and 3 XML files from iamdb.zip"
    assert sorted(path.name for path in project.rglob("data/raw/*")) == [
        "corpus.txt",
        "fonts.zip",
        "ground_truth.zip",
        "iamdb.zip",
        "matlab.zip",
        "ondb.zip",
    ]


@pytest.mark.parametrize("prefix", ["", "other/folder/"])
def test_course_archive_in_any_folder(project, prefix):
    write_zip(project / "archives/iamdb.zip", {prefix + name: data for name, data in IAM.items()})
    bring(parameters(path=str(project / "archives")), Path("data/raw"))
    assert contents(project / "data/raw/iamdb.zip") == IAM


def test_the_archives_that_were_read_are_known_by_size_and_digest(project):
    write_originals(project / "archives")  # beside the course archive, which is taken
    read = {name: (project / "archives" / name).read_bytes() for name in ("iamdb.zip", "matlab.zip")}
    assert bring(parameters(), Path("data/raw")).archives == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in read.items()
    }


def test_bytes_depend_on_contents_alone(project):
    bring(parameters(), Path("data/raw"))
    members = {f"else/{name}": data for name, data in reversed(IAM.items())}
    write_zip(project / "again/iamdb.zip", members, compression=zipfile.ZIP_DEFLATED, date_time=(2020, 2, 2, 2, 2, 2))
    write_zip(project / "again/matlab.zip", dict(reversed(MAT.items())))
    bring(parameters(path="again"), Path("data/other"))
    for name in ("iamdb.zip", "matlab.zip", "corpus.txt", "ondb.zip", "ground_truth.zip"):
        assert (project / "data/raw" / name).read_bytes() == (project / "data/other" / name).read_bytes()


def test_members_are_stored_sorted_and_undated(project):
    bring(parameters(), Path("data/raw"))
    with zipfile.ZipFile(project / "data/raw/iamdb.zip") as archive:
        assert archive.namelist() == sorted(IAM)
        for info in archive.infolist():
            assert (info.compress_type, info.date_time, info.flag_bits) == (
                zipfile.ZIP_STORED,
                (1980, 1, 1, 0, 0, 0),
                0,
            )


@pytest.mark.parametrize("folders", [False, True])
def test_original_downloads_give_the_same_xml_and_task_members(project, folders):
    write_originals(project / "originals", folders=folders)
    write_zip(project / "originals/matlab.zip", MAT)
    bring(parameters(path="originals"), Path("data/raw"))
    found = contents(project / "data/raw/iamdb.zip")
    assert list(found) == [name.replace(".jpg", ".png") for name in IAM]
    assert {name: found[name] for name in IAM if "forms" not in name} == {
        name: data for name, data in IAM.items() if "forms" not in name
    }
    assert sorted(path.name for path in project.rglob("data/raw/*")) == [
        "corpus.txt",
        "fonts.zip",
        "ground_truth.zip",
        "iamdb.zip",
        "matlab.zip",
        "ondb.zip",
    ]


def test_course_archive_is_taken_where_both_are(project):
    write_originals(project / "archives")
    assert bring(parameters(), Path("data/raw")).lines[0].endswith("from iamdb.zip")
    assert contents(project / "data/raw/iamdb.zip") == IAM


def test_fonts_of_a_folder_or_a_zip_file_come_under_their_bare_names(project):
    for name in ("b.ttf", "deep/er/a.WOFF2", "OFL.txt", ".hidden.ttf"):
        (project / "fonts" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "fonts" / name).write_bytes(name.encode())
    lines = bring(parameters(fonts="fonts"), Path("data/raw")).lines
    assert lines[-1] == "fonts.zip: 2 fonts from fonts"
    whole = (project / "data/raw/fonts.zip").read_bytes()
    assert contents(project / "data/raw/fonts.zip") == {"a.WOFF2": b"deep/er/a.WOFF2", "b.ttf": b"b.ttf"}
    write_zip(project / "f.zip", {"x/b.ttf": b"b.ttf", "a.WOFF2": b"deep/er/a.WOFF2", "x/": b"", "x/OFL.txt": b""})
    bring(parameters(fonts="f.zip"), Path("data/raw"))
    assert (project / "data/raw/fonts.zip").read_bytes() == whole
    assert bring(parameters(), Path("data/raw")).lines[-1] == "fonts.zip: no fonts, for data.fonts names none"
    assert contents(project / "data/raw/fonts.zip") == {}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (None, r"data.fonts: fonts.zip not found; `make fonts` fills data/fonts"),
        ({"OFL.txt": b""}, r"data.fonts: fonts.zip holds no TTF, OTF, WOFF or WOFF2 file"),
        ({"a.ttf": b"", "b/a.woff": b""}, r"fonts.zip: b/a.woff: a.woff is also given by fonts.zip: a.ttf"),
        ({"../a.ttf": b""}, r"fonts.zip: '../a.ttf' leads out of the archive"),
    ],
)
def test_other_fonts_are_refused(project, members, message):
    if members:
        write_zip(project / "fonts.zip", members)
    with pytest.raises(TextrecError, match=message):
        bring(parameters(fonts="fonts.zip"), Path("data/raw"))


def test_a_corpus_of_ones_own(project):
    write_zip(project / "archives/brown.zip", {"brown/ca01": b"Not/x this/x ./."})
    (project / "one.txt").write_text("\ufeffUn été.\n\nSo “it” goes.\n", encoding="utf-8")
    (project / "two.txt").write_text("The end", encoding="utf-8")
    lines = bring(parameters(corpus=["one.txt", "two.txt"]), Path("data/raw")).lines
    assert lines[2] == "corpus.txt: 3 sentences from one.txt, two.txt"
    assert (project / "data/raw/corpus.txt").read_text(encoding="utf-8") == "Un été.\nSo “it” goes.\nThe end\n"
    with pytest.raises(TextrecError, match=r"data.corpus: none.txt not found"):
        bring(parameters(corpus=["none.txt"]), Path("data/raw"))
    (project / "two.txt").write_text("été", encoding="latin-1")
    with pytest.raises(TextrecError, match=r"data.corpus: two.txt: not UTF-8 text .*; save it as UTF-8"):
        bring(parameters(corpus=["two.txt"]), Path("data/raw"))


def test_corpus_is_the_sample_text_where_brown_is_not(project):
    bring(parameters(), Path("data/raw"))
    sample = importlib.resources.files("textrec.drawn").joinpath("sample_text.txt").read_text(encoding="ascii")
    assert (project / "data/raw/corpus.txt").read_text() == sample


def test_brown_is_read_as_plain_sentences(project):
    first = b"\n\tThe/at jury's/nn$ ``/`` report/nn ''/'' ,/, (/( he/pps said/vbd )/) ;/. ;/. no/rb end/nn ./.\n\n\n"
    second = b"\tIs/bez it/pps so/rb ?/. ?/.\n"
    members = {"brown/cb01": second, "brown/ca01": first, "brown/README": b"", "brown/cats.txt": b"ca01 news\n"}
    write_zip(project / "archives/brown.zip", members)
    assert bring(parameters(), Path("data/raw")).lines[2] == "corpus.txt: 2 sentences from brown.zip"
    text = (project / "data/raw/corpus.txt").read_text()
    assert text == 'The jury\'s "report", (he said); no end.\nIs it so?\n'


def test_source_without_on_line_handwriting_gives_an_archive_without_members(project):
    report = bring(parameters(), Path("data/raw")).lines
    assert contents(project / "data/raw/ondb.zip") == {}
    neither = "there is neither ondb_strokes.npz nor lineStrokes-all.tar.gz and ascii-all.tar.gz"
    assert report[3] == f"ondb.zip: no lines, for {neither}"


def test_strokes_are_taken_as_arrays_or_as_the_original_downloads(project):
    strokes = {f"lineStrokes/a01/a01-000/{name}.xml": name.encode() for name in ("a01-000u-01", "a01-000u-02")}
    write_tgz(project / "archives/lineStrokes-all.tar.gz", strokes | {"lineStrokes/._a01.xml": b""})
    write_tgz(project / "archives/ascii-all.tar.gz", {"ascii/a01/a01-000/a01-000u.txt": b"CSR:"})
    report = bring(parameters(), Path("data/raw")).lines
    assert report[3] == "ondb.zip: 2 members of lineStrokes-all.tar.gz and 1 members of ascii-all.tar.gz"
    assert contents(project / "data/raw/ondb.zip") == {
        "ascii/a01-000u.txt": b"CSR:",
        "lineStrokes/a01-000u-01.xml": b"a01-000u-01",
        "lineStrokes/a01-000u-02.xml": b"a01-000u-02",
    }
    write_zip(project / "archives/ondb_strokes.npz", packed() | {"other.npy": b""}, compression=zipfile.ZIP_DEFLATED)
    report = bring(parameters(), Path("data/raw")).lines
    assert report[3] == "ondb.zip: 5 members of ondb_strokes.npz"
    assert contents(project / "data/raw/ondb.zip") == dict(sorted(packed().items()))


@pytest.mark.parametrize(
    ("name", "members", "message"),
    [
        (
            "lineStrokes-all.tar.gz",
            {"lineStrokes/a01-000u-01.xml": b""},
            "archives: ascii-all.tar.gz not found; get IAM-",
        ),
        (
            "ascii-all.tar.gz",
            {"a01-000u.txt": b""},
            "archives: lineStrokes-all.tar.gz not found; get IAM-OnDB from https",
        ),
        (
            "ondb_strokes.npz",
            {"text.npy": b""},
            r"archives/ondb_strokes.npz: line_end.npy, .*, stroke_end.npy is missing",
        ),
        (
            "ondb_strokes.npz",
            {"a.xml": b""},
            r"archives/ondb_strokes.npz: no member is IAM-OnDB's; get it anew from https",
        ),
    ],
)
def test_incomplete_strokes_are_refused(project, name, members, message):
    (write_zip if name.endswith("npz") else write_tgz)(project / "archives" / name, members)
    with pytest.raises(TextrecError, match=f"^{message}"):
        bring(parameters(), Path("data/raw"))


@pytest.mark.parametrize(
    ("members", "message"),
    [({"brown/README": b""}, "no member ca01 to cr09"), ({"brown/ca01": b"caf\xc3\xa9/nn ./."}, "not ASCII")],
)
def test_other_brown_archives_are_refused(project, members, message):
    write_zip(project / "archives/brown.zip", members)
    with pytest.raises(TextrecError, match=f"archives/brown.zip: {message}"):
        bring(parameters(), Path("data/raw"))


IAM_ALONE = "neither iamdb.zip nor formsA-D.tgz, formsE-H.tgz, formsI-Z.tgz, xml.tgz, largeWriter"


@pytest.mark.parametrize("name", ["iamdb.zip", "matlab.zip"])
def test_iam_and_emnist_may_be_missing_as_a_whole(project, name):
    bring(parameters(), Path("data/raw"))
    others = {path.name: path.read_bytes() for path in Path("data/raw").iterdir() if path.name != name}
    (project / "archives" / name).unlink()
    brought = bring(parameters(), Path("data/raw"))
    assert contents(project / "data/raw" / name) == {}
    assert {path.name: path.read_bytes() for path in Path("data/raw").iterdir() if path.name != name} == others
    assert brought.archives.keys() == {"iamdb.zip", "matlab.zip"} - {name}
    [line] = [line for line in brought.lines if line.startswith(name)]
    assert re.match(
        {
            "iamdb.zip": rf"iamdb.zip: no forms, for there is {IAM_ALONE}.*; get IAM from https://fki",
            "matlab.zip": r"matlab.zip: no glyphs, for there is no matlab.zip; get EMNIST .* from https://www.nist.gov",
        }[name],
        line,
    )


def test_your_own_pages_or_fonts_are_enough(project):
    write_folder(project / "mine/letters", PAGES)
    (project / "fonts").mkdir()
    (project / "fonts/a.ttf").write_bytes(b"a")
    bring(parameters(path="mine", ground_truth=["letters"]), Path("data/raw"))
    assert len(contents(project / "data/raw/ground_truth.zip")) == len(PAGES)
    (project / "empty").mkdir()
    brought = bring(parameters(path="empty", fonts="fonts"), Path("data/raw"))
    assert brought.archives == {}
    assert contents(project / "data/raw/fonts.zip") == {"a.ttf": b"a"}
    for name in ("iamdb.zip", "matlab.zip", "ondb.zip", "ground_truth.zip"):
        assert contents(project / "data/raw" / name) == {}
    message = r"^empty: none of ascii-all.tar.gz, .*, iamdb.zip, .* is there, and neither .* get IAM from https"
    with pytest.raises(TextrecError, match=message):
        bring(parameters(path="empty"), Path("data/raw"))


def test_missing_archives_are_named_with_where_to_get_them(project):
    (project / "archives/iamdb.zip").unlink()
    write_originals(project / "archives")
    (project / "archives/formsE-H.tgz").unlink()
    with pytest.raises(TextrecError, match=r"^archives: formsE-H.tgz not found; get IAM from https"):
        bring(parameters(), Path("data/raw"))
    with pytest.raises(TextrecError, match=r"data.path: no folder nowhere;"):
        bring(parameters(path="nowhere"), Path("data/raw"))


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("forms/", r"no member in forms/; get IAM anew"),
        ("xml/", r"no member in xml/; get IAM anew"),
        ("task/trainset", r"task/trainset.txt is missing in the archive"),
    ],
)
def test_incomplete_iam_is_refused(project, left_out, message):
    write_zip(project / "archives/iamdb.zip", {name: data for name, data in IAM.items() if left_out not in name})
    with pytest.raises(TextrecError, match=f"^archives/iamdb.zip: {message}"):
        bring(parameters(), Path("data/raw"))


def test_emnist_without_by_class_is_refused(project):
    write_zip(project / "archives/matlab.zip", {"matlab/emnist-letters.mat": b"letters"})
    with pytest.raises(TextrecError, match=r"^archives/matlab.zip: emnist-byclass.mat is missing"):
        bring(parameters(), Path("data/raw"))


@pytest.mark.parametrize("name", ["forms/a01-000u.jpg", "xml/a01-000u.xml", "task/testset.txt"])
def test_a_padded_member_is_refused(project, name):
    padded = IAM[name] + bytes(2**20)
    write_zip(project / "archives/iamdb.zip", IAM | {name: padded}, compression=zipfile.ZIP_DEFLATED)
    size = r"1.0 MiB, more than data.max_member_mib = 1.0; raise it if you trust the archive"
    with pytest.raises(TextrecError, match=f"^archives/iamdb.zip: {name}: {size}"):
        bring(parameters(), Path("data/raw"))
    bring(parameters(max_member_mib=1.1), Path("data/raw"))


def test_a_large_member_that_is_not_wanted_or_holds_all_of_a_kind_is_none_too_large(project):
    write_zip(project / "archives/iamdb.zip", IAM | {"readme.txt": bytes(2**20 + 1)})
    write_zip(project / "archives/matlab.zip", MAT | {"matlab/emnist-byclass.mat": bytes(2**20 + 1)})
    bring(parameters(), Path("data/raw"))


@pytest.mark.parametrize("twin", ["forms/a01-000u.png", "twin/forms/a01-000u.jpg", "twin/xml/a01-000u.xml"])
def test_two_members_of_one_id_are_refused(project, twin):
    write_zip(project / "archives/iamdb.zip", IAM | {twin: b"twin"})
    with pytest.raises(TextrecError, match=rf"^archives/iamdb.zip: {twin}: .*a01-000u.* is also given by .*a01-000u"):
        bring(parameters(), Path("data/raw"))


def test_one_form_in_two_archives_is_refused(project):
    write_originals(project / "originals")
    write_zip(project / "originals/matlab.zip", MAT)
    write_tgz(project / "originals/formsI-Z.tgz", {"a01-000u.png": b"twin"})
    with pytest.raises(TextrecError, match=r"^originals/formsI-Z.tgz: a01-000u.png: .* also given by .*/formsA-D.tgz"):
        bring(parameters(path="originals"), Path("data/raw"))


def test_digest_is_checked_where_given(project):
    right = hashlib.sha256((project / "archives/iamdb.zip").read_bytes()).hexdigest()
    bring(parameters(sha256={"iamdb.zip": right}), Path("data/raw"))
    message = rf"^archives/iamdb.zip: sha256 is {right}, expected {'0' * 64}; .* data.sha256"
    with pytest.raises(TextrecError, match=message):
        bring(parameters(sha256={"iamdb.zip": "0" * 64}), Path("data/raw"))


def test_failure_while_writing_replaces_nothing(project):
    bring(parameters(), Path("data/raw"))
    before = {path.name: path.read_bytes() for path in Path("data/raw").iterdir()}
    write_zip(project / "archives/iamdb.zip", IAM | {"forms/new.jpg": b"new"})
    damaged = bytearray((project / "archives/matlab.zip").read_bytes())
    damaged[damaged.index(b"by class")] ^= 1  # the checksum is met when the member is read to its end
    (project / "archives/matlab.zip").write_bytes(damaged)
    with pytest.raises(TextrecError, match=r"^archives/matlab.zip: truncated or not an archive \(Bad CRC-32"):
        bring(parameters(), Path("data/raw"))
    assert {path.name: path.read_bytes() for path in Path("data/raw").iterdir()} == before


# ---- sample ----


def test_sample_goes_the_way_of_a_folder(project):
    report = bring(parameters(source="sample", path=None), Path("data/raw")).lines
    assert report[0] == "iamdb.zip: 12 forms and 12 XML files from iamdb.zip"
    assert len(contents(project / "data/raw/iamdb.zip")) == 12 + 12 + 4
    assert list(contents(project / "data/raw/matlab.zip")) == ["emnist-byclass.mat"]
    assert sorted(path.name for path in Path("data/raw").iterdir()) == [
        "corpus.txt",
        "fonts.zip",
        "ground_truth.zip",
        "iamdb.zip",
        "matlab.zip",
        "ondb.zip",
    ]


# ---- ground truth ----

PAGES = {"train/one/page.xml": b"<PcGts/>", "train/one/page.jpg": b"a page", "lines/a.gt.txt": b"text"}
HIDDEN = {".DS_Store": b"", "__MACOSX/one/._page.jpg": b"", "one/.git/config": b"", "one/._page.xml": b""}


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_folders_and_zip_files_of_pages_become_one_archive(project):
    write_folder(project / "archives/letters", PAGES | HIDDEN)
    write_zip(project / "archives/old.zip", {f"old/{name}": data for name, data in (PAGES | HIDDEN).items()})
    brought = bring(parameters(ground_truth=["old.zip", "letters"]), Path("data/raw"))
    expected = {f"{corpus}/{name}": data for corpus in ("letters", "old") for name, data in PAGES.items()}
    assert contents(project / "data/raw/ground_truth.zip") == expected
    assert list(contents(project / "data/raw/ground_truth.zip")) == sorted(expected)
    assert brought.lines[4] == "ground_truth.zip: 6 files from letters, old.zip"
    assert brought.archives["letters"] == {"bytes": sum(map(len, PAGES.values())), "files": 3}
    assert brought.archives["old.zip"].keys() == {"bytes", "sha256"}


def test_without_ground_truth_its_archive_is_empty(project):
    assert (
        bring(parameters(), Path("data/raw")).lines[4].startswith("ground_truth.zip: no pages, for data.ground_truth")
    )
    assert contents(project / "data/raw/ground_truth.zip") == {}


def test_the_sample_has_letters_or_the_pages_that_are_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bring(parameters(source="sample", path=None), Path("data/raw"))
    names = list(contents(tmp_path / "data/raw/ground_truth.zip"))
    assert names[:2] == ["letters/test/letter-17/page.jpg", "letters/test/letter-17/page.xml"]
    assert len(names) == 2 * 21
    write_folder(tmp_path / "mine/scans", PAGES)
    bring(parameters(source="sample", path="mine", ground_truth=["scans"]), Path("data/raw"))
    assert list(contents(tmp_path / "data/raw/ground_truth.zip")) == sorted(f"scans/{name}" for name in PAGES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ground_truth": ["none.zip"]}, r"archives: none.zip not found, named by data.ground_truth; put it beside"),
        ({"ground_truth": ["empty"]}, r"archives/empty: no file is in it, which data.ground_truth names"),
        ({"ground_truth": ["away.zip"]}, r"archives/away.zip: '../x.xml' leads out of the archive"),
        ({"ground_truth": ["twice.zip"]}, r"twice/a.xml is also given by .*; remove one of them"),
        ({"ground_truth": ["damaged.zip"]}, r"archives/damaged.zip: truncated or not an archive"),
        ({"ground_truth": ["letters"], "sha256": {"letters": "0" * 64}}, r"letters is a folder, which has no digest"),
        ({"ground_truth": ["twice.zip"], "sha256": {"twice.zip": "0" * 64}}, r"twice.zip: sha256 is .*, expected 000"),
    ],
)
def test_ground_truth_that_cannot_be_taken_leaves_all_as_it_was(project, changes, message):
    bring(parameters(), Path("data/raw"))
    before = {path.name: path.read_bytes() for path in Path("data/raw").iterdir()}
    write_folder(project / "archives/letters", PAGES)
    (project / "archives/empty").mkdir()
    write_zip(project / "archives/away.zip", {"../x.xml": b""})
    write_zip(project / "archives/twice.zip", {"twice/a.xml": b"", "a.xml": b""})
    (project / "archives/damaged.zip").write_bytes(b"PK")
    with pytest.raises(TextrecError, match=message) as caught:
        bring(parameters(**changes), Path("data/raw"))
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in Path("data/raw").iterdir()} == before


def test_ground_truth_is_fetched_from_a_url(project, site):
    write_zip(project / "archives/old.zip", PAGES)
    site.files = {path.name: path.read_bytes() for path in (project / "archives").iterdir()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in site.files.items()}
    urls = {name: f"{site.url}/{name}" for name in site.files}
    bring(parameters(source="url", urls=urls, sha256=digests, ground_truth=["old.zip"]), Path("data/raw"))
    assert contents(project / "data/raw/ground_truth.zip").keys() == {f"old/{name}" for name in PAGES}


# ---- parameters ----


def test_params_file_in_git_is_valid():
    assert load("data", DataParams, ROOT / "params.yaml").source == "sample"


GOOD_URLS = {"iamdb.zip": "https://example.org/iamdb.zip", "matlab.zip": "https://example.org/matlab.zip"}
DIGESTS = {"iamdb.zip": "0" * 64, "matlab.zip": "1" * 64}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "s3"}, r"params.yaml: data.source is 's3': input should be 'sample', 'local', 'url' or 'gdrive'"),
        ({"source": "gdrive"}, r"data.gdrive.folder is not set; with data.source: gdrive it is the folder"),
        ({"gdrive": {"folder": None, "files": {"i.zip": "12"}}}, r"data.gdrive.files names i.zip; known are ascii-all"),
        ({"ground_truth": ["a/b.zip"]}, r"data.ground_truth.0 is 'a/b.zip': string should match"),
        ({"ground_truth": [".."]}, r"data.ground_truth.0 is '..': string should match"),
        ({"ground_truth": ["a.zip", "a"]}, r"data.ground_truth names a twice; leave one, or rename it"),
        ({"ground_truth": ["matlab.zip"]}, r"data.ground_truth: 'matlab.zip' cannot be taken; it must be a folder or"),
        ({"ground_truth": ["a"], "source": "sample", "path": None}, r"data.path is not set; with data.source: sample"),
        (
            {"ground_truth": ["a"], "source": "url", "urls": {}},
            r"'a' cannot be taken; it must be a zip file of its own",
        ),
        ({"pth": "x"}, r"params.yaml: data.pth is not a parameter; did you mean 'path'\?"),
        ({"path": None}, r"data.path is not set; with data.source: local"),
        ({"max_unpacked_gib": 0}, r"data.max_unpacked_gib is 0: input should be greater than 0"),
        ({"max_member_mib": 0}, r"data.max_member_mib is 0: input should be greater than 0"),
        ({"max_unpacked_gib": float("inf")}, r"data.max_unpacked_gib is inf: input should be a finite number"),
        ({"sample": {"forms": 0, "seed": 1}}, r"data.sample.forms is 0: input should be greater than 0"),
        ({"sha256": {"iamdb.zip": "abc"}}, r"data.sha256.iamdb.zip is 'abc': string should match"),
        (
            {"sha256": {"imdb.zip": "0" * 64}},
            r"data.sha256 names imdb.zip; known are ascii-all.tar.gz, brown.zip, formsA-D.tgz",
        ),
        ({"urls": {"imdb.zip": "https://x"}}, r"data.urls names imdb.zip; known are ascii-all.tar.gz"),
        (
            {"source": "url"},
            r"data.urls: none of ascii-all.tar.gz, .*, xml.tgz is there, and neither data.ground_truth",
        ),
        ({"source": "url", "urls": {"xml.tgz": "https://x"}}, r"data.urls: formsA-D.tgz, .* not found; get IAM from"),
        ({"source": "url", "urls": GOOD_URLS}, r"data.sha256.iamdb.zip is missing"),
        (
            {"source": "url", "urls": GOOD_URLS | {"iamdb.zip": "http://me:secret@example.org/i.zip?key=secret"}},
            r"data.urls.iamdb.zip is http://example.org/i.zip: must begin with https://$",
        ),
        (
            {"source": "url", "urls": GOOD_URLS | {"iamdb.zip": "http://localhost@example.org/"}},
            r"must begin with https",
        ),
    ],
)
def test_impossible_parameters_are_refused(changes, message):
    with pytest.raises(TextrecError, match=message):
        parameters(**changes)


# ---- url ----


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(textrec.archives.fetch, "RETRY", textrec.archives.fetch.RETRY.new(backoff_factor=0))
    with Site() as server:
        yield server


DATA = random.Random(1).randbytes(400_000)  # noqa: S311
DIGEST = hashlib.sha256(DATA).hexdigest()


def test_url_source_gives_what_the_folder_gives(project, site):
    bring(parameters(), Path("data/raw"))
    site.files = {path.name: path.read_bytes() for path in (project / "archives").iterdir()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in site.files.items()}
    urls = {name: f"{site.url}/{name}?token=secret" for name in site.files}
    bring(parameters(source="url", urls=urls, sha256=digests), Path("data/other"))
    for path in Path("data/raw").iterdir():
        assert path.read_bytes() == (project / "data/other" / path.name).read_bytes()
    assert sorted(path.name for path in Path("data/other").iterdir()) == [
        "corpus.txt",
        "fonts.zip",
        "ground_truth.zip",
        "iamdb.zip",
        "matlab.zip",
        "ondb.zip",
    ]


def test_connection_that_breaks_is_resumed_where_it_broke(tmp_path, site):
    site.files = {"a.zip": DATA}
    site.plan = [{"cut": 150_000}, {"cut": 150_000}]
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert (tmp_path / "a.zip").read_bytes() == DATA
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in site.ranges]
    assert starts[0] == 0 < starts[1] < starts[2]
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_part_of_an_earlier_run_is_resumed(tmp_path, site):
    site.files = {"a.zip": DATA}
    (tmp_path / f"a.zip.{DIGEST[:16]}.part").write_bytes(DATA[:123_456])
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert (tmp_path / "a.zip").read_bytes() == DATA
    assert site.ranges == ["bytes=123456-"]


@pytest.mark.parametrize("part", [DATA, DATA + b"more", DATA[:-1] + b"?", b"other" * 1000])
def test_part_that_cannot_be_continued_is_fetched_anew(tmp_path, site, part):
    site.files = {"a.zip": DATA}
    (tmp_path / f"a.zip.{DIGEST[:16]}.part").write_bytes(part)
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert (tmp_path / "a.zip").read_bytes() == DATA


def test_server_without_ranges_sends_the_whole_again(tmp_path, site):
    site.files = {"a.zip": DATA}
    site.plan = [{"cut": 150_000, "ignore_range": True}, {"ignore_range": True}]
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert (tmp_path / "a.zip").read_bytes() == DATA


def test_transport_encoding_is_not_taken_for_the_file(tmp_path, site):
    site.files = {"xml.tgz": DATA}
    site.plan = [{"headers": {"Content-Encoding": "gzip"}}]
    fetch(Url(f"{site.url}/xml.tgz"), tmp_path / "xml.tgz", expected=DIGEST)
    assert (tmp_path / "xml.tgz").read_bytes() == DATA
    assert len(site.ranges) == 1


def test_tries_are_counted_anew_when_bytes_have_come(tmp_path, site, monkeypatch):
    monkeypatch.setattr(textrec.archives.fetch, "RETRY", textrec.archives.fetch.RETRY.new(total=1))
    site.files = {"a.zip": DATA}
    site.plan = [{"cut": 70_000}] * 4
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert (tmp_path / "a.zip").read_bytes() == DATA


@pytest.mark.usefixtures("site")
def test_address_that_cannot_be_parsed_is_told_without_secrets(tmp_path):
    with pytest.raises(TextrecError, match=r"^http://127.0.0.1:99999/a.zip: ") as caught:
        fetch(Url("http://me:secret@127.0.0.1:99999/a.zip?key=secret"), tmp_path / "a.zip", expected=DIGEST)
    assert "secret" not in str(caught.value)


def test_wrong_digest_removes_the_part_and_tells_both(tmp_path, site):
    site.files = {"a.zip": DATA}
    with pytest.raises(TextrecError, match=rf"/a.zip: sha256 is {DIGEST}, expected {'0' * 64};"):
        fetch(Url(f"{site.url}/a.zip?key=secret"), tmp_path / "a.zip", expected="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_there_is_not_fetched_again(tmp_path, site):
    (tmp_path / "a.zip").write_bytes(DATA)
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert site.ranges == []


def test_busy_server_is_asked_again_when_it_says(tmp_path, site):
    site.files = {"a.zip": DATA}
    site.plan = [{"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}]
    begun = time.monotonic()
    fetch(Url(f"{site.url}/a.zip"), tmp_path / "a.zip", expected=DIGEST)
    assert (tmp_path / "a.zip").read_bytes() == DATA
    assert time.monotonic() - begun > 0.9


def test_last_try_ends_with_one_line_without_secrets(tmp_path, site):
    site.plan = [{"status": 500}] * 9
    url = site.url.replace("//", "//me:secret@") + "/a.zip?key=secret#secret"
    message = rf"^{site.url}/a.zip: HTTP 500 Internal Server Error, 6 times; run the same command again later to go on$"
    with pytest.raises(TextrecError, match=message):
        fetch(Url(url), tmp_path / "a.zip", expected=DIGEST)
    assert len(site.ranges) == 6


def test_no_server_at_all(tmp_path, site):
    site.close()
    with pytest.raises(TextrecError, match=rf"^{site.url}/a.zip: \[Errno \d+\] Connection refused, 6 times;"):
        fetch(Url(f"{site.url}/a.zip?key=secret"), tmp_path / "a.zip", expected=DIGEST)


def test_wrong_address_is_not_tried_again(tmp_path, site):
    with pytest.raises(TextrecError, match=r"/a.zip: HTTP 404 Not Found; check the address in data.urls"):
        fetch(Url(f"{site.url}/a.zip?key=secret"), tmp_path / "a.zip", expected=DIGEST)
    assert len(site.ranges) == 1


# ---- the stage as a process ----


def stage(project: Path, **changes) -> list[str]:
    """Write params.yaml and give the stage's command."""
    section = parameters(**changes).model_dump()
    (project / "params.yaml").write_text(yaml.safe_dump({"data": section}))
    return [sys.executable, "-m", "stages.download"]


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}


def test_stage_on_a_full_disk_keeps_the_last_good_output(project):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = stage(project)
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    before = {path.name: path.read_bytes() for path in Path("data/raw").iterdir()}
    write_zip(project / "archives/iamdb.zip", IAM | {"forms/big.jpg": DATA})
    done = subprocess.run(command, env=ENVIRONMENT, preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: data/raw/.iamdb.zip.tmp: File too large\n"
    assert {path.name: path.read_bytes() for path in Path("data/raw").iterdir()} == before


def test_stage_interrupted_while_fetching_goes_on_at_the_next_run(project, site):
    write_zip(project / "archives/iamdb.zip", IAM | {"forms/big.jpg": DATA})
    site.files = {path.name: path.read_bytes() for path in (project / "archives").iterdir()}
    site.plan = [{"stall": 300_000}]
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in site.files.items()}
    command = stage(project, source="url", urls={name: f"{site.url}/{name}" for name in site.files}, sha256=digests)
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        while not any(part.stat().st_size for part in project.glob("data/raw/archives/*.part")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1]
    assert process.returncode == 130
    assert errors == "error: interrupted; nothing was overwritten, run the same command again to go on\n"
    assert [path.suffix for path in project.glob("data/raw/archives/*")] == [".part"]
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    assert site.ranges[0] == "bytes=0-" != site.ranges[1]
    assert sorted(path.name for path in Path("data/raw").iterdir()) == [
        "corpus.txt",
        "fonts.zip",
        "ground_truth.zip",
        "iamdb.zip",
        "matlab.zip",
        "ondb.zip",
    ]
    assert set(contents(project / "data/raw/iamdb.zip")) == {*IAM, "forms/big.jpg"}


def test_importing_sources_is_quick():
    heavy = "{'nltk', 'torch', 'numpy', 'PIL'}"
    code = f"import sys, textrec.archives.sources; assert not {heavy} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True)
