"""The command `textrec read`, on an untrained network: what it writes, says, and ends with."""

import csv
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import Run
from networks import line_recognizer, recognizer
from PIL import ExifTags, Image
from text_images import line, text_image

from textrec.network.trained import Reading
from textrec.pages.pictures import SUFFIXES, Picture, open_pictures
from textrec.reading import sheets
from textrec.reading.recognizer import BOXED, OWN, Recognizer

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
  <Metadata><Creator>c</Creator><Created>2020-01-01T00:00:00</Created><LastChange>2020-01-01T00:00:00</LastChange></Metadata>
  <Page imageFilename="scan.png" imageWidth="400" imageHeight="300">
    <TextRegion id="r"><Coords points="0,0 400,0 400,300 0,300"/>
      <TextLine id="l1"><Coords points="0,0 400,0 400,100 0,100"/></TextLine>
      <TextLine id="l2"><Coords points="0,100 400,100 400,200 0,200"/></TextLine>
      <TextLine id="l3"><Coords points="900,100 990,100 990,200 900,200"/></TextLine>
    </TextRegion>
  </Page>
</PcGts>
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ckpt"
    built = recognizer(max_width=1200)
    built.save(path)
    return path


@pytest.fixture
def lines_model(tmp_path: Path) -> Path:
    """One whose charset has no newline."""
    line_recognizer(max_width=1200).save(tmp_path / "lines.ckpt")
    return tmp_path / "lines.ckpt"


def save(folder: Path, *names: str) -> None:
    for index, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        line("abcdefg"[: index + 1] * 2).save(folder / name)


def test_a_line_of_json_for_each_picture_in_their_order(run: Run, model: Path, tmp_path: Path) -> None:
    save(tmp_path, "c.png", "a.jpg", "folder/b.webp", "folder/a.tif", "folder/notes.txt.png")
    (tmp_path / "folder/readme.txt").write_text("no picture")
    code, out, err = run("read", "c.png", "folder", "*.jpg", "--model", model, "--batch-size", 2)
    records = [json.loads(text) for text in out.splitlines()]
    names = ["c.png", "folder/a.tif", "folder/b.webp", "folder/notes.txt.png", "a.jpg"]
    assert [record["path"] for record in records] == names
    assert (code, err) == (0, "5 read, 0 could not be read\n")
    direct = Recognizer.load(model).read([tmp_path / name for name in names])
    for record, reading in zip(records, direct, strict=True):
        assert record["text"] == reading.text
        assert record["confidence"] == pytest.approx(reading.confidence, abs=1e-4)
        assert record["characters"] == pytest.approx(reading.characters, abs=1e-4)
        assert record["milliseconds"] > 0
        assert record["accepted"]


def test_a_list_of_files_on_standard_input(run: Run, model: Path, tmp_path: Path) -> None:
    save(tmp_path, "a.png", "b c.png")
    code, out, _ = run("read", "-", "--model", model, "--out", "text", stdin=b"b c.png\na.png\n\n")
    texts = [reading.text for reading in Recognizer.load(model).read(["b c.png", "a.png"])]
    assert (code, out) == (0, "".join(f"{text}\n" for text in texts))


def test_pages_and_blank_pages_in_a_table(run: Run, model: Path, tmp_path: Path) -> None:
    blank = Image.new("L", (600, 100), 255)
    line("abc").save(tmp_path / "a.tiff", save_all=True, append_images=[blank])
    code, out, _ = run("read", "a.tiff", "--model", model, "--out", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["page"] for row in rows] == ["1", "2"]
    assert (rows[1]["text"], rows[1]["confidence"], code) == ("", "0.0", 0)
    assert rows[0]["text"]


def test_bad_files_are_told_and_counted_and_the_rest_is_read(run: Run, model: Path, tmp_path: Path) -> None:
    save(tmp_path, "good.png", "more.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "other.xml").write_text("<other/>")
    (tmp_path / "torn.tif").write_bytes(b"II*\0torn")  # of which Pillow warns
    bad = ["empty.png", "text.png", "torn.tif", "gone.png", "nothing", "no*.png", "other.xml"]
    code, out, err = run("read", "good.png", *bad, "more.png", "--model", model)
    assert code == 1
    records = [json.loads(text) for text in out.splitlines()]
    assert [record["path"] for record in records] == ["good.png", *bad, "more.png"]
    assert ["error" in record for record in records] == [False, *[True] * 7, False]
    assert "Traceback" not in err
    told = err.splitlines()
    assert told[-1] == "2 read, 7 could not be read"
    assert [text.split(":")[1].strip() for text in told[:-1]] == bad
    assert told[0] == "error: empty.png: an empty file"
    assert told[2] == "error: torn.tif: not a picture that can be read (of no kind that is known)"
    assert told[3].startswith("error: gone.png: No such file")
    assert told[4].startswith("error: nothing: no picture in this folder")


def test_what_is_not_sure_enough_is_rejected(run: Run, model: Path, tmp_path: Path) -> None:
    save(tmp_path, "a.png", "b.png", "c.png")
    sure = sorted(reading.confidence for reading in Recognizer.load(model).read(sorted(tmp_path.glob("*.png"))))
    least = (sure[0] + sure[1]) / 2
    code, out, err = run("read", tmp_path, "--model", model, "--min-confidence", least)
    assert sorted(json.loads(text)["accepted"] for text in out.splitlines()) == [False, True, True]
    assert (code, err) == (0, f"2 read, 1 less sure than {least:g}, 0 could not be read\n")
    _, out, _ = run("read", tmp_path, "--model", model, "--min-confidence", least, "--out", "text")
    assert out.splitlines().count("") == 1


def test_lines_of_xml_are_read_and_written(run: Run, lines_model: Path, tmp_path: Path) -> None:
    scan = Image.new("L", (400, 300), 245)
    for row, text in enumerate(("abc", "defg")):
        scan.paste(line(text).crop((20, 30, 170, 100)), (20, 15 + 100 * row))
    scan.save(tmp_path / "scan.png")
    (tmp_path / "page.xml").write_text(PAGE)
    code, out, err = run("read", "page.xml", "--model", lines_model, "--to", "read")
    [record] = [json.loads(text) for text in out.splitlines()]
    lines = record["lines"]
    assert [(line["id"], "problem" in line) for line in lines] == [("l1", False), ("l2", False), ("l3", True)]
    assert record["text"].split("\n") == [line["text"] for line in lines]
    assert code == 1
    assert err.startswith("error: page.xml, line l3: ")
    assert (tmp_path / "page.xml").read_text() == PAGE
    written = (tmp_path / "read/page.xml").read_text()
    assert all(f"<Unicode>{line['text']}</Unicode>" in written for line in lines[:2])
    assert written.count("<TextEquiv") == 2
    run("read", "page.xml", "--model", lines_model, "--min-confidence", 1)  # nothing is so sure
    assert (tmp_path / "page.xml").read_text() == PAGE
    run("read", "page.xml", "--model", lines_model)
    assert (tmp_path / "page.xml").read_text() == written


def test_unless_named_ones_own_model_reads_if_it_learned_from_more_than_the_sample(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    assert run("read", "a.png")[2].splitlines()[0] == f"model: {BOXED}"
    (tmp_path / "models").mkdir()
    for sample, path in ((True, BOXED), (False, OWN)):
        replace(recognizer(max_width=1200), sample=sample).save(tmp_path / OWN)
        code, out, err = run("read", "a.png")
        assert (code, err.splitlines()) == (0, [f"model: {path}", "1 read, 0 could not be read"])
        reading = Recognizer.load(path).read([tmp_path / "a.png"])
        assert [json.loads(out)["text"]] == [reading[0].text] == [Recognizer.load().read([tmp_path / "a.png"])[0].text]
    code, _, err = run("read", "a.png", "--model", BOXED)
    assert (code, err) == (0, "1 read, 0 could not be read\n")


def test_an_install_without_its_model_says_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "a.png")
    monkeypatch.setattr("textrec.reading.recognizer.BOXED", tmp_path / "latin.ckpt")
    code, out, err = run("read", "a.png")
    assert (code, out) == (1, "")
    assert err.splitlines()[1:] == [
        f"error: {tmp_path}/latin.ckpt: not found, though textrec brings it along; install it again, or name a model"
    ]


def test_a_model_of_paragraphs_is_not_for_xml(run: Run, model: Path, tmp_path: Path) -> None:
    line().save(tmp_path / "scan.png")
    (tmp_path / "page.xml").write_text(PAGE)
    code, _, err = run("read", "page.xml", "--model", model)
    assert code == 1
    assert err.startswith("error: page.xml: lines of XML are read by a model of lines")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["read"], 2, "the following arguments are required: IMAGE"),
        (["read", "a.png", "--batch-size", "0"], 2, "argument --batch-size: '0' is no number from 1 on"),
        (["read", "a.png", "--min-confidence", "90"], 2, "argument --min-confidence: '90' is no number from 0 to 1"),
        (["read", "a.png", "--out", "xml"], 2, "invalid choice: 'xml'"),
        (["read", "a.png", "--runtime", "onnx"], 1, "error: models/model.onnx: not found"),
        (["read", "a.png", "--device", "cuda"], 1, "error: --device cuda: torch finds no such device"),
    ],
)
def test_wrong_options(run: Run, arguments: list[str], code: int, message: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def start(folder: Path, *arguments: object, **options: Any) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", "textrec.cli", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, **({"text": True} | pipes | options))


def test_ctrl_c_leaves_whole_lines(model: Path, tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    with subprocess.Popen(["yes", "a.png"], stdout=subprocess.PIPE) as names, (tmp_path / "out").open("w") as out:
        process = start(tmp_path, "read", "-", "--model", model, "--batch-size", 1, stdin=names.stdout, stdout=out)
        while (tmp_path / "out").stat().st_size < 2000:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1]
        names.kill()
    assert process.returncode == 130
    assert err.splitlines() == ["error: interrupted; all that was written is whole"]
    assert all(json.loads(text)["text"] for text in (tmp_path / "out").read_text().splitlines())


def test_whoever_reads_may_have_seen_enough(model: Path, tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    (tmp_path / "list").write_text("a.png\n" * 4000)
    with (tmp_path / "list").open() as file:
        process = start(tmp_path, "read", "-", "--model", model, "--batch-size", 1, stdin=file)
        with process:
            assert process.stdout
            assert process.stderr
            json.loads(process.stdout.readline())
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 141
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            process = start(tmp_path, "read", "a.png", "--model", model, stdout=full)
            err = process.communicate()[1]
        assert process.returncode == 1
        assert err.splitlines()[-1].startswith("error: No space left on device; free some space")


FIRST = '<Coords points="0,0 400,0 400,100 0,100"/>'
OLD = PAGE.replace(FIRST, f"{FIRST}<TextEquiv><Unicode>old</Unicode></TextEquiv>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page of three lines, the first blank and with a text, the third outside of the image."""
    scan = Image.new("L", (400, 300), 245)
    scan.paste(line("defg").crop((20, 30, 170, 100)), (20, 115))
    scan.save(tmp_path / "scan.png")
    (tmp_path / "page.xml").write_text(OLD)
    return tmp_path


def test_a_blank_outline_erases_no_text(run: Run, lines_model: Path, folder: Path) -> None:
    _, out, err = run("read", "page.xml", "--model", lines_model)
    first, second, _ = json.loads(out)["lines"]
    assert (first["text"], first["accepted"], second["accepted"]) == ("", False, True)
    assert "<Unicode>old</Unicode>" in (folder / "page.xml").read_text()
    assert err.endswith("1 read, 1 without text, 1 could not be read\n")


def test_ink_without_text_is_told_and_erases_none(
    run: Run, lines_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "page.xml").write_text(OLD.replace("0,0 400,0 400,100 0,100", "0,100 400,100 400,200 0,200"))
    monkeypatch.setattr(Recognizer, "read_crops", lambda _, crops, **__: [Reading("", 0.99, ())] * len(crops))
    _, _, err = run("read", "page.xml", "--model", lines_model)
    assert "warning: page.xml, line l1: no text was found in its ink; is it turned?\n" in err
    assert "<Unicode>old</Unicode>" in (folder / "page.xml").read_text()


@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_image_that_exif_turns_is_read_where_the_xml_says_which_way(
    run: Run, lines_model: Path, folder: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.open(folder / "scan.png").save(folder / "scan.jpg", exif=exif)
    (folder / "page.xml").write_text(OLD.replace("scan.png", "scan.jpg"))
    code, out, err = run("read", "page.xml", "--model", lines_model)
    assert code == 1
    if orientation < 5:
        assert err.startswith("error: page.xml: its image scan.jpg is turned by its EXIF, and its coordinates do not")
    else:
        page = json.loads(out)
        assert (page["width"], page["height"], page["lines"][1]["text"] != "") == (300, 400, True)


def test_what_xml_calls_a_line_is_read_as_one(run: Run, lines_model: Path, folder: Path) -> None:
    two = text_image(["handwriting here", "and there, again"]).resize((380, 180))
    scan = Image.new("L", (400, 300), 245)
    scan.paste(two, (10, 100))
    scan.save(folder / "scan.png")
    (folder / "page.xml").write_text(OLD.replace("400,200 0,200", "400,300 0,300"))
    _, out, _ = run("read", "page.xml", "--model", lines_model, "--to", "out")
    assert "problem" not in json.loads(out)["lines"][1]


def test_what_is_written_over_is_kept_once(run: Run, lines_model: Path, folder: Path) -> None:
    run("read", "page.xml", "--model", lines_model, "--no-backup")
    assert not (folder / "page.xml.bak").exists()
    before = (folder / "page.xml").read_text()
    run("read", "page.xml", "--model", lines_model)
    (folder / "page.xml").write_text(OLD)
    run("read", "page.xml", "--model", lines_model)
    assert (folder / "page.xml.bak").read_text() == before


def test_lines_that_have_a_text_can_be_left(run: Run, lines_model: Path, folder: Path) -> None:
    filled = OLD.replace('400,200 0,200"/>', '400,200 0,200"/><TextEquiv><Unicode>mine</Unicode></TextEquiv>')
    (folder / "page.xml").write_text(filled)
    run("read", "page.xml", "--model", lines_model, "--only-empty")
    assert (folder / "page.xml").read_text() == filled
    run("read", "page.xml", "--model", lines_model)
    assert "mine" not in (folder / "page.xml").read_text()


def test_a_folder_has_its_xml_read_and_not_the_images_of_it(run: Run, lines_model: Path, folder: Path) -> None:
    save(folder, "other.jfif")
    (folder / "notes.xml").write_text("<notes/>")
    _, out, _ = run("read", folder, "--model", lines_model)
    assert {Path(json.loads(text)["path"]).name for text in out.splitlines()} == {"page.xml", "other.jfif"}


def test_a_picture_of_which_xml_has_some_pages_is_read_too(run: Run, lines_model: Path, folder: Path) -> None:
    image = Image.open(folder / "scan.png")
    image.save(folder / "scan.tif", save_all=True, append_images=[image])
    image.close()
    (folder / "scan.png").unlink()
    for number in (1, 2):
        item = f'<MetadataItem name="page" value="{number}"/></Metadata>'
        (folder / f"{number}.xml").write_text(OLD.replace("scan.png", "scan.tif").replace("</Metadata>", item))
        (folder / "page.xml").unlink(missing_ok=True)
        _, out, _ = run("read", folder, "--model", lines_model, "--to", "out")
        names = {Path(json.loads(text)["path"]).name for text in out.splitlines()}
        assert names == ({"1.xml", "scan.tif"}, {"1.xml", "2.xml"})[number - 1]
        shutil.rmtree(folder / "out")


def test_files_of_one_name_keep_their_folders(run: Run, lines_model: Path, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        for file in ("page.xml", "scan.png"):
            shutil.copy(folder / file, folder / name / file)
    run("read", "a/page.xml", "b/page.xml", "--model", lines_model, "--to", "out")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.glob("out/**/*.xml")) == [
        "out/a/page.xml",
        "out/b/page.xml",
    ]


def test_a_file_that_cannot_be_written_is_named_and_the_rest_is_read(run: Run, lines_model: Path, folder: Path) -> None:
    save(folder, "good.png")
    (folder / "out/page.xml").mkdir(parents=True)
    code, out, err = run("read", "page.xml", "good.png", "--model", lines_model, "--to", "out")
    assert code == 1
    assert json.loads(out.splitlines()[-1])["path"] == "good.png"
    assert "error: page.xml: not written to out/page.xml: Is a directory\n" in err


def test_trouble_that_nobody_thought_of_is_one_file_s(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "a.png", "b.png")

    def fail(path: str, *, start: int) -> Iterator[Picture]:
        if path == "a.png":
            raise ZeroDivisionError
        return open_pictures(path, start=start)

    monkeypatch.setattr(sheets, "open_pictures", fail)
    monkeypatch.setattr(sheets, "REPORT", tmp_path / "report.log")
    code, out, err = run("read", "a.png", "b.png", "--model", model)
    assert (code, ["text" in json.loads(text) for text in out.splitlines()]) == (1, [False, True])
    assert err.startswith(f"error: a.png: ZeroDivisionError that was not foreseen; please send {tmp_path}/report.log")
    assert "Traceback" in (tmp_path / "report.log").read_text()


def test_trouble_while_a_batch_is_read_is_one_file_s(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "a.png", "b.png", "c.png")
    _, _, width = sorted(Recognizer.load(model).crop(line(text)).pixels.shape[1] for text in ("aa", "abab", "abcabc"))
    read_batch = Recognizer.read_batch

    def fail(self: Recognizer, images: torch.Tensor, sizes: torch.Tensor, **options: Any) -> list[Reading]:
        if images.shape[-1] >= width:  # the widest, or a batch that holds it
            raise ZeroDivisionError
        return read_batch(self, images, sizes, **options)

    monkeypatch.setattr(Recognizer, "read_batch", fail)
    monkeypatch.setattr(sheets, "REPORT", tmp_path / "report.log")
    code, out, err = run("read", "a.png", "b.png", "c.png", "--model", model)
    assert (code, ["text" in json.loads(text) for text in out.splitlines()]) == (1, [True, True, False])
    report = f"please send {tmp_path}/report.log, which says where it came up"
    assert err.splitlines() == [
        f"error: c.png: ZeroDivisionError that was not foreseen; {report}",
        "2 read, 1 could not be read",
    ]


@pytest.mark.parametrize("most", [1, 0])
def test_too_little_memory_is_told_with_its_remedy(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    save(tmp_path, "a.png", "b.png")
    read_batch = Recognizer.read_batch

    def fail(self: Recognizer, images: torch.Tensor, sizes: torch.Tensor, **options: Any) -> list[Reading]:
        if len(images) > most:
            torch.empty(1 << 60)  # more than any machine has
        return read_batch(self, images, sizes, **options)

    monkeypatch.setattr(Recognizer, "read_batch", fail)
    code, out, err = run("read", "a.png", "b.png", "--model", model, "--batch-size", 20)
    assert (code, ["text" in json.loads(text) for text in out.splitlines()]) == (1 - most, [bool(most)] * 2)
    assert err.splitlines()[:-1] == [
        "warning: not enough memory for --batch-size 20; reading one at a time, a smaller one is faster",
        *(f"error: {name}.png: not enough memory for it; reduce it or cut it into parts" for name in "ab" if not most),
    ]


def test_a_report_that_cannot_be_written_harms_nobody(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "a.png")

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of 1")

    monkeypatch.setattr(sheets, "open_pictures", fail)
    monkeypatch.setattr(sheets, "REPORT", tmp_path)
    code, _, err = run("read", "a.png", "--model", model)
    told = "ZeroDivisionError that was not foreseen (of 1); no report of it could be written"
    assert (code, err.splitlines()[0]) == (1, f"error: a.png: {told}: {tmp_path}: Is a directory")


def test_an_xml_that_cannot_be_written_for_whatever_reason_is_one_file_s(
    run: Run, lines_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder, "good.png")

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sheets, "write_page", fail)
    monkeypatch.setattr(sheets, "REPORT", folder / "report.log")
    code, out, err = run("read", "page.xml", "good.png", "--model", lines_model)
    assert (code, json.loads(out.splitlines()[-1])["path"]) == (1, "good.png")
    assert "error: page.xml: not written to page.xml: ZeroDivisionError that was not foreseen" in err


def test_names_that_cannot_be_looked_at_are_their_own_trouble(run: Run, lines_model: Path, folder: Path) -> None:
    """In a folder XML that is not there, and links to themselves; a name that is longer than a disk takes."""
    for name, target in {"gone.xml": "nothing", "loop.xml": "loop.xml", "loop.png": "loop.png"}.items():
        (folder / name).symlink_to(target)
    long = "a" * 300 + ".png"
    code, out, err = run("read", folder, long, "--model", lines_model, "--only-empty")
    failed = [Path(record["path"]).name for text in out.splitlines() if "error" in (record := json.loads(text))]
    assert (code, failed) == (1, ["gone.xml", "loop.png", "loop.xml", long])
    assert f"error: {long}: File name too long\n" in err


# ---- lists, and consoles ----


@pytest.mark.parametrize(
    "listed",
    [b"\xff\xfe.png\n-\n", b"\xef\xbb\xbf\xff\xfe.png\r\n\r\n-", b"\xff\xfe.png\x00new\nline.png\x00-\x00"],
    ids=["lines", "as Windows has them", "of find -print0"],
)
def test_a_list_names_whatever_a_disk_takes(run: Run, model: Path, tmp_path: Path, listed: bytes) -> None:
    names = [name for name in ("\udcff\udcfe.png", "new\nline.png", "./-") if os.fsencode(Path(name).name) in listed]
    for name in names:
        line().save(tmp_path / name, format="PNG")
    code, out, err = run("read", "-", "--model", model, stdin=listed)
    assert (code, err) == (0, f"{len(names)} read, 0 could not be read\n")
    assert [json.loads(text)["path"] for text in out.splitlines()] == names


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {".jpe", ".jfif", ".jpeg", ".tiff", ".ppm", ".heic", ".heif"}))
def test_a_picture_on_standard_input_is_read(run: Run, model: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    line().save(path)
    code, out, _ = run("read", "-", "--model", model, stdin=path.read_bytes())
    record = json.loads(out)
    assert (code, record["path"], record["text"]) == (0, "-", Recognizer.load(model).read([path])[0].text)


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"\x89PNG\r\n\x1a\n", "error: -: not a picture that can be read"),
        (
            b"\xef\xbb\xbf<?xml version='1.0'?><PcGts/>",
            "error: -: standard input is XML, into which the text is written",
        ),
        (b"", "0 read, 0 could not be read"),
    ],
    ids=["a broken picture", "XML", "nothing"],
)
def test_what_is_neither_a_list_nor_a_picture_is_one_line(run: Run, model: Path, stdin: bytes, message: str) -> None:
    code, _, err = run("read", "-", "--model", model, stdin=stdin)
    assert code == int("error" in message)
    assert err.startswith(message)
    assert err.count("error") == code


@pytest.mark.parametrize("encoding", ["utf-8:strict", "cp1252:strict", "ascii:strict", "utf-16"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_any_console_takes_what_is_read_of_any_name(model: Path, tmp_path: Path, encoding: str, kind: str) -> None:
    names = ["\udcff.png", "é ł.png"]
    for name in names:
        line().save(tmp_path / name, format="PNG")
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"}
    with start(
        tmp_path, "read", *names, "go\nne\udcfe", "--model", model, "--out", kind, env=environment, text=False
    ) as process:
        out, err = process.communicate()
    assert process.returncode == 1
    codec = encoding.partition(":")[0]
    told = [text for text in err.decode(codec).splitlines() if text.startswith("error")]
    assert told == [r"error: go\nne\udcfe: No such file or directory"]
    if kind == "jsonl":
        assert [json.loads(text)["path"] for text in out.decode(codec).splitlines()] == [*names, "go\nne\udcfe"]
    else:
        rows = list(csv.DictReader(io.StringIO(out.decode(codec))))
        assert rows[0]["path"] == r"\udcff.png"
        assert rows[1]["path"].encode(codec, "backslashreplace") == names[1].encode(codec, "backslashreplace")


@pytest.mark.parametrize(
    ("closed", "code", "message"),
    [
        ("<&-", 1, "error: -: standard input is closed; give it a list of files, or a picture\n"),
        (">&-", 1, "error: standard output is closed, and what is read goes there; send it to a file\n"),
        ("2>&-", 0, ""),
    ],
)
def test_a_stream_may_be_closed(model: Path, tmp_path: Path, closed: str, code: int, message: str) -> None:
    save(tmp_path, "a.png")
    script = f'printf a.png | (exec {shlex.join([sys.executable, "-m", "textrec.cli"])} read - --model "$0" {closed})'
    done = subprocess.run(["sh", "-c", script, model], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, message)
    assert done.stdout.count("\n") == 1 - code
