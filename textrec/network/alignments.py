"""All alignments of a text with the steps of CTC, and of texts that differ from it by an edit (Graves et al. 2006)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from textrec.base.charset import BLANK, END, PAD

# Log-probability of a character beside the image: none. Finite, since minus infinity less itself is not a number.
BESIDE = -1000.0
LEAST = 1e-300  # instead of a probability of 0, whose logarithm is none

# A blank is sure where CTC leaves less than this to all characters, and a text loses no more by a step left out; up to
# ten times as much reads the embedded sample alike.
SURE = 1e-3


class Lattice:
    """What CTC says of a batch of images, in float64.

    log_probs: float (B, T, vocabulary); counts: int64 (B,), how many of the T steps are each row's own.
    """

    def __init__(self, log_probs: Tensor, counts: Tensor) -> None:
        log_probs, counts = _without_repeated_blanks(log_probs, counts)
        beside = torch.arange(log_probs.shape[1], device=counts.device) >= counts[:, None]
        log_probs = log_probs.double().masked_fill(beside[..., None], BESIDE)
        log_probs[..., BLANK].masked_fill_(beside, 0)
        self.log_probs = log_probs.transpose(1, 2).contiguous()  # (B, vocabulary, T)
        # Each row as it is, and read from its end: (T, 2 * B, vocabulary).
        self.probs = torch.cat([self.log_probs, self.log_probs.flip(2)]).exp().permute(2, 0, 1).contiguous()

    def cells(self, length: int) -> int:
        """How many numbers `Alignments` holds of a text of so many tokens."""
        return 8 * (length + 1) * self.log_probs.shape[2]


class Alignments:
    """The alignments of a text with each of some rows of a lattice: how probable its beginnings and its ends are.

    rows: int64 (n,); tokens: int64 (n, L + 1), each row up to an `<END>` and `<PAD>` from there on. `total` is float64
    (n,), the log-probability of each text.
    """

    def __init__(self, lattice: Lattice, rows: Tensor, tokens: Tensor) -> None:
        self.tokens = tokens
        self.lengths = (tokens == END).int().argmax(1)
        self._log_probs, self._rows = lattice.log_probs, rows
        labels = tokens[:, :-1]
        place = torch.arange(labels.shape[1], device=rows.device)
        mirrored = labels.gather(1, (self.lengths[:, None] - 1 - place).clamp(min=0))
        labels = torch.cat([labels, mirrored]).where((place < self.lengths[:, None]).repeat(2, 1), PAD)
        blanks = labels.new_full((len(labels), labels.shape[1] + 1, 2), BLANK)
        blanks[:, 1:, 0] = labels
        states = blanks.flatten(1)[:, 1:]  # blank, label, blank, label, ..., blank
        probs = lattice.probs[:, torch.cat([rows, rows + len(lattice.log_probs)])[:, None], states]
        probs *= states != PAD
        # Float64 (T + 1, 2 * n, L + 1) each: that so many steps spell so many labels of a text, or of a mirrored one,
        # and end in a label or in a blank; divided by exp(scale), (T + 1, 2 * n).
        self._label, self._blank, self._scale = _forward(probs, labels)
        self.total = self._complete(torch.arange(len(rows), device=rows.device), self.lengths)

    def edited(self, row: Tensor, start: Tensor, stop: Tensor, token: Tensor | None) -> Tensor:
        """Log-probability of the texts of `row` with `token`, or none, instead of those from `start` to `stop`.

        All are int64 (C,). Returns float64 (C,).
        """
        behind = self.lengths[row] - stop, row + len(self.lengths)  # of the mirrored texts
        following = self.tokens[row, stop]
        if token is None:
            before = self._before(row, start, following)
            joined = before + self._log(self._label[:, behind[1], behind[0]], behind[1]).flip(1)
            return self._complete(row, start).where(following == END, joined.logsumexp(1))
        summed = functional.pad(self._log_probs[self._rows[row], token].cumsum(1), (1, 0))
        # r_t = p_t * (r_{t-1} + before_{t-1}) for all t: divided by the product of the first t of p, a plain sum.
        run = (self._before(row, start, token) - summed)[:, :-1].logcumsumexp(1) + summed[:, 1:]
        after = self._blank[:, behind[1], behind[0]] + self._label[:, behind[1], behind[0]] * (following != token)
        return (run + self._log(after, behind[1]).flip(1)[:, 1:]).logsumexp(1)

    def lowered(self) -> Tensor:
        """By how much each token lowers the log-probability of all texts that begin so: float64 (n, L + 1).

        `<END>` leaves the text itself; 0 behind it.
        """
        count, length = len(self.tokens), self.tokens.shape[1] - 1
        labels = self.tokens[:, :-1]
        new = labels != functional.pad(labels, (1, 0), value=PAD)[:, :-1]
        before = self._blank[:-1, :count, :-1] + self._label[:-1, :count, :-1] * new
        spelled = self._log_probs[self._rows[:, None], labels]  # (n, L, T)
        begun = (before.clamp(min=LEAST).log() + self._scale[:-1, :count, None]).permute(1, 2, 0) + spelled
        begun = functional.pad(begun.logsumexp(2), (1, 1))
        begun[torch.arange(count), self.lengths + 1] = self.total
        return begun.diff(dim=1) * (torch.arange(length + 1, device=labels.device) <= self.lengths[:, None])

    def _before(self, row: Tensor, place: Tensor, token: Tensor) -> Tensor:
        """Log-probability (C, T + 1) of so many steps for what is before `place`, where `token` may come next."""
        last = functional.pad(self.tokens, (1, 0), value=PAD)[row, place]
        return self._log(self._blank[:, row, place] + self._label[:, row, place] * (last != token), row)

    def _complete(self, row: Tensor, place: Tensor) -> Tensor:
        """Log-probability (C,) of what is before `place` as a whole text."""
        return self._log(self._blank[-1:, row, place] + self._label[-1:, row, place], row, slice(-1, None))[:, 0]

    def _log(self, probs: Tensor, row: Tensor, steps: slice = slice(None)) -> Tensor:
        """From (steps, C) as they are kept to logarithms (C, steps)."""
        return (probs.clamp(min=LEAST).log() + self._scale[steps, row]).T


def _forward(probs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The forward variables of labels int64 (N, L), of whose states probs, float64 (T, N, 2 * L + 1), has the steps.

    Two float64 (T + 1, N, L + 1), see `Alignments`, and the logarithm of what they are divided by, (T + 1, N): they are
    scaled at each step, as logarithms would take several times as long.
    """
    steps, count, width = probs.shape
    skips = probs.new_zeros(count, width)  # from one label to the next, where they differ
    skips[:, 3::2] = (labels[:, 1:] != labels[:, :-1]).double()
    reached = probs.new_zeros(steps + 1, count, width + 2)
    reached[0, :, 2] = 1
    scale = probs.new_ones(steps + 1, count)
    for step in range(steps):
        last = reached[step]
        found = torch.addcmul(last[:, 2:] + last[:, 1:-1], last[:, :-2], skips).mul_(probs[step])
        scale[step + 1] = found.sum(1).clamp_(min=LEAST)
        torch.div(found, scale[step + 1, :, None], out=reached[step + 1, :, 2:])
    return reached[..., 1::2], reached[..., 2::2], scale.log().cumsum(0)


def _without_repeated_blanks(log_probs: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out each step that, like the one before it, is a blank for sure: there are thousands in a paragraph."""
    own = torch.arange(log_probs.shape[1], device=counts.device) < counts[:, None]
    sure = log_probs[..., BLANK] > math.log1p(-SURE)
    kept = own & ~(sure & functional.pad(sure[:, :-1], (1, 0)))
    counts = kept.sum(1)
    order = (~kept).byte().argsort(dim=1, stable=True)[:, : int(counts.max()), None]
    return log_probs.gather(1, order.expand(-1, -1, log_probs.shape[2])), counts
