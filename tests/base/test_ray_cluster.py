"""Work that is shared by a Ray cluster, a real one on loopback."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed")
from ray_nodes import add, nodes

from textrec.base.charset import Charset
from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.base.runtime import Place, TextrecError, parallel_map
from textrec.datasets.drawing import DrawLines, Lines, write_lines
from textrec.datasets.pen_hands import pen_hands
from textrec.datasets.texts import Corpus

pytestmark = pytest.mark.filterwarnings("ignore")  # of what Ray brings along
TOLD = {"description": "work", "unit": "item"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with nodes(2) as made:
        yield made


@pytest.mark.usefixtures("cluster")
def test_results_come_in_order_from_other_processes() -> None:
    done = list(parallel_map(partial(add, more=10), range(20), total=20, place="ray", **TOLD))
    assert [result for result, _ in done] == list(range(10, 30))
    assert os.getpid() not in {process for _, process in done}


@pytest.mark.usefixtures("cluster")
def test_what_a_worker_cannot_do_is_one_line() -> None:
    with pytest.raises(TextrecError, match=r"^-1 is below 0$"):
        list(parallel_map(partial(add, more=1), [1, -1, 2], total=3, place="ray", **TOLD))


@pytest.mark.usefixtures("cluster")
def test_drawn_lines_are_the_same_whoever_draws(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pytestconfig.rootpath)
    charset = Charset("abcdefghijklmnopqrstuvwxyz ")
    corpus = Corpus(dict.fromkeys(SPLITS, "some words of a text that goes on and on"), charset, 1, 0)

    def draw(place: Place) -> bytes:
        counts, params = Lines(train=24, val=2, test=2, hand=4), load("draw_lines", DrawLines)
        path, told = tmp_path / f"{place}/lines.h5", {"corpus": corpus, "charset": charset, "height": 28, "seed": 1}
        write_lines(path, counts, pen_hands(1), params, place=place, workers=1, **told)
        return path.read_bytes()

    assert draw("ray") == draw("local")


def test_without_a_cluster_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(TextrecError, match=r"^data.workers: ray 127.0.0.1:1: no cluster answers .*; is the cluster up"):
        list(parallel_map(partial(add, more=1), [1], total=1, place="ray", **TOLD))
