import errno
import fcntl
import hashlib
import io
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from charsets import CHARSET_YAML
from PIL import Image, ImageDraw, ImageFont
from repository import ROOT

from stages import add_corrections
from textrec.base.charset import LINE_CHARACTERS, Charset
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError
from textrec.datasets import corrections
from textrec.datasets.corrections import LIST, Correction, corrected_lines, encode, read_corrections, save_correction
from textrec.datasets.samples import read_split, write_samples
from textrec.pages.text_area import prepare

MODEL = "0" * 64


def written(text: str) -> Image.Image:
    """A picture of a text as people have them: larger than a crop, with margins, ink on paper."""
    image = Image.new("L", (900, 200), 255)
    ImageDraw.Draw(image).text((60, 60), text, fill=20, font=ImageFont.load_default(60))
    return image


def save(folder: Path, image: Image.Image, text: str, *, writer: str = "", read: str = "what") -> Correction:
    charset = Charset(LINE_CHARACTERS + "\n")
    return save_correction(folder, image, text, read=read, model=MODEL, writer=writer, charset=charset)


def test_a_correction_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    image = written("a cat")
    saved = save(tmp_path / "set", image, " a cat\n", writer=" Ann ")
    assert read_corrections(tmp_path / "set") == [saved]
    assert (saved.text, saved.read, saved.model, saved.writer) == ("a cat", "what", MODEL, "Ann")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", saved.date)
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == sorted([f"{saved.id}.png", LIST])
    kept = (tmp_path / "set" / f"{saved.id}.png").read_bytes()
    assert hashlib.sha256(kept).hexdigest() == saved.id
    assert (np.asarray(Image.open(io.BytesIO(kept))) == np.asarray(image)).all()


def test_what_a_camera_writes_beside_the_pixels_is_not_kept(tmp_path: Path) -> None:
    image = written("a cat")
    image.info |= {"icc_profile": b"profile of a camera", "exif": b"Exif\0\0place", "transparency": 3}
    assert encode(image) == encode(written("a cat"))
    saved = save(tmp_path, image, "a cat")
    with Image.open(tmp_path / f"{saved.id}.png") as kept:
        assert kept.info == {}


def test_of_a_picture_the_latest_correction_counts(tmp_path: Path) -> None:
    first = save(tmp_path, written("a cat"), "a cut")
    other = save(tmp_path, written("a dog"), "a dog")
    last = save(tmp_path, written("a cat"), "a cat")
    assert first.id == last.id
    assert read_corrections(tmp_path) == sorted([last, other], key=lambda one: one.id)
    lines = (tmp_path / LIST).read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["a cut", "a dog", "a cat"]  # nothing is lost
    lines[0] = lines[0].replace(first.date, "2999-01-01T00:00:00Z")  # as where two branches were merged
    (tmp_path / LIST).write_text("\n".join(lines))
    assert {one.text for one in read_corrections(tmp_path)} == {"a cut", "a dog"}


def test_an_editor_may_have_left_out_the_end_of_the_last_line(tmp_path: Path) -> None:
    first = save(tmp_path, written("a cat"), "a cat")
    (tmp_path / LIST).write_text((tmp_path / LIST).read_text().rstrip("\n"))
    second = save(tmp_path, written("a dog"), "a dog")
    assert len({first.id, second.id} & {one.id for one in read_corrections(tmp_path)}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n ", "the correction is empty"),
        ("a café: 5 €", r"'é€' is not in the charset; the model writes '0123.*\?'"),
    ],
)
def test_a_text_that_cannot_be_trained_on_is_not_saved(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        save(tmp_path / "set", written("a cat"), text)
    assert not (tmp_path / "set").exists()


SAVE_MANY = f"""
import sys
import threading
from PIL import Image
from textrec.base.charset import LINE_CHARACTERS, Charset
from textrec.datasets.corrections import save_correction

folder, name = sys.argv[1:]
print("ready", flush=True)
input()
for index in range(20):
    text, charset = f"{{name}} {{index}} " + "long " * 400, Charset(LINE_CHARACTERS)
    image = Image.new("L", (9, 9), index)
    save_correction(folder, image, text, read="", model={MODEL!r}, writer="", charset=charset)
"""


def test_several_processes_save_at_once(tmp_path: Path) -> None:
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", SAVE_MANY, tmp_path, name], **options) for name in "ab"]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert len((tmp_path / LIST).read_text().splitlines()) == 40
    assert len(read_corrections(tmp_path)) == 20
    assert len(list(tmp_path.glob("*.png"))) == 20
    assert not list(tmp_path.glob(".*"))


def test_who_saves_waits_for_who_is_saving(tmp_path: Path) -> None:
    save(tmp_path, written("a cat"), "a cat")
    waiting = threading.Thread(target=save, args=(tmp_path, written("a dog"), "a dog"))
    with (tmp_path / LIST).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert len(list(tmp_path.glob("*.png"))) == 1
    waiting.join()
    assert len(read_corrections(tmp_path)) == 2


def test_a_line_that_does_not_fit_on_the_disk_leaves_the_list_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, written("a cat"), "a cat")
    before = (tmp_path / LIST).read_bytes()
    monkeypatch.setattr(corrections, "_append", lambda file, line: corrections_append(Full(file), line))
    with pytest.raises(OSError, match="No space left") as raised:
        save(tmp_path, written("a dog"), "a dog")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / LIST))
    assert (tmp_path / LIST).read_bytes() == before


corrections_append = corrections._append


class Full:
    """A file on a disk that has room for ten more bytes."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        return self._file.write(content[:10])


def test_without_a_list_there_are_no_corrections(tmp_path: Path) -> None:
    assert read_corrections(tmp_path / "none") == []
    (tmp_path / LIST).touch()
    assert read_corrections(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": ', "line 2: not JSON .*; mend the line or remove it"),
        ('{"id": "1", "text": "a"}', "line 2.id is '1'.*line 2.read is missing"),
        ('{"id": "../../passwd"}', "line 2.id is '../../passwd': string should match pattern"),
        ('{"date": "today"}', "line 2.date is 'today'"),
        ("[]", "line 2"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    save(tmp_path, written("a cat"), "a cat")
    with (tmp_path / LIST).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(TextrecError, match=f"{LIST}, {message}"):
        read_corrections(tmp_path)


def samples(folder: Path) -> list[Sample]:
    return list(corrected_lines(folder, read_corrections(folder), line_height=28))


def test_a_sample_is_what_a_recogniser_sees(tmp_path: Path) -> None:
    named, other = (save(tmp_path, written(text), text, writer=who) for text, who in (("a cat", "Ann"), ("a dog", "")))
    found = {sample.id: sample for sample in samples(tmp_path)}
    crop = prepare(written("a cat"), line_height=28, paragraph=False)
    assert (found[named.id].image == crop.pixels).all()
    assert crop.pixels.shape[0] == 28
    assert (found[named.id].text, found[named.id].writer) == ("a cat", "corrected:Ann")
    assert found[other.id].writer == f"corrected:{other.id}"


def test_a_picture_that_is_missing_changed_or_blank_is_named(tmp_path: Path) -> None:
    blank = save(tmp_path, Image.new("L", (300, 60), 250), "nothing")
    path = tmp_path / f"{blank.id}.png"
    with pytest.raises(TextrecError, match=f"{blank.id}.png: no ink in it"):
        samples(tmp_path)
    path.write_bytes(encode(written("a cat"))[1])
    with pytest.raises(TextrecError, match=f"{blank.id}.png: was changed since it was saved"):
        samples(tmp_path)
    path.unlink()
    with pytest.raises(TextrecError, match=f"{blank.id}.png: not found; restore it, or remove its lines"):
        samples(tmp_path)


def write_lines(folder: Path) -> None:
    (folder / "params.yaml").write_text(CHARSET_YAML)
    image = np.random.default_rng(0).integers(0, 256, (28, 90), np.uint8)
    write_samples(
        folder / "data/processed/iam_lines.h5",
        [(split, Sample(f"{split}-{index}", "a line", "w", image)) for split in SPLITS for index in range(3)],
        source="iam_lines",
        line_height=28,
        characters=LINE_CHARACTERS,
    )


def test_the_stage_adds_lines_to_those_that_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path)
    folder = tmp_path / "data/corrected"
    right = save(folder, written("a cat"), "a cat", read="a cat", writer="Ann")
    wrong = save(folder, written("a dog"), "a dog")
    save(folder, written("two lines"), "two\nlines")
    add_corrections.main()
    out = Path("data/processed/corrected_lines.h5")
    train = read_split(out, "train")
    assert list(train.id) == ["train-0", "train-1", "train-2", *sorted([right.id, wrong.id])]
    assert list(train.text[3:]) == ["a cat" if name == right.id else "a dog" for name in train.id[3:]]
    assert [list(read_split(out, split).id) for split in ("val", "test")] == [
        ["val-0", "val-1", "val-2"],
        ["test-0", "test-1", "test-2"],
    ]
    counts = json.loads(Path("metrics/corrected.json").read_text())
    assert counts == {"lines": 2, "left_out_several_lines": 1, "read_right": 1, "writers": 1}
    first = out.read_bytes()
    add_corrections.main()
    assert out.read_bytes() == first


def test_the_stage_runs_without_corrections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path)
    add_corrections.main()
    assert [len(read_split("data/processed/corrected_lines.h5", split)) for split in SPLITS] == [0, 3, 3]
    assert json.loads(Path("metrics/corrected.json").read_text())["lines"] == 0


def test_a_correction_outside_the_charset_stops_or_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path)
    latin = {"read": "été", "model": MODEL, "writer": "", "charset": Charset("éta cd")}
    save_correction("data/corrected", written("été"), "été", **latin)
    kept = save_correction("data/corrected", written("a cat"), "a cat", **latin)
    with pytest.raises(TextrecError, match=r"'é' in 'été' is not in the charset; .* set charset.on_unknown to skip"):
        add_corrections.main()
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("on_unknown: error", "on_unknown: skip"))
    add_corrections.main()
    assert list(read_split("data/processed/corrected_lines.h5", "train").id[3:]) == [kept.id]
    assert capsys.readouterr().err == "1 samples dropped: 'é' not in the charset\n"
