"""Whole pages in the browser: found, corrected by keyboard and by hand, saved as ground truth, exported."""

import base64
import contextlib
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from charsets import DEFAULTS
from PIL import Image
from repository import ROOT
from served_app import Site, ask, chromium, opened, playwright, served, upload, wait_for_text
from small_pages import line_recognizer, page, small_finder
from text_images import WORDS

from app.pages import FORMATS, MOST_POINTS, MOST_TEXT, edited_page, save_page, sent_lines
from app.reader import Read, Reader
from textrec.base.params import load
from textrec.base.runtime import TextrecError
from textrec.datasets.corrections import encode
from textrec.datasets.ground_truth import ImportPages
from textrec.datasets.samples import read_split
from textrec.pages.cutting import cut_line
from textrec.pages.page_alto import page_pixels, read_page
from textrec.reading.page_reading import LineReading, PageReading

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*many workers", "ignore:.*is not empty")
SAVED = "data/corrected_pages"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of lines, a line finder, and a picture of a page of four lines."""
    folder = tmp_path_factory.mktemp("project")
    line_recognizer(seed=2).save(folder / "models/model.ckpt")
    finder = small_finder(tmp_path_factory.mktemp("finder"))
    with torch.no_grad():  # it has learned too little to know how a page is turned
        finder.turned.weight.zero_()
        finder.turned.bias.copy_(torch.tensor([9.0, 0.0, 0.0, 0.0]))
    finder.save(folder / "finder.ckpt")
    page(WORDS)[0].convert("RGB").save(folder / "letter.png")
    return folder


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = ("models/model.ckpt", "--finder", "finder.ckpt")
    with served(project, tmp_path_factory.mktemp("temporary"), *options) as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=[1200, 360], ids=["desk", "phone"])
def editor(browser: playwright.Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[playwright.Page]:
    """The page of `project`, read and to be edited."""
    with opened(browser, site, request.param) as shown:
        upload(shown, site.folder / "letter.png")
        shown.get_by_label("Line 1", exact=True).wait_for()
        yield shown


wide = pytest.mark.parametrize("editor", [1200], indirect=True)
narrow = pytest.mark.parametrize("editor", [360], indirect=True)


def texts(editor: playwright.Page) -> list[str]:
    return editor.locator("#editor .lines input").evaluate_all("all => all.map(one => one.value)")


def said(editor: playwright.Page, text: str) -> None:
    wait_for_text(editor, "#editor .said", text)


def focused(editor: playwright.Page) -> str:
    return editor.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")


def press(editor: playwright.Page, *keys: str) -> None:
    for key in keys:
        editor.keyboard.press(key)


def write(editor: playwright.Page, text: str) -> None:
    press(editor, "Control+a")
    editor.keyboard.type(text)


def push(editor: playwright.Page, name: str) -> None:
    """Press a button by keys."""
    editor.get_by_role("button", name=name, exact=True).focus()
    press(editor, "Enter")


def polygon(editor: playwright.Page, shape: str = "polygon") -> np.ndarray:
    """The outline of the selected line, or its baseline, which is a polyline, in pixels of the page."""
    points = editor.locator(f"#editor {shape}.selected").get_attribute("points")
    assert points
    return np.array([[float(value) for value in point.split(",")] for point in points.split()])


def draw(editor: playwright.Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line from one place to another, each in shares of the page's width and height."""
    editor.get_by_role("button", name="Draw a line").click()
    stage = editor.locator("#editor .stage").bounding_box()
    assert stage
    for (across, down), move in ((begin, editor.mouse.down), (end, editor.mouse.up)):
        editor.mouse.move(stage["x"] + across * stage["width"], stage["y"] + down * stage["height"], steps=4)
        move()


def wait_for_reading(editor: playwright.Page) -> None:
    """Wait until a line that was drawn is read, whatever became of what was found."""
    editor.locator("#editor .said").get_by_text(re.compile("Read again|No text was found|stays as it is")).wait_for()


def cut_as_read(editor: playwright.Page) -> bool:
    """Wait for a cut of the size of what is read of the selected line; whether it is just that."""
    read = cut_line(np.asarray(page(WORDS)[0]), polygon(editor), polygon(editor, "polyline")).pixels
    size = "(it => [it.naturalHeight, it.naturalWidth].join())(document.querySelector('#editor .cut'))"
    editor.wait_for_function(f"size => size === {size}", arg=",".join(map(str, read.shape)))
    address = editor.get_by_role("img", name="cut out of the page").get_attribute("src")
    assert address
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
        return np.array_equal(np.asarray(image), read)


@wide
def test_a_page_is_corrected_by_keyboard_alone_saved_and_trained_on(
    site: Site, editor: playwright.Page, tmp_path: Path
) -> None:
    shutil.rmtree(site.folder / SAVED, ignore_errors=True)
    assert len(texts(editor)) == len(WORDS)
    wait_for_text(editor, "#reading", "A page of 4 lines, to correct below.")
    assert not editor.get_by_label("The text, to correct").is_visible()
    wait_for_text(editor, "#editor .unseen", "You have not yet been to 3 of 4 lines.")
    editor.get_by_label("Line 1", exact=True).focus()
    for key, line in (("ArrowDown", 2), ("Enter", 3), ("ArrowUp", 2), ("ArrowUp", 1)):
        press(editor, key)
        assert focused(editor) == f"Line {line}"

    write(editor, "aa bb cc dd")
    assert editor.locator("#editor .lines [aria-current] mark").count() == 0  # what a person writes is sure
    press(editor, *["ArrowLeft"] * 6, "Control+Enter")
    said(editor, "Split into lines 1 and 2.")
    assert (texts(editor)[:2], focused(editor)) == (["aa bb", "cc dd"], "Line 2")
    second = polygon(editor)
    press(editor, "ArrowUp")
    first = polygon(editor)
    assert first[:, 0].max() == pytest.approx(second[:, 0].min(), abs=1)  # across the line, not upright
    push(editor, "Merge with the next")
    assert texts(editor)[0] == "aa bb cc dd"
    whole = polygon(editor)
    assert (whole[:, 0].min(), whole[:, 0].max()) == (first[:, 0].min(), second[:, 0].max())

    editor.get_by_label("Line 1", exact=True).focus()
    press(editor, "Alt+ArrowDown")
    assert (texts(editor)[1], focused(editor)) == ("aa bb cc dd", "Line 2")
    push(editor, "Begin a block")
    editor.get_by_label("Line 2, which begins a block").wait_for()
    push(editor, "Delete")
    assert "aa bb cc dd" not in texts(editor)
    push(editor, "Undo")
    assert texts(editor)[1] == "aa bb cc dd"
    for undo, redo in (("Control+z", "Control+y"), ("Control+z", "Control+Shift+Z")):
        press(editor, redo)
        said(editor, "Redone.")
        assert "aa bb cc dd" not in texts(editor)
        press(editor, undo)
        assert texts(editor)[1] == "aa bb cc dd"
    push(editor, "Redo")
    assert "aa bb cc dd" not in texts(editor)
    press(editor, "Control+z", "Control+z")
    editor.get_by_label("Line 2", exact=True).wait_for()  # it begins no block
    press(editor, "Control+y")
    editor.get_by_label("Line 2, which begins a block").wait_for()

    editor.get_by_label("Line 4", exact=True).focus()
    push(editor, "Add a line below")
    before = polygon(editor)
    press(editor, "ArrowUp", "ArrowRight")
    moved = polygon(editor)
    assert (moved[0] - before[0])[0] > 0 > (moved[0] - before[0])[1]
    press(editor, "Shift+ArrowRight")
    assert np.ptp(polygon(editor)[:, 0]) > np.ptp(moved[:, 0])
    press(editor, "Escape")
    assert focused(editor) == "Line 5"
    push(editor, "Delete")
    before = texts(editor)
    for _ in before:
        push(editor, "Delete")
    assert texts(editor) == []
    press(editor, *["Control+z"] * len(before))
    assert texts(editor) == before
    for number, text in enumerate(WORDS, start=1):
        editor.locator("#editor .lines input").nth(number - 1).focus()
        write(editor, text)
    press(editor, "Control+s")
    said(editor, "Saved as")

    [xml] = (site.folder / SAVED).glob("*.xml")
    saved = read_page(xml)
    assert [line.text for line in saved.lines] == WORDS
    with Image.open(site.folder / "letter.png") as picture:
        name, content = encode(picture.convert("L"))
    assert (xml.stem, saved.image.read_bytes()) == (name, content)
    assert np.array_equal(page_pixels(saved), np.asarray(page(WORDS)[0]))
    assert imported(site.folder, tmp_path) == WORDS


def imported(folder: Path, work: Path) -> list[str]:
    """The texts of the training lines that the stage `import_pages` makes of what was saved."""
    (work / "data/raw").mkdir(parents=True)
    shutil.make_archive(str(work / "data/raw/ground_truth"), "zip", folder / "data", "corrected_pages")
    sections = {
        "charset": DEFAULTS.model_dump(),
        "crop": {"line_height": 28},
        "import_pages": load("import_pages", ImportPages, ROOT / "params.yaml").model_dump()
        | {"val_share": 0.0, "test_share": 0.0},
    }
    (work / "params.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.import_pages"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(read_split(work / "data/processed/page_lines.h5", "train").text)


@narrow
def test_a_page_is_corrected_by_hand_on_a_phone(editor: playwright.Page) -> None:
    assert editor.evaluate("document.documentElement.scrollWidth <= innerWidth")
    editor.locator("#editor polygon").nth(2).click()
    assert focused(editor) == "Line 3"
    assert cut_as_read(editor)
    marks = editor.locator("#editor .detail .reading")
    assert marks.text_content() == texts(editor)[2]
    assert marks.locator("mark").count()
    wait_for_text(editor, "#editor .detail", "Least sure")

    before = texts(editor)
    draw(editor, (0.2, 0.9), (0.8, 0.9))
    wait_for_reading(editor)
    assert texts(editor)[:4] == before
    assert np.ptp(polygon(editor)[:, 0]) == pytest.approx(0.6 * page(WORDS)[0].width, rel=0.05)
    editor.get_by_role("button", name="Change its outline").click()
    handle = editor.locator("#editor .handle[data-side=right]").bounding_box()
    assert handle
    width = np.ptp(polygon(editor)[:, 0])
    editor.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    editor.mouse.down()
    editor.mouse.move(handle["x"] - 60, handle["y"], steps=3)
    editor.mouse.up()
    assert np.ptp(polygon(editor)[:, 0]) < width
    assert editor.evaluate("document.documentElement.scrollWidth <= innerWidth")
    unnamed = "all => all.filter(one => !(one.textContent.trim() || one.ariaLabel || one.title)).length"
    assert editor.get_by_role("button").evaluate_all(unnamed) == 0


@wide
def test_a_line_is_shown_straightened_as_it_is_read(editor: playwright.Page) -> None:
    assert cut_as_read(editor)
    draw(editor, (0.2, 0.3), (0.8, 0.6))
    wait_for_reading(editor)  # which is a change, too: one that came later would be what is undone
    assert cut_as_read(editor)
    height = np.ptp(polygon(editor)[:, 1])
    assert editor.locator("#editor .cut").evaluate("it => it.naturalHeight") < height / 2
    push(editor, "Change its outline")
    editor.keyboard.press("Shift+ArrowDown")
    assert np.ptp(polygon(editor)[:, 1]) > height
    assert cut_as_read(editor)
    editor.keyboard.press("Control+z")
    assert np.ptp(polygon(editor)[:, 1]) == height
    assert cut_as_read(editor)


@wide
def test_what_is_written_while_a_line_is_read_stays(editor: playwright.Page) -> None:
    draw(editor, (0.2, 0.3), (0.8, 0.3))
    editor.keyboard.type("mine")
    wait_for_reading(editor)
    assert any("mine" in text for text in texts(editor))


@wide
def test_corrections_that_are_not_saved_are_not_lost(site: Site, editor: playwright.Page, tmp_path: Path) -> None:
    page(["Jumping"])[0].save(tmp_path / "line.png")
    shutil.rmtree(site.folder / SAVED, ignore_errors=True)
    first, read = editor.get_by_label("Line 1", exact=True), texts(editor)
    asked = editor.get_by_role("alert").get_by_text("This page goes once its corrections are saved or discarded.")
    first.focus()
    write(editor, "aa")
    editor.once("dialog", lambda dialog: dialog.dismiss())  # it asks whether to leave
    with pytest.raises(playwright.Error, match="ERR_ABORTED"):
        editor.goto(f"{site.address}config")
    editor.get_by_label("Remove Image").click()
    asked.wait_for()
    upload(editor, tmp_path / "line.png")
    wait_for_text(editor, "#reading", "Confidence")
    assert texts(editor) == ["aa", *read[1:]]
    editor.get_by_role("button", name="Save them").click()
    first.wait_for(state="hidden")
    [xml] = (site.folder / SAVED).glob("*.xml")
    assert [line.text for line in read_page(xml).lines] == ["aa", *read[1:]]

    editor.get_by_label("Remove Image").click()
    upload(editor, site.folder / "letter.png")
    first.wait_for()  # at once: all was saved
    assert texts(editor) == read
    first.focus()
    write(editor, "bb")
    editor.get_by_label("Remove Image").click()
    upload(editor, site.folder / "letter.png")
    asked.wait_for()
    wait_for_text(editor, "#reading", "A page of 4 lines")
    assert texts(editor) == ["bb", *read[1:]]
    editor.get_by_role("button", name="Discard them").click()
    asked.wait_for(state="hidden")
    assert texts(editor) == read


@wide
def test_a_page_is_exported_in_each_format(editor: playwright.Page, tmp_path: Path) -> None:
    editor.get_by_label("Line 1", exact=True).focus()
    write(editor, "d\u00e9")
    begins = {"text": "dé\n", "page": "<?xml", "alto": "<?xml", "hocr": "<?xml", "tsv": "level\t", "pdf": "%PDF-"}
    for form in FORMATS:
        editor.get_by_label("Format").select_option(form)
        with editor.expect_download() as download:
            push(editor, "Export")
        download.value.save_as(tmp_path / form)
        assert download.value.suggested_filename.startswith("letter.")
        content = (tmp_path / form).read_bytes()
        if form == "jsonl":
            assert json.loads(content)["lines"][0]["text"] == "dé"
        else:
            assert content.decode("utf-8", "replace").startswith(begins[form])


@wide
def test_another_picture_is_no_page(site: Site, editor: playwright.Page, tmp_path: Path) -> None:
    page(["Jumping"])[0].save(tmp_path / "line.png")
    editor.get_by_label("Remove Image").click()
    editor.get_by_label("Line 1", exact=True).wait_for(state="hidden")
    upload(editor, tmp_path / "line.png")
    wait_for_text(editor, "#reading", "Confidence")
    assert editor.get_by_label("The text, to correct").is_visible()
    sent = {"page": 1, "lines": []}
    events = {"cut": "Not cut out", "reread": "Not read", "keep": "Not saved", "export": "Not exported"}
    for event, failed in events.items():
        assert f"{failed}: this page is not open" in ask(site, event, None, sent=sent)


LINE = {"id": "line-1", "block": 0, "outline": [[0, 0], [9, 0], [9, 9]], "baseline": [[0, 5], [9, 5]]}
LINE |= {"text": "ab", "confidence": 0.5, "characters": [0.5, 1]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, "lines: input should be a valid list; reload the page"),
        ([7], "lines.0: input should be a valid dictionary or instance of _Line; reload the page"),
        ([LINE | {"more": 1}], "lines.0.more: extra inputs are not permitted"),
        ([LINE | {"id": "a b"}], "lines.0.id: string should match pattern"),
        ([LINE, LINE], "the id line-1 stands twice"),
        ([LINE] * 2001, "lines: list should have at most 2000 items"),
        ([LINE | {"outline": [[0, 0], [9, 0], [100, 9]]}], "line-1 reaches out of the picture"),
        ([LINE | {"outline": [[0, 0], [9, 0], [9, -1]]}], "lines.0.outline.2.1: input should be greater than or equal"),
        ([LINE | {"outline": [[0, 0], [9, 0], [9, math.nan]]}], "lines.0.outline.2.1: input should be a finite number"),
        ([LINE | {"outline": [[0, 0], [9, 0], [9]]}], "lines.0.outline.2: list should have at least 2 items"),
        ([LINE | {"outline": [[0, 0], [9, 0], [5, 0]]}], "the outline of line-1 has no area; change it"),
        ([LINE | {"outline": [[0, 0]] * (MOST_POINTS + 1)}], "lines.0.outline: list should have at most"),
        ([LINE | {"baseline": [[0, 0]]}], "lines.0.baseline: list should have at least 2 items"),
        ([LINE | {"text": "a\nb"}], "lines.0.text: string should match pattern"),
        ([LINE | {"text": "\ud800"}], "lines.0.text: input should be a valid string"),
        ([LINE | {"text": "a" * (MOST_TEXT + 1)}], "lines.0.text: string should have at most"),
        ([LINE | {"characters": [1]}], "line-1 has 2 characters and 1 probabilities"),
        ([LINE | {"confidence": 1.5}], "lines.0.confidence: input should be less than or equal to 1"),
    ],
)
def test_what_is_no_page_is_refused_in_one_line(lines: Any, message: str) -> None:
    with pytest.raises(TextrecError) as refused:
        edited_page(lines, (50, 40))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def reading(width: int, height: int) -> PageReading:
    line = LineReading("line-1", np.array([[10, 5], [40, 5], [40, 15.0]]), np.array([[10, 12], [40, 12.0]]), "ab")
    return PageReading((width, height), 0, [[line]])


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_page_turns_as_its_picture_does(quarters: int) -> None:
    picture = np.zeros((30, 60), np.uint8)
    picture[5:15, 10:40] = 1
    turned = reading(60, 30).rotated(quarters)
    rows, columns = np.nonzero(np.rot90(picture, quarters))
    box = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]])
    [line] = turned.lines
    assert np.array_equal([line.outline.min(axis=0), line.outline.max(axis=0)], box)
    assert turned.size == np.rot90(picture, quarters).shape[::-1]
    back = turned.rotated(-quarters)
    assert (back.size, back.turned) == ((60, 30), 0)
    assert np.array_equal(back.lines[0].baseline, reading(60, 30).lines[0].baseline)


def test_a_page_comes_back_as_it_was_sent() -> None:
    [line] = sent_lines(reading(60, 30))
    assert line.pop("problem") is None
    [back] = edited_page([line | {"characters": [1, 0.5]}], (60, 30)).lines
    assert (back.text, back.characters) == ("ab", (1, 0.5))
    assert np.array_equal(back.outline, reading(60, 30).lines[0].outline)


def test_of_a_picture_the_page_that_was_saved_last_counts(tmp_path: Path) -> None:
    picture = Image.new("L", (60, 30), 200)
    first = save_page(tmp_path / "pages", picture, reading(60, 30))
    [line] = sent_lines(reading(60, 30))
    del line["problem"]
    again = edited_page([line | {"text": "c", "characters": [1]}], (60, 30))
    assert save_page(tmp_path / "pages", picture, again) == first
    assert [line.text for line in read_page(first).lines] == ["c"]
    assert sorted(path.name for path in first.parent.iterdir()) == [f"{first.stem}.png", first.name]
    with pytest.raises(TextrecError, match="no line has a text; write what the page says"):
        save_page(tmp_path, picture, edited_page([line | {"text": " ", "characters": [1]}], (60, 30)))


def test_a_line_reads_alike_of_a_page_that_is_turned(project: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.png"
    Image.fromarray(np.rot90(np.asarray(page(WORDS)[0]), -1)).save(turned)
    with contextlib.closing(Reader(project / "models/model.ckpt", project / "finder.ckpt")) as reader:
        found = reader.read(project / "letter.png", seconds=60)
        assert isinstance(found, PageReading)
        for line in found.lines:
            upright, other = (
                reader.read_line(path, quarters, line, seconds=60)
                for path, quarters in ((project / "letter.png", 0), (turned, 1))
            )
            assert isinstance(upright, Read)
            assert upright.text == other.text == line.text
