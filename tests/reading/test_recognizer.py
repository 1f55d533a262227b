"""Pictures as people have them, read by a network that has not been trained: they are to come out alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from networks import recognizer
from PIL import Image
from text_images import line, text_image

import textrec
from textrec.base.charset import Charset
from textrec.base.runtime import TextrecError
from textrec.pages.cutting import Strip
from textrec.pages.text_area import prepare
from textrec.reading.recognizer import BLANK, Reading, Recognizer, _parts


@pytest.fixture(scope="module")
def reader() -> Recognizer:
    return recognizer(11, max_width=1000)


def test_paths_images_and_arrays_are_read_alike_in_their_order(reader: Recognizer, tmp_path: Path) -> None:
    long, short = line("a long line of text"), line("short")
    long.save(tmp_path / "long.png")
    texts = [
        reading.text
        for reading in reader.read([tmp_path / "long.png", short, np.array(long), str(tmp_path / "long.png")])
    ]
    assert texts[0] == texts[2] == texts[3] != texts[1]
    assert texts[1] == reader.read([short], batch_size=1)[0].text


def test_confidences_are_probabilities_of_each_character(reader: Recognizer) -> None:
    (reading,) = reader.read([line()])
    assert len(reading.characters) == len(reading.text) > 0
    assert all(0 <= value <= 1 for value in (reading.confidence, *reading.characters))


def test_a_blank_page_has_no_text_and_no_confidence(reader: Recognizer) -> None:
    assert reader.read([Image.new("L", (900, 90), 250), line(), Image.new("L", (1, 1))])[::2] == [BLANK, BLANK]
    assert (BLANK.text, BLANK.confidence, BLANK.characters) == ("", 0.0, ())


def test_a_line_that_is_turned_is_not_read_as_something_else(reader: Recognizer) -> None:
    crop = prepare(text_image(["handwriting, and more"]).rotate(90, expand=True), line_height=28, paragraph=False)
    assert reader.read_prepared([crop]) == [BLANK]


def test_threads_read_what_one_reads(reader: Recognizer) -> None:
    images = [line("abcdefghij"[:count]) for count in range(2, 10)]
    expected = [reader.read([image]) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda image: reader.read([image]), images * 3)) == expected * 3


@pytest.mark.parametrize(
    ("count", "most", "threads", "sizes"),
    [(40, 32, 2, [20, 20]), (40, 32, 1, [20, 20]), (70, 32, 2, [18, 18, 17, 17]), (3, 32, 1, [3]), (0, 32, 2, [])],
)
def test_lines_are_shared_out_evenly(count: int, most: int, threads: int, sizes: list[int]) -> None:
    parts = _parts(list(range(count)), most, threads)
    assert [len(part) for part in parts] == sizes
    assert [index for part in parts for index in part] == list(range(count))


def test_a_paragraph_is_not_for_a_model_of_lines() -> None:
    page = Image.new("L", (500, 400), 245)
    for row in range(5):
        page.paste(line("some words here", size=30).crop((0, 25, 500, 85)), (0, 20 + 70 * row))
    lines = Recognizer(recognizer().model, Charset("abcd e"), recognizer().calibration)
    assert not lines.paragraphs
    with pytest.raises(TextrecError, match="there seem to be 5 lines of text, and not one; read it as a page"):
        lines.read([page])


def test_a_text_that_is_too_long_for_the_model() -> None:
    narrow = recognizer(max_width=150)
    with pytest.raises(
        TextrecError, match=r"the text takes \d+ x \d+ pixels at 28 a line, the model reads 150 x 64; cut"
    ):
        narrow.read([line("a very long line of text, that is for sure")])


def test_it_is_what_the_package_offers() -> None:
    assert textrec.Recognizer is Recognizer
    with pytest.raises(AttributeError, match="module 'textrec' has no attribute 'recogniser'"):
        _ = textrec.recogniser


def test_ink_in_which_nothing_is_found_is_not_sure(reader: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recognizer, "read_crops", lambda *_, **__: [Reading("", 0.99, ())])
    assert reader.read([line()]) == [BLANK]


def test_what_is_known_to_be_one_line_is_not_refused() -> None:
    built = recognizer(max_width=1000)
    lines = Recognizer(built.model, Charset("abcd "), built.calibration)
    page = text_image(["handwriting here", "and there, again"])
    with pytest.raises(TextrecError, match="there seem to be 2 lines"):
        lines.crop(page)
    assert lines.crop_line(Strip(np.asarray(page), None)).pixels.shape[0] == 28
