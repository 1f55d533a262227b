import os
from pathlib import Path

import pytest
from repository import ROOT

from textrec.base.charset import LINE_CHARACTERS
from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.datasets.ground_truth import ImportPages, Page, Written, find_pages, unpacked
from textrec.datasets.truth_report import Report
from textrec.drawn.letters import LINES, PAGES, write_letters


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("letters") / "letters.zip"
    write_letters(path, seed=1)
    return path


@pytest.fixture
def pages(archive: Path) -> list[tuple[Page, list[Written]]]:
    with unpacked(archive) as folder:
        return find_pages(folder, load("import_pages", ImportPages, ROOT / "params.yaml"), Report())


def test_each_split_has_pages_by_writers_of_its_own(pages: list[tuple[Page, list[Written]]]) -> None:
    assert {split: sum(page.split == split for page, _ in pages) for split in SPLITS} == PAGES
    assert len({page.document for page, _ in pages}) == sum(PAGES.values())
    assert {len(lines) for _, lines in pages} == {LINES}


def test_lines_can_be_cut_and_their_truth_has_typographic_quotes(pages: list[tuple[Page, list[Written]]]) -> None:
    lines = [line for _, page in pages for line in page]
    assert not any(line.problem for line in lines)
    found = set("".join(line.text or "" for line in lines))
    assert found - set(LINE_CHARACTERS) == set("\u201c\u201d\u2019")
    assert not found & set("\"'")


def test_bytes_do_not_depend_on_the_run_or_the_number_of_workers(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    write_letters(tmp_path / "letters.zip", seed=1)
    assert (tmp_path / "letters.zip").read_bytes() == archive.read_bytes()
    write_letters(tmp_path / "other.zip", seed=2)
    assert (tmp_path / "other.zip").read_bytes() != archive.read_bytes()
