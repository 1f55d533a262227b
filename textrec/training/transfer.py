"""Beginning with the weights of another model: glyph lines, then real lines, then paragraphs."""

from collections import Counter
from pathlib import Path

import torch

from textrec.base.charset import SPECIALS
from textrec.base.runtime import TextrecError
from textrec.network.trained import TrainedModel


@torch.no_grad()
def begin_with(trained: TrainedModel, path: str | Path) -> str:
    """Load each weight of the model at `path` that has the name and shape of one of `trained`; return what
    happened, in a line.

    One charset may have the newline and the other not, as paragraphs and lines: weights with a row for each token are
    then loaded by token.
    Raises TextrecError where the charsets differ otherwise, or the line heights.
    """
    source = TrainedModel.load(path)
    own, others = trained.charset.characters, source.charset.characters
    if own.replace("\n", "") != others.replace("\n", ""):
        raise TextrecError(
            f"train.init: {path} writes the characters {others!r}, train.data has {own!r}; take another model"
        )
    height = trained.model.line_height
    if source.model.line_height != height:
        raise TextrecError(
            f"train.init: {path} reads lines of {source.model.line_height} pixels, train.data has lines of {height}; "
            "take another model, or set crop.line_height to that"
        )
    place = {token: row for row, token in enumerate([*SPECIALS, *others])}
    rows = [(row, place[token]) for row, token in enumerate([*SPECIALS, *own]) if token in place]
    weights, targets = source.model.state_dict(), trained.model.state_dict()
    left = []
    for name, target in targets.items():
        weight = weights.get(name)
        if weight is not None and weight.shape == target.shape:
            target.copy_(weight)
        elif weight is not None and (len(weight), len(target)) == (len(source.charset), len(trained.charset)):
            for row, token in rows:
                target[row] = weight[token]
        else:
            left.append(name.partition(".")[0])
    counts = ", ".join(f"{part} ({count})" for part, count in Counter(left).items())
    return (
        f"train.init: {len(targets) - len(left)} of {len(targets)} weights from {path}; begun anew: {counts or 'none'}"
    )
