import io
import itertools
import json
import subprocess
import sys

import pytest
from charsets import CHARSET_YAML, IAM, charset_params
from iam_archives import Page, line, members, pages, write_archive
from PIL import Image
from repository import ROOT

from stages import parse_iam
from textrec.base.charset import CharsetParams
from textrec.base.params import validate
from textrec.base.records import Box, Form, Word, write_forms
from textrec.base.runtime import TextrecError
from textrec.datasets.iam import (
    IamParams,
    Report,
    assign_splits,
    keep_handwriting,
    merge_words,
    parse_forms,
    read_corrections,
)
from textrec.datasets.iam_xml import WrittenForm, WrittenLine

HEADER = "form\twrong\tright\treason\n"
folders = itertools.count()


@pytest.fixture
def parse(tmp_path):
    """Parse an archive of the given members; returns the forms by id and the metrics."""

    def run(
        contents: dict[str, bytes], *, charset: CharsetParams = IAM, skip: bool = False, corrections: str = ""
    ) -> tuple[dict[str, Form], dict]:
        folder = tmp_path / str(next(folders))
        archive = write_archive(folder / "iamdb.zip", contents)
        table = folder / "corrections.tsv"
        table.write_text(HEADER + corrections)
        report = Report()
        forms = parse_forms(archive, table, charset=charset, skip_bad_lines=skip, report=report)
        return {form.id: form for form in forms}, report.metrics()

    return run


def with_first(**changes) -> list[Page]:
    """The usual pages with the training form changed."""
    first, *others = pages()
    for name, value in changes.items():
        setattr(first, name, value)
    return [first, *others]


# ---- what is read ----


def test_forms_have_their_split_lines_words_and_boxes(parse):
    forms, metrics = parse(members(pages()))
    assert [(form.id, form.writer, form.split, form.width, form.height) for form in forms.values()] == [
        ("a01-000", "001", "train", 1000, 1400),
        ("b01-000", "002", "val", 1000, 1400),
        ("c01-000", "003", "test", 1000, 1400),
    ]
    first = forms["a01-000"].lines[0]
    assert (first.id, first.text, first.listed) == ("a01-000-00", "A quick fox", True)
    assert first.words[1] == Word("quick", (Box(250, 200, 100, 50),))
    assert metrics["lines"] == {"train": 2, "val": 2, "test": 2} == metrics["listed_lines"]
    assert metrics["writers"] == {"train": 1, "val": 1, "test": 1} == metrics["forms"]


def test_doubly_escaped_quotes_and_ampersands_are_unescaped_in_both_parts(parse):
    text = '"Salt & Co\'s" end'
    forms, metrics = parse(members(with_first(lines=[line(text, 200)])))
    assert forms["a01-000"].lines[0].text == text
    assert metrics["dropped_lines"] == {}


def test_half_size_jpegs_and_full_size_pngs_give_the_same_file(tmp_path, parse):
    half, _ = parse(members(pages()))
    full, _ = parse(members(pages(), scale=1, suffix="png"))
    write_forms(tmp_path / "half.jsonl", half.values())
    write_forms(tmp_path / "full.jsonl", full.values())
    assert (tmp_path / "half.jsonl").read_bytes() == (tmp_path / "full.jsonl").read_bytes()


def test_punctuation_words_join_the_word_they_stand_at():
    boxes = [Box(n, 0, 1, 1) for n in range(4)]
    parts = [('"', [boxes[0]]), ("No", [boxes[1]]), (",", [boxes[2]]), ("sir", []), (".", [boxes[3]])]
    words = merge_words(WrittenLine("l", '"No, sir.', parts))
    assert words == (Word('"No,', tuple(boxes[:3])), Word("sir.", (boxes[3],)))


@pytest.mark.parametrize("spelled", [["may", "have", "fall"], ["mayfall"], ["may"], ["may", "fall", "off"]])
def test_words_that_spell_something_else_leave_all_boxes_to_the_first(spelled):
    boxes = tuple(Box(n, 0, 1, 1) for n in range(len(spelled)))
    parts = [(text, [box]) for text, box in zip(spelled, boxes, strict=True)]
    assert merge_words(WrittenLine("l", "may fall", parts)) == (Word("may", boxes), Word("fall", ()))


# ---- the machine-print filter ----


def kept(texts: list[str], printed: str) -> list[str]:
    lines = [WrittenLine(f"f-{number:02}", text, []) for number, text in enumerate(texts)]
    return [line.text for line in keep_handwriting(WrittenForm("f", "w", 1, 1, printed, lines), Report())]


def test_stray_lines_before_and_after_the_text_are_dropped():  # p02-109
    texts = ["Sentence Database", "P02-109", "He rose and", "not as printed", "left the house.", "Name:"]
    assert kept(texts, "He rose and went, then left the house.") == texts[2:5]


def test_a_line_occurs_without_its_last_character():
    assert kept(["the un-", "seen hand,"], "the unseen hand") == ["the un-", "seen hand,"]


def test_a_form_in_capitals_is_compared_in_capitals():  # g07-000a
    assert kept(["BY McADAM,", "THE ROADS", "x"], "By McAdam, the roads") == ["BY McADAM,", "THE ROADS"]


def test_one_line_in_capitals_does_not_make_a_form_of_capitals():
    assert kept(["THE END", "the end of it all"], "So this is the end of it all") == ["the end of it all"]


def test_a_single_stray_character_does_not_occur_everywhere():
    assert kept(["x", "He rose"], "He rose") == ["He rose"]


def test_a_form_without_any_printed_line_is_dropped_and_reported(parse):
    stranger = Page("a02-000", "001", "trainset", [line("something else", 200)], printed=["He rose"])
    forms, metrics = parse(members([*pages(), stranger]))
    assert "a02-000" not in forms
    assert metrics["dropped_forms"] == {"no line in the printed text": {"count": 1, "ids": "a02-000"}}
    assert metrics["dropped_lines"] == {"not in the printed text": {"count": 1, "ids": "a02-000-00"}}


# ---- splits ----


def test_an_unlisted_form_follows_its_writer_and_all_lines_of_a_form_its_split(parse):
    extra = [
        Page("g01-022", "002", None, [line("by the way", 200)]),
        Page("h01-000", "009", None, [line("so on", 200)]),
    ]
    contents = members([*pages(), *extra])
    contents["task/testset.txt"] = b"c01-000-01\n"
    forms, metrics = parse(contents)
    assert {form.id: form.split for form in forms.values()}["g01-022"] == "val"
    assert forms["h01-000"].split == "train"
    assert [line.listed for line in forms["c01-000"].lines] == [False, True]
    assert metrics["unlisted_forms"]["val"] == {"count": 1, "ids": "g01-022"}
    assert metrics["listed_lines"] == {"train": 2, "val": 2, "test": 1}


def test_a_writer_in_two_splits_is_an_error_naming_writer_and_forms():
    lists = {"train": {"a01-000-00"}, "val": set(), "test": {"c01-000-00"}}
    with pytest.raises(TextrecError, match=r"a.zip: writer 7 stands in 2 splits \(train: a01-000; test: c01-000\)"):
        assign_splits({"a01-000": "7", "c01-000": "7"}, lists, where="a.zip")


def test_a_form_in_the_lists_of_two_splits_is_an_error_naming_form_and_lists(parse):
    contents = members(pages())
    contents["task/testset.txt"] += b"\na01-000-01"
    message = r"iamdb.zip: form a01-000 stands in task/trainset.txt and in task/testset.txt; leave it in one of them"
    with pytest.raises(TextrecError, match=message):
        parse(contents)


def test_a_task_list_naming_an_unknown_form_is_an_error(parse):
    contents = members(pages()) | {"task/testset.txt": b"z99-000-00\n"}
    with pytest.raises(TextrecError, match=r"task/testset.txt: line z99-000-00 is of no form in xml/"):
        parse(contents)


def test_a_missing_task_list_is_an_error(parse):
    contents = members(pages())
    del contents["task/validationset2.txt"]
    with pytest.raises(TextrecError, match=r"iamdb.zip: task/validationset2.txt is missing"):
        parse(contents)


def test_an_empty_split_is_an_error(parse):
    with pytest.raises(TextrecError, match="split val is empty"):
        parse(members([page for page in pages() if page.task != "validationset1"]))


# ---- corrections ----


def test_corrections_are_applied_and_counted(parse):
    rows = "a01-000\tquick fox\tslow fox\twhy\na01-000\tno such\tx\twhy\nk04-028\tx\ty\twhy\n"
    forms, metrics = parse(members(pages()), corrections=rows)
    corrected = forms["a01-000"].lines[0]
    assert corrected.text == "A slow fox"
    assert [word.text for word in corrected.words] == ["A", "slow", "fox"]
    assert corrected.boxes == [Box(100, 200, 100, 50), Box(250, 200, 100, 50), Box(400, 200, 100, 50)]
    assert metrics["corrections"] == {
        "applied": {"count": 1, "ids": "a01-000-00"},
        "form not in the archive": {"count": 1, "ids": "k04-028"},
        "text not found": {"count": 1, "ids": "a01-000"},
    }


def test_a_correction_that_fits_two_lines_is_an_error(parse):
    with pytest.raises(TextrecError, match=r"'e' stands in lines b01-000-00, b01-000-01; give more"):
        parse(members(pages()), corrections="b01-000\te\ti\twhy\n")


def test_the_projects_corrections_can_be_read():
    assert [correction.right for correction in read_corrections(ROOT / "data/corrections.tsv")["k04-028"]] == [
        "it may fallen from",
        "Lucullus, awaiting",
        "the sword of the executioner",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("form,wrong,right,reason\n", "row 1 must be the tab-separated header"),
        ("", "row 1 must be the tab-separated header"),
        (HEADER + "a01-000\twrong\tright\n", "row 2 has not four tab-separated values"),
    ],
)
def test_a_damaged_correction_table_is_an_error(tmp_path, text, message):
    (tmp_path / "corrections.tsv").write_text(text)
    with pytest.raises(TextrecError, match=rf"corrections.tsv: {message}"):
        read_corrections(tmp_path / "corrections.tsv")


def test_a_missing_correction_table_is_an_error(tmp_path):
    with pytest.raises(TextrecError, match=r"corrections.tsv: not found; restore it"):
        read_corrections(tmp_path / "corrections.tsv")


# ---- bad archives ----


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</form>", "", r"xml/a01-000.xml: not well-formed XML .no element found.*; remove the archive"),
        ('id="a01-000"', "", r"<form> has no attribute 'id'"),
        ('id="a01-000"', 'id="b01-000"', r"holds form 'b01-000'; a form's id and the name"),
        ('writer-id="001"', "", r"<form> has no attribute 'writer-id'"),
        ('width="1000"', 'width="wide"', r"width of <form> is 'wide', not a whole number"),
        ('height="1400"', 'height="0"', r"the form is 1000 x 0 pixels"),
        ('text="A quick fox"/>', "/>", r"<machine-print-line> has no attribute 'text'"),
        ('text="A quick fox">', ">", r"line a01-000-00: <line> has no attribute 'text'"),
        ('<cmp x="100"', "<cmp", r"line a01-000-00: <cmp> has no attribute 'x'"),
        ('<cmp x="100"', '<cmp x="1.5"', r"line a01-000-00: x of <cmp> is '1.5', not a whole number"),
        ("a01-000-01", "a01-000-00", r"line a01-000-00 stands twice"),
        ("a01-000-01", "c01-000-01", r"line c01-000-01 has the id of another form's line"),
    ],
)
def test_bad_xml_is_an_error_whatever_on_bad_line_says(parse, old, new, message):
    with pytest.raises(TextrecError, match=message):
        parse(members(with_first(replace={old: new})), skip=True)


def test_an_entity_bomb_is_refused(parse):
    bomb = b'<!DOCTYPE f [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><form id="&b;"/>'
    with pytest.raises(
        TextrecError, match=r"xml/a01-000.xml: declares entities, which need not stop to unfold .*; remove"
    ):
        parse(members(pages()) | {"xml/a01-000.xml": bomb})


def test_forms_that_are_not_iams_may_be_named_in_their_own_way(parse):
    forms, _ = parse(members([*pages(), Page("letter-1870-2", "009", None, [line("Dear friend", 200)])]))
    assert [line.id for line in forms["letter-1870-2"].lines] == ["letter-1870-2-00"]
    assert forms["letter-1870-2"].split == "train"


def test_a_form_without_image_and_an_image_without_form_are_counted(parse):
    contents = members([*pages(), Page("a02-000", "001", "trainset", [line("more", 200)])])
    contents["forms/x01-000.jpg"] = contents.pop("forms/a02-000.jpg")
    forms, metrics = parse(contents)
    assert list(forms) == ["a01-000", "b01-000", "c01-000"]
    assert metrics["dropped_forms"] == {"no image": {"count": 1, "ids": "a02-000"}}
    assert metrics["dropped_images"] == {"no form": {"count": 1, "ids": "x01-000"}}


def test_two_images_of_a_form_are_an_error(parse):
    contents = members(pages()) | {"forms/a01-000.png": b""}
    with pytest.raises(TextrecError, match=r"form a01-000 stands twice: forms/a01-000.jpg and forms/a01-000.png"):
        parse(contents)


def test_an_image_that_is_none_is_an_error(parse):
    with pytest.raises(TextrecError, match=r"iamdb.zip: forms/a01-000.jpg is no image; remove the archive"):
        parse(members(pages()) | {"forms/a01-000.jpg": b"no image"})


@pytest.mark.parametrize(("data", "message"), [(None, "not found; run `dvc repro`"), (b"PK", "not a whole zip file")])
def test_a_missing_or_damaged_archive_is_an_error(tmp_path, data, message):
    (tmp_path / "corrections.tsv").write_text(HEADER)
    if data:
        (tmp_path / "iamdb.zip").write_bytes(data)
    options = {"charset": IAM, "skip_bad_lines": False, "report": Report()}
    forms = parse_forms(tmp_path / "iamdb.zip", tmp_path / "corrections.tsv", **options)
    with pytest.raises(TextrecError, match=rf"iamdb.zip: {message}"):
        next(forms)


# ---- bad lines ----

BAD_LINES = [
    ("no box", ("jumps over", []), "no word of it has a <cmp> box; mend the XML, or set parse_iam.on_bad_line to skip"),
    ("box of no size", ("jumps", [(100, 320, 0, 50)]), "the box at x=100 y=320, 0 x 50 pixels, has no size"),
    ("box outside the page", ("jumps", [(950, 320, 51, 50)]), "is not within the page of 1000 x 1400"),
    ("box outside the page", ("jumps", [(-1, 320, 51, 50)]), "the box at x=-1 .* is not within the page"),
    ("box outside the page", ("jumps", [(100, 1390, 51, 50)]), "is not within the page"),
    ("unknown character", line("5 €", 320), r"'€' in '5 €' is not in the charset; correct the label in data/correct"),
    ("no text", ("", []), "its text is empty"),
]


@pytest.mark.parametrize(("reason", "bad", "message"), BAD_LINES)
def test_a_bad_line_stops_or_is_skipped_and_counted(parse, reason, bad, message):
    contents = members(with_first(lines=[line("A quick fox", 200), bad, line("at last", 440)]))
    with pytest.raises(TextrecError, match=rf"xml/a01-000.xml: line a01-000-01: .*{message}"):
        parse(contents)
    forms, metrics = parse(contents, skip=True)
    assert [line.id for line in forms["a01-000"].lines] == ["a01-000-00", "a01-000-02"]
    assert metrics["dropped_lines"] == {reason: {"count": 1, "ids": "a01-000-01"}}


def test_a_line_with_an_unknown_character_is_treated_as_the_charset_says(parse):
    contents = members(with_first(lines=[line("A quick fox", 200), line("5 €", 320), line("caf\xe9", 440)]))
    options = {on: charset_params(on_unknown=on) for on in ("skip", "replace")}
    _, skipped = parse(contents, charset=options["skip"])
    assert skipped["dropped_lines"] == {"unknown character": {"count": 2, "ids": "a01-000-01 a01-000-02"}}
    forms, replaced = parse(contents, charset=options["replace"])
    assert [line.text for line in forms["a01-000"].lines] == ["A quick fox", "cafe"]
    assert replaced["dropped_lines"] == {"unknown character": {"count": 1, "ids": "a01-000-01"}}
    assert replaced["corrections"] == {"letters without their marks": {"count": 1, "ids": "a01-000-02"}}


@pytest.mark.parametrize("characters", ["latin", "data"])
def test_a_larger_charset_knows_more_characters_and_the_truth_is_normalised(parse, characters):
    contents = members(with_first(lines=[line("caf\u0065\u0301 5 €", 200), line("don\u2019t", 320)]))
    forms, _ = parse(contents, charset=charset_params(characters=characters))
    first, second = forms["a01-000"].lines
    assert (first.text, second.text) == ("caf\xe9 5 €", "don't")
    assert all(word.boxes for word in (*first.words, *second.words))


def test_a_box_below_the_stored_image_is_outside_the_page(parse):
    contents = members(pages())
    file = io.BytesIO()
    Image.new("L", (500, 150), 255).save(file, "JPEG")
    with pytest.raises(TextrecError, match=r"line a01-000-01: the box .* is not within the page of 1000 x 302"):
        parse(contents | {"forms/a01-000.jpg": file.getvalue()})


def test_a_form_whose_lines_are_all_bad_is_dropped_and_reported(parse):
    bad = Page("a02-000", "001", "trainset", [("no boxes", [])])
    _, metrics = parse(members([*pages(), bad]), skip=True)
    assert metrics["dropped_forms"] == {"no usable line": {"count": 1, "ids": "a02-000"}}


def test_on_bad_line_allows_error_and_skip_alone():
    with pytest.raises(TextrecError, match=r"parse_iam.on_bad_line is 'drop': input should be 'error' or 'skip'"):
        validate({"on_bad_line": "drop"}, IamParams, where="parse_iam")


# ---- the stage ----


def test_the_stage_writes_forms_and_report_and_keeps_them_on_an_error(tmp_path):
    write_archive(tmp_path / "data/raw/iamdb.zip", members(pages()))
    (tmp_path / "data/corrections.tsv").write_text(HEADER)
    (tmp_path / "params.yaml").write_text(f"{CHARSET_YAML}parse_iam: {{on_bad_line: error}}")
    command = [sys.executable, ROOT / "stages/parse_iam.py"]
    environment = {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    good = (tmp_path / "data/interim/iam.jsonl").read_bytes()
    assert json.loads((tmp_path / "metrics/iam.json").read_text())["forms"] == {"train": 1, "val": 1, "test": 1}
    write_archive(tmp_path / "data/raw/iamdb.zip", members(with_first(lines=[line("5 €", 200)])))
    failed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: data/raw/iamdb.zip: xml/a01-000.xml: line a01-000-00: '€'")
    assert failed.stderr.count("\n") == 1
    assert (tmp_path / "data/interim/iam.jsonl").read_bytes() == good


def test_the_stage_says_on_the_screen_what_was_left_out(tmp_path, monkeypatch, capsys):
    contents = members([*pages(), Page("a02-000", "001", "trainset", [line("more", 200)])])
    del contents["forms/a02-000.jpg"]
    write_archive(tmp_path / "data/raw/iamdb.zip", contents)
    (tmp_path / "data/corrections.tsv").write_text(HEADER)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    parse_iam.main()
    assert capsys.readouterr() == ("", "left out forms: 1 no image; see metrics/iam.json\n")
