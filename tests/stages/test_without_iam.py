"""The data stages where a source has no IAM, no EMNIST, or neither: nothing to train on, and no error."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from charsets import IAM
from iam_archives import members, pages, write_archive
from pen_strokes import packed
from repository import ROOT

from stages import (
    add_corrections,
    crop_lines,
    crop_paragraphs,
    draw_ondb,
    extract_emnist,
    parse_iam,
    synth_lines,
    synth_paragraphs,
)
from textrec.base.charset import LINE_CHARACTERS
from textrec.base.records import SPLITS, write_forms
from textrec.base.runtime import TextrecError
from textrec.datasets.iam import Report, parse_forms
from textrec.datasets.samples import read_split

STAGES = (
    parse_iam,
    crop_lines,
    crop_paragraphs,
    extract_emnist,
    synth_lines,
    synth_paragraphs,
    draw_ondb,
    add_corrections,
)
DATASETS = ("iam_lines", "iam_paragraphs", "emnist_lines", "synth_paragraphs", "ondb_lines", "corrected_lines")

Prepare = Callable[..., None]


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Become a project whose download stage found nothing but the strokes that are given."""

    def call(*, characters: str = "iam", strokes: dict[str, bytes] | None = None) -> None:
        monkeypatch.chdir(tmp_path)
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["charset"] |= {"characters": characters}
        Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        for name in ("iamdb.zip", "matlab.zip", "ondb.zip"):
            Path("data/raw").mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(f"data/raw/{name}", "w") as archive:
                for member, content in (strokes or {}).items() if name == "ondb.zip" else ():
                    archive.writestr(member, content)
        Path("data/raw/corpus.txt").write_text("One sentence.\nAnd two.\nAnd three.\n")
        Path("data/corrections.tsv").write_text((ROOT / "data/corrections.tsv").read_text())

    return call


def sizes(name: str) -> list[int]:
    return [len(read_split(f"data/processed/{name}.h5", split)) for split in SPLITS]


def counts(report: object) -> list[object]:
    """All values of a report, in whatever tables."""
    values = report.values() if isinstance(report, dict) else ()
    return [report] if not isinstance(report, dict) else [count for value in values for count in counts(value)]


@pytest.mark.parametrize("characters", ["iam", "data"])
def test_all_data_stages_run_and_give_nothing(prepare: Prepare, characters: str) -> None:
    prepare(characters=characters)
    for stage in STAGES:
        stage.main()
    for name in DATASETS:
        assert sizes(name) == [0, 0, 0]
        assert read_split(f"data/processed/{name}.h5", "val").characters.rstrip("\n") == LINE_CHARACTERS
        assert Path(f"reports/{name}.png").exists() == (name != "corrected_lines")  # which has none
    for name in ("iam", "ondb", "corrected"):
        assert set(counts(json.loads(Path(f"metrics/{name}.json").read_text()))) == {0}


@pytest.mark.parametrize("characters", ["iam", "data"])
def test_strokes_are_drawn_without_forms(prepare: Prepare, characters: str) -> None:
    prepare(characters=characters, strokes=packed())
    for stage in (parse_iam, crop_lines, draw_ondb):
        stage.main()
    drawn = json.loads(Path("metrics/ondb.json").read_text())["drawn"]
    assert sizes("ondb_lines") == [drawn, 0, 0]
    assert drawn


@pytest.mark.parametrize("stage", [crop_lines, crop_paragraphs])
def test_where_there_are_forms_an_empty_split_is_an_error(prepare: Prepare, stage: object) -> None:
    prepare()
    write_archive(Path("data/raw/iamdb.zip"), members(pages()))
    every = parse_forms("data/raw/iamdb.zip", "data/corrections.tsv", charset=IAM, skip_bad_lines=True, report=Report())
    write_forms("data/interim/iam.jsonl", [form for form in every if form.split == "train"])
    with pytest.raises(TextrecError, match="split val is empty; look at what was dropped on the way to it"):
        stage.main()
