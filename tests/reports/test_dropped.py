from pathlib import Path

import numpy as np
from charsets import IAM
from iam_archives import SIZE, Page, line, members, pages, write_archive

from textrec.datasets.iam import Report, parse_forms
from textrec.reports.dropped import PICTURE, drops, notes


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
