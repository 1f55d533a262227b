import dataclasses
import mmap
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image

from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import (
    CHUNK,
    contact_sheet,
    read_split,
    write_samples,
    write_training_samples,
)


def sample(name, height=28, width=60, **changes):
    image = np.random.default_rng([height, *name.encode()]).integers(0, 256, (height, width), np.uint8)
    return replace(Sample(name, f"text of {name}", "writer 1", image), **changes)


SAMPLES = [
    ("train", sample("a", width=40, words=((0, 10), (-1, -1), (20, 40)))),
    ("test", sample("a", height=56, text="two\nlines", writer="", lines=((0, 30), (25, 56)), share=2.5)),
    ("val", sample("b", height=1, width=1, text="", listed=False)),
    ("train", sample("c", height=999, width=1500, text="é & ß", writer="ü")),  # more than a chunk
    ("train", sample("d")),
]
CHARACTERS = "abcdefghilnostwx \né&ß"


def write(path, samples=SAMPLES, characters=CHARACTERS):
    write_samples(path, samples, source="made up", line_height=28, characters=characters)


def test_samples_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "samples.h5"
    write(path)
    for split in SPLITS:
        read = read_split(path, split)
        expected = [one for its_split, one in SAMPLES if its_split == split]
        assert (read.source, read.line_height, read.characters, len(read)) == ("made up", 28, CHARACTERS, len(expected))
        for one, two in zip(read.samples(), expected, strict=True):
            assert one.image.dtype == np.uint8
            assert (one.image == two.image).all()
            assert replace(one, image=None) == replace(two, image=None)  # type: ignore[arg-type]


def test_a_split_is_mapped_from_the_file(tmp_path):
    write(tmp_path / "s.h5")
    read = read_split(tmp_path / "s.h5", "train")
    whole = np.frombuffer(read.mapped, np.uint8)
    fields = {field.name: getattr(read, field.name) for field in dataclasses.fields(read)}
    arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
    assert {"pixels", "share", "words"} < arrays.keys()
    assert all(np.shares_memory(array, whole) for array in arrays.values() if array.size)
    assert (list(read.text), read.text[1]) == (["text of a", "é & ß", "text of d"], "é & ß")
    assert (list(read.id[1:]), len(read.id[1:])) == (["c", "d"], 2)
    assert (np.frombuffer(read.mapped, np.uint8, len(read.pixels), read.begin) == read.pixels).all()
    assert np.shares_memory(read.image(1), read.pixels)
    with pytest.raises(ValueError, match="read-only"):
        read.image(1)[0, 0] = 1


def test_many_chunks_are_packed_end_to_end(tmp_path):
    many = [sample(f"s{i}", height=300, width=1000 + i, text="") for i in range(12)]
    assert sum(one.image.size for one in many) > 3 * CHUNK
    write(tmp_path / "s.h5", [*(("train", one) for one in many), ("val", many[0]), ("test", many[0])])
    read = read_split(tmp_path / "s.h5", "train")
    assert all((read.image(i) == one.image).all() for i, one in enumerate(many))
    assert len(read.pixels) == sum(one.image.size for one in many)


def test_bytes_depend_on_the_samples_alone(tmp_path):
    (tmp_path / "other").mkdir()
    write(tmp_path / "one.h5")
    time.sleep(1.1)  # HDF5 keeps times in seconds, where it keeps them
    write(tmp_path / "other" / "two.h5", iter(SAMPLES))
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "other" / "two.h5").read_bytes()
    write(tmp_path / "other" / "three.h5", [SAMPLES[-1], *SAMPLES[:-1]])
    assert (tmp_path / "one.h5").read_bytes() != (tmp_path / "other" / "three.h5").read_bytes()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([*SAMPLES, ("train", sample("d", width=9))], "id d stands twice in split train"),
        ([*SAMPLES, ("train", sample("e", text="Zoo?!"))], r"samples\.h5: e: '!\?Z' is not in the charset"),
        ([pair for pair in SAMPLES if pair[0] != "val"], "split val is empty"),
        ([], "split train is empty"),
    ],
)
def test_bad_samples_are_refused_and_the_last_good_file_stays(tmp_path, samples, message):
    path = tmp_path / "samples.h5"
    write(path)
    good = path.read_bytes()
    with pytest.raises(TextrecError, match=message) as caught:
        write(path, samples)
    assert "\n" not in str(caught.value).replace(CHARACTERS, "")
    assert path.read_bytes() == good
    assert [file.name for file in tmp_path.iterdir()] == ["samples.h5"]


def test_a_split_may_be_empty_where_the_writer_says_so(tmp_path):
    path = tmp_path / "samples.h5"
    rest = [pair for pair in SAMPLES if pair[0] != "train"]
    options = {"source": "made up", "line_height": 28, "characters": CHARACTERS}
    write_samples(path, rest, **options, may_be_empty=("train",))
    empty = read_split(path, "train")
    assert (len(empty), list(empty.samples()), list(empty.text)) == (0, [], [])
    assert len(read_split(path, "val")) == 1
    contact_sheet(tmp_path / "sheet.png", path)
    with pytest.raises(TextrecError, match=r"split val is empty"):
        write_samples(path, rest[:1], **options, may_be_empty=("train",))


def test_none_to_train_on_is_an_error_where_there_must_be_some(tmp_path):
    write(tmp_path / "real.h5")
    with pytest.raises(TextrecError, match=r"made.h5: split train is empty"):
        write_training_samples(tmp_path / "made.h5", [], tmp_path / "real.h5", source="made")
    write_training_samples(tmp_path / "made.h5", [], tmp_path / "real.h5", source="made", may_be_empty=("train",))
    assert [len(read_split(tmp_path / "made.h5", split)) for split in SPLITS] == [0, 1, 1]


def test_an_error_of_the_source_of_samples_leaves_the_last_good_file(tmp_path):
    def failing():
        yield from SAMPLES
        raise KeyboardInterrupt

    path = tmp_path / "samples.h5"
    write(path)
    good = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write(path, failing())
    assert path.read_bytes() == good
    assert [file.name for file in tmp_path.iterdir()] == ["samples.h5"]


def test_whole_images_are_read_ahead(tmp_path):
    write(tmp_path / "s.h5")
    read = read_split(tmp_path / "s.h5", "train")
    asked = []
    mapped = SimpleNamespace(madvise=lambda advice, start, size: asked.append((advice, start, start + size)))
    replace(read, mapped=mapped).read_ahead([2, 0])
    for index, (advice, start, end) in zip([2, 0], asked, strict=True):
        first = read.begin + read.offset[index]
        assert (advice, end) == (mmap.MADV_WILLNEED, first + read.image(index).size)
        assert first - mmap.PAGESIZE < start <= first
        assert start % mmap.PAGESIZE == 0
    read.read_ahead(range(len(read)))  # the system takes it


def test_a_file_that_is_missing_damaged_or_of_another_format_is_named(tmp_path):
    path = tmp_path / "samples.h5"
    with pytest.raises(TextrecError, match=r"samples\.h5: not found; run `dvc repro`"):
        read_split(path, "train")
    write(path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not HDF5 at all"):
        path.write_bytes(damaged)
        with pytest.raises(TextrecError, match=r"samples\.h5: not a readable sample file"):
            read_split(path, "train")
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["train/words"]
    with pytest.raises(TextrecError, match=r"samples\.h5: not a readable sample file .*words"):
        read_split(path, "train")
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        listed = file["train/listed"][()]
        del file["train/listed"]
        file.create_dataset("train/listed", data=listed, chunks=True)
    with pytest.raises(TextrecError, match=r"samples\.h5: not a readable .* \(/train/listed is in several parts\)"):
        read_split(path, "train")
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(TextrecError, match=r"samples\.h5: sample format 99, this version reads 3"):
        read_split(path, "train")


# The limit on the size of a file stands for a full disk: both fail a write that is under way.
FULL_DISK = """
import resource, sys
import numpy as np
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import run
from textrec.datasets.samples import write_samples

def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
    image = np.full((1000, 1000), 7, np.uint8)
    samples = ((split, Sample(f"{i}", "a", "w", image)) for split in SPLITS for i in range(2))
    write_samples("samples.h5", samples, source="made up", line_height=28, characters="a")

run(main)
"""


@pytest.mark.parametrize("limit", [0, 3_000, 2_500_000, 6_001_000])
def test_a_full_disk_is_one_line_and_the_last_good_file_stays(tmp_path, limit, pytestconfig):
    path = tmp_path / "samples.h5"
    write(path)
    good = path.read_bytes()
    script = tmp_path / "full_disk.py"
    script.write_text(FULL_DISK)
    done = subprocess.run(
        [sys.executable, script, str(limit)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(pytestconfig.rootpath)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "error: samples.h5: File too large\n")
    assert path.read_bytes() == good
    assert sorted(file.name for file in tmp_path.iterdir()) == ["full_disk.py", "samples.h5"]


def test_a_contact_sheet_shows_some_samples_of_each_split(tmp_path):
    path, sheet = tmp_path / "samples.h5", tmp_path / "reports" / "sheet.png"
    images = [np.full((28, 50), 255, np.uint8), np.full((28, 1700), 128, np.uint8)]
    samples = [(split, Sample(f"{i}", "a\na", "w", image)) for split in SPLITS for i, image in enumerate(images * 5)]
    write(path, samples)
    contact_sheet(sheet, path, per_split=2)
    with Image.open(sheet) as opened:
        pixels = np.asarray(opened)
    assert pixels.shape[1] >= 1700 + 24
    assert (pixels == 127).sum() >= 3 * 28 * 1700  # the last sample of each split, ink dark on white
    assert (pixels[:, 0] == 255).all()
    first = sheet.read_bytes()
    shutil.rmtree(sheet.parent)
    contact_sheet(sheet, path, per_split=2)
    assert sheet.read_bytes() == first
    contact_sheet(sheet, path)  # more than there are
