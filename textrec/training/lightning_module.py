"""Training with PyTorch Lightning: the losses, the optimiser, the measures while training."""

import math
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torchmetrics.text import CharErrorRate, WordErrorRate

from textrec.base.charset import BLANK, PAD, SPECIALS
from textrec.base.runtime import TextrecError
from textrec.network.batches import Batch
from textrec.network.decoding import ctc_greedy, greedy
from textrec.network.model import Encoded
from textrec.network.trained import TrainedModel
from textrec.training.augmentation import Augment
from textrec.training.recipe import TrainParams


class Training(lightning.LightningModule):
    """A recogniser while it is trained.

    Logs `train/loss` and, after each validation, `val/loss` (teacher forcing), `val/cer` and `val/wer` (free-running,
    corpus level) and `val/ctc_cer` (CTC alone, where the model has that head).
    """

    def __init__(self, trained: TrainedModel, params: TrainParams) -> None:
        super().__init__()
        self.model = trained.model
        self._charset = trained.charset
        self._params = params
        self._plain_from = math.inf  # step
        self.batch_shape: tuple[int, ...] = ()  # of the last one, for whoever explains a lack of memory
        self._augment = Augment(params.augment, line_height=self.model.line_height)
        maybe_compiled = torch.compile if params.compile else lambda function: function
        self._encode, self._decode = maybe_compiled(self.model.encode), maybe_compiled(self.model.decode)
        self.cer = CharErrorRate()
        self.wer = WordErrorRate()
        self.ctc_cer = CharErrorRate()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """One step of teacher forcing, on changed images; raises TextrecError where the loss is not a number."""
        self.batch_shape = tuple(batch.images.shape)
        if index == 0:  # the random numbers of an epoch are the same whether or not training was broken off before it
            seeds = np.random.SeedSequence((self._params.seed, self.current_epoch, self.global_rank))
            torch.manual_seed(int(seeds.generate_state(1)[0]))
        plain = self._params.overfit_batches or self.global_step >= self._plain_from
        images = batch.images if plain else self._augment(batch.images, batch.sizes)
        encoded = self._encode(images, batch.sizes)
        loss = self.training_loss(encoded, batch, self.with_noise(batch.tokens))
        if not loss.isfinite():
            ids = self.trainer.train_dataloader.dataset.split.id  # type: ignore[union-attr]
            lines = ", ".join(ids[index] for index in batch.indices.tolist())
            raise TextrecError(
                f"epoch {self.current_epoch}, step {self.global_step}: the loss is {loss.item()} for {lines}; "
                "lower train.lr or look at these samples"
            )
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(images)
        )
        return loss

    def validation_step(self, batch: Batch, _index: int) -> dict[str, list[str]]:
        """Read the images as in use, and measure the teacher-forced loss beside it; returns `truth` and `read`."""
        self.batch_shape = tuple(batch.images.shape)
        encoded = self._encode(batch.images, batch.sizes)
        loss = self.training_loss(encoded, batch, batch.tokens)
        truth = self._texts(batch.tokens)
        read = self._texts(greedy(self.model, encoded)[0])
        self.cer.update(read, truth)
        self.wer.update(read, truth)
        self.log("val/loss", loss, sync_dist=True, batch_size=len(truth))
        self.log("val/cer", self.cer, on_epoch=True, prog_bar=True)
        self.log("val/wer", self.wer, on_epoch=True)
        if self.model.has_ctc:
            self.ctc_cer.update(self._texts(ctc_greedy(self.model.ctc(encoded), encoded.step_count)[0]), truth)
            self.log("val/ctc_cer", self.ctc_cer, on_epoch=True)
        return {"truth": truth, "read": read}

    def on_validation_epoch_end(self) -> None:
        """Print one line, for logs as for terminals."""
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            ctc = f" (CTC {self.ctc_cer.compute():.4f})" if self.model.has_ctc else ""
            rates = f"val CER {self.cer.compute():.4f}{ctc}, WER {self.wer.compute():.4f}"
            self.print(f"epoch {self.current_epoch}: {rates}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the measures of the last validation beside the weights."""
        measures = {name: value.item() for name, value in self.trainer.callback_metrics.items()}
        checkpoint["measures"] = {name: value for name, value in measures.items() if name.startswith("val/")}

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and a cosine down to zero, step by step."""
        params = self._params
        matrices = [weight for weight in self.model.parameters() if weight.ndim > 1]
        vectors = [weight for weight in self.model.parameters() if weight.ndim <= 1]  # biases and norms: no decay
        groups = [{"params": matrices, "weight_decay": params.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=params.lr, fused=True)
        # Lightning clips no gradients of an optimiser that would undo a loss scale by itself; left to Lightning, this
        # one has none to undo. Unfused, a step on a CPU takes a twentieth longer.
        optimizer._step_supports_amp_scaling = False
        steps = self.trainer.estimated_stepping_batches
        self._plain_from = (1 - params.plain) * steps
        warmup = params.warmup * steps

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            return (1 + math.cos(math.pi * min(1, (step - warmup) / (steps - warmup)))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def training_loss(self, encoded: Encoded, batch: Batch, tokens: Tensor) -> Tensor:
        """Cross entropy of each next token given `tokens`, plus the weighted CTC loss; targets smoothed in training."""
        logits = self._decode(encoded, tokens[:, :-1]).float()
        loss = functional.cross_entropy(
            logits.flatten(0, 1),
            batch.tokens[:, 1:].flatten(),
            ignore_index=PAD if self._params.ignore_padding else -100,
            label_smoothing=self._params.label_smoothing if self.training else 0.0,
        )
        texts = batch.tokens[:, 1:]
        lengths = (texts >= len(SPECIALS)).sum(dim=1)  # <END> and <PAD> follow the text
        for weight, steps in self.model.ctc_heads(encoded):
            steps = steps.transpose(0, 1)
            ctc = functional.ctc_loss(steps, texts, encoded.step_count, lengths, blank=BLANK, zero_infinity=True)
            loss = loss + weight * ctc
        return loss

    def with_noise(self, tokens: Tensor) -> Tensor:
        """Replace a share of the characters by random ones, so that the decoder learns to look at the image."""
        noisy = (torch.rand(tokens.shape, device=tokens.device) < self._params.token_noise) & (tokens >= len(SPECIALS))
        random = torch.randint_like(tokens, len(SPECIALS), len(self._charset))
        return random.where(noisy, tokens)

    def _texts(self, tokens: Tensor) -> list[str]:
        return [self._charset.decode(row) for row in tokens.tolist()]


def averaging(decay: float) -> list[Callback]:
    """Lightning's exponential moving average of weights and of batch normalisation's statistics; none where 0."""

    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        if averaged[0].is_floating_point():  # torch hands over tensors of one type at a time
            # The average of a short run must not remember how it began (as TensorFlow's `num_updates`).
            kept = min(decay, (1 + int(count)) / (10 + int(count)))
            get_ema_multi_avg_fn(kept)(averaged, current, count)
        else:
            for old, new in zip(averaged, current, strict=True):
                old.copy_(new)

    return [WeightAveraging(multi_avg_fn=average)] if decay else []
