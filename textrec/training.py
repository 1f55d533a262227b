"""Training with PyTorch Lightning: the losses, the optimiser, the measures while training."""

import inspect
import sys
import tempfile
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger
from torch import Tensor
from torch.nn import functional
from torchmetrics.text import CharErrorRate, WordErrorRate

from textrec.charset import BLANK, PAD, SPECIALS
from textrec.dataset import Batch, TextImages, loader
from textrec.model import Encoded
from textrec.params import not_a_parameter
from textrec.recipe import TrainParams
from textrec.recognizer import Recognizer
from textrec.runtime import TextrecError


class Training(lightning.LightningModule):
    """A recogniser while it is trained.

    Logs `train/loss` and, after each validation, `val/loss` (teacher forcing), `val/cer` and `val/wer` (free-running,
    corpus level).
    """

    def __init__(self, recognizer: Recognizer, params: TrainParams, train: TextImages, val: TextImages) -> None:
        super().__init__()
        self.model = recognizer.model
        self._recognizer = recognizer
        self._params = params
        self._train, self._val = train, val
        self.cer = CharErrorRate()
        self.wer = WordErrorRate()

    def train_dataloader(self) -> Any:
        """Batches of the train split, shuffled."""
        return loader(self._train, self._params.batch_size, shuffle=True, seed=self._params.seed)

    def val_dataloader(self) -> Any:
        """Batches of the val split."""
        return loader(self._val, self._params.batch_size, shuffle=False)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """One step of teacher forcing."""
        encoded = self.model.encode(batch.images, batch.sizes)
        loss = self.training_loss(encoded, batch, self.with_noise(batch.tokens))
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.images))
        return loss

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Read the images as in use, and measure the teacher-forced loss beside it."""
        encoded = self.model.encode(batch.images, batch.sizes)
        loss = self.training_loss(encoded, batch, batch.tokens)
        tokens, _scores = self.model.generate(encoded)
        read = [self._recognizer.charset.decode(row) for row in tokens.tolist()]
        truth = [self._val.split.text[index] for index in batch.indices.tolist()]
        self.cer.update(read, truth)
        self.wer.update(read, truth)
        self.log("val/loss", loss, batch_size=len(batch.images))
        self.log("val/cer", self.cer, on_epoch=True, prog_bar=True)
        self.log("val/wer", self.wer, on_epoch=True)

    def on_validation_epoch_end(self) -> None:
        """Print one line, for logs as for terminals."""
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            self.print(f"epoch {self.current_epoch}: val CER {self.cer.compute():.4f}, WER {self.wer.compute():.4f}")

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and a cosine down to zero, step by step."""
        params = self._params
        matrices = [weight for weight in self.model.parameters() if weight.ndim > 1]
        vectors = [weight for weight in self.model.parameters() if weight.ndim <= 1]  # biases and norms: no decay
        groups = [{"params": matrices, "weight_decay": params.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=params.lr)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=params.lr,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=params.warmup,
            cycle_momentum=False,
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def training_loss(self, encoded: Encoded, batch: Batch, tokens: Tensor) -> Tensor:
        """Cross entropy of each next token given `tokens`, plus the weighted CTC loss of the samples of one line."""
        logits = self.model.decode(encoded, tokens[:, :-1])
        ignored = PAD if self._params.ignore_padding else -100
        loss = functional.cross_entropy(logits.flatten(0, 1), batch.tokens[:, 1:].flatten(), ignore_index=ignored)
        if self.model.ctc_output is not None:
            texts = batch.tokens[:, 1:]
            lengths = (texts >= len(SPECIALS)).sum(dim=1)  # <END> and <PAD> follow the text
            steps = self.model.ctc(encoded).transpose(0, 1)
            ctc = functional.ctc_loss(steps, texts, encoded.step_count, lengths, blank=BLANK, zero_infinity=True)
            loss = loss + self.model.config.ctc_weight * ctc
        return loss

    def with_noise(self, tokens: Tensor) -> Tensor:
        """Replace a share of the characters by random ones, so that the decoder learns to look at the image."""
        noisy = (torch.rand(tokens.shape, device=tokens.device) < self._params.token_noise) & (tokens >= len(SPECIALS))
        random = torch.randint_like(tokens, len(SPECIALS), len(self._recognizer.charset))
        return random.where(noisy, tokens)


def fit(
    recognizer: Recognizer, params: TrainParams, *, train: TextImages, val: TextImages, logger: Logger | bool
) -> dict[str, float]:
    """Train `recognizer` in place, leave it with the weights of the best validation, and return its measures.

    Raises TextrecError where `train.trainer` or `train.checkpoint` hold what Lightning does not take.
    """
    training = Training(recognizer, params, train, val)
    with tempfile.TemporaryDirectory() as folder:
        options = {"dirpath": folder, "monitor": "val/cer", "mode": "min", "save_weights_only": True}
        checkpoint = _build(ModelCheckpoint, options | params.checkpoint, "train.checkpoint")
        options = {
            "logger": logger,
            "callbacks": [checkpoint],
            "enable_model_summary": False,
            "enable_progress_bar": sys.stderr.isatty(),
        }
        trainer = _build(lightning.Trainer, options | params.trainer, "train.trainer")
        trainer.fit(training)
        best = checkpoint.best_model_path
        if not best:
            raise TextrecError("training ended without a validation; raise train.trainer.max_epochs or max_steps")
        state = torch.load(best, map_location="cpu", weights_only=True)
        training.load_state_dict(state["state_dict"])
        measures = trainer.validate(training, verbose=False)[0]
    return {"epoch": state["epoch"], **measures}


def _build(kind: Any, options: dict[str, Any], where: str) -> Any:
    known = inspect.signature(kind).parameters
    for name in options:
        if name not in known:
            raise TextrecError(not_a_parameter(f"params.yaml: {where}.{name}", list(known)))
    try:
        return kind(**options)
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise TextrecError(f"params.yaml: {where}: {error}") from None
