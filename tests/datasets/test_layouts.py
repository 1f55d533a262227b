"""Pages with where their lines are: from forms, from transcribed pages, and through their file."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from charsets import IAM
from iam_archives import SIZE, members, pages, write_archive
from PIL import Image
from xml_pages import ALTO_SOURCE, PAGE_SOURCE

from textrec.base.records import write_forms
from textrec.base.runtime import TextrecError
from textrec.datasets.ground_truth import ImportPages, Page
from textrec.datasets.iam import Report, parse_forms
from textrec.datasets.layouts import (
    Layout,
    LayoutSplit,
    form_layouts,
    page_layout,
    page_layouts,
    reduced,
    write_layouts,
)
from textrec.datasets.truth_report import Report as Truths
from textrec.pages.overlap import overlaps
from textrec.pages.ribbons import LONGEST, outline_of

OUTLINE = np.array([(10, 20), (90, 20), (90, 44), (10, 44)], float)
BASELINE = np.array([(10, 38), (90, 38)], float)


def layout(name: str, height: int = 60, lines: int = 2) -> Layout:
    image = Image.fromarray(np.random.default_rng(height).integers(0, 256, (height, 100), np.uint8))
    return reduced(name, "corpus/document", image, [(OUTLINE, BASELINE)] * lines)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = [("train", layout("a")), ("val", layout("b", 70, 0)), ("train", layout("c", 80, 3))]
    write_layouts(tmp_path / "l.h5", written)
    train, val, test = (LayoutSplit(tmp_path / "l.h5", split) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (2, 1, 0)
    for found, expected in zip(
        (train[0], train[1], val[0]), (written[0][1], written[2][1], written[1][1]), strict=True
    ):
        assert (found.id, found.document) == (expected.id, expected.document)
        assert np.array_equal(found.image, expected.image)
        assert len(found.outlines) == len(found.ribbons) == len(expected.ribbons)
        for one, other in zip(found.ribbons + found.outlines, expected.ribbons + expected.outlines, strict=True):
            assert one == pytest.approx(other, abs=1e-3)
    write_layouts(tmp_path / "again.h5", written)
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "l.h5").read_bytes()


def test_a_line_that_runs_down_keeps_its_outline(tmp_path: Path) -> None:
    turned = [(OUTLINE[:, ::-1], BASELINE[:, ::-1]), (OUTLINE, BASELINE)]
    found = reduced("a", "d", Image.new("L", (100, 100)), turned)
    assert [one is None for one in found.ribbons] == [True, False]
    write_layouts(tmp_path / "l.h5", [("test", found)])
    again = LayoutSplit(tmp_path / "l.h5", "test")[0]
    assert [one is None for one in again.ribbons] == [True, False]
    assert len(again.outlines) == 2


def test_a_large_page_is_reduced_with_its_lines() -> None:
    found = reduced("a", "d", Image.new("L", (1600, 3 * LONGEST)), [(OUTLINE * 9, BASELINE * 9)])
    assert found.image.shape == (LONGEST, round(1600 / 3))
    assert found.outlines[0] == pytest.approx(OUTLINE * 3)
    assert found.ribbons[0][:, 1] == pytest.approx(38 * 3)


@pytest.mark.parametrize("source", [PAGE_SOURCE, ALTO_SOURCE])
def test_a_transcribed_page_has_the_lines_of_its_xml(source: str, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/page.xml").write_text(source)
    Image.new("L", (200, 100), 200).save(tmp_path / "corpus/scan.png")
    found = page_layout(Page("corpus/page.xml", "corpus", "d", "train"), folder=tmp_path)
    assert found is not None
    assert (found.id, found.document, found.image.shape) == ("corpus/page.xml", "corpus/d", (100, 200))
    assert len(found.outlines) == 1  # the other has no baseline
    assert found.ribbons[0][[0, -1], 1] == pytest.approx([38, 48], abs=1.5)


def test_a_page_without_lines_has_no_layout(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/page.xml").write_text(PAGE_SOURCE.replace("pc:Baseline", "pc:Other"))
    Image.new("L", (200, 100), 200).save(tmp_path / "corpus/scan.png")
    assert page_layout(Page("corpus/page.xml", "corpus", "d", "train"), folder=tmp_path) is None


def test_a_page_whose_image_cannot_be_read_stops_the_stage_or_is_counted(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name in ("good", "bad"):
        (tmp_path / f"corpus/{name}.xml").write_text(PAGE_SOURCE.replace("scan.png", f"{name}.png"))
        Image.new("L", (200, 100), 200).save(tmp_path / f"corpus/{name}.png")
    whole = (tmp_path / "corpus/bad.png").read_bytes()
    (tmp_path / "corpus/bad.png").write_bytes(whole[: len(whole) // 2 + 20])
    listed = [Page(f"corpus/{name}.xml", "corpus", "d", "train") for name in ("bad", "good")]
    params = {"document": "", "val_share": 0.1, "test_share": 0.1}
    report = Truths()
    found = page_layouts(listed, tmp_path, ImportPages(**params, on_bad_input="skip"), report)
    assert [layout.id for _, layout in found] == ["corpus/good.xml"]
    assert report.metrics()["corpus"]["dropped_files"]["cannot be read"]["count"] == 1
    with pytest.raises(TextrecError, match=r"^corpus/bad.png: not a picture .*set import_pages.on_bad_input to skip"):
        list(page_layouts(listed, tmp_path, ImportPages(**params, on_bad_input="error"), Truths()))


def test_forms_are_cut_below_their_print(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "iamdb.zip", members(pages(), scale=0.5))
    (tmp_path / "corrections.tsv").write_text("form\twrong\tright\treason\n")
    options = {"charset": IAM, "skip_bad_lines": False, "report": Report()}
    write_forms(tmp_path / "iam.jsonl", parse_forms(archive, tmp_path / "corrections.tsv", **options))
    found = {layout.id: (split, layout) for split, layout in form_layouts(tmp_path / "iam.jsonl", archive)}
    form = pages()[0]
    _, first = found[form.id]
    top = min(y for _, boxes in form.lines for _, y, _, _ in boxes) / 2
    assert len(first.outlines) == len(form.lines)
    assert first.image.shape[0] <= SIZE[1] / 2 - top + 60
    for (_, boxes), outline, one in zip(form.lines, first.outlines, first.ribbons, strict=True):
        corners = np.array([(x, y, x + width, y + height) for x, y, width, height in boxes]) / 2
        assert np.ptp(outline[:, 0]) == pytest.approx(corners[:, 2].max() - corners[:, 0].min(), abs=1)
        assert overlaps([outline], [outline_of(one)])[0, 0] > 0.8
        inside = first.image[int(outline[:, 1].min()) + 2 : int(outline[:, 1].max()) - 2]
        assert inside.min() < 60


def test_bad_layout_files(tmp_path: Path) -> None:
    with pytest.raises(TextrecError, match=r"none.h5: not found; run `dvc repro`"):
        LayoutSplit(tmp_path / "none.h5", "train")
    (tmp_path / "l.h5").write_bytes(b"no")
    with pytest.raises(TextrecError, match=r"l.h5: not a readable layout file"):
        LayoutSplit(tmp_path / "l.h5", "train")
    write_layouts(tmp_path / "l.h5", [])
    with h5py.File(tmp_path / "l.h5", "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(TextrecError, match=r"l.h5: layout format 99, this version reads 1"):
        LayoutSplit(tmp_path / "l.h5", "train")
