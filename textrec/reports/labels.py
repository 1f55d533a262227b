"""Labels as a trained model sees them: how likely each is, and what the model reads instead."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from textrec.base.charset import BLANK, END, PAD, START
from textrec.datasets.samples import Split
from textrec.network.batches import TextImages, loader
from textrec.network.model import Encoded
from textrec.network.trained import TrainedModel
from textrec.reports.health import Judgement


def judge(trained: TrainedModel, split: Split, *, batch_size: int) -> list[Judgement]:
    """Judge every label of a split, in its order, by greedy CTC, or by the decoder where the model has no CTC head.

    Images are read as they are. Raises TextrecError as `TextImages` does.
    """
    images = TextImages(split, trained.charset, trained.model.config)
    decoders = trained.decoders()
    read = decoders.get("ctc", decoders["ar"])
    found: dict[int, Judgement] = {}
    for batch in loader(images, batch_size, shuffle=False):
        encoded = trained.encode(batch.images, batch.sizes)
        indices = batch.indices.tolist()
        readings = [reading.text for reading in read(encoded)]
        losses = text_losses(trained, encoded, [split.text[index] for index in indices]).tolist()
        own_losses = text_losses(trained, encoded, readings).tolist()
        found |= zip(indices, map(Judgement, readings, losses, own_losses), strict=True)
    return [found[index] for index in range(len(split))]


@torch.inference_mode()
def text_losses(trained: TrainedModel, encoded: Encoded, texts: Sequence[str]) -> Tensor:
    """-ln p float (B,) of a text for each encoded image, in nats: by CTC over all alignments, infinite where there is
    none; by teacher forcing, `<END>` included, where the model has no CTC head.
    """
    model, device = trained.model, encoded.limit.device
    rows = [torch.tensor([START, *trained.charset.encode(text), END], device=device) for text in texts]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
    if not model.has_ctc:
        logits = model.decode(encoded, tokens[:, :-1]).float().transpose(1, 2)
        return functional.cross_entropy(logits, tokens[:, 1:], ignore_index=PAD, reduction="none").sum(1)
    lengths = torch.tensor([len(text) for text in texts], device=device)
    steps = model.ctc(encoded).transpose(0, 1)
    return functional.ctc_loss(steps, tokens[:, 1:], encoded.step_count, lengths, blank=BLANK, reduction="none")
