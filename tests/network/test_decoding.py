"""Greedy decoding, and the search by both heads against what each of them says of the whole text."""

import math

import pytest
import torch
from networks import SIZES, batch, cut, model
from torch import Tensor
from torch.nn import functional

from textrec.base.charset import BLANK, END, PAD, START
from textrec.network import decoding
from textrec.network.decoding import ctc_greedy, joint_search, within_lines
from textrec.network.language import LanguageModel
from textrec.network.model import Encoded, ResNetTransformer, places


def totals(steps: Tensor, weight: float) -> Tensor:
    """The scores of texts from those of their tokens."""
    return steps.sum(1) @ steps.new_tensor([1 - weight, weight])


def both(network: ResNetTransformer, encoded: Encoded, tokens: Tensor) -> Tensor:
    """Log-probabilities (B, 2) of texts with their `<END>` by the decoder and by CTC, over all alignments."""
    given = functional.pad(tokens[:, :-1], (1, 0), value=START)
    lines, log_probs = places(given, network.newline)[..., 0], network.decode(encoded, given).log_softmax(-1)
    log_probs = within_lines(log_probs, lines, encoded.line_count, network.newline)
    written = log_probs.gather(2, tokens[..., None])[..., 0] * (tokens != PAD)
    lengths = (tokens == END).int().argmax(1)
    steps = network.ctc(encoded).transpose(0, 1)
    ctc = functional.ctc_loss(steps, tokens, encoded.step_count, lengths, blank=BLANK, reduction="none")
    return torch.stack([written.sum(1), -ctc], dim=1).double()


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


@torch.inference_mode()
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_search_scores_what_it_finds_and_finds_no_worse_than_ctc_alone(seed: int, weight: float) -> None:
    network = model(seed)
    encoded = network.encode(batch(SIZES), SIZES)
    paths, _ = ctc_greedy(network.ctc(encoded), encoded.step_count)
    tokens, steps = joint_search(network, encoded, ctc_weight=weight)
    expected = both(network, encoded, tokens)
    heads = slice(0, 2 if weight else 1)  # a decoder alone writes what CTC has no alignment of, too
    torch.testing.assert_close(steps.sum(1)[:, heads], expected[:, heads], atol=1e-2, rtol=1e-4)
    assert (steps[tokens == PAD] == 0).all()
    assert (steps[tokens != PAD][:, heads] < 1e-3).all()  # CTC is no more exact, where blanks are left out
    begun = both(network, encoded, paths) @ steps.new_tensor([1 - weight, weight])
    assert (totals(steps, weight) > begun - 1e-2).all()
    assert weight or (totals(steps, weight) > begun + 0.1).any()


class Speller:
    """A network whose decoder knows how to spell a text, and whose CTC head is not sure of all that it sees.

    seen: of each step what it may be, the likelier first; "-" is blank.
    """

    newline = -1

    def __init__(self, text: str, seen: str) -> None:
        self._text, self.seen = [*map(ord, text), END], seen.split()

    def ctc(self, encoded: Encoded) -> Tensor:
        """Of several characters the first has a probability of 0.6, the second 0.3."""
        probs = torch.full((len(encoded.memory), len(self.seen), 128), 1e-4)
        for step, characters in enumerate(self.seen):
            for character, probability in zip(characters, (0.6, 0.3), strict=False):
                probs[:, step, BLANK if character == "-" else ord(character)] = probability
        return (probs / probs.sum(2, keepdim=True)).log()

    def decode(self, encoded: Encoded, tokens: Tensor) -> Tensor:  # noqa: ARG002
        """After the text's own beginning the next token; else what the text has behind the last character."""
        logits = torch.zeros(*tokens.shape, 128)
        for row, given in enumerate(tokens[:, 1:].tolist()):
            for place in range(len(given) + 1):
                if given[:place] == self._text[:place]:
                    logits[row, place, self._text[min(place, len(self._text) - 1)]] = 20.0
                elif given[place - 1] in self._text[:-1]:
                    logits[row, place, self._text[self._text.index(given[place - 1]) + 1]] = 20.0
        return logits

    def encoded(self, limit: int) -> Encoded:
        """Of one image."""
        nothing, one, steps = torch.zeros(1, 1, 1), torch.ones(1), torch.tensor([len(self.seen)])
        return Encoded(nothing, nothing[0].bool(), nothing, steps, nothing, torch.tensor([limit]), nothing, one)


@pytest.mark.parametrize(
    "seen",
    [
        "m o r n i n g",
        "m o vr n i n g",  # another character
        "m o -r n i n g",  # one too few
        "m o r v- n i n g",  # one too many
        "m o r n i n g s-",  # at the end
        "a- m o r n i n g",  # at the beginning
        "m o r n i n -g",
        "mn o- o mr n ij n q- g",  # several
    ],
)
def test_the_search_mends_what_ctc_misread_where_the_decoder_knows_better(seen: str) -> None:
    network = Speller("morning", seen)
    tokens, _ = joint_search(network, network.encoded(20), ctc_weight=0.5)
    assert "".join(map(chr, tokens[0].tolist()[:-1])) == "morning"
    assert tokens[0, -1] == END


class Guesser(Speller):
    """One whose decoder would rather write a letter than any other, wherever it is, but not by much."""

    def decode(self, encoded: Encoded, tokens: Tensor) -> Tensor:  # noqa: ARG002
        """Always the same."""
        return functional.one_hot(torch.full(tokens.shape, self._text[0]), 128) * 0.3


@pytest.mark.parametrize(
    ("known", "expected"), [(None, "moaning"), ("morning", "morning"), ("moaning", "moaning"), ("loan", "moaning")]
)
def test_a_language_model_decides_what_both_heads_leave_open(known: str | None, expected: str) -> None:
    network = Guesser("r", "m o ar n i n g")
    language = known and LanguageModel.fit([[*map(ord, known)]] * 50, vocabulary=128, order=4)
    tokens, _ = joint_search(network, network.encoded(20), ctc_weight=0.5, language=language or None)
    assert "".join(map(chr, tokens[0].tolist()[:-1])) == expected


def test_no_text_is_longer_than_its_limit() -> None:
    network = Speller("morning", "m o r n i n g")
    for limit in (1, 3, 8):
        tokens, _ = joint_search(network, network.encoded(limit), ctc_weight=0.5)
        assert tokens.shape[1] <= limit
    assert joint_search(network, network.encoded(1), ctc_weight=0.5)[0].tolist() == [[END]]


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_an_image_is_read_alike_alone_and_in_any_batch(weight: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network = model(1)
    together, steps = joint_search(network, network.encode(batch(SIZES), SIZES), ctc_weight=weight)
    for index, size in enumerate(SIZES):
        alone, one = joint_search(network, network.encode(batch(size[None]), size[None]), ctc_weight=weight)
        assert cut(alone[0].tolist()) == cut(together[index].tolist())
        assert float(totals(one, weight)) == pytest.approx(float(totals(steps, weight)[index]), rel=1e-4)
    monkeypatch.setattr(decoding, "CELLS", 1)  # one after the other
    parted, scores = joint_search(network, network.encode(batch(SIZES), SIZES), ctc_weight=weight)
    assert parted.tolist() == together.tolist()
    torch.testing.assert_close(scores, steps, atol=1e-4, rtol=1e-4)
