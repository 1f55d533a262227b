import io
import os

import numpy as np
import pytest
from charsets import CHARSET_YAML
from pen_strokes import LINES, ZIGZAG, packed, write_ondb, xml

from stages import draw_ondb
from textrec.base.charset import LINE_CHARACTERS, Charset
from textrec.base.params import load, validate
from textrec.base.records import Form, Line, Sample, write_forms
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import read_split, write_samples
from textrec.datasets.strokes import DrawOndb, PenLine, Report, clean, draw, draw_lines, read_lines, usable_lines


def parameters(**changes):
    return validate({"skip_test_texts": True, "seed": 1} | changes, DrawOndb, where="params.yaml: draw_ondb")


def pen_line(*strokes, text="ten letters", id_="b01-000-01"):
    return PenLine(id_, text, np.concatenate(strokes), np.cumsum([len(stroke) for stroke in strokes]))


def drawn(*strokes, seed=1, height=28):
    return draw(pen_line(*map(np.array, strokes)), height=height, rng=np.random.default_rng(seed))


# ---- reading ----


@pytest.mark.parametrize("members", [packed, xml])
def test_lines_come_back_with_their_strokes(tmp_path, members):
    lines = list(read_lines(write_ondb(tmp_path / "ondb.zip", members())))
    assert [(line.id, line.text) for line in lines] == [(id_, text) for id_, text, _ in LINES]
    for line, (_, _, strokes) in zip(lines, LINES, strict=True):
        parts = np.split(line.points, line.stroke_end[:-1])
        assert [part.tolist() for part in parts] == [[list(point) for point in stroke] for stroke in strokes]
        assert line.stroke_end[-1] == len(line.points)


def test_an_archive_without_members_has_no_lines(tmp_path):
    assert list(read_lines(write_ondb(tmp_path / "ondb.zip", {}))) == []


def without_allow_pickle():
    file = io.BytesIO()
    np.save(file, np.array([object()]), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (packed(points=np.zeros((80, 3), int)), r"points.npy does not fit to the other arrays; fetch IAM-OnDB anew"),
        (packed(points=np.zeros((68, 2))), r"points.npy does not fit"),
        (packed(points=np.zeros((70, 2), int)), r"stroke_end.npy does not fit"),
        (packed(stroke_end=np.array([10, 30, 30, 39, 59])), r"stroke_end.npy does not fit"),
        (packed(stroke_end=np.zeros((2, 2), int)), r"stroke_end.npy does not fit"),
        (packed(line_end=np.array([2, 4])), r"line_end.npy does not fit"),
        (packed(line_end=np.array([], int)), r"line_end.npy does not fit"),
        (packed(line_end=np.array([2.0, 3.0, 4.0])), r"line_end.npy does not fit"),
        (packed(line_id=np.array(["a", "b"])), r"line_id.npy does not fit"),
        (packed(text=np.array([1, 2, 3])), r"text.npy does not fit"),
        (packed() | {"text.npy": b"text"}, r"text.npy is no array"),
        (packed() | {"text.npy": without_allow_pickle()}, r"text.npy is no array"),
        ({"points.npy": packed()["points.npy"]}, r"stroke_end.npy is missing"),
        (
            xml() | {"lineStrokes/b01-000-02.xml": b"<Stroke>"},
            r"lineStrokes/b01-000-02.xml: not well-formed XML \(no element found.*\); remove the archive",
        ),
        (
            {name: data.replace(b'x="280"', b'x="left"') for name, data in xml().items()},
            r"lineStrokes/b01-000-01.xml: a point without x or y, or .*; fetch IAM-OnDB anew",
        ),
        (
            {name: data.replace(b' y="60"', b"") for name, data in xml().items()},
            r"lineStrokes/b01-000-01.xml: a point without x or y",
        ),
        (xml() | {"ascii/b01-000.txt": b"first guess"}, r"ascii/b01-000.txt has no part 'CSR:'"),
    ],
)
def test_damaged_archives_are_named(tmp_path, members, message):
    with pytest.raises(TextrecError, match=rf"^{tmp_path}/ondb.zip: {message}") as caught:
        list(read_lines(write_ondb(tmp_path / "ondb.zip", members)))
    assert "\n" not in str(caught.value)


def test_a_line_that_has_no_transcript_has_an_empty_text(tmp_path):
    members = xml()
    members["ascii/b01-000.txt"] = b"CSR:\n\nfirst of these lines\n"
    del members["ascii/b02-111z.txt"]
    members["lineStrokes/b02-111z-x.xml"] = members["lineStrokes/b02-111z-01.xml"]
    lines = read_lines(write_ondb(tmp_path / "ondb.zip", members))
    assert [line.text for line in lines] == ["first of these lines", "", "", ""]


def test_a_line_without_strokes_is_read(tmp_path):
    empty = b"<WhiteboardCaptureSession><StrokeSet><Stroke/></StrokeSet></WhiteboardCaptureSession>"
    (line,) = read_lines(write_ondb(tmp_path / "ondb.zip", {"lineStrokes/b01-000-01.xml": empty}))
    assert line.points.shape == (0, 2)
    assert line.stroke_end.shape == (0,)


# ---- texts ----


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Mr . Foot ' s line , will", "Mr. Foot's line, will"),
        ("It 's what they 'll say; don ' t you 're", "It's what they'll say; don't you're"),
        ("the 'graduate' and Members'", "the 'graduate' and Members'"),
        (' ,,Parrots are amusing, "', '"Parrots are amusing,"'),
        ('" I am  enchanted"\t', '"I am enchanted"'),
        ("( Colonial Office ) .", "(Colonial Office)."),
        ("Days . . . Seven", "Days... Seven"),
        ("what is it ?", "what is it?"),
        ("plain - text", "plain - text"),
    ],
)
def test_transcripts_are_spaced_as_in_iam(text, cleaned):
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


def form(id_, split, *texts):
    lines = tuple(Line(f"{id_}-{i:02d}", text, True, ()) for i, text in enumerate(texts))
    return Form(id_, "000", split, 2479, 3542, lines)


FORMS = [
    form("a01-000u", "train", "an ordinary line"),
    form("c03-000a", "val", "He said: the quiet", "harbour lies there"),
    form("d04-000", "test", "Nothing more"),
]


def used(lines, **changes):
    report = Report()
    kept = list(usable_lines(lines, FORMS, parameters(**changes), report, charset=Charset(LINE_CHARACTERS)))
    return kept, report.metrics()


def test_what_cannot_be_drawn_is_dropped_and_counted():
    square = np.array([(0, 0), (300, 50)])
    lines = [
        pen_line(square, text=" ten  letters"),
        pen_line(square, text=" "),
        pen_line(square, text="ten [letters]"),
        pen_line(square, text="x"),  # of this width
        pen_line(square * (0, 1)),
        pen_line(square * (1, 0)),
        pen_line(square * (1, 20)),
        pen_line(square[:1]),
        pen_line(square[:0]),
        pen_line(np.array([(x, 60) for x in range(100)]), square[:1], text="-"),
        pen_line(np.array([(-32768, 0), (32767, 8000)], np.int16)),  # whose difference is no int16
    ]
    kept, metrics = used(lines)
    assert [line.text for line in kept] == ["ten letters", "ten letters"]
    assert metrics == {
        "lines": 11,
        "drawn": 2,
        "test_texts": 0,
        "dropped": {"character outside the charset": 1, "no transcript": 1, "strokes that no such text has": 7},
    }


@pytest.mark.parametrize(
    ("id_", "text", "tested"),
    [
        ("b01-000-01", "Quiet har-", True),  # broken elsewhere, of other capitals and marks
        ("b01-000-01", "quiet harbours", False),
        ("b01-000-01", "lies there nothing", False),  # over the end of a form
        ("b01-000-01", "ordinary line", False),  # of a form that trains
        ("c03-000z-05", "Something else", True),  # of the same passage
        ("c03-001z-05", "Something else", False),
        ("a01-000z-05", "Something else", False),
        ("b01-000-01", "- ...", False),
    ],
)
def test_texts_of_val_and_test_forms_are_counted_and_left_out(id_, text, tested):
    line = pen_line(np.array([(0, 0), (200, 50)]), text=text, id_=id_)
    kept, metrics = used([line])
    assert (len(kept), metrics["test_texts"]) == (not tested, tested)
    assert metrics["dropped"] == ({"text of a val or test form": 1} if tested else {})
    kept, metrics = used([line], skip_test_texts=False)
    assert (len(kept), metrics["test_texts"], metrics["drawn"]) == (1, tested, 1)


# ---- drawing ----


def rows(image):
    return np.flatnonzero(image.max(axis=1) > 60)


def middle(image):
    """Mean row of the ink, in each half."""
    halves = np.array_split(image.astype(float), 2, axis=1)
    return [np.average(np.arange(len(half)), weights=half.sum(axis=1)) for half in halves]


@pytest.mark.parametrize("height", [28, 40])
def test_letters_stand_in_the_middle_as_large_as_any_and_keep_their_proportion(height):
    widths = []
    for seed in range(20):
        image = drawn(ZIGZAG, seed=seed, height=height)
        assert image.dtype == np.uint8
        assert image.shape[0] == height
        assert image[0].max() == image[-1].max() == image[:, 0].max() == image[:, -1].max() == 0
        assert 0.31 * height < rows(image)[0] < 0.37 * height  # it has no tails: all of it is body
        assert 0.31 * height < height - 1 - rows(image)[-1] < 0.37 * height
        assert image.max() > 100
        widths.append(image.shape[1] / height)
    # 29 * 40 wide and 60 high, the body of a line of 3.6 such heights; stretched, and with margins.
    assert 29 * 40 / 60 / 3.6 < min(widths) < max(widths) < 29 * 40 / 60 / 3.6 * 1.25 + 0.3
    assert max(widths) > 1.1 * min(widths)


def test_a_slope_is_taken_out():
    points = np.array(ZIGZAG * 2)
    points[30:, 0] += 1200
    level = drawn(points)
    for slope in (-0.2, 0.1):
        sloping = points + np.outer(points[:, 0], (0, slope)).round().astype(int)
        left, right = middle(drawn(sloping))
        assert abs(left - right) < 1
        assert abs(drawn(sloping).shape[1] - level.shape[1]) < 0.1 * level.shape[1]


def test_the_slope_of_a_short_word_is_its_shape():
    left, right = middle(drawn([(0, 0), (50, 30), (60, 0), (110, 60)]))
    assert right > left + 1


def test_a_slip_of_the_pen_does_not_shrink_the_text():
    text = np.tile(ZIGZAG, (8, 1)) + np.repeat(np.arange(8)[:, None] * (1200, 0), len(ZIGZAG), axis=0)
    slip = drawn(text, [(500, 60), (500, 4000)])
    assert slip.shape[1] > 0.9 * drawn(text).shape[1]
    assert slip[-1].max() > 60  # cut off


def test_the_pen_is_lifted_between_strokes_and_a_dot_is_a_stroke():
    first, second = [(0, 0), (0, 60), (60, 60)], [(180, 60), (240, 60), (240, 0)]
    columns = drawn(first, second).max(axis=0) > 20
    gap = np.flatnonzero(~columns[4:-4])
    assert len(gap) > 0.25 * len(columns)
    dotted = drawn(first, [(120, 60)], second).max(axis=0) > 20
    assert 0 < dotted[4:-4].sum() - columns[4:-4].sum() < 0.1 * len(columns)


def test_strokes_have_the_thickness_and_brightness_of_scans():
    """IAM: strokes 1 to 2.2 pixels thick, at their brightest 120 to 250 (1st and 99th percentile)."""
    images = [drawn([(0, 0), (0, 60), (600, 60)], seed=seed) for seed in range(40)]
    brightest = [image.max() for image in images]
    thickness = [image[12:16].sum(axis=1).mean() / image[12:16].max() for image in images]  # of the upright part
    assert min(brightest) > 80
    assert max(brightest) > 200
    assert 0.8 < min(thickness) < 1.3 < max(thickness) < 2.2


def test_a_line_looks_the_same_whichever_lines_are_drawn_with_it_and_by_how_many_workers(monkeypatch):
    lines = [pen_line(np.array(ZIGZAG), id_=f"b01-000-{i:02d}") for i in range(6)]
    many = list(draw_lines(lines, height=28, seed=1))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    few = list(draw_lines(lines[3:], height=28, seed=1))
    for one, other in zip(many[3:], few, strict=True):
        assert (one.id, one.image.tobytes()) == (other.id, other.image.tobytes())
    assert len({sample.image.tobytes() for sample in many}) == 6
    other_seed = next(draw_lines(lines, height=28, seed=2))
    assert other_seed.image.tobytes() != many[0].image.tobytes()
    assert (many[0].id, many[0].writer, many[0].listed) == ("ondb-b01-000-00", "ondb-b01-000", False)


# ---- the stages ----


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working folder with real lines and their forms."""
    write_ondb(tmp_path / "data/raw/ondb.zip")
    (tmp_path / "data/interim").mkdir()
    write_forms(tmp_path / "data/interim/iam.jsonl", FORMS)
    samples = [
        (split, Sample(f"{split}-{i}", "a line", "w", np.full((28, 50 + i), 9, np.uint8)))
        for split in ("train", "val", "test")
        for i in range(2)
    ]
    write_samples(
        tmp_path / "data/processed/iam_lines.h5",
        samples,
        source="iam_lines",
        line_height=28,
        characters=LINE_CHARACTERS,
    )
    (tmp_path / "params.yaml").write_text(f"{CHARSET_YAML}draw_ondb: {{skip_test_texts: true, seed: 1}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_drawn_lines_train_and_real_ones_measure(project):
    draw_ondb.main()
    made = read_split("data/processed/ondb_lines.h5", "train")
    assert list(made.id) == ["ondb-b01-000-01", "ondb-b01-000-02", "ondb-b02-111z-01"]
    assert list(made.text) == ["first of these lines", "Mr. Smith's", "another text"]
    assert set(made.height) == {28}
    for split in ("val", "test"):
        real, copied = (read_split(f"data/processed/{name}.h5", split) for name in ("iam_lines", "ondb_lines"))
        assert ([*copied.id], copied.pixels.tobytes()) == ([*real.id], real.pixels.tobytes())
    report = (project / "metrics/ondb.json").read_text()
    assert '"drawn": 3' in report
    assert (project / "reports/ondb_lines.png").exists()
    first = (project / "data/processed/ondb_lines.h5").read_bytes()
    draw_ondb.main()
    assert (project / "data/processed/ondb_lines.h5").read_bytes() == first


def test_without_on_line_handwriting_there_is_nothing_to_train_on(project):
    write_ondb(project / "data/raw/ondb.zip", {})
    draw_ondb.main()
    assert [len(read_split("data/processed/ondb_lines.h5", split)) for split in ("train", "test")] == [0, 2]


def test_params_file_in_git_is_valid(pytestconfig):
    assert load("draw_ondb", DrawOndb, pytestconfig.rootpath / "params.yaml").skip_test_texts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"skip_test_texts": "no"}, r"draw_ondb.skip_test_texts is 'no': input should be a valid boolean"),
        ({"seed": -1}, r"draw_ondb.seed is -1: input should be greater than or equal to 0"),
        ({"skip_texts": True}, r"draw_ondb.skip_texts is not a parameter; did you mean 'skip_test_texts'\?"),
    ],
)
def test_impossible_parameters_are_refused(changes, message):
    with pytest.raises(TextrecError, match=message):
        parameters(**changes)
