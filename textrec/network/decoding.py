"""From what both heads say to a text: greedy, by the decoder or by CTC, and a search that asks both together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from textrec.base.charset import BLANK, END, PAD, SPECIALS, START
from textrec.network.alignments import Alignments, Lattice
from textrec.network.language import LanguageModel
from textrec.network.layers import Cache
from textrec.network.model import Encoded, fading, places

CTC_WEIGHT = 0.5  # of `Recognizer.read`; the pipeline's own is evaluate.ctc_weight
# Of a language model beside both heads; and, as it holds long texts to be less likely, what each character gains there.
LANGUAGE_WEIGHT, BONUS = 0.1, 2.0

LAST = 20.0  # by how much less probable a text's end is than a newline before its last line, and more in that

# Edits of a text that are tried one by one where all together made it no better: with 1, 2 and 3 the CER of 448 real
# lines was 15.60, 15.55 and 15.54 %.
TRIES = 2
CELLS = 2**24  # of 8 bytes, of the alignments that are in memory at once


class Network(Protocol):
    """What decoding asks of a network; see `model.ResNetTransformer`, which is one."""

    @property
    def newline(self) -> int: ...  # noqa: D102
    def ctc(self, encoded: Encoded) -> Tensor: ...  # noqa: D102
    def decode(self, encoded: Encoded, tokens: Tensor) -> Tensor: ...  # noqa: D102
    def caches(self, encoded: Encoded, slots: int) -> list[Cache]: ...  # noqa: D102
    def next_token(  # noqa: D102
        self, tokens: Tensor, place: Tensor, step: int, caches: list[Cache], mask: Tensor
    ) -> Tensor: ...


@torch.inference_mode()
def greedy(network: Network, encoded: Encoded) -> tuple[Tensor, Tensor]:
    """The decoder's best token after each, with cached keys and values; rows that have ended are dropped.

    Returns tokens int64 (B, T), each row up to its `<END>` (or its limit) and `<PAD>` from there on, without
    `<START>`; and their log-probabilities float (B, T), 0 for padding.
    """
    batch, length = len(encoded.memory), int(encoded.limit.max())
    mask, lines, limit, count = encoded.attention_mask(), encoded.lines, encoded.limit, encoded.line_count
    caches = network.caches(encoded, length)
    rows = torch.arange(batch, device=limit.device)  # of the batch, those that have not been dropped
    token, place = limit.new_full((batch,), START), limit.new_zeros(batch, 2)
    tokens = limit.new_full((batch, length), PAD)
    scores = torch.zeros(batch, length, device=limit.device)
    running = torch.ones_like(limit, dtype=torch.bool)
    step = 0
    while running.any():
        near = mask + fading(lines, place[:, :1]) if network.newline >= 0 else mask
        log_probs = network.next_token(token, place, step, caches, near)
        score, token = within_lines(log_probs[:, None], place[:, :1], count, network.newline)[:, 0].max(-1)
        begins = token == network.newline
        place = torch.stack([place[:, 0] + begins, (place[:, 1] + 1) * ~begins], dim=1)
        tokens[rows[running], step], scores[rows[running], step] = token[running], score[running]
        step += 1
        running &= (token != END) & (step < limit)
        if 4 * int(running.sum()) <= 3 * len(running):  # a copy of what is kept costs about as much as a step
            caches = [Cache(*(part[running] for part in cache)) for cache in caches]
            kept = (rows, limit, mask, lines, count, token, place, running)
            rows, limit, mask, lines, count, token, place, running = (x[running] for x in kept)
    return tokens[:, :step], scores[:, :step]


def within_lines(log_probs: Tensor, line: Tensor, count: Tensor, newline: int) -> Tensor:
    """Log-probabilities float (B, T, vocabulary) of what follows tokens in lines, int64 (B, T), of texts that have as
    many lines as `count`, int64 (B,).

    Where a line ends is for the decoder to say; whether another follows it cannot know, as each is written as if it
    were the only one: it would end too early, or write the last one again and again.
    """
    if newline < 0:
        return log_probs
    ends, last = torch.logaddexp(log_probs[..., newline], log_probs[..., END]), line + 1 >= count[:, None]
    log_probs = log_probs.clone()
    log_probs[..., newline], log_probs[..., END] = ends - LAST * last, ends - LAST * ~last
    return log_probs


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
def joint_search(
    network: Network, encoded: Encoded, *, ctc_weight: float, language: LanguageModel | None = None
) -> tuple[Tensor, Tensor]:
    """Search for the text with the best (1 - ctc_weight) * log p of the decoder + ctc_weight * log p of CTC.

    With a language model also + LANGUAGE_WEIGHT * (its log p + BONUS for each character).

    It begins with CTC's best path. The decoder scores that in one pass, all tokens at once, and so says what it would
    have written after each of its beginnings: another token instead of the next one, one more before it, none, or
    nothing any more. How each of these edits changes the probability by CTC follows from the alignments of the text as
    it is. Those that promise to be for the better are made, all at once, else one by one; what is better in truth is
    kept and edited further. So a line takes two or three passes of the decoder, not one for each of its tokens.

    Returns tokens as `greedy` does, and float64 (B, T, 2), by how much each lowers the log-probability by the decoder
    and by CTC, of all texts that begin so.
    """
    log_probs = network.ctc(encoded)
    search = _Search(network, encoded, Lattice(log_probs, encoded.step_count), ctc_weight, language)
    most = (encoded.limit - 1).tolist()
    paths = [row[: row.index(END)] for row in ctc_greedy(log_probs, encoded.step_count)[0].tolist()]
    texts = {row: path[: most[row]] for row, path in enumerate(paths)}
    best: dict[int, _Draft] = {}
    proposals: dict[int, Iterator[list[int]]] = {}
    while texts:
        for draft in search.drafts(texts):
            if draft.row not in best or draft.score > best[draft.row].score:
                best[draft.row], proposals[draft.row] = draft, draft.proposals(most[draft.row])
        texts = {row: text for row in texts if (text := next(proposals[row], None)) is not None}
    return search.scored([best[row] for row in range(len(paths))])


class _Edit(NamedTuple):
    """`tokens` instead of those from `start` to `stop`, and by how much that seems to raise the score."""

    gain: float
    start: int
    stop: int
    tokens: list[int]


@dataclass
class _Draft:
    """A text for a row of the batch, and the log-probability by the decoder of each token and its end, float64 (T,)."""

    row: int
    text: list[int]
    score: float
    written: Tensor
    edits: list[_Edit]

    def proposals(self, most: int) -> Iterator[list[int]]:
        """Texts of at most so many tokens that may be better."""
        edits = sorted((edit for edit in self.edits if edit.gain > 0), reverse=True)
        apart: list[_Edit] = []
        for edit in edits:  # of two that touch, one may do what the other would
            if all(edit.stop + 1 < other.start or edit.start > other.stop + 1 for other in apart):
                apart.append(edit)
        for chosen in [apart] * (len(apart) > 1) + [[edit] for edit in edits[:TRIES]]:
            text = list(self.text)
            for edit in sorted(chosen, key=lambda edit: -edit.start):
                text[edit.start : edit.stop] = edit.tokens
            if len(text) <= most:
                yield text


@dataclass
class _Search:
    """The scores of texts for the images of a batch."""

    network: Network
    encoded: Encoded
    lattice: Lattice
    ctc_weight: float
    language: LanguageModel | None

    def drafts(self, texts: dict[int, list[int]]) -> Iterator[_Draft]:
        """Score texts by their rows, and find what may be better."""
        for rows, tokens in self._parts(texts):
            image = Encoded(*(part[rows] for part in self.encoded))
            given, newline = functional.pad(tokens[:, :-1], (1, 0), value=START), self.network.newline
            log_probs = self.network.decode(image, given).float().log_softmax(-1)
            log_probs = within_lines(log_probs, places(given, newline)[..., 0], image.line_count, newline).double()
            written = log_probs.gather(2, tokens[..., None])[..., 0] * (tokens != PAD)
            alignments = Alignments(self.lattice, rows, tokens)
            scores = (1 - self.ctc_weight) * written.sum(1) + self.ctc_weight * alignments.total
            said = self._said(tokens)
            if said is not None:
                scores = scores + LANGUAGE_WEIGHT * (said.sum(1) + BONUS * alignments.lengths)
            edits = self._edits(log_probs, written, said, alignments)
            for index, (row, score) in enumerate(zip(rows.tolist(), scores.tolist(), strict=True)):
                yield _Draft(row, texts[row], score, written[index, : len(texts[row]) + 1], edits[index])

    def _said(self, tokens: Tensor) -> Tensor | None:
        """Log-probabilities of tokens by the language model, float64 (n, T), 0 behind their end."""
        if self.language is None:
            return None
        return torch.from_numpy(self.language.log_probs(tokens.cpu().numpy())).to(tokens.device) * (tokens != PAD)

    def _edits(
        self, log_probs: Tensor, written: Tensor, said: Tensor | None, alignments: Alignments
    ) -> list[list[_Edit]]:
        """What to change in each text: wherever the decoder would rather have written another token.

        log_probs: float64 (n, T, vocabulary), after each beginning of a text; written: (n, T), those of its own tokens,
        0 behind its end. What follows is taken to be as probable after an edit as before.
        """
        tokens = alignments.tokens
        best, token = log_probs.max(-1)
        other = (token != tokens) & (tokens != PAD) & ((token >= len(SPECIALS)) | (token == END))
        row, place = other.nonzero(as_tuple=True)
        token, gain = token[row, place], (best - written)[row, place]
        inside, end = tokens[row, place] != END, token == END
        following = functional.pad(tokens, (0, 1), value=PAD)[row, place + 1]
        left = functional.pad(written.flip(1).cumsum(1).flip(1), (0, 1))  # from each token on
        gain_without = gain - left[row, place + 1] + left[row, (place + 2).clamp(max=left.shape[1] - 1)]
        kinds = (  # which of them, up to where the text is replaced, by a token or by none, what the decoder gains
            (inside & ~end, place + 1, True, gain),
            (~end, place, True, gain),
            (inside & ~end & (token == following), place + 1, False, gain_without),
            (inside & end, alignments.lengths[row], False, gain - left[row, place + 1]),
        )
        found: list[list[_Edit]] = [[] for _ in tokens]
        for which, stop, replaced, gained in kinds:
            at = (row[which], place[which], stop[which])
            new = token[which] if replaced else None
            total = alignments.edited(*at, new)
            gains = (1 - self.ctc_weight) * gained[which] + self.ctc_weight * (total - alignments.total[at[0]])
            if self.language is not None and said is not None:
                arrays = [x.cpu().numpy() for x in (tokens, said, *at)]
                change = self.language.changes(*arrays, new=None if new is None else new.cpu().numpy())
                longer = at[1] - at[2] + int(replaced)
                gains = gains + LANGUAGE_WEIGHT * (torch.from_numpy(change).to(gains.device) + BONUS * longer)
            texts = [[]] * len(gains) if new is None else new[:, None].tolist()
            for index, *edit in zip(at[0].tolist(), gains.tolist(), *(x.tolist() for x in at[1:]), texts, strict=True):
                found[index].append(_Edit(*edit))
        return found

    def scored(self, drafts: Sequence[_Draft]) -> tuple[Tensor, Tensor]:
        """What `joint_search` returns of one for each row."""
        longest = max(len(draft.written) for draft in drafts)
        limit = self.encoded.limit
        tokens = limit.new_full((len(drafts), longest), PAD)
        scores = torch.zeros(len(drafts), longest, 2, dtype=torch.float64, device=limit.device)
        for draft in drafts:
            scores[draft.row, : len(draft.written), 0] = draft.written
        for rows, part in self._parts({draft.row: draft.text for draft in drafts}):
            tokens[rows, : part.shape[1]] = part
            scores[rows, : part.shape[1], 1] = Alignments(self.lattice, rows, part).lowered()
        return tokens, scores

    def _parts(self, texts: dict[int, list[int]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows int64 (n,), and their texts, int64 (n, T), up to `<END>`, as many at once as `CELLS` takes."""
        size = max(1, CELLS // self.lattice.cells(max(map(len, texts.values()))))
        rows = list(texts)
        for part in (rows[start : start + size] for start in range(0, len(rows), size)):
            ended = [self.encoded.limit.new_tensor([*texts[row], END]) for row in part]
            padded = torch.nn.utils.rnn.pad_sequence(ended, batch_first=True, padding_value=PAD)
            yield self.encoded.limit.new_tensor(part), padded
