from pathlib import Path

import numpy as np
import pytest
from charsets import IAM
from iam_archives import SIZE, Page, line, members, pages, write_archive

from textrec.base.runtime import TextrecError, write_json
from textrec.datasets import strokes, truth_report
from textrec.datasets.iam import Report, parse_forms
from textrec.reports.dropped import PICTURE, counted, drops, notes


def parse(folder: Path, forms: list[Page], **more: bytes) -> tuple[Report, Path]:
    """The report of an archive of these forms and of further members, by their names with _ for /."""
    extra = {name.replace("_", "/") + ".jpg": content for name, content in more.items()}
    archive = write_archive(folder / "iamdb.zip", members(forms) | extra)
    (folder / "corrections.tsv").write_text("form\twrong\tright\treason\na01-000\tquick\tslow\tit is\n")
    report = Report()
    list(parse_forms(archive, folder / "corrections.tsv", charset=IAM, skip_bad_lines=True, report=report))
    return report, archive


def with_flaws() -> list[Page]:
    lines = [line("a header", 80), line("A quick fox", 200), ("a box", [(0, 0, 0, 0)]), line("no § here", 320)]
    lines += [("beside it", [(SIZE[0] + 50, 400, 40, 40)]), ("too wide", [(700, 500, 600, 50)]), line("the last", 620)]
    printed = [text for text, _ in lines[1:]]
    return [Page("a01-000", "001", "trainset", lines, printed), *pages()[1:]]


def test_each_reason_has_its_lines_with_their_ink(tmp_path: Path) -> None:
    report, archive = parse(tmp_path, with_flaws())
    found = {drop.reason: drop for drop in drops(report, archive, examples=9)}
    assert {reason: [picture.text for picture in drop.pictures] for reason, drop in found.items()} == {
        "not in the printed text": ["a header"],
        "box of no size": ["a box"],
        "unknown character": ["no § here"],
        "box outside the page": ["beside it", "too wide"],
    }
    [header] = found["not in the printed text"].pictures
    assert header.id == "a01-000-00"
    assert header.image is not None
    assert header.image.shape == (41, 141)  # two words of 100 x 50, 150 apart, 16 of padding, at half size
    assert header.image[20, 30] > 200
    assert header.image[20, 70] < 50
    assert found["box of no size"].pictures[0].image is None
    beside, wide = (picture.image for picture in found["box outside the page"].pictures)
    assert beside is None
    assert wide is not None
    assert wide.max() > 200


def test_forms_are_shown_whole_and_examples_are_few(tmp_path: Path) -> None:
    strange = [Page(f"d0{n}-000", "009", None, [line("other text", 200)], ["the print"]) for n in range(4)]
    report, archive = parse(
        tmp_path, [*pages(), *strange], forms_x01=b"", **{"forms_z00-000": strange[0].image(scale=1, kind="JPEG")}
    )
    del report.noted["dropped_images"]["no form"][0]  # x01 is no image
    [forms, lines, images] = drops(report, archive, examples=3)
    assert (forms.what, forms.reason, forms.total, len(forms.pictures)) == (
        "form dropped",
        "no line in the printed text",
        4,
        3,
    )
    assert (lines.total, len(lines.pictures)) == (4, 3)
    for picture in (*forms.pictures, *images.pictures):
        assert isinstance(picture.image, np.ndarray)
        assert max(picture.image.shape[0] / PICTURE[1], picture.image.shape[1] / PICTURE[0]) <= 1
        assert picture.image.max() > 200
    assert [picture.id for picture in images.pictures] == ["z00-000"]


def test_notes_name_few_ids_and_count_all(tmp_path: Path) -> None:
    report, _ = parse(tmp_path, pages())
    report.noted["dropped_lines"]["no box"] = [f"a01-000-{n:02}" for n in range(25)]
    rows = {(row["what"], row["why"]): (row["how many"], row["which"]) for row in notes(report)}
    assert rows["correction", "applied"] == (1, "a01-000-00")
    count, named = rows["line dropped", "no box"]
    assert count == 25
    assert named.startswith("a01-000-00 a01-000-01 ")
    assert named.endswith("a01-000-19 and 5 more")


# ---- other data ----

DRAWN = {"without_text": 2, "corpus": {"words": 9, "left_out": 3}}
NOT_DRAWN = ("line not drawn", "its hand can write none of its words", 2, "")
LEFT_OUT = ("word of the corpus left out", "character outside the charset", 3, "")


def write_reports(folder: Path) -> None:
    """What stages report that left out some of everything."""
    pages = truth_report.Report()
    for number in range(2):
        pages.note("mine", truth_report.LINES, "no text", f"line {number}")
    for number in range(30):
        pages.note("old", truth_report.IGNORED, "no page", str(number))
    lines = strokes.Report()
    lines.dropped["no transcript"] = 4
    reports = {
        "ground_truth": {"corpora": pages.metrics()},
        "ondb": lines.metrics(),
        "corrected": {"lines": 5, "left_out_several_lines": 1},
        "drawn_lines": DRAWN,
        "font_lines": {"dropped": {"a.ttf": "no font", "b.ttf": "no letters", "c.ttf": "no font"}} | DRAWN,
    }
    for name, report in reports.items():
        write_json(folder / f"{name}.json", report)


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ("iam_lines", []),
        ("emnist_lines", []),
        (
            "page_lines",
            [
                ("mine: line dropped", "no text", 2, "line 0\nline 1"),
                ("old: file ignored", "no page", 30, "\n".join(map(str, range(20))) + " and 10 more"),
            ],
        ),
        ("ondb_lines", [("on-line line dropped", "no transcript", 4, "")]),
        ("iam_lines ondb_lines", [("on-line line dropped", "no transcript", 4, "")]),
        ("corrected_lines", [("correction left out", "of several lines", 1, "")]),
        ("drawn_lines", [NOT_DRAWN, LEFT_OUT]),
        (
            "font_lines",
            [
                ("font left out", "no font", 2, "a.ttf\nc.ttf"),
                ("font left out", "no letters", 1, "b.ttf"),
                NOT_DRAWN,
                LEFT_OUT,
            ],
        ),
    ],
)
def test_what_other_stages_left_out_is_in_rows(
    tmp_path: Path, names: str, rows: list[tuple[str, str, int, str]]
) -> None:
    write_reports(tmp_path)
    assert [tuple(row.values()) for row in counted(names.split(), tmp_path)] == rows


def test_what_is_not_there_is_no_row_and_a_missing_report_is_told(tmp_path: Path) -> None:
    write_json(tmp_path / "corrected.json", {"left_out_several_lines": 0})
    assert counted({"corrected_lines"}, tmp_path) == []
    with pytest.raises(TextrecError, match=r"ondb.json: not found; run `dvc repro`"):
        counted({"ondb_lines"}, tmp_path)
