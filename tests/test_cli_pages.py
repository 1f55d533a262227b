"""The command `textrec read` on whole pages, by an untrained network and the line finder of the box."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import Run
from networks import line_recognizer, recognizer
from PIL import Image
from text_images import WORDS, text_image

from textrec.pages.page_alto import read_page

LINES = 3
REGIONS = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
  <Page imageFilename="page.png" imageWidth="{width}" imageHeight="{height}">
    <TextRegion id="r"><Coords points="0,0 {width},0 {width},{middle} 0,{middle}"/></TextRegion>
  </Page>
</PcGts>
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "lines.ckpt"
    line_recognizer(max_width=1200).save(path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def page(tmp_path: Path) -> Path:
    picture().save(tmp_path / "page.png")
    return tmp_path / "page.png"


def picture(lines: list[str] = WORDS[:LINES]) -> Image.Image:
    return text_image(lines, size=40, margin=80)


def test_a_page_is_known_from_a_line_and_its_lines_are_told(run: Run, model: Path, page: Path) -> None:
    picture(WORDS[:1]).save(page.with_name("line.png"))
    code, out, err = run("read", "page.png", "line.png", "--model", model)
    whole, line = (json.loads(text) for text in out.splitlines())
    assert (code, err) == (0, f"{LINES + 1} read, 0 could not be read\n")
    assert [one["id"] for one in whole["lines"]] == ["line-1", "line-2", "line-3"]
    assert whole["text"].split() == " ".join(one["text"] for one in whole["lines"]).split()
    width, height = size_of(page)
    assert (whole["width"], whole["height"], whole["turned"]) == (width, height, 0)
    for one in whole["lines"]:
        points = np.array(one["polygon"])
        assert (points >= 0).all()
        assert (points <= (width, height)).all()
        assert len(one["characters"]) == len(one["text"])
        assert one["accepted"]
    assert "lines" not in line
    assert line["text"]


def test_what_a_picture_is_can_be_said(run: Run, model: Path, page: Path) -> None:
    picture(WORDS[:1]).save(page.with_name("line.png"))
    _, out, _ = run("read", "line.png", "--page", "--model", model)
    assert len(json.loads(out)["lines"]) == 1
    code, _, err = run("read", "page.png", "--lines", "--model", model)
    assert code == 1
    assert err.startswith(f"error: page.png: there seem to be {LINES} lines of text, and not one; read it as a page\n")
    code, _, err = run("read", "page.png", "--lines", "--page", "--model", model)
    assert code == 2
    assert "not allowed with argument" in err


@pytest.mark.usefixtures("page")
def test_text_has_blank_lines_between_blocks_and_form_feeds_between_pages(run: Run, model: Path) -> None:
    _, out, _ = run("read", "page.png", "page.png", "--out", "text", "--model", model)
    first, second = out.split("\f")
    assert first == second
    assert len(first.splitlines()) == LINES


@pytest.mark.usefixtures("page")
def test_a_table_has_a_row_for_each_line(run: Run, model: Path) -> None:
    _, out, _ = run("read", "page.png", "--out", "csv", "--model", model)
    assert [row["line"] for row in csv.DictReader(io.StringIO(out))] == ["line-1", "line-2", "line-3"]
    _, out, _ = run("read", "page.png", "page.png", "--out", "tsv", "--model", model)
    rows = list(csv.DictReader(io.StringIO(out), delimiter="\t"))
    assert [row["page_num"] for row in rows if row["level"] == "1"] == ["1", "2"]
    assert sum(row["level"] == "4" for row in rows) == 2 * LINES


@pytest.mark.parametrize(("kind", "name"), [("page", "page.xml"), ("alto", "page.xml"), ("hocr", "page.hocr")])
def test_files_are_made_once_and_again_where_that_is_said(
    run: Run, model: Path, page: Path, kind: str, name: str
) -> None:
    command = ("read", "page.png", "--out", kind, "--to", "out", "--model", model)
    code, out, err = run(*command)
    assert (code, out, err) == (0, "", f"{LINES} read, 0 could not be read\n")
    target = page.parent / "out" / name
    if kind != "hocr":
        assert [line.id for line in read_page(target).lines] == ["line-1", "line-2", "line-3"]
    target.write_text("mine")
    assert run(*command)[2] == "0 read, 1 were there already, 0 could not be read\n"
    assert target.read_text() == "mine"
    run(*command, "--again")
    assert target.read_text() != "mine"


def test_the_pages_of_a_file_are_files_or_one(run: Run, model: Path, page: Path) -> None:
    picture().save(
        page.with_name("book.pdf"), save_all=True, append_images=[Image.new("L", (400, 300), 255), picture()]
    )
    code, _, err = run("read", "book.pdf", "--out", "page", "--to", "out", "--model", model)
    assert (code, err.splitlines()) == (
        0,
        [
            "warning: book.pdf, page 2: no line of text was found",
            f"{2 * LINES} read, 1 without text, 0 could not be read",
        ],
    )
    assert sorted(path.name for path in (page.parent / "out").iterdir()) == [f"book-000{n}.xml" for n in (1, 2, 3)]
    run("read", "book.pdf", "--out", "pdf", "--to", "out", "--model", model)
    import pypdfium2

    document = pypdfium2.PdfDocument(page.parent / "out/book.pdf")
    counts = [document[number].get_textpage().count_chars() for number in range(3)]
    document.close()
    assert counts[0] > 0
    assert counts == [counts[0], 0, counts[0]]


def test_a_damaged_page_of_a_pdf_is_its_own_trouble(run: Run, model: Path, page: Path) -> None:
    path = page.with_name("book.pdf")
    picture().save(path, save_all=True, append_images=[picture(), picture()])
    first, second, third, fourth = path.read_bytes().split(b"/Type /Page\n")
    path.write_bytes(b"/Type /Page\n".join([first, second + b"/Type /Nope\n" + third, fourth]))
    code, out, err = run("read", "book.pdf", "--model", model)
    assert code == 1
    assert ["error" in json.loads(text) for text in out.splitlines()] == [False, True, False]
    assert err.startswith("error: book.pdf, page 2: not a picture that can be read (Failed to load page")


def test_a_locked_pdf_is_told(run: Run, model: Path, page: Path) -> None:
    import pikepdf

    picture().save(page.with_name("open.pdf"))
    with pikepdf.open(page.with_name("open.pdf")) as pdf:
        pdf.save(page.with_name("locked.pdf"), encryption=pikepdf.Encryption(owner="a", user="b"))
    code, _, err = run("read", "locked.pdf", "--model", model)
    assert code == 1
    assert err.startswith("error: locked.pdf: is protected by a password; save it without one\n")


def test_files_need_a_folder_and_those_of_one_name_do_not_meet(run: Run, model: Path, page: Path) -> None:
    code, _, err = run("read", "page.png", "--out", "page", "--model", model)
    assert (code, err) == (1, "error: --out page makes files; say in which folder by --to FOLDER\n")
    picture().save(page.with_name("page.jpg"))
    run("read", "page.png", "page.jpg", "--out", "page", "--to", "out", "--model", model)
    assert sorted(path.name for path in (page.parent / "out").iterdir()) == ["page.jpg.xml", "page.png.xml"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("kind", ["pdf", "hocr", "page"])
def test_a_file_that_cannot_be_finished_is_told_and_the_next_is_whole(
    run: Run, model: Path, page: Path, kind: str
) -> None:
    suffix, out = {"pdf": "pdf", "hocr": "hocr", "page": "xml"}[kind], page.parent / "out"
    picture().save(page.with_name("two.tif"), save_all=True, append_images=[picture()])
    out.mkdir()
    (out / f".page.{suffix}.tmp").symlink_to("/dev/full")
    code, _, err = run("read", "page.png", "two.tif", "--out", kind, "--to", "out", "--model", model)
    full = "No space left on device; free some space on this disk and run the same command again"
    assert (code, err.splitlines()) == (
        1,
        [f"error: page.png: not written to out/page.{suffix}: {full}", f"{3 * LINES} read, 1 could not be read"],
    )
    run("read", "two.tif", "--out", kind, "--to", "whole", "--model", model)
    wholes = sorted((page.parent / "whole").iterdir())
    assert [path.name for path in wholes] == sorted(path.name for path in out.iterdir())
    assert [len(path.read_bytes()) for path in wholes] == [len((out / path.name).read_bytes()) for path in wholes]


@pytest.mark.parametrize("option", ["--to", "--draw"])
@pytest.mark.usefixtures("page")
def test_a_folder_in_which_nothing_can_be_written_is_told_at_once(
    run: Run, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("read", "page.png", option, "page.png/out", "--model", "none")
    assert (code, err) == (1, "error: page.png/out: Not a directory\n")
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    code, _, err = run("read", "page.png", option, "out", "--model", "none")
    assert (code, err) == (1, "error: out: nothing can be written there; name another folder\n")


def test_what_was_found_is_drawn(run: Run, model: Path, page: Path) -> None:
    run("read", "page.png", "--draw", "drawn", "--model", model)
    with Image.open(page.parent / "drawn/page.png") as drawn, Image.open(page) as plain:
        assert drawn.size == plain.size
        assert np.asarray(drawn).std(axis=2).max() > 0  # in colour


def test_a_page_that_is_turned_is_read_and_told(run: Run, model: Path, page: Path) -> None:
    _, upright, _ = run("read", "page.png", "--model", model)
    picture().rotate(90, expand=True).save(page)
    _, out, err = run("read", "page.png", "--page", "--model", model)
    turned = json.loads(out)
    assert turned["turned"] in (1, 3)  # an untrained network does not know which
    assert f"note: page.png: the page is turned by {90 * turned['turned']} degrees clockwise\n" in err
    assert (turned["width"], turned["height"]) == tuple(json.loads(upright)[side] for side in ("height", "width"))


def test_regions_without_lines_get_those_that_lie_inside(run: Run, model: Path, page: Path) -> None:
    width, height = size_of(page)
    xml = page.with_name("regions.xml")
    xml.write_text(REGIONS.format(width=width, height=height, middle=height // 3))
    code, out, err = run("read", "regions.xml", "--model", model, "--to", "out")
    record = json.loads(out)
    assert code == 0
    assert len(record["lines"]) == 1
    assert f"note: regions.xml: {LINES - 1} lines outside of the regions without lines are left\n" in err
    image = page.parent / "out/page.png"
    image.write_bytes(page.read_bytes())
    written = read_page(page.parent / "out/regions.xml")
    assert [line.text for line in written.lines] == [line["text"] for line in record["lines"]]


def test_a_model_of_paragraphs_reads_no_pages_and_knows_no_places(run: Run, page: Path) -> None:
    recognizer(max_width=1200).save(page.with_name("paragraphs.ckpt"))
    for option in (["--page"], ["--out", "hocr", "--to", "out"], ["--out", "tsv"]):
        code, _, err = run("read", "page.png", *option, "--model", "paragraphs.ckpt")
        assert code == 1
        assert err.startswith("error: this is a model of paragraphs, which reads a picture at once")


def test_a_killed_reading_leaves_whole_files_and_goes_on(model: Path, page: Path) -> None:
    many, scans, out = 40, page.with_name("scans"), page.with_name("out")
    scans.mkdir()
    for number in range(many):
        (scans / f"{number:02}.png").symlink_to(page)
    words = [sys.executable, "-m", "textrec.cli", "read", scans, "--out", "page", "--to", out, "--model", model]
    command, options = [*map(str, words)], {"stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **options)
    while len(list(out.glob("*.xml"))) < LINES:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.xml")}
    assert len(times) < many
    done = subprocess.run(command, **options)
    read = f"{LINES * (many - len(times))} read, {len(times)} were there already, 0 could not be read\n"
    assert done.stderr == read
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert [len(read_page(path).lines) for path in out.glob("*.xml")] == [LINES] * many
