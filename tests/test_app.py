"""The page, served by `python -m app` as people start it, in a real browser."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from markupsafe import Markup
from networks import CHARSET, recognizer
from PIL import Image, ImageDraw, ImageFont, ImageOps
from repository import ROOT
from served_app import Site, ask, chromium, opened, playwright, served, upload, wait_for_text

from app import words
from app.reader import Read, Reader
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError, write_json
from textrec.datasets.corrections import encode, read_corrections
from textrec.datasets.samples import write_samples
from textrec.reading.recognizer import BOXED


def written(text: str) -> Image.Image:
    image = Image.new("L", (90, 70), 255)
    ImageDraw.Draw(image).multiline_text((15, 5), text, fill=0, font=ImageFont.load_default(22))
    return image


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model that was measured, and samples."""
    folder = tmp_path_factory.mktemp("project")
    model = folder / "models/model.ckpt"
    recognizer().save(model)
    image = 255 - np.asarray(written("a\nb"))
    samples = [(split, Sample(f"{split}-{at}", "a\nb", "w", image)) for split in SPLITS for at in range(2)]
    write_samples(
        folder / "data/processed/iam_paragraphs.h5", samples, source="s", line_height=28, characters=CHARSET.characters
    )
    rates = {"cer": 0.123, "cer_low": 0.1, "cer_high": 0.15, "wer": 0.3, "wer_low": 0.25, "wer_high": 0.35}
    sure = {"ece_samples": 0.02, "ece_characters": 0.01}
    write_json(folder / "metrics/test.json", {"samples": 9, "forms": 3, "perfect": 0.5, **rates, "confidence": sure})
    digest = hashlib.md5(model.read_bytes(), usedforsecurity=False).hexdigest()
    deps = [{"path": "models/model.ckpt", "md5": digest}]
    (folder / "dvc.lock").write_text(json.dumps({"stages": {"predict": {"deps": deps}}}))
    return folder


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(project, tmp_path_factory.mktemp("temporary")) as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: playwright.Browser, site: Site) -> Iterator[playwright.Page]:
    with opened(browser, site) as page:
        yield page


def picture(path: Path) -> Path:
    image = written("a b")
    ImageOps.colorize(image, "navy", "white").save(path)
    return path


def test_a_picture_is_read_corrected_and_saved(site: Site, page: playwright.Page, tmp_path: Path) -> None:
    upload(page, picture(tmp_path / "mine.png"))
    wait_for_text(page, "#reading", "Confidence")
    box = page.get_by_label("The text, to correct")
    read = box.input_value()
    assert page.locator(".reading").text_content() == read
    marks = page.locator(".reading mark")
    assert marks.count()
    assert marks.first.get_attribute("title").endswith("%")  # pyright: ignore
    style = "element => getComputedStyle(element).borderBottomStyle"
    assert marks.first.evaluate(style) in {"dotted", "dashed", "solid"}  # not by colour alone
    wait_for_text(page, "#reading", "Least sure")

    save = page.get_by_role("button", name="Save the correction")
    box.fill("a é")
    save.click()
    wait_for_text(page, "#saved", "Not saved: 'é' is not in the charset; the model writes 'abcd '.")
    assert not (site.folder / "data/corrected").exists()
    for text in ("a d", "a b"):  # the second counts
        box.fill(text)
        page.get_by_label("Writer").fill("Ann")
        save.click()
        wait_for_text(page, "#saved", f"…: {text}")
    [correction] = read_corrections(site.folder / "data/corrected")
    with Image.open(tmp_path / "mine.png") as image:
        name, content = encode(image.convert("L"))
    assert (correction.id, correction.text, correction.read, correction.writer) == (name, "a b", read, "Ann")
    assert correction.model == hashlib.sha256((site.folder / "models/model.ckpt").read_bytes()).hexdigest()
    assert (site.folder / "data/corrected" / f"{name}.png").read_bytes() == content


def test_a_correction_that_is_not_saved_is_not_lost(page: playwright.Page, tmp_path: Path) -> None:
    upload(page, picture(tmp_path / "mine.png"))
    wait_for_text(page, "#reading", "Confidence")
    box = page.get_by_label("The text, to correct")
    box.fill("<b> not saved")
    page.get_by_label("Remove Image").click()
    wait_for_text(page, "#reading", "The correction of the picture before was not saved: <b> not saved")
    upload(page, tmp_path / "mine.png")
    wait_for_text(page, "#reading", "Confidence")
    box.fill("a b")
    page.get_by_role("button", name="Save the correction").click()
    wait_for_text(page, "#saved", "…: a b")
    page.get_by_label("Remove Image").click()
    wait_for_text(page, "#reading", "The text will stand here.")
    assert "not saved" not in (page.locator("#reading").text_content() or "")


def test_an_example_is_read_by_keyboard_but_not_saved(page: playwright.Page) -> None:
    page.get_by_role("button", name="a b").first.focus()
    page.keyboard.press("Enter")
    wait_for_text(page, "#reading", "Confidence")
    page.get_by_role("button", name="Save the correction").focus()
    page.keyboard.press("Enter")
    wait_for_text(page, "#saved", "Not saved: models are measured on this example")


def test_a_broken_picture_gets_a_message(page: playwright.Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    for content, message in ((b"no picture", "not a picture that can be read"), (b"", "an empty file")):
        upload(page, picture(tmp_path / "mine.png"))
        wait_for_text(page, "#reading", "Confidence")
        page.get_by_label("Remove Image").click()
        wait_for_text(page, "#reading", "The text will stand here.")
        broken.write_bytes(content)
        upload(page, broken)
        wait_for_text(page, "#reading", f"Not read: broken.png: {message}")
        assert page.get_by_label("The text, to correct").input_value() == ""
        page.get_by_role("button", name="Save the correction").click()
        wait_for_text(page, "#saved", "Not saved: there is no picture that was read.")
        page.get_by_label("Remove Image").click()


def test_what_is_drawn_is_read(page: playwright.Page) -> None:
    page.get_by_role("tab", name="Draw").click()
    page.get_by_label("Brush").first.click()
    canvas = page.locator("canvas").first.bounding_box()
    assert canvas
    x, y = canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2
    page.mouse.move(x - 30, y)
    page.mouse.down()
    page.mouse.move(x, y - 20, steps=5)
    page.mouse.move(x + 30, y + 10, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Read the drawing").click()
    wait_for_text(page, "#reading", "Confidence")


def test_the_page_says_what_reads_and_how_well_also_aloud_and_on_a_phone(page: playwright.Page) -> None:
    page.get_by_role("button", name="What reads here").click()
    card = page.locator("#card").inner_text()
    assert "12.3 % [10.0, 15.0]" in card
    assert "2.0% on average for a text, 1.0% for a character" in card
    assert "paragraphs of several lines" in card
    assert "abcd␣ and the line break" in card
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    for place in ("#reading", "#saved"):
        assert page.locator(place).get_by_role("status").count() == 1
    unnamed = "all => all.filter(one => !(one.textContent.trim() || one.ariaLabel || one.title)).length"
    assert page.get_by_role("button").evaluate_all(unnamed) == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "{folder}/models/model.ckpt",
        "{folder}/data/processed/iam_paragraphs.h5",
        "app/page.py",
        "data/corrected/corrections.jsonl",
        "file:///etc/passwd",
    ],
)
def test_no_file_outside_the_page_can_be_asked_for(site: Site, path: str) -> None:
    for kind in ("gradio_api/file=", "file=", "gradio_api/file/", "static/", "assets/"):
        with pytest.raises(urllib.error.HTTPError) as refused:  # which leaves `..` as it is
            urllib.request.urlopen(f"{site.address}{kind}{path.format(folder=site.folder)}", timeout=20)  # noqa: S310
        with refused.value:
            assert refused.value.code in {403, 404}


MARK = {"meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("marked", [{}, MARK], ids=["", "marked"])
@pytest.mark.parametrize(
    "path",
    ["{folder}/line.png", "{upload}/../../../line.png", "{upload}/../../link.png", "https://example.org/a.png", ""],
)
def test_no_picture_but_an_uploaded_one_can_be_given(site: Site, path: str, marked: dict[str, Any]) -> None:
    picture(site.folder / "line.png")
    with (site.folder / "line.png").open("rb") as file:
        answer = requests.post(f"{site.address}gradio_api/upload", files={"files": file}, timeout=20)
    [uploaded] = answer.json()
    link = Path(uploaded).parents[1] / "link.png"
    link.symlink_to(site.folder / "line.png")
    others = (None, None, "")  # no page is open, no line is shown, with no text
    assert "Confidence" in ask(site, "change", {"path": uploaded} | marked, *others)
    given = {"path": path.format(folder=site.folder, upload=Path(uploaded).parent)} | marked
    drawn = {"background": None, "layers": [], "composite": None}
    answers = [
        ask(site, "change", given, *others),
        ask(site, "change", {"path": uploaded, "background": given} | marked, *others),
        *(ask(site, "click", drawn | {name: given}, *others, place=1) for name in ("background", "composite")),
        ask(site, "click", drawn | {"layers": [given]}, *others, place=1),
        ask(site, "click", None, given, "", place=2),
    ]
    link.unlink()
    assert [answer for answer in answers if "This file was not uploaded." not in answer] == []
    assert site.calls == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7860", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("evil.example:7860", 400),
        ("localhost.evil", 400),
    ],
)
def test_the_page_answers_to_names_of_this_computer_alone(site: Site, host: str, status: int) -> None:
    for path in ("", "config", "gradio_api/info"):
        assert requests.get(f"{site.address}{path}", headers={"Host": host}, timeout=20).status_code == status
    with requests.post(f"{site.address}gradio_api/queue/join", json={}, headers={"Host": host}, timeout=20) as answer:
        assert (answer.status_code == 400) == (status == 400)


def test_a_large_file_is_refused(site: Site, page: playwright.Page, tmp_path: Path) -> None:
    large = tmp_path / "large.bmp"
    Image.new("RGB", (2700, 2700)).save(large)  # 21 MB
    upload(page, large)
    page.get_by_text("exceed the maximum allowed size of 20").first.wait_for()
    with large.open("rb") as file, pytest.raises(requests.HTTPError, match="413"):  # by who goes around the page
        requests.post(f"{site.address}gradio_api/upload", files={"files": file}, timeout=20).raise_for_status()


def test_the_page_outlives_the_process_that_reads(project: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "mine.png")
    with contextlib.closing(Reader(project / "models/model.ckpt")) as reader:
        with pytest.raises(TextrecError, match="not read within 0 seconds; cut the picture into parts"):
            reader.read(path, seconds=0)
        [process] = multiprocessing.active_children()
        process.kill()
        process.join()
        with pytest.raises(TextrecError, match="the process that reads has ended"):
            reader.read(path, seconds=30)
        assert reader.read(path, seconds=30).text
    assert not multiprocessing.active_children()


def test_before_any_training_the_model_that_is_brought_along_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Reader(None)) as reader:
        assert reader.card.path == BOXED
        assert reader.read(picture(tmp_path / "mine.png"), seconds=30).text
        assert f"Its figures are in {BOXED.with_suffix('.md')}." in words.card_html(reader.card)


def test_a_model_that_is_missing_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "none.ckpt"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: none.ckpt: not found; name a model that you have, or run ")
    assert ended.stderr.count("\n") == 1


def test_a_text_is_shown_as_it_is() -> None:
    html = words.reading_html(Read("<b>&", 0.875, (0.99, 0.45, 0.8, 0.95)))
    marks = '<mark class="doubt3" title="45%">b</mark><mark class="doubt1" title="80%">&gt;</mark>'
    assert f'<p class="reading">&lt;{marks}&amp;</p>' in html
    assert "Confidence 88%: expect one wrong character in about 8." in html
    assert "Least sure: b 45%, &gt; 80%." in html
    assert isinstance(html, Markup)


@pytest.mark.parametrize(
    ("confidence", "words_"),
    [
        (1.0, "Confidence 100%: hardly any character should be wrong."),
        (0.98, "Confidence 98%: expect one wrong character in about 50."),
        (0.3, "Confidence 30%: more is likely to be wrong than right."),
    ],
)
def test_a_confidence_is_said_in_words(confidence: float, words_: str) -> None:
    assert words.confidence_words(confidence) == words_
    assert "No text was found" in words.reading_html(Read("", 0.0, ()))


def test_figures_are_those_of_the_model_that_was_measured(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert words.measured(Path("models/model.ckpt"))
    assert not words.measured(Path("dvc.lock"))
    monkeypatch.chdir(project / "models")
    assert not words.measured(Path("model.ckpt"))
