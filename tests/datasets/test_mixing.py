from dataclasses import replace

import numpy as np
import pytest
import yaml

from stages import mix as mix_stage
from textrec.base.params import load, validate
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError
from textrec.datasets.mixing import Mixtures, mix
from textrec.datasets.samples import read_split, write_samples


def samples(dataset, counts, width=40):
    for split, count in zip(SPLITS, counts, strict=True):
        for index in range(count):
            name = f"{dataset}-{split}-{index}"
            image = np.random.default_rng([*name.encode()]).integers(0, 256, (28, width + index), np.uint8)
            yield split, Sample(name, "a b", f"{dataset} writer", image, words=((0, 9), (12, 20)))


def write(folder, dataset, counts, characters="ab ", line_height=28):
    made = samples(dataset, counts)
    options = {"source": dataset, "line_height": line_height, "characters": characters, "may_be_empty": SPLITS}
    write_samples(folder / f"{dataset}.h5", made, **options)


def mixtures(**values):
    return validate(values, Mixtures, where="mix")


def test_a_mixture_trains_on_all_by_their_shares_and_is_measured_on_one(tmp_path):
    for dataset, counts in (("iam_lines", (3, 2, 1)), ("ondb_lines", (2, 5, 5)), ("page_lines", (1, 1, 1))):
        write(tmp_path, dataset, counts)
    parts = {"page_lines": 4.0, "ondb_lines": 0.5, "iam_lines": 1.0}
    assert mix(tmp_path / "mine.h5", mixtures(mine={"train": parts, "measure": "iam_lines"})["mine"]) is None
    train = read_split(tmp_path / "mine.h5", "train")
    assert (train.source, train.line_height, train.characters) == ("mine", 28, "ab ")
    expected = [
        replace(sample, share=share, image=None)
        for dataset, share in parts.items()
        for sample in read_split(tmp_path / f"{dataset}.h5", "train").samples()
    ]
    assert [replace(sample, image=None) for sample in train.samples()] == expected
    for split in ("val", "test"):
        real, copied = (read_split(tmp_path / f"{name}.h5", split) for name in ("iam_lines", "mine"))
        assert ([*copied.id], copied.pixels.tobytes()) == ([*real.id], real.pixels.tobytes())


def test_the_charset_of_a_mixture_is_that_of_all_its_datasets(tmp_path):
    write(tmp_path, "iam_lines", (1, 1, 1), "ab !")
    write(tmp_path, "page_lines", (1, 1, 1), "aéb ")
    write(tmp_path, "drawn_lines", (1, 1, 1), "b a€")
    mixture = {"train": {"page_lines": 1.0, "drawn_lines": 1.0}, "measure": "iam_lines"}
    mix(tmp_path / "mine.h5", mixtures(mine=mixture)["mine"])
    assert read_split(tmp_path / "mine.h5", "val").characters == "aéb €!"


def test_without_one_of_its_datasets_a_mixture_has_nothing_to_train_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "data/processed").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data/processed", "iam_lines", (3, 2, 1))
    write(tmp_path / "data/processed", "font_lines", (0, 0, 0))
    mixture = {"train": {"iam_lines": 1.0, "font_lines": 1.0}, "measure": "iam_lines"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"mix": {"mine": mixture}}))
    mix_stage.main("mine")
    assert capsys.readouterr().err == "mine: nothing to train on, for font_lines has no training samples\n"
    assert [len(read_split("data/processed/mine.h5", split)) for split in SPLITS] == [0, 2, 1]
    assert read_split("data/processed/mine.h5", "train").source == "mine: font_lines"
    with pytest.raises(TextrecError, match=r"mix.mime is not a parameter; did you mean 'mine'\?"):
        mix_stage.main("mime")


def test_lines_of_another_height_are_refused(tmp_path):
    write(tmp_path, "iam_lines", (1, 1, 1))
    write(tmp_path, "emnist_lines", (1, 1, 1), line_height=40)
    mixture = {"train": {"emnist_lines": 1.0}, "measure": "iam_lines"}
    with pytest.raises(
        TextrecError, match=r"mix.mine: lines of several heights .* {'emnist_lines': 40, 'iam_lines': 28}"
    ):
        mix(tmp_path / "mine.h5", mixtures(mine=mixture)["mine"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"iam_lines": {"train": {"iam_lines": 1.0}, "measure": "iam_lines"}},
            "mix.iam_lines: a dataset has that name",
        ),
        ({"../x": {"train": {"iam_lines": 1.0}, "measure": "iam_lines"}}, "mix.../x: .*none for a file"),
        ({"a": {"train": {}, "measure": "iam_lines"}}, "mix.a.train is {}: dictionary should have at least 1 item"),
        (
            {"a": {"train": {"iam_lines": 0.0}, "measure": "iam_lines"}},
            "mix.a.train.iam_lines is 0.0: input should be g",
        ),
        (
            {"a": {"train": {"iam_lnes": 1.0}, "measure": "iam_lines"}},
            "mix.a.train.iam_lnes.* is 'iam_lnes': .*'page_l",
        ),
        ({"a": {"train": {"iam_lines": 1.0}, "measure": "all"}}, "mix.a.measure is 'all': input should be 'emnist_lin"),
        ({"a": {"train": {"iam_lines": 1.0}}}, "mix.a.measure is missing"),
        ({"a": {"train": {"iam_lines": 1.0}, "measure": "iam_lines", "x": 1}}, "mix.a.x is not a parameter"),
    ],
)
def test_bad_mixtures_are_named(values, message):
    with pytest.raises(TextrecError, match=message):
        mixtures(**values)


def test_what_a_mixture_is_of():
    mixture = {"train": {"page_lines": 1.0, "drawn_lines": 1.0}, "measure": "iam_lines"}
    assert mixtures(mine=mixture).datasets("mine") == {"page_lines", "drawn_lines", "iam_lines"}
    assert mixtures(mine=mixture).datasets("font_lines") == {"font_lines"}


def test_params_file_in_git_is_valid(pytestconfig):
    assert load("mix", Mixtures, pytestconfig.rootpath / "params.yaml")["latin_lines"].measure == "page_lines"
