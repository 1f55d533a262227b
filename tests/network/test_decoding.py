"""Both heads at once, against definitions: sums over all alignments, and all labelings of a tiny vocabulary."""

import itertools
import math

import numpy as np
import pytest
import torch
from networks import FIRST, SIZES, batch, cut, model
from torch import Tensor

from textrec.base.charset import BLANK, END, PAD
from textrec.network.decoding import PrefixScores, ctc_greedy, greedy, joint_search
from textrec.network.model import Encoded, ResNetTransformer


def totals(steps: Tensor, weight: float) -> Tensor:
    """The scores of texts from those of their tokens."""
    return steps.sum(1) @ steps.new_tensor([1 - weight, weight])


def row(encoded: Encoded, index: int) -> Encoded:
    return Encoded(*(part[index : index + 1] for part in encoded))


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _run in itertools.groupby(path) if token != BLANK)


def labelings(probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Probability of each text, summed over its alignments; probs: (T, vocabulary), 0 for the specials but blank."""
    texts: dict[tuple[int, ...], float] = {}
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


def test_greedy_ctc_collapses_repeats_and_drops_blanks() -> None:
    paths = torch.tensor([[4, 4, 0, 4, 5, 5, 0], [0, 5, 6, 6, 0, 6, 6], [0, 0, 0, 0, 4, 4, 4]])
    log_probs = torch.full((3, 7, 8), 0.05).scatter(2, paths[..., None], 0.65).log()
    tokens, scores = ctc_greedy(log_probs, torch.tensor([7, 5, 4]))
    assert tokens.tolist() == [[4, 4, 5, END], [5, 6, END, PAD], [END, PAD, PAD, PAD]]
    steps = torch.tensor(
        [[3.0, 1, 3, 0], [2, 3, 0, 0], [4, 0, 0, 0]]
    )  # of the second row 5 are its own, of the third 4
    torch.testing.assert_close(scores, steps * math.log(0.65))


def test_greedy_ctc_writes_no_special_tokens() -> None:
    paths = torch.tensor([[4, PAD, 4, END, 5, 1, 0]])
    tokens, _ = ctc_greedy(torch.nn.functional.one_hot(paths, 8).float().log(), torch.tensor([7]))
    assert tokens.tolist() == [[4, 4, 5, END]]


def test_prefix_scores_are_sums_over_all_alignments() -> None:
    counts = torch.tensor([5, 3, 1])
    log_probs = random_log_probs(3, 5, 3)
    prefixes = PrefixScores(log_probs, counts, beam=2)
    hypotheses = [[(), ()]] * 3
    truth = [labelings(log_probs[i, :count].double().exp().numpy()) for i, count in enumerate(counts)]
    random = np.random.default_rng(0)
    for _ in range(4):
        scores = prefixes.after().exp()
        for texts, row, found in zip(truth, hypotheses, scores, strict=True):
            for text, probability in zip(row, found.tolist(), strict=True):
                assert probability[END] == pytest.approx(texts.get(text, 0.0), abs=1e-12)
                for token in range(FIRST, FIRST + 3):
                    begun = (*text, token)
                    expected = sum(p for other, p in texts.items() if other[: len(begun)] == begun)
                    assert probability[token] == pytest.approx(expected, abs=1e-12)
        parents, tokens = random.integers(2, size=(3, 2)), random.integers(FIRST, FIRST + 3, size=(3, 2))
        tokens[:, 0] = [tokens[0, 0], FIRST, FIRST]  # some repeats among them
        prefixes.extend(torch.tensor(parents), torch.tensor(tokens))
        hypotheses = [
            [(*row[p], int(t)) for p, t in zip(ps, ts, strict=True)]
            for row, ps, ts in zip(hypotheses, parents, tokens, strict=True)
        ]


def test_prefix_scores_agree_with_the_ctc_loss_on_long_sequences() -> None:
    log_probs = random_log_probs(1, 400, 20)
    text = np.random.default_rng(0).integers(FIRST, FIRST + 20, 60)
    text[10:14] = text[10]
    prefixes = PrefixScores(log_probs, torch.tensor([400]), beam=1)
    for token in text:
        prefixes.extend(torch.tensor([[0]]), torch.tensor([[token]]))
    loss = torch.nn.functional.ctc_loss(
        log_probs.double().transpose(0, 1), torch.tensor(text)[None], [400], [60], blank=BLANK, reduction="sum"
    )
    assert float(prefixes.after()[0, 0, END]) == pytest.approx(-float(loss), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_of_the_decoder_alone_one_hypothesis_is_greedy_decoding(seed: int) -> None:
    network = model(seed)
    encoded = network.encode(batch(SIZES), SIZES)
    tokens, scores = greedy(network, encoded)
    found, steps = joint_search(network, encoded, beam=1, ctc_weight=0.0)
    assert found.tolist() == tokens.tolist()
    torch.testing.assert_close(steps[..., 0].float(), scores)
    assert len({len(cut(row)) for row in tokens.tolist()}) > 1


@pytest.mark.parametrize("seed", range(4))
def test_of_ctc_alone_the_search_finds_the_most_probable_text(seed: int) -> None:
    network = model(seed)
    sizes = torch.tensor([[28, 40], [28, 20], [28, 33]])
    encoded = network.encode(batch(sizes), sizes)
    assert encoded.step_count.tolist() == [10, 5, 9]
    encoded = encoded._replace(step_count=torch.tensor([5, 3, 4]), limit=torch.tensor([6, 6, 6]))
    log_probs = network.ctc(encoded)
    tokens, steps = joint_search(network, encoded, beam=40, ctc_weight=1.0)
    scores = totals(steps, 1.0)
    for index, count in enumerate(encoded.step_count):
        truth = labelings(log_probs[index, :count].detach().double().exp().numpy())
        text = max(truth, key=truth.__getitem__)
        assert cut(tokens[index].tolist()) == [*text, END]
        assert float(scores[index]) == pytest.approx(math.log(truth[text]), rel=1e-6)


def both_scores(network: ResNetTransformer, encoded: Encoded, text: list[int]) -> tuple[float, float]:
    """Log-probability of `text`, which may end in <END>, by the decoder and, as a whole text or as a prefix, by CTC."""
    logits = network.decode(encoded, torch.tensor([[1, *text[:-1]]]))[0].log_softmax(-1)
    prefixes = PrefixScores(network.ctc(encoded), encoded.step_count, beam=1)
    for token in text[:-1]:
        prefixes.extend(torch.tensor([[0]]), torch.tensor([[token]]))
    return float(logits[range(len(text)), text].sum()), float(prefixes.after()[0, 0, text[-1]])


@torch.inference_mode()
@pytest.mark.parametrize(("beam", "weight"), [(1, 0.5), (3, 0.3), (4, 0.7), (6, 0.0)])
def test_the_search_agrees_with_one_that_recomputes_everything(beam: int, weight: float) -> None:
    network = model(2)
    encoded = network.encode(batch(SIZES), SIZES)
    tokens, steps = joint_search(network, encoded, beam=beam, ctc_weight=weight)
    for index in range(len(SIZES)):
        one = row(encoded, index)
        one = one._replace(limit=one.limit.clamp(max=6))
        found, steps_found = joint_search(network, one, beam=beam, ctc_weight=weight)
        score = totals(steps_found, weight)
        running: list[list[int]] = [[]]
        finished: list[tuple[float, list[int]]] = []
        for step in range(1, 1 + int(one.limit)):
            candidates = []
            for text in running:
                for token in [END, *range(FIRST, len(network.output.bias))]:
                    decoder, ctc = both_scores(network, one, [*text, token])
                    candidates.append(((1 - weight) * decoder + weight * ctc, [*text, token]))
            best = sorted(candidates, reverse=True)[:beam]
            finished += [(s, text) for s, text in best if text[-1] == END or step == int(one.limit)]
            running = [text for _, text in best if text[-1] != END]
        expected = max(finished)
        assert cut(found[0].tolist()) == expected[1]
        assert float(score) == pytest.approx(expected[0], rel=1e-4)
    assert (totals(steps, weight) < 0).all()
    assert tokens.shape[0] == len(SIZES)


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_an_image_is_read_alike_alone_and_in_any_batch(weight: float) -> None:
    network = model(1)
    together, steps = joint_search(network, network.encode(batch(SIZES), SIZES), beam=3, ctc_weight=weight)
    for index, size in enumerate(SIZES):
        alone, one = joint_search(network, network.encode(batch(size[None]), size[None]), beam=3, ctc_weight=weight)
        assert cut(alone[0].tolist()) == cut(together[index].tolist())
        assert float(totals(one, weight)) == pytest.approx(float(totals(steps, weight)[index]), rel=1e-4)


def test_more_hypotheses_find_no_worse_texts() -> None:
    network = model(3)
    encoded = network.encode(batch(SIZES), SIZES)
    few = totals(joint_search(network, encoded, beam=1, ctc_weight=0.3)[1], 0.3)
    many = totals(joint_search(network, encoded, beam=30, ctc_weight=0.3)[1], 0.3)
    assert (many >= few - 1e-6).all()
    assert (many > few + 1e-3).any()


def test_a_run_of_blanks_that_are_sure_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = torch.full((FIRST + 3,), -20.0, dtype=torch.float64)
    blank[BLANK] = 0
    log_probs = random_log_probs(2, 9, 3)
    log_probs = torch.cat([log_probs[:, :4], blank.log_softmax(0).expand(2, 500, -1), log_probs[:, 4:]], dim=1)
    counts = torch.tensor([509, 506])
    shortened = PrefixScores(log_probs, counts, beam=1)
    monkeypatch.setattr("textrec.network.decoding.SURE", 0.0)
    complete = PrefixScores(log_probs, counts, beam=1)
    for token in (4, 4, 6, 5):
        found, expected = (prefixes.after()[..., [END, 4, 5, 6]] for prefixes in (shortened, complete))
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=0)
        assert not torch.equal(found, expected)
        for prefixes in (shortened, complete):
            prefixes.extend(torch.zeros(2, 1, dtype=torch.int64), torch.full((2, 1), token))
