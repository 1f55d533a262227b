import base64
import io
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from predictions import predict

from textrec.base.records import Prediction
from textrec.reports.errors_page import Mistake, Piece, confusion_matrix, errors_page, marked_reading, marked_truth
from textrec.reports.reliability import of_characters, of_samples, risk_coverage
from textrec.reports.tables import by_character, by_length, by_writer, confusions

VOID = {"meta", "img", "path", "circle", "rect", "polyline"}


def shown(truth: str, read: str, characters: Sequence[float] = (), writer: str = "w") -> Prediction:
    characters = characters or [0.95] * len(read)
    return predict(truth, read, writer=writer, confidence=0.8, characters=characters)


class Page(HTMLParser):
    """Tags with their attributes, and the text; checks that elements end as they begin."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def write(path: Path, predictions: list[Prediction], *, most: int = 60) -> str:
    rate = {"cer": 0.1, "cer_low": 0.05, "cer_high": 0.15, "wer": 0.2, "wer_low": 0.1, "wer_high": 0.3}
    tables = {
        "decoders": [{"lines": "all", "decoder": "ar", "samples": 2, "perfect": 0.5, **rate}],
        "writers": by_writer(predictions),
        "lengths": by_length(predictions),
        "characters": by_character(predictions),
        "confusions": confusions(predictions),
        "calibration_characters": of_characters(predictions),
        "calibration_samples": of_samples(predictions),
        "risk_coverage": risk_coverage(predictions),
    }
    image = np.zeros((28, 60), np.uint8)
    image[3, 5] = 255
    wrong = [Mistake(one, 2, image) for one in predictions if one.truth != one.read][:most]
    errors_page(path, tables, wrong)
    return path.read_text(encoding="utf-8")


PREDICTIONS = [
    shown('a <b> "cat"', 'a <b> "bat" ', [0.95] * 7 + [0.6] + [0.99] * 3 + [0.4], "<w>"),
    shown("two\nlines", "twolines", writer="v"),
    shown("right", "right"),
]


def test_the_page_asks_no_network_and_runs_no_script(tmp_path: Path) -> None:
    text = write(tmp_path / "errors.html", PREDICTIONS)
    page = Page(text)
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(r"default-src 'none'; img-src data:; style-src 'sha256-\S+'(; [\w-]+ 'none')*", str(policy))
    assert not any("style" in attributes for _, attributes in page.tags)  # which that policy would not let in
    assert not page.all("script", "link", "iframe", "object", "base")
    assert not re.search(r"https?:|url\(|@import", text)
    addresses = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert addresses
    assert all(address and address.startswith(("data:image/png;base64,", "#")) for address in addresses)


def test_the_page_can_be_read_aloud_and_used_by_keyboard(tmp_path: Path) -> None:
    page = Page(write(tmp_path / "errors.html", PREDICTIONS))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert len(page.all("caption")) == len(page.all("table")) == 9
    assert all(image["alt"] for image in page.all("img"))
    drawn = [svg for svg in page.all("svg") if "aria-hidden" not in svg]  # bars stand beside their figures
    assert [(svg["role"], bool(svg["aria-label"])) for svg in drawn] == [("img", True)] * 2
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in page.all("div") if box.get("role") == "region")
    targets = {attributes.get("id") for _, attributes in page.tags}
    assert {str(link["href"])[1:] for link in page.all("a")} <= targets
    assert len(page.all("label")) == len(page.all("select")) == 2


def test_each_mistake_is_shown_with_its_image_texts_and_doubts(tmp_path: Path) -> None:
    text = write(tmp_path / "errors.html", PREDICTIONS)
    page = Page(text)
    assert "The 2 worst samples" in page.words
    assert "s-1, writer <w>" in page.words
    assert "2 errors in 11 characters (CER 18.2%) · confidence 80.0% · least sure: ␣\xa040%, b\xa060%" in page.words
    assert "<dd>a &lt;b&gt; &#34;<del>c</del>at&#34;</dd>" in text
    doubtful = '<ins><span class="doubt2" title="60%">b</span></ins>at&#34;'
    assert f'<dd>a &lt;b&gt; &#34;{doubtful}<ins><span class="doubt3" title="40%"> </span></ins></dd>' in text
    assert "<dd>two<del>\n</del>lines</dd>" in text
    assert [one["class"] for one in page.all("article")] == ["writer0 insert replace", "writer1 delete"]
    (first, _) = page.all("img")
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(str(first["src"]).partition(",")[2]))).convert("L"))
    assert image.shape == (28, 60)
    assert (image[3, 5], image[0, 0]) == (0, 255)  # ink on paper


def test_an_error_that_is_not_in_doubt_is_known_as_such(tmp_path: Path) -> None:
    write(tmp_path / "errors.html", [shown("cat", "cut", [0.9, 0.9, 0.2]), shown("cat", "cut", [0.9, 0.89, 0.9])])
    classes = [one["class"] for one in Page((tmp_path / "errors.html").read_text()).all("article")]
    assert classes == ["writer0 replace sure", "writer0 replace"]


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    many = [shown("a", "b", writer=f"w{index}") for index in range(130)]
    page = Page(write(tmp_path / "errors.html", many, most=3))
    assert "CER by writer, highest first; the first 100 of 130" in page.words
    assert len(page.all("article")) == 3


@pytest.mark.parametrize("read", ["cat", ""])
def test_all_right_and_nothing_read_have_a_page_too(tmp_path: Path, read: str) -> None:
    page = Page(write(tmp_path / "errors.html", [shown("cat", read)]))
    assert len(page.all("article")) == (read == "")


def test_texts_are_cut_where_something_changes() -> None:
    prediction = shown("kitten", "sitting", [0.1, 0.9, 0.9, 0.9, 0.8, 0.95, 0.92])
    assert marked_truth(prediction) == [
        Piece("k", wrong=True),
        Piece("itt", wrong=False),
        Piece("e", wrong=True),
        Piece("n", wrong=False),
    ]
    assert marked_reading(prediction) == [
        Piece("s", True, 3, 0.1),
        Piece("itt", False, 0, 0.9),
        Piece("i", True, 1, 0.8),
        Piece("n", False, 0, 0.95),
        Piece("g", True, 0, 0.92),
    ]
    assert [piece.text for piece in marked_reading(shown("ab", "ab", [0.8, 0.8]))] == ["a", "b"]


def test_the_matrix_has_the_most_confused_and_what_is_missed_or_made_up() -> None:
    matrix = confusion_matrix(confusions([shown("ee e", "oo e"), shown("e l", "el"), shown("a", "al")]))
    assert matrix["read"] == ["␣", "e", "l", "o", "nothing"]
    rows = {title: [count for count, _ in cells] for title, cells in matrix["rows"]}
    assert rows == {
        "␣": [0, 0, 0, 0, 1],
        "e": [0, 0, 0, 2, 0],
        "l": [0, 0, 0, 0, 0],
        "o": [0, 0, 0, 0, 0],
        "nothing": [0, 0, 1, 0, 0],
    }
    shades = {count: shade for _, cells in matrix["rows"] for count, shade in cells}
    assert shades == {0: 0, 1: 4, 2: 5}


def test_the_matrix_stays_small() -> None:
    texts = [shown(chr(first), chr(first + 1)) for first in range(ord("a"), ord("z"))]
    assert len(confusion_matrix(confusions(texts))["read"]) == 15
