import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from charsets import IAM
from iam_archives import members, pages, write_archive

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.records import SPLITS, Form, Sample, write_forms
from textrec.base.runtime import write_json
from textrec.datasets import truth_report
from textrec.datasets.crops import crop_forms, crop_lines
from textrec.datasets.iam import Report, parse_forms
from textrec.datasets.samples import Split, read_split, write_samples
from textrec.reports.dropped import counted
from textrec.reports.health import (
    DOUBT,
    Judgement,
    Label,
    character_rows,
    correction_rows,
    examine,
    health_page,
    line_heights,
    stretches,
    suspects,
    write_suspects,
    writer_rows,
)


def sample(text: str, width: int = 100, *, writer: str = "w", name: str = "a01-000-00") -> Sample:
    return Sample(name, text, writer, np.zeros((28, width), np.uint8))


def label(text: str, read: str, loss: float = 20.0, read_loss: float = 1.0, **more: str) -> Label:
    return Label("train", sample(text, **more), Judgement(read, loss, read_loss), 0.0)


class Parsed:
    """A small archive, what is parsed of it, and its lines."""

    def __init__(self, folder: Path, corrections: str = "") -> None:
        self.archive = write_archive(folder / "iamdb.zip", members(pages()))
        self.corrections = folder / "corrections.tsv"
        self.corrections.write_text("form\twrong\tright\treason\n" + corrections)
        self.report = Report()
        self.forms: list[Form] = list(
            parse_forms(self.archive, self.corrections, charset=IAM, skip_bad_lines=True, report=self.report)
        )
        write_forms(folder / "iam.jsonl", self.forms)
        lines = crop_forms(crop_lines, folder / "iam.jsonl", archive=self.archive, line_height=28)
        write_samples(folder / "s.h5", lines, source="iam_lines", line_height=28, characters=LINE_CHARACTERS)
        self.splits: dict[str, Split] = {split: read_split(folder / "s.h5", split) for split in SPLITS}

    def judged(self) -> list[Label]:
        """The labels, one of them doubted, one of them longer than its image."""
        told = {
            "train": [Judgement("A quick <fox>", 30.0, 0.5), Judgement("jumps over", 0.1, 0.1)],
            "val": [Judgement("the lazy dog", 0.1, 0.1), Judgement("and sleeps", 0.2, 0.2)],
            "test": [Judgement("all day", 3.0, 3.0), Judgement("lon", math.inf, 2.0)],
        }
        return examine(self.splits, told)


# ---- outliers and suspects ----


def test_labels_stand_in_the_order_of_the_splits(tmp_path: Path) -> None:
    labels = Parsed(tmp_path).judged()
    assert [(label.split, label.sample.id) for label in labels[::2]] == [
        ("train", "a01-000-00"),
        ("val", "b01-000-00"),
        ("test", "c01-000-00"),
    ]
    assert labels[0].judgement.read == "A quick <fox>"
    assert labels[0].loss_per_character == pytest.approx(30 / len("A quick fox"))


def test_a_width_is_compared_with_those_of_its_writer() -> None:
    narrow = [sample("x" * 30, 150 + n, writer="narrow") for n in range(6)]
    wide = [sample("x" * 30, 600 + n, writer="wide") for n in range(6)]
    values = stretches([*narrow, *wide, sample("x" * 30, 600, writer="narrow"), sample("x" * 30, 150, writer="wide")])
    assert max(map(abs, values[:12])) < 10
    assert values[12] > 100
    assert values[13] < -100


def test_a_writer_of_few_samples_is_compared_with_all() -> None:
    samples = [sample("x" * 30, 300 + n, writer=str(n)) for n in range(20)]
    values = stretches([*samples, sample("x" * 30, 600, writer="other")])
    assert values[-1] > 10 * max(map(abs, values[:20]))


def test_longer_texts_and_paragraphs_are_measured_by_the_line() -> None:
    lines = [sample("x" * 30, 300 + n) for n in range(7)]
    one, many = stretches([*lines, sample("\n".join(["x" * 30] * 5), 303), sample("x" * 154, 303)])[-2:]
    assert abs(one) < 5
    assert many < -100


def test_samples_that_are_all_alike_have_no_outlier() -> None:
    assert stretches([sample("abc")] * 6) == [0.0] * 6


def test_the_clearly_read_come_first_and_the_rightly_read_not_at_all() -> None:
    clear, unsure = label("a cat", "a dog", 30, 0.5), label("a cat", "o gat", 50, 30)
    right, liked, endless = label("a", "a", 9, 1), label("a", "b", 1, 2), label("aaaa", "a", math.inf, 1)
    assert suspects([unsure, right, clear, liked, endless], most=9) == [endless, clear, unsure]
    assert suspects([unsure, clear], most=1) == [clear]
    assert clear.suspicion == pytest.approx(29.5 / (DOUBT + 0.5))
    assert not endless.fits


def test_suspects_are_written_as_json(tmp_path: Path) -> None:
    found = [(label("a", "ö", math.inf, 1.23456), []), (label("a b", "a c", 6.0), ["f\ta b\ta c\tr"])]
    write_suspects(tmp_path / "s.jsonl", found)
    first, second = map(json.loads, (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines())
    assert (first["loss"], first["suspicion"], first["read_loss"], first["read"]) == (None, None, 1.235, "ö")
    assert second == {
        "id": "a01-000-00",
        "split": "train",
        "writer": "w",
        "text": "a b",
        "read": "a c",
        "suspicion": 0.833,
        "loss": 6.0,
        "loss_per_character": 2.0,
        "read_loss": 1.0,
        "stretch": 0.0,
        "corrections": ["f\ta b\ta c\tr"],
    }


# ---- corrections ----


def test_a_row_pasted_as_it_is_mends_the_label(tmp_path: Path) -> None:
    [row] = correction_rows(label("A quick fox", 'A "slow" fox'), {"a01-000-00": "a01-000"})
    mended = Parsed(tmp_path, corrections=row + "\n")
    assert list(mended.splits["train"].text) == ['A "slow" fox', "jumps over"]
    assert mended.report.noted["corrections"] == {"applied": ["a01-000-00"]}


def test_a_paragraph_has_a_row_for_each_line_that_differs(tmp_path: Path) -> None:
    doubted = label("A quick fox\njumps over", "A slow fox\njumps over", name="a01-000")
    rows = correction_rows(doubted, {"a01-000": "a01-000"})
    assert [row.split("\t")[:3] for row in rows] == [["a01-000", "A quick fox", "A slow fox"]]
    assert Parsed(tmp_path, corrections=rows[0] + "\n").splits["train"].text[0] == "A slow fox"


@pytest.mark.parametrize(
    ("text", "read", "name"), [("a\nb", "ab", "a01-000"), ("a", "b", "emnist-1"), ("a", "b", "ondb-a01-000")]
)
def test_no_row_for_what_cannot_be_corrected(text: str, read: str, name: str) -> None:
    assert correction_rows(label(text, read, name=name), {"a01-000": "a01-000"}) == []


def test_a_row_has_four_values_even_where_nothing_was_read(tmp_path: Path) -> None:
    [row] = correction_rows(label("jumps over", ""), {"a01-000-00": "a01-000"})
    assert Parsed(tmp_path, corrections=row + "\n").splits["train"].text[1] == "jumps over"


# ---- tables ----


def test_characters_that_are_rare_or_missing_are_named(tmp_path: Path) -> None:
    splits = Parsed(tmp_path).splits
    splits["train"] = replace(splits["train"], text=["eeeeeeeeeeee q", " "])
    rows = {row["character"]: row for row in character_rows(splits)}
    assert list(rows) == sorted(rows, key=lambda character: rows[character]["train"])
    assert rows["e"] == {"character": "e", "train": 12, "val": 3, "test": 0, "remark": "missing in test; rare in val"}
    assert rows["<space>"] == {
        "character": "<space>",
        "train": 2,
        "val": 3,
        "test": 1,
        "remark": "rare in train, val, test",
    }
    assert rows["Z"]["remark"] == "missing in train, val, test"
    assert len(rows) == len(LINE_CHARACTERS)


def test_a_writer_in_two_splits_is_named(tmp_path: Path) -> None:
    splits = Parsed(tmp_path).splits
    assert [row["shared"] for row in writer_rows(splits)] == ["none"] * 3
    splits["val"] = replace(splits["val"], writer=["001", "002"])
    assert [row["shared"] for row in writer_rows(splits)] == ["001", "001", "none"]
    assert writer_rows(splits)[1] == {
        "split": "val",
        "writers": 2,
        "samples": 2,
        "characters": len("the lazy dogand sleeps"),
        "shared": "001",
    }


def test_heights_of_lines_are_those_of_their_boxes(tmp_path: Path) -> None:
    assert line_heights(Parsed(tmp_path).forms) == {split: [50, 50] for split in SPLITS}


# ---- the page ----


def write(parsed: Parsed, path: Path) -> str:
    labels = parsed.judged()
    form_ids = {line.id: form.id for form in parsed.forms for line in form.lines}
    found = [(one, correction_rows(one, form_ids)) for one in suspects(labels, 9)]
    about = {"forms": parsed.forms, "report": parsed.report, "archive": parsed.archive}
    health_page(path, parsed.splits, labels, found, **about, left_out=[], examples=2)
    return path.read_text(encoding="utf-8")


def test_the_page_shows_each_suspect_with_its_split_and_the_row_to_paste(tmp_path: Path) -> None:
    page = write(Parsed(tmp_path), tmp_path / "data.html")
    assert "iam_lines: 2 samples in train, 2 samples in val, 2 samples in test" in page
    assert "<h3>1. c01-000-01: test, writer 003</h3>" in page
    assert "The image has too few columns for so long a label" in page
    assert "<h3>2. a01-000-00: train, writer 001</h3>" in page
    assert "a01-000\tA quick fox\tA quick &lt;fox&gt;\tread so by eye</pre>" in page
    assert "<dd>A quick <ins>&lt;</ins>fox<ins>&gt;</ins></dd>" in page
    assert "too few columns for their labels: 1." in page
    assert page.count("<svg ") == 18
    assert "<article>" in page.partition('id="hard"')[2]


def test_the_page_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    parsed = Parsed(tmp_path)
    assert write(parsed, tmp_path / "one.html") == write(parsed, tmp_path / "two.html")


def test_a_page_of_other_data_has_what_their_stage_counted_and_nothing_of_iam(tmp_path: Path) -> None:
    parsed = Parsed(tmp_path)
    labels, pages = parsed.judged(), {s: replace(part, source="page_lines") for s, part in parsed.splits.items()}
    told = truth_report.Report()
    told.note("mine", truth_report.LINES, "no text", "mine/a.xml: line l1")
    write_json(tmp_path / "ground_truth.json", {"corpora": told.metrics()})
    found = [(one, []) for one in suspects(labels, 9)]
    about = {"forms": [], "report": Report(), "archive": parsed.archive, "left_out": counted({"page_lines"}, tmp_path)}
    health_page(tmp_path / "data.html", pages, labels, found, **about, examples=2)
    page = (tmp_path / "data.html").read_text(encoding="utf-8")
    row = '<th scope="row">mine: line dropped</th><td>no text</td><td>1</td><td>mine/a.xml: line l1</td>'
    assert row in page
    assert "<h3>1. c01-000-01: test, writer 003</h3>" in page
    assert "IAM" not in page
    assert page.count("<svg ") == 15
