import json
import zipfile

import numpy as np
import pytest
import yaml
from font_files import CHARACTERS, write_font

from stages import draw_fonts, draw_hands
from textrec.base.charset import LINE_CHARACTERS, Charset
from textrec.base.params import load, validate
from textrec.base.records import SPLITS
from textrec.base.runtime import TextrecError
from textrec.datasets import paper
from textrec.datasets.drawing import DrawLines, Lines, write_lines
from textrec.datasets.font_hands import DrawFonts, HandParams, font_hands
from textrec.datasets.fonts import inspect
from textrec.datasets.paper import PaperParams, Writing, crop
from textrec.datasets.pen_hands import DrawHands, PenHand, pen_hands
from textrec.datasets.samples import read_split
from textrec.datasets.texts import Corpus

NEVER = ("neighbours", "cut", "rules", "underlines", "strokes", "bleed", "grey", "texture", "blur", "jpeg", "darkest")
STILL = ("slant", "width", "pressure", "word", "letter", "lift", "lean", "spread", "gap", "wander", "bend")


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def white(**changes):
    values = dict.fromkeys(NEVER, 0.0) | {"faintest": 1.0, "jpeg_quality": 20}
    return validate(values | changes, PaperParams, where="paper")


def look(path):
    return inspect((path.name, path.read_bytes()), characters=LINE_CHARACTERS)


def hand_of(path, seed=0, **changes):
    font = look(path)
    values = dict.fromkeys(STILL, 0.0) | {"thinnest": 1.4, "thickest": 1.4}
    params = validate(values | changes, HandParams, where="hand")
    return font_hands({"train": [font]}, params)("train", 0, generator(seed))


@pytest.fixture
def font(tmp_path):
    return write_font(tmp_path / "bars.ttf")


# ---- hands ----


@pytest.mark.parametrize("kind", ["font", "joined", "pen"])
def test_words_stand_where_they_are_said_to_be(tmp_path, kind):
    person = PenHand(3, 1) if kind == "pen" else hand_of(write_font(tmp_path / "b.ttf", joined=kind == "joined"))
    writing = person.write("Some of the words", generator())
    assert writing.ink.dtype == np.uint8
    inside = np.zeros(writing.ink.shape[1], bool)
    for start, end in writing.words:
        assert writing.ink[:, start:end].max() == 255
        inside[start:end] = True
    assert len(writing.words) == 4
    assert writing.ink[:, ~inside].max() < 255
    gaps = [start - end for (_, end), (start, _) in zip(writing.words, writing.words[1:], strict=False)]
    assert min(gaps) > 5
    low = np.flatnonzero(writing.ink[:, slice(*writing.words[0])].max(axis=1) > 127)[-1]  # "Some" stands on the line
    assert abs(low - writing.base) < 8


def test_joined_letters_stay_joined_however_they_vary(tmp_path):
    much = {"slant": 0.4, "word": 0.1, "letter": 0.1, "lift": 0.05, "lean": 0.1, "spread": 0.2, "bend": 0.02}
    person = hand_of(write_font(tmp_path / "b.ttf", joined=True), **much)
    for seed in range(10):
        writing = person.write("handwriting", generator(seed))
        assert (writing.ink.max(axis=0) > 127)[10:-10].all()
    apart = hand_of(write_font(tmp_path / "c.ttf", characters=CHARACTERS), spread=0.3)
    assert not (apart.write("lllll", generator()).ink.max(axis=0) > 127)[10:-10].all()


def test_letters_are_all_alike_only_where_nothing_varies(font):
    def letters(**changes):
        writing = hand_of(font, **changes).write("l l l l l l", generator())
        parts = [writing.ink[:, start:end] for start, end in writing.words]
        width = min(part.shape[1] for part in parts)
        return {part[:, :width].tobytes() for part in parts}

    assert len(letters()) == 1
    for name in ("word", "letter", "lift", "lean", "wander", "bend"):
        assert len(letters(**{name: 0.1})) > 1


def test_strokes_are_as_thick_as_asked_within_what_a_font_allows(font):
    inks = [
        hand_of(font, thinnest=thick, thickest=thick).write("lines", generator()).ink.astype(float).sum()
        for thick in (0.9, 1.4, 2.5)
    ]
    assert inks[0] * 1.2 < inks[1] < inks[2] / 1.2


# ---- paper ----


def block():
    """A bar of 40 x 200 pixels for a word, and another."""
    ink = np.zeros((80, 460), np.uint8)
    ink[20:60, 10:210] = ink[20:60, 250:450] = 255
    return Writing(ink, [(10, 210), (250, 450)], 60)


def test_a_crop_has_letters_as_large_as_real_ones_and_tells_where_words_are():
    for seed in range(20):
        image, words = crop(block(), white(), height=28, rng=generator(seed))
        assert (image.dtype, image.shape[0]) == (np.uint8, 28)
        rows, columns = np.flatnonzero(image.max(axis=1) > 127), np.flatnonzero(image.max(axis=0) > 127)
        assert 10 <= len(rows) <= 14  # of a bar, six tenths are body
        assert abs(rows[0] - (27 - rows[-1])) <= 1  # in the middle
        assert abs(columns[0] - words[0][0]) <= 1
        assert abs(columns[-1] + 1 - words[1][1]) <= 1
        assert 0 <= words[0][0] < words[0][1] < words[1][0] < words[1][1] <= image.shape[1]
        assert image[:, words[0][1] + 2 : words[1][0] - 2].max() == 0
        assert image.max() == 255


@pytest.mark.parametrize("name", sorted(set(NEVER) - {"darkest", "texture", "blur"}))
def test_each_trait_changes_some_lines_and_none_where_its_share_is_nil(name):
    more = {"grey": {"darkest": 0.5}}.get(name, {})
    plain = crop(block(), white(**more), height=28, rng=generator())[0]
    changed = [crop(block(), white(**{name: 1.0}, **more), height=28, rng=generator(seed))[0] for seed in range(8)]
    without = [crop(block(), white(**more), height=28, rng=generator(seed))[0] for seed in range(8)]
    assert any(one.shape != other.shape or (one != other).any() for one, other in zip(changed, without, strict=True))
    assert plain.min() == 0


def test_ink_is_told_from_paper_however_dark_that_is():
    params = white(grey=1.0, darkest=0.7, texture=0.5, faintest=0.5)
    for seed in range(20):
        image, words = crop(block(), params, height=28, rng=generator(seed))
        between = image[10:18, words[0][1] + 2 : words[1][0] - 2].mean()
        assert image[10:18, words[0][0] + 2 : words[0][1] - 2].mean() > between + (255 - between) * 0.15


def test_neighbours_leave_the_words_of_a_line_where_they_are():
    image, words = crop(block(), white(neighbours=1.0), height=28, rng=generator(1))
    assert image[13, words[0][0] + 2 : words[0][1] - 2].min() == 255
    assert paper.MARGIN < paper.WIDEST


# ---- files ----


def write(path, hand, count, *, workers=None, seed=1, height=28, place="local"):
    params = load("draw_lines", DrawLines)
    text = " ".join(f"Some words, {number} of them" for number in range(200))
    corpus = Corpus(dict.fromkeys(SPLITS, text), Charset(LINE_CHARACTERS), 1, 0)
    charset = Charset(LINE_CHARACTERS)
    counts = Lines(train=count, val=3, test=2, hand=5)
    return write_lines(
        path,
        counts,
        hand,
        params,
        corpus=corpus,
        charset=charset,
        height=height,
        seed=seed,
        place=place,
        workers=workers,
    )


@pytest.fixture(params=["font", "pen"])
def hands(request, tmp_path, pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    if request.param == "pen":
        return pen_hands(1)
    fonts = {
        split: [look(write_font(tmp_path / f"{split}{capitals}.ttf", capitals=capitals)) for capitals in (False, True)]
        for split in SPLITS
    }
    return font_hands(fonts, load("draw_fonts", DrawFonts).hand)


def test_bytes_are_the_same_with_one_worker_and_two_and_in_another_folder(hands, tmp_path):
    paths = [tmp_path / "some_lines.h5", tmp_path / "other/some_lines.h5"]
    reports = [write(path, hands, 47, workers=workers) for path, workers in zip(paths, (1, 2), strict=True)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert reports[0] == reports[1]
    assert reports[0]["lines"] == {"train": 47, "val": 3, "test": 2}
    assert reports[0]["hands"] == {"train": 10, "val": 1, "test": 1}


def test_a_line_depends_neither_on_how_many_there_are_nor_on_the_others(hands, tmp_path):
    write(tmp_path / "some_lines.h5", hands, 12, workers=1)
    few = read_split(tmp_path / "some_lines.h5", "train")
    write(tmp_path / "some_lines.h5", hands, 30, workers=1)
    many = read_split(tmp_path / "some_lines.h5", "train")
    assert list(few.id) == list(many.id[:12])
    assert list(few.text) == list(many.text[:12])
    assert all((few.image(index) == many.image(index)).all() for index in range(12))
    assert len(set(many.writer)) == 6
    assert many.id[0] == "some_lines-train-0000000"
    write(tmp_path / "some_lines.h5", hands, 12, workers=1, seed=2, height=32)
    assert list(read_split(tmp_path / "some_lines.h5", "train").text) != list(few.text)
    assert set(read_split(tmp_path / "some_lines.h5", "train").height) == {32}


def test_hands_write_what_they_can(tmp_path, pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    params = load("draw_fonts", DrawFonts).hand
    fonts = [
        look(write_font(tmp_path / name, **options))
        for name, options in (
            ("caps.ttf", {"capitals": True}),
            ("few.ttf", {"characters": CHARACTERS.replace(",", "")}),
        )
    ]
    write(tmp_path / "lines.h5", font_hands(dict.fromkeys(SPLITS, fonts), params), 40)
    split = read_split(tmp_path / "lines.h5", "train")
    capitals, few = split.text[:5], split.text[5:10]
    assert all(text == text.upper() for text in capitals)
    assert any(text != text.upper() for text in few)
    assert not any("," in text for text in few)


def test_joined_letters_do_not_shout(tmp_path):
    person = hand_of(write_font(tmp_path / "b.ttf", joined=True))
    assert all(map(person.writes, ("An", "OK", "D.D.D.", "ab1890")))
    assert not person.writes("LOUD")
    assert not person.writes("né")


# ---- stages ----


@pytest.fixture
def project(tmp_path, pytestconfig, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((pytestconfig.rootpath / "params.yaml").read_text())
    for name in ("draw_fonts", "draw_hands"):
        params[name]["count"] = {"train": 6, "val": 2, "test": 2, "hand": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/corpus.txt").write_text(
        "".join(f"This is line {number}, and so on.\n" for number in range(99))
    )
    with zipfile.ZipFile(tmp_path / "data/raw/fonts.zip", "w") as archive:
        for number in range(3):
            archive.write(write_font(tmp_path / f"made/f{number}.ttf", family=f"F{number}"), f"f{number}.ttf")
        archive.writestr("bad.ttf", b"bad")
    return tmp_path


def test_fonts_are_drawn_in_each_split_its_own(project, capsys):
    draw_fonts.main()
    assert "data.fonts: bad.ttf: not a font" in capsys.readouterr().out
    report = json.loads((project / "metrics/font_lines.json").read_text())
    assert report["fonts"] == {"train": 1, "val": 1, "test": 1}
    assert list(report["dropped"]) == ["bad.ttf"]
    assert report["lines"] == {"train": 6, "val": 2, "test": 2}
    assert read_split("data/processed/font_lines.h5", "train").source == "font_lines"
    assert (project / "reports/font_lines.png").exists()


def test_without_fonts_there_is_a_file_without_lines(project, capsys):
    with zipfile.ZipFile(project / "data/raw/fonts.zip", "w"):
        pass
    draw_fonts.main()
    assert capsys.readouterr().out == "font_lines.h5 has no lines: data.fonts names no fonts; `make fonts` gets some\n"
    assert all(len(read_split("data/processed/font_lines.h5", split)) == 0 for split in SPLITS)
    assert json.loads((project / "metrics/font_lines.json").read_text())["lines"]["train"] == 0


def test_pens_draw_without_any_font(project):
    draw_hands.main()
    split = read_split("data/processed/drawn_lines.h5", "test")
    assert (split.source, len(split)) == ("drawn_lines", 2)
    assert json.loads((project / "metrics/drawn_lines.json").read_text())["hands"] == {"train": 3, "val": 1, "test": 1}
    first = (project / "data/processed/drawn_lines.h5").read_bytes()
    draw_hands.main()
    assert (project / "data/processed/drawn_lines.h5").read_bytes() == first


def test_params_file_in_git_is_valid(pytestconfig):
    path = pytestconfig.rootpath / "params.yaml"
    assert load("draw_fonts", DrawFonts, path).on_bad_font == "skip"
    assert load("draw_hands", DrawHands, path).count.hand == 20


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        (DrawFonts, "hand.slant", 2.0, r"hand.slant is 2.0: input should be less than or equal to 1"),
        (DrawFonts, "hand.thinnest", 9.0, r"thinnest must not be above thickest"),
        (DrawFonts, "on_bad_font", "drop", r"on_bad_font is 'drop'"),
        (DrawFonts, "count.hand", 0, r"count.hand is 0: input should be greater than 0"),
        (DrawLines, "paper.rules", 1.5, r"paper.rules is 1.5"),
        (DrawLines, "paper.jpeg_quality", 90, r"paper.jpeg_quality is 90: input should be less than or equal to 75"),
        (DrawLines, "paper.rule", 0.1, r"paper.rule is not a parameter; did you mean 'rules'\?"),
    ],
)
def test_impossible_parameters_are_refused(pytestconfig, section, key, value, message):
    name = {DrawFonts: "draw_fonts", DrawLines: "draw_lines"}[section]
    values = yaml.safe_load((pytestconfig.rootpath / "params.yaml").read_text())[name]
    part = values
    *parents, last = key.split(".")
    for parent in parents:
        part = part[parent]
    part[last] = value
    with pytest.raises(TextrecError, match=message):
        validate(values, section, where=name)
