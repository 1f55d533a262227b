import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from textrec.base.runtime import TextrecError
from textrec.datasets.emnist import MEMBER, ExtractEmnist, extract_glyphs, read_glyphs

PARAMS = ExtractEmnist(val_share=0.25, seed=1)


def part(counts, *, first=0):
    """Glyph number i has i in its first pixel and its label in the second of the first (stored) column."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0] = first + np.arange(len(labels))
    images[:, 0, 1] = labels + 100  # stored transposed: it belongs below the first pixel
    return {"images": images.reshape(-1, 784), "labels": labels[:, None], "writers": labels[:, None]}


def dataset():
    return {
        "train": part([8, 40, 12]),
        "test": part([4, 3, 9], first=100),
        "mapping": np.array([[0, ord("0")], [1, ord("A")], [2, ord("z")]], np.uint8),
    }


def archive(folder: Path, content=None) -> Path:
    path = folder / "matlab.zip"
    file = io.BytesIO()
    scipy.io.savemat(file, {"dataset": dataset() if content is None else content}, do_compression=True)
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(MEMBER, file.getvalue())
    return path


def extract(folder, content=None, params=PARAMS):
    extract_glyphs(archive(folder, content), folder / "emnist.h5", params)
    return read_glyphs(folder / "emnist.h5")


def test_glyphs_are_split_capped_and_upright(tmp_path):
    glyphs = extract(tmp_path)
    counts = {split: {char: len(images) for char, images in of.items()} for split, of in glyphs.items()}
    assert counts == {  # the median counts are 12 and 4
        "train": {"0": 6, "A": 9, "z": 9},
        "val": {"0": 2, "A": 3, "z": 3},
        "test": {"0": 4, "A": 3, "z": 4},
    }
    for of_split in glyphs.values():
        for label, images in enumerate(of_split.values()):
            assert images.shape[1:] == (28, 28)
            assert images.dtype == np.uint8
            assert (images[:, 1, 0] == label + 100).all()


def test_no_glyph_stands_in_two_splits(tmp_path):
    glyphs = extract(tmp_path)
    numbers = {split: {n for images in of.values() for n in images[:, 0, 0].tolist()} for split, of in glyphs.items()}
    assert numbers["train"].isdisjoint(numbers["val"])
    assert max(numbers["train"] | numbers["val"]) < 60 <= 100 <= min(numbers["test"])
    assert sum(map(len, numbers.values())) == 24 + 8 + 11


def test_the_same_bytes_in_any_folder_and_others_of_another_seed(tmp_path):
    written = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        extract(tmp_path / name, params=ExtractEmnist(val_share=0.25, seed=seed))
        written.append((tmp_path / name / "emnist.h5").read_bytes())
    assert written[0] == written[1] != written[2]


def changed(*, drop=None, in_train=None, **fields):
    content = dataset() | fields
    if in_train:
        content["train"] = {k: v for k, v in (content["train"] | in_train).items() if v is not None}
    return {name: value for name, value in content.items() if name != drop}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(drop="mapping"), "field 'mapping' is missing"),
        (changed(drop="test"), "field 'test' is missing"),
        (changed(train=np.zeros((1, 1))), "field 'images' is missing"),
        (changed(in_train={"labels": None}), "field 'labels' is missing"),
        (changed(in_train={"images": np.zeros((60, 28, 28), np.uint8)}), r"shape \(60, 28, 28\) .* not \(n, 784\)"),
        (changed(in_train={"images": np.zeros((60, 784))}), "float64 for 60 labels"),
        (changed(in_train={"labels": np.zeros((59, 1), np.uint8)}), r"shape \(60, 784\) of uint8 for 59 labels"),
        (changed(in_train={"labels": np.full((60, 1), 7, np.uint8)}), "train: label 7 is not in the mapping"),
        (changed(mapping=np.zeros((3, 3), np.uint8)), r"mapping has shape \(3, 3\)"),
        (changed(mapping=np.array([[0, 48], [1, 48], [2, 49]], np.uint8)), "mapping names a class twice"),
        (changed(test=part([4, 0, 9])), "character 'A' has no glyph for split test"),
        (changed(train=part([8, 1, 9])), "character 'A' has no glyph for split val"),
        (changed(mapping=np.array([[0, 48], [1, 999], [2, 49]], np.uint16)), "not .* ASCII codes"),
        (changed(train=np.zeros((0, 0))), "train: 0 records, not one"),
        (np.zeros((3, 3)), "field 'mapping' is missing"),
    ],
)
def test_a_file_that_is_not_by_class_is_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(TextrecError, match=rf"matlab.zip: emnist-byclass.mat.*{message}") as caught:
        extract(tmp_path, content)
    assert "\n" not in str(caught.value)


def rewrite(path, content):
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(MEMBER, content)


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:100], lambda _: b"", lambda _: b"no" * 500]
)
def test_a_damaged_member_is_refused_and_the_last_good_output_stays(tmp_path, damage):
    extract(tmp_path)
    good = (tmp_path / "emnist.h5").read_bytes()
    path = tmp_path / "matlab.zip"
    rewrite(path, damage(zipfile.ZipFile(path).read(MEMBER)))
    with pytest.raises(TextrecError, match=r"matlab\.zip: emnist-byclass\.mat is not a readable EMNIST by-class file"):
        extract_glyphs(path, tmp_path / "emnist.h5", PARAMS)
    assert (tmp_path / "emnist.h5").read_bytes() == good
    assert sorted(file.name for file in tmp_path.iterdir()) == ["emnist.h5", "matlab.zip"]


def test_an_archive_that_is_missing_or_no_zip_is_named(tmp_path):
    with pytest.raises(TextrecError, match=r"matlab\.zip: not found"):
        extract_glyphs(tmp_path / "matlab.zip", tmp_path / "emnist.h5", PARAMS)
    (tmp_path / "matlab.zip").write_text("no zip")
    with pytest.raises(TextrecError, match=r"matlab\.zip: .* not a readable"):
        extract_glyphs(tmp_path / "matlab.zip", tmp_path / "emnist.h5", PARAMS)


def test_a_glyph_file_that_is_missing_damaged_or_of_another_kind_is_named(tmp_path):
    with pytest.raises(TextrecError, match=r"emnist\.h5: not found"):
        read_glyphs(tmp_path / "emnist.h5")
    extract(tmp_path)
    whole = (tmp_path / "emnist.h5").read_bytes()
    (tmp_path / "emnist.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TextrecError, match=r"emnist\.h5: not a readable glyph file"):
        read_glyphs(tmp_path / "emnist.h5")
