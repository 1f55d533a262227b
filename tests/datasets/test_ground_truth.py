import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from charsets import DEFAULTS, charset_params
from PIL import Image
from repository import ROOT
from text_images import text_image
from truths import (
    TEXTS,
    alto_xml,
    document,
    encoded,
    line_image,
    page_line,
    page_xml,
    picture,
    write_truth,
)

from textrec.base.params import load, validate
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError
from textrec.datasets.ground_truth import ImportPages, find_pages, unpacked
from textrec.datasets.samples import read_split
from textrec.datasets.truth_lines import cut_lines, text_overlap, usable_lines
from textrec.datasets.truth_report import Report
from textrec.pages.page_alto import crop_line, page_pixels, read_page
from textrec.pages.text_area import prepare_line

VALUES = {"document": "", "val_share": 0.2, "test_share": 0.2, "on_bad_input": "skip"}
WIDTH, HEIGHT = picture().size
WHOLE = {name: text for split in SPLITS for name, text in document(f"c/{split}/{split}-doc").items()}


def parameters(**changes: Any) -> ImportPages:
    return validate(VALUES | changes, ImportPages, where="params.yaml: import_pages")


class Imported:
    """What came of files: samples by split and id, the report, and the charset."""

    def __init__(self, folder: Path, files: dict[str, bytes], charset: dict[str, Any] | None = None, **changes: Any):
        archive = write_truth(folder / "ground_truth.zip", files)
        params, truth, report = (
            parameters(**changes),
            charset_params(**{"on_unknown": "skip"} | (charset or {})),
            Report(),
        )
        with unpacked(archive) as place:
            lines, known = usable_lines(find_pages(place, params, report), params, truth, report)
            pairs = list(cut_lines(place, lines, params, report, line_height=28))
        self.samples: dict[str, dict[str, Sample]] = {split: {} for split in SPLITS}
        for split, sample in pairs:
            self.samples[split][sample.id] = sample
        self.texts = {sample.id: sample.text for _, sample in pairs}
        self.metrics, self.charset, self.overlap = report.metrics(), known, text_overlap(lines)
        assert list(folder.iterdir()) == [archive]
        for corpus, counts in self.metrics.items():  # every line is accounted for
            dropped = sum(noted["count"] for noted in counts["dropped_lines"].values())
            kept = sum(sample.id.startswith(f"{corpus}/") for _, sample in pairs)
            assert counts["lines_found"] == kept + dropped

    def dropped(self, kind: str = "dropped_lines", corpus: str = "c") -> dict[str, int]:
        return {reason: noted["count"] for reason, noted in self.metrics[corpus][kind].items()}


# ---- what is read ----


@pytest.mark.parametrize("xml", [page_xml(), alto_xml()], ids=["page", "alto"])
def test_lines_are_cut_as_they_are_read(tmp_path: Path, xml: bytes) -> None:
    made = Imported(tmp_path, document("c/train/d", xml))
    assert list(made.texts.values()) == list(TEXTS)
    for name, content in document("d", xml).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    page = read_page(tmp_path / "d/page.xml")
    pixels = page_pixels(page)
    for line, sample in zip(page.lines, made.samples["train"].values(), strict=True):
        assert sample.id == f"c/train/d/page:{line.id}"
        assert sample.writer == "c/d"
        assert np.array_equal(sample.image, prepare_line(crop_line(pixels, line), line_height=28).pixels)
        assert sample.image.shape[0] == 28


def test_pairs_of_image_and_text_are_lines_whatever_they_look_like(tmp_path: Path) -> None:
    two = encoded(text_image(["the first of two", "and the second"]))
    files = {"c/a.png": line_image("one line"), "c/a.gt.txt": b"one line\n", "c/a.txt": b"an older reading"}
    files |= {"c/sub/b.tif": encoded(picture(["two"]), "TIFF"), "c/sub/b.txt": b"\xef\xbb\xbftwo"}
    files |= {"c/stacked.png": two, "c/stacked.gt.txt": b"taken for one line"}
    made = Imported(tmp_path, files, document="b|c/")
    assert made.texts == {"c/a": "one line", "c/stacked": "taken for one line", "c/sub/b": "two"}
    assert {sample.image.shape[0] for part in made.samples.values() for sample in part.values()} == {28}
    assert made.dropped("ignored_files") == {"neither image nor transcript": 1}


def test_a_baseline_alone_is_enough(tmp_path: Path) -> None:
    lines = [page_line(number, text, width=WIDTH, coords=None) for number, text in enumerate(TEXTS)]
    made = Imported(tmp_path, document("c/train/d", page_xml(lines=lines)))
    whole = Imported(tmp_path / "whole", document("c/train/d"))
    assert made.texts == whole.texts
    for one, other in zip(made.samples["train"].values(), whole.samples["train"].values(), strict=True):
        assert abs(one.image.shape[1] - other.image.shape[1]) < 0.25 * other.image.shape[1]


def test_other_files_are_ignored_and_named(tmp_path: Path) -> None:
    files = {
        "c/README.txt": b"by hand\n\nand all",
        "c/METS.xml": b"<mets/>",
        "c/page.pdf": b"%PDF-",
        "c/train/x.txt": b"x",
    }
    made = Imported(tmp_path, WHOLE | files)
    assert made.metrics["c"]["ignored_files"]["neither image nor transcript"]["first"] == sorted(files)
    assert made.dropped() == made.dropped("dropped_files") == {}


def test_an_empty_page_is_no_mistake(tmp_path: Path) -> None:
    empty = page_xml(lines=["<UserDefined/>"])
    made = Imported(tmp_path, WHOLE | document("c/train/blank", empty), on_bad_input="error")
    assert len(made.texts) == 9


# ---- splits ----


def test_a_folder_that_is_a_split_says_so_and_the_rest_is_parted_by_document(tmp_path: Path) -> None:
    files = {"c/val/x/test-like/page.xml": page_xml(), "c/val/x/test-like/page.png": encoded(picture())}
    files |= {name: data for number in range(12) for name, data in document(f"d/letter-{number}").items()}
    made = Imported(tmp_path, files, val_share=0.3, test_share=0.3)
    assert {name.rpartition("/")[0] for name in made.samples["val"] if name.startswith("c/")} == {"c/val/x/test-like"}
    writers = {split: {sample.writer for sample in part.values()} for split, part in made.samples.items()}
    assert all(writers.values())
    assert not writers["train"] & writers["val"] | writers["train"] & writers["test"] | writers["val"] & writers["test"]
    assert sum(made.metrics["d"][split]["documents"] for split in SPLITS) == 12
    fewer = {name: data for name, data in files.items() if "letter-1" not in name}
    again = Imported(tmp_path, fewer, val_share=0.3, test_share=0.3)
    assert all(sample in made.samples[split] for split in SPLITS for sample in again.samples[split])


def test_a_pattern_says_what_a_document_is(tmp_path: Path) -> None:
    files = {}
    for letter in "abcdefgh":
        for page in (1, 2):
            files[f"c/{letter}_{page}.png"], files[f"c/{letter}_{page}.gt.txt"] = line_image("text"), b"text"
    whole = Imported(tmp_path, files)
    assert sum(map(bool, whole.samples.values())) == 1
    made = Imported(tmp_path, files, document=r"([a-z])_\d\.png$")
    assert {sample.writer for part in made.samples.values() for sample in part.values()} == {
        f"c/{d}" for d in "abcdefgh"
    }
    assert sum(map(bool, made.samples.values())) > 1


def test_a_document_in_two_splits_is_an_error(tmp_path: Path) -> None:
    files = document("c/train/one") | document("c/test/one")
    with pytest.raises(
        TextrecError, match=r"document one of c stands in two splits: c/test/one/page.xml is in test, c/"
    ):
        Imported(tmp_path, files)


def test_the_overlap_of_texts_is_counted(tmp_path: Path) -> None:
    other = ["a line of its own", "turned the old box round", "but then a few others"]
    files = document("c/train/a") | document("c/test/b", page_xml(other))
    overlap = Imported(tmp_path, files).overlap
    assert overlap["test"]["same_lines"] == 1
    assert overlap["test"]["runs_of_five_words"] == pytest.approx(1 / 11)
    assert overlap["val"] == {"same_lines": 0, "runs_of_five_words": 0}


# ---- text ----


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a\tb\nc\u00a0 d", "a b c d"),
        ("\u200fab\u202ec\u0001"[:-1], "abc"),
        ("cafe\u0301 \u2019 >x<", "caf\xe9 ' x"),
    ],
)
def test_text_is_normalised(tmp_path: Path, written: str, text: str) -> None:
    made = Imported(tmp_path, document("c/train/d", page_xml([written])), {"characters": "latin"})
    assert list(made.texts.values()) == [text]


def test_lines_without_text_are_dropped_and_counted(tmp_path: Path) -> None:
    files = document("c/train/d", page_xml([None, " \u200b", TEXTS[2]])) | {
        "c/train/l.png": line_image("x"),
        "c/train/l.txt": b"\n",
    }
    made = Imported(tmp_path, files, on_bad_input="error")
    assert list(made.texts.values()) == [TEXTS[2]]
    assert made.dropped() == {"no text": 3}


def test_characters_outside_are_treated_as_the_charset_says(tmp_path: Path) -> None:
    files = document("c/train/d", page_xml(["5 € and more", "caf\xe9 noir", TEXTS[2]]))
    skipped = Imported(tmp_path, files)
    assert list(skipped.texts.values()) == [TEXTS[2]]
    assert skipped.dropped() == {"character outside the charset": 2}
    replaced = Imported(tmp_path, files, {"on_unknown": "replace"})
    assert list(replaced.texts.values()) == ["cafe noir", TEXTS[2]]
    assert sum(replaced.dropped("letters_without_their_marks").values()) == 1
    with pytest.raises(
        TextrecError, match=r"c/train/d/page:l0: '€' in '5 € and more' is not in the charset; add it to ch"
    ):
        Imported(tmp_path, files, {"on_unknown": "error"})


def test_the_charset_may_be_that_of_the_training_lines(tmp_path: Path) -> None:
    files = document("c/train/d", page_xml(["abc abc", "abd", "\xe9\xe9\xe9"])) | document(
        "c/val/e", page_xml(["abababab", "xyz"])
    )
    made = Imported(tmp_path, files, {"characters": "data", "min_count": 3})
    assert made.charset.characters == "ab\xe9"
    assert list(made.texts.values()) == ["\xe9\xe9\xe9", "abababab"]


# ---- bad input ----

PNG = encoded(picture())
SQUARE = page_line(0, "text", width=WIDTH)
BAD_FILES = [
    ({"c/x.xml": page_xml(image="gone.png")}, "c/x.xml: its image is missing, there is no c/gone.png; put it beside"),
    ({"c/x.xml": page_xml(image="../../../x.png")}, "c/x.xml: its image "),
    ({"c/x.xml": page_xml(image="/etc/hostname")}, "c/x.xml: its image /etc/hostname is not among your pages"),
    ({"c/x.png": PNG}, "c/x.png: neither XML nor a file .gt.txt or .txt gives its text; add one"),
    ({"c/x.gt.txt": b"text"}, "c/x.gt.txt: the image of its line is missing; put it beside"),
    ({"c/x.xml": b"<PcGts><Page>", "c/x.png": PNG}, "c/x.xml: not well-formed XML"),
    ({"c/x.xml": b"", "c/x.png": PNG}, "c/x.xml: not well-formed XML"),
    ({"c/x.xml": page_xml(image="x.png").replace(b"<Page ", b"<Page/><Page "), "c/x.png": PNG}, "has 2 pages; export"),
    ({"c/x.xml": page_xml(image="x.png"), "c/x.png": b"GIF89a"}, "c/x.png: not a picture that can be read"),
    ({"c/x.xml": page_xml(image="x.png"), "c/x.png": encoded(picture().resize((90, 90)))}, "of other proportions"),
    ({"c/x.png": PNG, "c/x.txt": b"\xff\xfe\x00"}, "c/x.txt: not UTF-8 text"),
    ({"c/x.png": PNG, "c/x.txt": b"one\n\ntwo\n"}, "c/x.txt: has 2 lines, but c/x.png is taken for one; cut it"),
    (
        {"c/x.xml": page_xml(image="x.png"), "c/alto.xml": alto_xml(image="x.png"), "c/x.png": PNG},
        "c/x.xml: its image c/x.png is also that of c/alto.xml; remove one of them",
    ),
]
BAD_LINES = [
    ([page_line(0, "text", width=WIDTH, coords="1,1 5,5")], "line cannot be cut", "no list of three or more points"),
    ([page_line(0, "text", width=WIDTH, coords="1,1 5,5 9,9")], "line cannot be cut", "its outline has no area"),
    (
        [page_line(0, "text", width=WIDTH, coords=f"{WIDTH + 9},9 {WIDTH + 99},9 {WIDTH + 99},40")],
        "line cannot be cut",
        "it lies outside of the image",
    ),
    ([page_line(0, "text", width=WIDTH, coords=None, base=False)], "line cannot be cut", "it has no outline"),
    (
        [SQUARE, page_line(1, "text", width=WIDTH, name="l0")],
        "id stands twice",
        "line l0: its id stands twice, c/train/bad/page:l0; give",
    ),
    (
        [page_line(0, "text", width=WIDTH, coords="0,0 19,0 19,19 0,19", base=False)],
        "no ink",
        "page:l0: no ink where the line",
    ),
    ([page_line(0, "i", width=WIDTH)], "too wide for its text", "pixels wide for 'i'; mend its outline or its text"),
]


@pytest.mark.parametrize(("files", "message"), BAD_FILES)
def test_a_bad_file_stops_or_is_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(TextrecError) as caught:
        Imported(tmp_path, WHOLE | files, on_bad_input="error")
    assert message in str(caught.value)
    assert str(caught.value).endswith("or set import_pages.on_bad_input to skip")
    assert str(tmp_path) not in str(caught.value)
    made = Imported(tmp_path, WHOLE | files)
    assert sum(made.dropped("dropped_files").values()) == 1
    skipped = capsys.readouterr().err.strip().splitlines()
    assert len(skipped) == 1
    assert message in skipped[0]
    kept = set(made.texts) - {name for name in made.texts if name.startswith("c/alto:")}
    assert len(kept) == 9


@pytest.mark.parametrize(("lines", "reason", "message"), BAD_LINES)
def test_a_bad_line_stops_or_is_skipped_and_counted(
    tmp_path: Path, lines: list[str], reason: str, message: str
) -> None:
    files = WHOLE | document("c/train/bad", page_xml(lines=[*lines, page_line(2, TEXTS[2], width=WIDTH)]))
    with pytest.raises(TextrecError, match=r"^c/train/bad/page.*, or set import_pages.on_bad_input to skip$") as caught:
        Imported(tmp_path, files, on_bad_input="error")
    assert message in str(caught.value)
    made = Imported(tmp_path, files)
    assert made.dropped() == {reason: 1}
    assert made.texts["c/train/bad/page:l2"] == TEXTS[2]


def test_a_line_image_of_several_pages_or_a_second_one_of_its_name_is_bad(tmp_path: Path) -> None:
    pages = io.BytesIO()
    picture(["one"]).save(pages, "TIFF", save_all=True, append_images=[picture(["two"])])
    files = {"c/train/a.tif": pages.getvalue(), "c/train/a.txt": b"one"}
    files |= {"c/train/b.png": line_image("two"), "c/train/b.bmp": line_image("two"), "c/train/b.txt": b"two"}
    made = Imported(tmp_path, files)
    assert list(made.texts) == ["c/train/b"]
    assert made.dropped() == {"id stands twice": 1, "image cannot be read": 1}


def test_outlines_that_leave_the_image_or_cross_themselves_are_cut(tmp_path: Path) -> None:
    left, right, top, bottom = -500, WIDTH + 900, 20, 90
    lines = [
        page_line(0, TEXTS[0], width=WIDTH, coords=f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"),
        page_line(1, TEXTS[1], width=WIDTH, coords=f"20,95 {WIDTH - 20},160 {WIDTH - 20},95 20,160"),
    ]
    made = Imported(tmp_path, document("c/train/d", page_xml(lines=lines)), on_bad_input="error")
    assert len(made.texts) == 2


def test_a_page_that_is_damaged_behind_its_head_loses_its_lines(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), np.uint8))
    files = WHOLE | document("c/train/bad", image=encoded(noise, "JPEG")[:-20_000])
    made = Imported(tmp_path, files)
    assert made.dropped() == {"image cannot be read": 3}
    with pytest.raises(TextrecError, match=r"^c/train/bad/page.png: not a picture that can be read"):
        Imported(tmp_path, files, on_bad_input="error")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"document": "(a"}, r"import_pages.document is '\(a': not a regular expression"),
        ({"val_share": 0.5, "test_share": 0.5}, "val_share and test_share leave nothing to train on; lower them"),
        ({"val_share": -0.1}, r"import_pages.val_share is -0.1"),
        ({"on_bad_input": "stop"}, "on_bad_input is 'stop': input should be 'error' or 'skip'"),
    ],
)
def test_impossible_parameters_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        parameters(**changes)


# ---- the stage ----


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_truth(tmp_path / "data/raw/ground_truth.zip", WHOLE)
    sections = {
        "charset": DEFAULTS.model_dump(),
        "crop": {"line_height": 28},
        "import_pages": load("import_pages", ImportPages, ROOT / "params.yaml").model_dump(),
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    return tmp_path


def stage(folder: Path, *before: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [*before, sys.executable, "-m", "stages.import_pages"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_stage_writes_lines_report_and_sheet_the_same_on_one_core(project: Path) -> None:
    done = stage(project)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "c: 9 lines; train 3, val 3, test 3; dropped: none\n"
    outputs = ["data/processed/page_lines.h5", "metrics/ground_truth.json", "reports/page_lines.png"]
    first = {name: (project / name).read_bytes() for name in outputs}
    train = read_split(project / outputs[0], "train")
    assert (train.source, [*train.text], train.line_height) == ("page_lines", list(TEXTS), 28)
    metrics = json.loads(first[outputs[1]])
    assert metrics["corpora"]["c"]["test"] == {
        "documents": 1,
        "pages": 1,
        "lines": 3,
        "characters": sum(map(len, TEXTS)),
    }
    assert metrics["text_overlap"]["test"] == {"same_lines": 3, "runs_of_five_words": 1.0}
    assert stage(project, "taskset", "--cpu-list", "0").returncode == 0
    assert {name: (project / name).read_bytes() for name in outputs} == first


def test_bad_input_leaves_the_last_good_output_and_one_line(project: Path) -> None:
    stage(project)
    good = (project / "data/processed/page_lines.h5").read_bytes()
    write_truth(project / "data/raw/ground_truth.zip", WHOLE | {"c/x.png": PNG})
    failed = stage(project)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: c/x.png: neither XML nor a file")
    assert failed.stderr.count("\n") == 1
    assert (project / "data/processed/page_lines.h5").read_bytes() == good


def test_without_pages_there_are_no_lines_and_a_missing_split_is_told(project: Path) -> None:
    write_truth(project / "data/raw/ground_truth.zip", {})
    assert stage(project).returncode == 0
    assert not any(len(read_split(project / "data/processed/page_lines.h5", split)) for split in SPLITS)
    write_truth(project / "data/raw/ground_truth.zip", document("c/train/d"))
    done = stage(project)
    assert done.returncode == 0
    assert "no lines in val, test: name a folder so, or give more documents (import_pages.document)" in done.stderr
