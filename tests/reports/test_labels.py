import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import CHARSET, recognizer, sample, split_of

from textrec.base.charset import BLANK, END, START
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import Split, Texts
from textrec.network.batches import pad
from textrec.reports.labels import judge, text_losses


@pytest.fixture
def split(tmp_path: Path) -> Split:
    texts = ["abc", "d a", "bb", "cab d", "a"]
    samples = [sample(f"s-{n}", text, width=60 + 25 * n, seed=n) for n, text in enumerate(texts)]
    return split_of(tmp_path / "s.h5", samples)


@pytest.mark.parametrize("ctc_weight", [0.0, 1.0])
def test_judgements_stand_in_the_order_of_the_split_whatever_the_batches(split: Split, ctc_weight: float) -> None:
    model = recognizer(ctc_weight=ctc_weight)
    whole, single = judge(model, split, batch_size=5), judge(model, split, batch_size=1)
    assert [one.read for one in whole] == [one.read for one in single]
    assert [one.loss for one in whole] == pytest.approx([one.loss for one in single], rel=1e-4)
    assert len({one.loss for one in whole}) == len(split)


@pytest.mark.parametrize("ctc_weight", [0.0, 1.0])
def test_what_is_read_is_a_label_of_the_same_loss(split: Split, ctc_weight: float) -> None:
    model = recognizer(ctc_weight=ctc_weight)
    judged = judge(model, split, batch_size=2)
    again = judge(model, replace(split, text=[one.read for one in judged]), batch_size=2)
    assert [one.loss for one in again] == pytest.approx([one.read_loss for one in judged], rel=1e-5)
    assert [one.read_loss for one in again] == pytest.approx([one.read_loss for one in judged], rel=1e-5)


@torch.inference_mode()
def test_the_loss_by_ctc_is_that_of_all_alignments() -> None:
    model = recognizer()
    encoded = model.encode(*pad([np.zeros((28, 16), np.uint8)]))
    steps = int(encoded.step_count[0])
    log_probs = model.model.ctc(encoded)[0, :steps]
    paths = list(product((BLANK, *CHARSET.encode("ab")), repeat=steps))
    spelled = [
        [token for n, token in enumerate(path) if token != BLANK and path[n - 1 : n] != (token,)] for path in paths
    ]
    scores = [
        sum(log_probs[step, token] for step, token in enumerate(path))
        for path, text in zip(paths, spelled, strict=True)
        if text == CHARSET.encode("ab")
    ]
    assert text_losses(model, encoded, ["ab"]).item() == pytest.approx(
        -torch.stack(scores).logsumexp(0).item(), rel=1e-4
    )


@torch.inference_mode()
def test_the_loss_without_ctc_is_that_of_teacher_forcing_with_the_end() -> None:
    model = recognizer(ctc_weight=0.0)
    encoded = model.encode(*pad([sample("s", "", width=80).image]))
    tokens = [START, *CHARSET.encode("cab"), END]
    log_probs = model.model.decode(encoded, torch.tensor([tokens[:-1]])).log_softmax(-1)[0]
    expected = -sum(log_probs[step, token].item() for step, token in enumerate(tokens[1:]))
    assert text_losses(model, encoded, ["cab"]).item() == pytest.approx(expected, rel=1e-4)


def test_a_label_too_long_for_its_image_has_an_infinite_loss(split: Split) -> None:
    texts = Texts(np.array([b"a" * 30, *(text.encode() for text in split.text[1:])]))
    judged = judge(recognizer(), replace(split, text=texts), batch_size=5)
    assert judged[0].loss == math.inf
    assert all(math.isfinite(one.loss) for one in judged[1:])
    assert all(math.isfinite(one.read_loss) for one in judged)


def test_an_empty_text_has_a_loss() -> None:
    for ctc_weight in (0.0, 1.0):
        model = recognizer(ctc_weight=ctc_weight)
        encoded = model.encode(*pad([sample("s", "", width=80).image] * 2))
        assert text_losses(model, encoded, ["", ""]).isfinite().all()
        assert text_losses(model, encoded, ["", "ab"])[0] == pytest.approx(
            text_losses(model, encoded, ["", ""])[0].item()
        )


def test_samples_of_another_charset_are_refused(split: Split) -> None:
    with pytest.raises(TextrecError, match="s: its characters are 'xyz'"):
        judge(recognizer(), replace(split, characters="xyz"), batch_size=5)
