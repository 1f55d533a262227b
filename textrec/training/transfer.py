"""Beginning with the weights of another model: glyph lines, then real lines, then paragraphs."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch

from textrec.base.charset import END, SPECIALS, START, Charset
from textrec.base.runtime import TextrecError
from textrec.network.language import LanguageModel
from textrec.network.trained import TrainedModel

TOKEN_ROWS = ("embedding.", "output.", "ctc_output.", "ctc_shortcut.")  # weights with a row for each token
# As what a newline begins, which begins a line and ends another.
NEWLINE = {"embedding.weight": START, "output.weight": END, "output.bias": END}


@torch.no_grad()
def begin_with(trained: TrainedModel, path: str | Path) -> str:
    """Load each weight of the model at `path` that has the name and shape of one of `trained`; return what
    happened, in a line.

    Weights with a row for each token are loaded by token: a character that both charsets have keeps its rows, wherever
    it stands, and the line lists those that are new. A newline that is new begins as what it is to a paragraph's lines,
    and all rows of positions as the one that a model of lines has.
    Raises TextrecError where the charsets have no character in common, or the line heights differ.
    """
    source = TrainedModel.load(path)
    own, others = trained.charset, source.charset
    new = others.unknown(own.characters)
    if len(new) == len(own.characters):
        raise TextrecError(
            f"train.init: {path} writes {others.characters!r}, none of what train.data has, {own.characters!r}; "
            "take another model"
        )
    height = trained.model.line_height
    if source.model.line_height != height:
        raise TextrecError(
            f"train.init: {path} reads lines of {source.model.line_height} pixels, train.data has lines of {height}; "
            "take another model, or set crop.line_height to that"
        )
    rows, their_rows = _common_rows(own, others)
    weights, targets = source.model.state_dict(), trained.model.state_dict()
    left = []
    for name, target in targets.items():
        weight = weights.get(name)
        if weight is not None and name.startswith(TOKEN_ROWS) and weight.shape[1:] == target.shape[1:]:
            target[rows] = weight[their_rows]
            if name in NEWLINE and "\n" in new:
                target[own.newline] = weight[NEWLINE[name]]
        elif weight is not None and weight.shape == target.shape:
            target.copy_(weight)
        else:
            left.append(name.partition(".")[0])
    if "\n" in new:
        targets["row_position"][1:] = targets["row_position"][0]
    counts = ", ".join(f"{part} ({count})" for part, count in Counter(left).items())
    taken = f"{len(targets) - len(left)} of {len(targets)} weights from {path}"
    characters = f"; new characters: {new!r}" if new else ""
    return f"train.init: {taken}; begun anew: {counts or 'none'}{characters}"


def begin_language(language: LanguageModel, charset: Charset, path: str | Path) -> LanguageModel:
    """A language model of a charset, with what the model at `path` has counted of runs of characters that both have."""
    source = TrainedModel.load(path)
    if source.language is None:
        return language
    rows, their_rows = _common_rows(charset, source.charset)
    tokens = np.full(source.language.vocabulary, -1)
    tokens[their_rows] = rows
    return language + source.language.translated(tokens, len(charset))


def _common_rows(own: Charset, others: Charset) -> tuple[list[int], list[int]]:
    """The rows of the tokens that both have, in the one and in the other."""
    place = {token: row for row, token in enumerate([*SPECIALS, *others.characters])}
    rows = {row: place[token] for row, token in enumerate([*SPECIALS, *own.characters]) if token in place}
    return list(rows), list(rows.values())
