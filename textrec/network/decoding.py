"""From what both heads say to a text: greedy CTC, and a beam search that asks the decoder and CTC together."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from textrec.base.charset import BLANK, END, PAD, SPECIALS, START
from textrec.network.layers import Cache
from textrec.network.model import Encoded

# Of `Recognizer.read`; the pipeline's own are evaluate.beam and evaluate.ctc_weight.
BEAM = 4
CTC_WEIGHT = 0.5

# Log-probabilities that stand for none: of a character beside the image, and of a text that has no alignment at all.
# Finite, since minus infinity less itself is not a number.
BESIDE = -1000.0
IMPOSSIBLE = -1e30

# A blank is sure where CTC leaves less than this to all characters, and a text loses no more by a step left out; up to
# ten times as much reads the embedded sample alike.
SURE = 1e-3


class Network(Protocol):
    """What decoding asks of a network; see `model.ResNetTransformer`, which is one."""

    def ctc(self, encoded: Encoded) -> Tensor: ...  # noqa: D102
    def caches(self, encoded: Encoded, slots: int) -> list[Cache]: ...  # noqa: D102
    def next_token(  # noqa: D102
        self, tokens: Tensor, step: int, caches: list[Cache], mask: Tensor, ancestors: Tensor | None = None
    ) -> Tensor: ...


@torch.inference_mode()
def greedy(network: Network, encoded: Encoded) -> tuple[Tensor, Tensor]:
    """The decoder's best token after each, with cached keys and values; rows that have ended are dropped.

    Returns tokens int64 (B, T), each row up to its `<END>` (or its limit) and `<PAD>` from there on, without
    `<START>`; and their log-probabilities float (B, T), 0 for padding.
    """
    batch, length = len(encoded.memory), int(encoded.limit.max())
    mask, limit = encoded.attention_mask(), encoded.limit
    caches = network.caches(encoded, length)
    rows = torch.arange(batch, device=limit.device)  # of the batch, those that have not been dropped
    token = limit.new_full((batch,), START)
    tokens = limit.new_full((batch, length), PAD)
    scores = torch.zeros(batch, length, device=limit.device)
    running = torch.ones_like(limit, dtype=torch.bool)
    step = 0
    while running.any():
        score, token = network.next_token(token[:, None], step, caches, mask)[:, 0].max(-1)
        tokens[rows[running], step], scores[rows[running], step] = token[running], score[running]
        step += 1
        running &= (token != END) & (step < limit)
        if _worth_dropping(running):
            caches = _keep(caches, running)
            rows, limit, mask, token, running = (x[running] for x in (rows, limit, mask, token, running))
    return tokens[:, :step], scores[:, :step]


def ctc_greedy(log_probs: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """The text of the best path of CTC: the best token of each step, repeats collapsed, blanks left out.

    log_probs: float (B, T, vocabulary); counts: int64 (B,), how many of the T steps are each row's own. Returns tokens
    as `greedy` does, each row with an `<END>`, and their log-probabilities: of a token those of its steps and of the
    blanks behind it (the first one's also of those before it), of `<END>` 0 where there is any text. Their sum is that
    of the path.
    """
    best, path = log_probs.max(-1)
    own = torch.arange(path.shape[1], device=path.device) < counts[:, None]
    begins = own & (path >= len(SPECIALS)) & (path != functional.pad(path[:, :-1], (1, 0), value=BLANK))
    lengths = begins.sum(1)
    tokens = path.new_full((len(path), int(lengths.max()) + 1), PAD)
    row, step = begins.nonzero(as_tuple=True)
    place = (begins.cumsum(1) - 1).clamp(min=0)
    tokens[row, place[row, step]] = path[row, step]
    tokens.scatter_(1, lengths[:, None], END)
    scores = best.new_zeros(tokens.shape).scatter_add_(1, place, best.masked_fill(~own, 0))
    return tokens, scores


@torch.inference_mode()
def joint_search(network: Network, encoded: Encoded, *, beam: int, ctc_weight: float) -> tuple[Tensor, Tensor]:
    """Beam search for the text with the best (1 - ctc_weight) * log p of the decoder + ctc_weight * log p of CTC.

    Both score all continuations of `beam` hypotheses an image, token by token (Hori, Watanabe, Hershey 2017, "Joint
    CTC/attention decoding for end-to-end speech recognition", one-pass decoding): CTC by the probability of all texts
    that begin with the hypothesis, and, for `<END>`, of the hypothesis itself. Scores only fall, so a row has ended
    when no running hypothesis stands above its best finished one.

    Returns tokens as `greedy` does, and float64 (B, T, 2), by how much each lowers the log-probability of the text by
    the decoder and by CTC. ctc_weight 0 with beam 1 is greedy decoding, ctc_weight 1 CTC prefix beam search.
    """
    batch, length = len(encoded.memory), int(encoded.limit.max())
    mask, limit = encoded.attention_mask(), encoded.limit
    own = torch.arange(beam, device=limit.device)
    rows = torch.arange(batch, device=limit.device)
    caches = network.caches(encoded, length * beam)
    prefixes = PrefixScores(network.ctc(encoded), encoded.step_count, beam)
    ancestors = mask.new_full((batch, beam, length * beam), -math.inf)
    texts = limit.new_full((batch, beam, length), PAD)
    tokens = limit.new_full((batch, beam), START)
    heads = torch.zeros(batch, beam, 2, dtype=torch.float64, device=limit.device)  # log p by the decoder and by CTC
    steps = heads.new_zeros((batch, beam, length, 2))  # by how much each token lowered them
    weights = heads.new_tensor([1 - ctc_weight, ctc_weight])
    running = (own == 0).expand(batch, beam)  # one hypothesis to begin with, the empty one
    best = heads.new_full((batch,), -math.inf)
    best_texts, best_steps = texts[:, 0].clone(), steps[:, 0].clone()
    step = 0
    while running.any():
        slots = step * beam
        ancestors[:, own, slots + own] = 0
        after = network.next_token(tokens, step, caches, mask, ancestors[:, None, :, : slots + beam])
        after = torch.stack([heads[..., :1] + after, prefixes.after()], dim=-1)
        score = after @ weights
        score[..., [BLANK, START, PAD]] = -math.inf
        score, index = score.masked_fill(~running[..., None], -math.inf).flatten(1).topk(beam)

        parent, tokens = index // after.shape[2], index % after.shape[2]
        before, heads = _take(heads, parent), _take(after.flatten(1, 2), index)
        prefixes.extend(parent, tokens)
        texts[:, :, :step], steps[:, :, :step] = _take(texts[:, :, :step], parent), _take(steps[:, :, :step], parent)
        texts[:, :, step], steps[:, :, step] = tokens, heads - before
        ancestors[:, :, : slots + beam] = _take(ancestors[:, :, : slots + beam], parent)
        step += 1

        ended = (tokens == END) | (step >= limit[:, None])
        finished, which = score.masked_fill(~ended, -math.inf).max(1)
        better = finished > best[rows]
        best[rows[better]] = finished[better]
        best_texts[rows[better]] = texts[better, which[better]]
        best_steps[rows[better]] = steps[better, which[better]]
        running = ~ended & (score > best[rows, None])

        kept = running.any(1)
        if _worth_dropping(kept):
            caches = _keep(caches, kept)
            prefixes.keep(kept)
            rows, limit, mask, running = rows[kept], limit[kept], mask[kept], running[kept]
            ancestors, texts, steps, tokens, heads = (x[kept] for x in (ancestors, texts, steps, tokens, heads))
    return best_texts[:, :step], best_steps[:, :step]


def _worth_dropping(running: Tensor) -> bool:
    """Whether to go on without the rows that have ended: a copy of what is kept costs about as much as a step."""
    return 4 * int(running.sum()) <= 3 * len(running)


def _keep(caches: list[Cache], rows: Tensor) -> list[Cache]:
    return [Cache(*(part[rows] for part in cache)) for cache in caches]


class PrefixScores:
    """CTC's log-probability of all continuations of `beam` hypotheses an image as they grow, token by token.

    It keeps, for each hypothesis and each t, the log-probabilities that the first t steps spell it, ending in a blank
    (`_blank`) or however (`_complete`); see Graves 2008, section 7.5. A further token may begin at any step before
    which the hypothesis is complete, so that all tokens' sums over the steps are one matrix product, and only the
    tokens chosen need the recursion over t. In float64.

    log_probs: float (B, T, vocabulary); counts: int64 (B,), how many of the T steps are each row's own.
    """

    def __init__(self, log_probs: Tensor, counts: Tensor, beam: int) -> None:
        log_probs, counts = _without_repeated_blanks(log_probs, counts)
        beside = torch.arange(log_probs.shape[1], device=counts.device) >= counts[:, None]
        log_probs = log_probs.double().masked_fill(beside[..., None], BESIDE)
        log_probs[..., BLANK].masked_fill_(beside, 0)
        log_probs = log_probs.transpose(1, 2)
        self._probs = log_probs.exp()  # (B, vocabulary, T)
        self._summed = functional.pad(log_probs.cumsum(2), (1, 0))  # (B, vocabulary, T + 1), over the first t steps
        self._rows = torch.arange(len(counts), device=counts.device)[:, None]
        self._complete = self._blank = self._summed[:, None, BLANK].expand(-1, beam, -1)  # (B, beam, T + 1)
        self._last = counts.new_full((len(counts), beam), BLANK)

    def after(self) -> Tensor:
        """Log-probability float64 (B, beam, vocabulary) of all texts that begin with a hypothesis and this token.

        For `<END>`, of the hypothesis as the whole text. `IMPOSSIBLE` or so where there is no alignment.
        """
        scale = self._complete.amax(2, keepdim=True).clamp(min=IMPOSSIBLE)
        sums = (self._complete - scale).exp()[..., :-1] @ self._probs.mT
        # The last token again is a new one only after a blank.
        again = ((self._blank - scale).exp()[..., :-1] * self._probs[self._rows, self._last]).sum(2, keepdim=True)
        scores = sums.scatter_(2, self._last[..., None], again).clamp(min=1e-300).log() + scale
        scores[..., END] = self._complete[..., -1].clamp(min=IMPOSSIBLE)
        return scores

    def extend(self, parent: Tensor, token: Tensor) -> None:
        """Go on with hypotheses `parent`, int64 (B, beam), each with `token`, int64 (B, beam), behind it."""
        again = token == self._last.gather(1, parent)
        begin = _take(self._blank, parent).where(again[..., None], _take(self._complete, parent))
        label = self._recur(begin, self._summed[self._rows, token])
        self._blank = self._recur(label, self._summed[:, None, BLANK])
        self._complete = torch.logaddexp(label, self._blank)
        self._last = token

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows of the batch that bool (B,) `rows` says."""
        self._probs, self._summed, self._last = self._probs[rows], self._summed[rows], self._last[rows]
        self._complete, self._blank = self._complete[rows], self._blank[rows]
        self._rows = torch.arange(len(self._last), device=rows.device)[:, None]

    @staticmethod
    def _recur(begin: Tensor, summed: Tensor) -> Tensor:
        """r_t = p_t * (r_{t-1} + begin_{t-1}) for all t: divided by the product of the first t of p, a plain sum."""
        sums = (begin - summed)[..., :-1].logcumsumexp(2) + summed[..., 1:]
        return functional.pad(sums, (1, 0), value=-math.inf)


def _without_repeated_blanks(log_probs: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out each step that, like the one before it, is a blank for sure: there are thousands in a paragraph."""
    own = torch.arange(log_probs.shape[1], device=counts.device) < counts[:, None]
    sure = log_probs[..., BLANK] > math.log1p(-SURE)
    kept = own & ~(sure & functional.pad(sure[:, :-1], (1, 0)))
    counts = kept.sum(1)
    order = (~kept).byte().argsort(dim=1, stable=True)[:, : int(counts.max()), None]
    return log_probs.gather(1, order.expand(-1, -1, log_probs.shape[2])), counts


def _take(hypotheses: Tensor, parent: Tensor) -> Tensor:
    """(B, N, ...) at `parent`, int64 (B, K), of each row: (B, K, ...)."""
    return hypotheses[torch.arange(len(parent), device=parent.device)[:, None], parent]
