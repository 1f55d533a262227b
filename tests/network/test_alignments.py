"""Alignments of CTC against their definition: sums over all paths of a tiny lattice, and torch's own loss."""

import itertools
import math

import numpy as np
import pytest
import torch
from networks import FIRST
from torch import Tensor

from textrec.base.charset import BLANK, END, PAD
from textrec.network import alignments
from textrec.network.alignments import Alignments, Lattice

Text = tuple[int, ...]
COUNTS = [6, 4, 1]  # steps of each row
TEXTS = [(4, 4, 5), (6, 4), ()]


def collapse(path: Text) -> Text:
    return tuple(token for token, _run in itertools.groupby(path) if token != BLANK)


def labelings(probs: np.ndarray) -> dict[Text, float]:
    """Probability of each text, summed over its alignments; probs: (T, vocabulary), 0 for the specials but blank."""
    texts: dict[Text, float] = {}
    tokens = [BLANK, *range(FIRST, probs.shape[1])]
    for path in itertools.product(tokens, repeat=len(probs)):
        text = collapse(path)
        texts[text] = texts.get(text, 0.0) + float(np.prod(probs[range(len(probs)), path]))
    return texts


def random_log_probs(batch: int, steps: int, characters: int, seed: int = 0) -> Tensor:
    """Log-probabilities (batch, steps, FIRST + characters) of blank and characters."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(batch, steps, FIRST + characters, generator=generator, dtype=torch.float64)
    logits[..., 1:FIRST] = -math.inf
    return logits.log_softmax(-1)


def padded(texts: list[Text]) -> Tensor:
    rows = [torch.tensor([*text, END]) for text in texts]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


@pytest.fixture
def truths() -> list[dict[Text, float]]:
    log_probs = random_log_probs(3, 6, 3)
    return [labelings(row[:count].exp().numpy()) for row, count in zip(log_probs, COUNTS, strict=True)]


def aligned(rows: list[int], texts: list[Text]) -> Alignments:
    lattice = Lattice(random_log_probs(3, 6, 3), torch.tensor(COUNTS))
    return Alignments(lattice, torch.tensor(rows), padded(texts))


def test_a_text_is_as_probable_as_all_its_alignments_together(truths: list[dict[Text, float]]) -> None:
    every = [(row, text) for row, truth in enumerate(truths) for text in truth]
    found = aligned([row for row, _ in every], [text for _, text in every]).total.exp()
    for (row, text), probability in zip(every, found.tolist(), strict=True):
        assert probability == pytest.approx(truths[row][text], rel=1e-9)
    assert len(every) > 100


def test_each_token_lowers_it_by_the_texts_that_begin_otherwise(truths: list[dict[Text, float]]) -> None:
    lowered = aligned([0, 1, 2], TEXTS).lowered()
    for truth, text, found in zip(truths, TEXTS, lowered, strict=True):
        begun = [
            sum(p for other, p in truth.items() if other[:length] == text[:length]) for length in range(len(text) + 1)
        ]
        expected = np.diff(np.log([*begun, truth[text]]))
        assert found[: len(text) + 1].tolist() == pytest.approx(expected.tolist(), rel=1e-9)
        assert (found[len(text) + 1 :] == 0).all()


@pytest.mark.parametrize("token", [None, 4, 5, 6])
def test_an_edited_text_is_as_probable_as_if_it_were_aligned_itself(
    truths: list[dict[Text, float]], token: int | None
) -> None:
    found = aligned([0, 1, 2], TEXTS)
    new = [] if token is None else [token]
    for row, text in enumerate(TEXTS):
        for start, stop in itertools.combinations_with_replacement(range(len(text) + 1), 2):
            where = (torch.tensor([value]) for value in (row, start, stop))
            probability = found.edited(*where, None if token is None else torch.tensor([token])).exp()
            edited = (*text[:start], *new, *text[stop:])
            assert float(probability) == pytest.approx(truths[row].get(edited, 0.0), rel=1e-9, abs=1e-200)


def test_long_texts_agree_with_the_ctc_loss() -> None:
    log_probs = random_log_probs(1, 400, 20)
    text = np.random.default_rng(0).integers(FIRST, FIRST + 20, 60)
    text[10:14] = text[10]
    tokens = torch.tensor(text)[None]
    loss = torch.nn.functional.ctc_loss(log_probs.transpose(0, 1), tokens, [400], [60], blank=BLANK, reduction="sum")
    found = Alignments(Lattice(log_probs, torch.tensor([400])), torch.tensor([0]), padded([tuple(text.tolist())]))
    assert float(found.total) == pytest.approx(-float(loss), rel=1e-9)
    assert float(found.lowered().sum()) == pytest.approx(-float(loss), rel=1e-9)


def test_what_has_no_alignment_has_next_to_no_probability() -> None:
    found = aligned([2, 2], [(4, 4), (4, 5, 6, 4, 5, 6)])
    assert found.total.isfinite().all()
    assert (found.total < -600).all()


def test_a_run_of_blanks_that_are_sure_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = torch.full((FIRST + 3,), -20.0, dtype=torch.float64)
    blank[BLANK] = 0
    log_probs = random_log_probs(2, 9, 3)
    log_probs = torch.cat([log_probs[:, :4], blank.log_softmax(0).expand(2, 500, -1), log_probs[:, 4:]], dim=1)
    shortened = Lattice(log_probs, torch.tensor([509, 506]))
    monkeypatch.setattr(alignments, "SURE", 0.0)
    complete = Lattice(log_probs, torch.tensor([509, 506]))
    rows, tokens = torch.tensor([0, 1]), padded([(4, 4, 6, 5), (5,)])
    found, expected = (Alignments(lattice, rows, tokens).total for lattice in (shortened, complete))
    assert shortened.log_probs.shape[2] < 15 < complete.log_probs.shape[2]
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=0)
    assert not torch.equal(found, expected)
