import zipfile

import pytest
from font_files import CHARACTERS, write_font

from textrec.base.runtime import TextrecError
from textrec.datasets.fonts import BODY, Font, inspect, read_fonts, split_fonts


def look(path, characters=CHARACTERS):
    return inspect((path.name, path.read_bytes()), characters=characters)


@pytest.mark.parametrize("suffix", ["ttf", "woff", "woff2"])
def test_what_a_font_has_is_known_whatever_its_format(tmp_path, suffix):
    path = write_font(tmp_path / f"bars.{suffix}", family="Bars", flavor=None if suffix == "ttf" else suffix)
    font = look(path, CHARACTERS + "é#\n")
    assert isinstance(font, Font)
    assert (font.name, font.family, font.characters) == ("bars", "Bars", frozenset(CHARACTERS))
    assert not font.capitals
    assert not font.joined
    assert font.size == pytest.approx(BODY / 0.9, rel=0.02)  # of 700 above the line, 200 below it, of 1000
    assert font.stroke == pytest.approx(font.size * 0.07, rel=0.3)


def test_joined_letters_and_capitals_alone_are_found_out(tmp_path):
    assert look(write_font(tmp_path / "joined.ttf", joined=True)).joined
    for path in (
        write_font(tmp_path / "same.ttf", capitals=True),
        write_font(tmp_path / "none.ttf", characters="".join(c for c in CHARACTERS if not c.islower())),
    ):
        font = look(path)
        assert font.capitals
        assert font.characters == frozenset(c for c in CHARACTERS if not c.islower())


def test_what_cannot_be_used_says_why(tmp_path):
    good = write_font(tmp_path / "good.ttf").read_bytes()
    for name, content in (("empty", b""), ("text", b"Licence: free\n" * 50), ("cut", good[: len(good) // 2])):
        path = tmp_path / f"{name}.ttf"
        path.write_bytes(content)
        assert "not a font that can be read" in look(path)
    for characters in ("абвгд 123", CHARACTERS.replace("q", ""), CHARACTERS.replace("Q", ""), "1234567890"):
        path = write_font(tmp_path / "other.ttf", characters=characters)
        assert look(path) == "without all Latin letters"


@pytest.fixture
def archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "fonts.zip", "w") as packed:
        for number in range(4):
            packed.write(write_font(tmp_path / f"made/f{number}.ttf", family=f"Family {number // 2}"), f"f{number}.ttf")
        packed.writestr("bad.ttf", b"bad")
    return tmp_path / "fonts.zip"


def test_bad_fonts_stop_or_are_left_out(archive):
    fonts, dropped = read_fonts(archive, CHARACTERS, skip_bad=True)
    assert [font.name for font in fonts] == ["f0", "f1", "f2", "f3"]
    assert list(dropped) == ["bad.ttf"]
    with pytest.raises(TextrecError, match=r"data.fonts: bad.ttf: not a font that can be read .*; remove it, or set"):
        read_fonts(archive, CHARACTERS, skip_bad=False)


def fonts_of(families):
    return [
        Font(f"f{number}", b"", "", family, frozenset("a"), False, False, 60.0, 3.0)
        for number, family in enumerate(families)
    ]


def test_families_are_whole_and_each_split_has_some():
    parts = split_fonts(fonts_of(f"Family {number // 3}" for number in range(90)), seed=1)
    families = {split: {font.family for font in part} for split, part in parts.items()}
    assert {split: len(part) for split, part in families.items()} == {"train": 24, "val": 3, "test": 3}
    assert not families["train"] & families["val"] | families["train"] & families["test"]
    assert sum(map(len, parts.values())) == 90
    assert parts != split_fonts(fonts_of(f"Family {number // 3}" for number in range(90)), seed=2)
    assert all(len(part) == 1 for part in split_fonts(fonts_of("abc"), seed=1).values())
    with pytest.raises(TextrecError, match=r"data.fonts: 2 usable families; at least 3"):
        split_fonts(fonts_of("aab"), seed=1)
    assert split_fonts([], seed=1) == {"train": [], "val": [], "test": []}
