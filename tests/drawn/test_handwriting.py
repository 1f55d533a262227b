"""The embedded sample as whoever reads the archives sees it."""

import csv
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from defusedxml import ElementTree
from PIL import Image
from repository import ROOT

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.runtime import TextrecError
from textrec.drawn import handwriting
from textrec.drawn.handwriting import draw_form, plan, task_lists, write_sample

FORMS = handwriting.MIN_FORMS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, forms=FORMS, seed=1)
    return folder


@pytest.fixture(scope="module")
def archive(folder):
    with zipfile.ZipFile(folder / "iamdb.zip") as archive:
        yield archive


@pytest.fixture(scope="module")
def forms(archive):
    names = [name for name in archive.namelist() if name.endswith(".xml")]
    return {Path(name).stem: ElementTree.fromstring(archive.read(name)) for name in names}


def texts(form):
    return [line.get("text") for line in form.iter("line")]


def boxes(element):
    return [tuple(int(box.get(key)) for key in ("x", "y", "width", "height")) for box in element.iter("cmp")]


def printed(form):
    return " ".join(line.get("text") for line in form.iter("machine-print-line"))


def test_layout_is_that_of_the_course_archive(archive, forms):
    members = archive.infolist()
    names = [member.filename for member in members]
    tasks = [f"iamdb/task/{name}.txt" for name in ("trainset", "validationset1", "validationset2", "testset")]
    assert (
        names == [f"iamdb/{kind}" for id_ in sorted(forms) for kind in (f"forms/{id_}.jpg", f"xml/{id_}.xml")] + tasks
    )
    assert len(forms) == FORMS
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}


def test_bytes_do_not_depend_on_the_run_or_the_number_of_workers(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    write_sample(tmp_path, forms=FORMS, seed=1)
    for name in ("iamdb.zip", "matlab.zip", "ondb_strokes.npz"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_another_seed_writes_other_pages():
    assert plan(FORMS, 1) != plan(FORMS, 2)
    page = plan(FORMS, 1)[0]
    assert draw_form(page, seed=1)[0] != draw_form(page, seed=2)[0]


def test_every_word_has_boxes_on_the_page_in_reading_order(forms):
    for id_, form in forms.items():
        assert (form.get("id"), form.get("width"), form.get("height")) == (id_, "2479", "3542")
        ids = [element.get("id") for kind in ("line", "word") for element in form.iter(kind)]
        assert len(set(ids)) == len(ids)
        tops = []
        for line in form.iter("line"):
            assert all(boxes(word) for word in line.iter("word"))
            assert all(
                x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 2479 and y + h <= 3542 for x, y, w, h in boxes(line)
            )
            lefts = [min(x for x, *_ in boxes(word)) for word in line.iter("word")]
            assert lefts == sorted(lefts)
            tops.append(np.median([y for _, y, *_ in boxes(line)]))
        assert tops == sorted(tops)


def test_words_are_those_of_the_line(forms):
    for form in forms.values():
        for line in form.iter("line"):
            label = line.get("text").replace("&quot;", '"').replace("&apos;", "'").replace("&amp;", "&")
            assert "".join(word.get("text") for word in line.iter("word")) == label.replace(" ", "")
            assert not set(label) - set(LINE_CHARACTERS)


def test_handwriting_lies_in_the_boxes_and_every_box_holds_some(archive, forms):
    for id_, form in forms.items():
        image = np.array(Image.open(io.BytesIO(archive.read(f"iamdb/forms/{id_}.jpg"))))
        assert image.shape == (1771, 1239)
        ink = image < 150
        inside = np.zeros_like(ink)
        for x, y, width, height in boxes(form):
            area = np.s_[y // 2 : (y + height) // 2 + 1, x // 2 : (x + width) // 2 + 1]
            assert ink[area].any()
            inside[area] = True
        rows = slice(min(y for _, y, *_ in boxes(form)) // 2, max(y + h for _, y, _, h in boxes(form)) // 2)
        assert not (ink & ~inside)[rows].any()
        assert image.min() >= 0
        assert np.median(image) > 230  # paper


def test_every_size_has_all_splits_by_disjoint_writers():
    for count in (FORMS, 13, 17, 40, 200):
        pages = plan(count, 1)
        assert len(pages) == count == len({page.id for page in pages})
        lists = task_lists(pages)
        assert all(lists.values())
        writers = {split: {page.writer for page in pages if page.split == split} for split in ("train", "val", "test")}
        assert all(writers.values())
        assert len(set.union(*writers.values())) == sum(map(len, writers.values()))
    share = {split: sum(page.split == split for page in pages) for split in writers}
    assert share == {"train": 150, "val": 20, "test": 30}


def test_unlisted_forms_and_lines():
    pages = plan(FORMS, 1)
    listed = {line for ids in task_lists(pages).values() for line in ids}
    by_writer = {}
    for page in pages:
        by_writer.setdefault((page.split, page.writer), []).append(f"{page.id}-00" in listed)
    assert any(any(seen) and not all(seen) for (split, _), seen in by_writer.items() if split == "val")
    assert any(not any(seen) for (split, _), seen in by_writer.items() if split == "train")
    test_lines = [f"{p.id}-{number:02d}" for p in pages if p.split == "test" for number in range(len(p.lines))]
    assert len([line for line in test_lines if line not in listed]) == handwriting.UNLISTED_LINES


def test_all_capitals(forms):
    form = forms[handwriting.ALL_CAPITALS]
    words = [word.get("text") for word in form.iter("word")]
    assert words == [word.upper() for word in words]
    assert printed(form) != printed(form).upper()
    assert texts(form)[0] in printed(form).upper()


def test_stray_lines_are_not_in_the_print(forms):
    form = forms[handwriting.STRAY_LINES]
    stray = [line[:-1] not in printed(form) for line in texts(form)]
    assert stray == [True, True, *[False] * (len(stray) - 3), True]


def test_long_f_reaches_the_next_line(forms):
    first, second = list(forms[handwriting.LONG_F].iter("line"))[:2]
    bottoms = [y + height for _, y, _, height in boxes(first)]
    assert max(bottoms) > np.median(bottoms) + 120
    assert max(bottoms) > np.median([y for _, y, *_ in boxes(second)])


def test_wrong_label_has_its_correction(forms):
    with (ROOT / "data/corrections.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["form"] == handwriting.WRONG_LABEL]
    (row,) = rows
    assert row["reason"]
    form = forms[handwriting.WRONG_LABEL]
    assert sum(row["wrong"] in text for text in texts(form)) == 1
    assert row["wrong"] in printed(form)
    (written,) = [drawn for page in plan(FORMS, 1) for label, drawn in page.lines if label != drawn]
    assert written == row["right"]


def test_quotes_and_ampersands_arrive_as_in_iam(forms):
    form = forms[handwriting.QUOTED]
    assert texts(form)[:2] == [
        "&quot;Bread &amp; butter,&quot; said Tom,",
        "&quot;isn&apos;t what I&apos;d call a meal!&quot;",
    ]
    assert [word.get("text") for word in next(form.iter("line"))][:3] == ['"', "Bread", "&"]
    assert printed(form).startswith("&quot;Bread &amp; butter,&quot; said Tom,")


def test_glyphs_are_stored_as_emnist_stores_them(folder):
    with zipfile.ZipFile(folder / "matlab.zip") as archive:
        (member,) = archive.infolist()
        content = archive.read(member)
    assert member.filename == "matlab/emnist-byclass.mat"
    assert content[:116].decode().strip() == "MATLAB 5.0 MAT-file, textrec sample"  # no time, no platform
    dataset = scipy.io.loadmat(io.BytesIO(content))["dataset"][0, 0]
    assert dataset["mapping"].tolist() == [[index, ord(LINE_CHARACTERS[index])] for index in range(62)]
    writers = {}
    for split, count in handwriting.GLYPHS.items():
        part = dataset[split][0, 0]
        assert part["images"].shape == (62 * count, 784)
        assert part["images"].dtype == np.uint8
        assert part["labels"].shape == part["writers"].shape == (62 * count, 1)
        assert np.bincount(part["labels"][:, 0]).tolist() == [count] * 62
        assert (part["images"].max(axis=1) > 150).all()
        writers[split] = set(part["writers"][:, 0].tolist())
        seven = part["images"][part["labels"][:, 0] == 7].reshape(-1, 28, 28).mean(axis=0).T  # upright
        assert seven[:9].sum() > 1.5 * seven[-9:].sum()
    assert not writers["train"] & writers["test"]


def test_too_few_forms(tmp_path):
    with pytest.raises(TextrecError, match=r"needs at least 12 forms, not 11; raise data\.sample\.forms"):
        write_sample(tmp_path, forms=11, seed=1)
    assert not list(tmp_path.iterdir())
