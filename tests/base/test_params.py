from typing import Annotated

import pytest
from pydantic import Field

from textrec.base.params import Params, load
from textrec.base.runtime import TextrecError


class Inner(Params):
    rate: float


class Outer(Params):
    name: str
    count: Annotated[int, Field(ge=1)]
    inner: Inner


GOOD = "stage:\n  name: a\n  count: 2\n  inner: {rate: 0.5}\n"


@pytest.fixture
def load_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load_text(text):
        (tmp_path / "params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load("stage", Outer)

    return load_text


def test_values_arrive_typed_and_cannot_be_changed(load_text):
    params = load_text(GOOD)
    assert (params.name, params.count, params.inner.rate) == ("a", 2, 0.5)
    with pytest.raises(ValueError, match="frozen"):
        params.count = 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count: 2", "count: 0", "params.yaml: stage.count is 0: input should be greater than or equal to 1"),
        ("count: 2", "count: 2.5", "stage.count is 2.5: input should be a valid integer"),
        ("count: 2", "count: '2'", "stage.count is '2': input should be a valid integer"),
        ("count: 2", "count: true", "stage.count is True: input should be a valid integer"),
        ("name: a", "name: 1", "stage.name is 1: input should be a valid string"),
        ("rate: 0.5", "rate: 1e-3", "stage.inner.rate is '1e-3': .*YAML reads 1e-3 as text: write 0.001"),
        ("count:", "cuont:", "stage.cuont is not a parameter; did you mean 'count'"),
        ("count:", "cuont:", "stage.count is missing"),
        ("rate:", "rote:", "stage.inner.rote is not a parameter; did you mean 'rate'"),
        ("count: 2", "count: 2\n  zzz: 1", "stage.zzz is not a parameter; known are count, inner, name"),
        ("  name: a\n", "", "stage.name is missing; restore it"),
        ("{rate: 0.5}", "", "stage.inner is None"),
        ("stage:", "stages:", "params.yaml: section 'stage' is missing"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_key_and_value(load_text, old, new, message):
    assert old in GOOD
    with pytest.raises(TextrecError, match=message) as caught:
        load_text(GOOD.replace(old, new))
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(load_text):
    with pytest.raises(TextrecError, match=r"stage\.name is 1.*; .*stage\.count is 0"):
        load_text(GOOD.replace("name: a", "name: 1").replace("count: 2", "count: 0"))


@pytest.mark.parametrize("text", ["", "- a list\n", "just text", "stage:\n"])
def test_a_file_of_another_shape_is_refused(load_text, text):
    with pytest.raises(TextrecError, match=r"params\.yaml: (section 'stage' is missing|stage)"):
        load_text(text)


@pytest.mark.parametrize("text", ["stage: {name: [}\n", b"stage: \xff\xfe\n", "a: b: c\n"])
def test_a_file_that_is_no_yaml_is_refused(load_text, text):
    with pytest.raises(TextrecError, match=r"params\.yaml: not valid YAML"):
        load_text(text)


def test_a_missing_file_tells_where_to_run(tmp_path):
    with pytest.raises(TextrecError, match=r"params\.yaml: not found; run from the folder that holds it"):
        load("stage", Outer, tmp_path / "params.yaml")
