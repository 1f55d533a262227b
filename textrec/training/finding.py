"""Training of the line finder on views of pages, made as they are needed."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as lightning
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset
from tqdm import tqdm

from textrec.base.params import Params
from textrec.datasets.layouts import Layout, LayoutSplit
from textrec.network.devices import fast_bfloat16
from textrec.network.finder import SHRUNK, FinderConfig, LineFinder
from textrec.pages.overlap import Counts, counted
from textrec.pages.ribbons import find_ribbons, outline_of
from textrec.training.checkpoints import LAST, WholeCheckpoints, latest
from textrec.training.lightning_module import averaging
from textrec.training.views import view

EPOCH = 100  # steps between two checkpoints
VALIDATED = 4  # times
REACH, TURN = 0.5, 0.2  # weights of the losses beside that of cores


class FinderParams(Params):
    """Section `train_finder`."""

    network: FinderConfig
    seed: NonNegativeInt
    epochs: PositiveInt  # of EPOCH steps
    batch_size: PositiveInt
    size: Annotated[PositiveInt, Field(multiple_of=64)]  # pixels, of a view
    lr: PositiveFloat  # the highest; it rises in a tenth of the steps and falls to 0
    weight_decay: Annotated[float, Field(ge=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]  # of the averaged weights, which are what is kept


class Views(NamedTuple):
    """A batch: images uint8 (B, size, size); core, above, below float (B, size / 2, size / 2); turned int64 (B,)."""

    images: Tensor
    core: Tensor
    above: Tensor
    below: Tensor
    turned: Tensor


class RandomViews(IterableDataset[Views]):
    """The batches of an epoch, each of random views of random pages; one is made while the one before is learned."""

    def __init__(self, layouts: LayoutSplit, params: FinderParams, epoch: int) -> None:
        self._layouts, self._params, self._epoch = layouts, params, epoch

    def __iter__(self) -> Iterator[Views]:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self._batch, 0)
            for number in range(1, EPOCH + 1):
                batch, waiting = waiting, pool.submit(self._batch, number)
                yield batch.result()

    def _batch(self, number: int) -> Views:
        random = np.random.default_rng((self._params.seed, self._epoch, number))
        pages = random.integers(len(self._layouts), size=(self._params.batch_size, 2)).tolist()
        pairs = ((self._layouts[one], self._layouts[other]) for one, other in pages)
        views = [view(one, other, random, size=self._params.size) for one, other in pairs]
        images, *maps = (
            torch.from_numpy(np.stack(part)) for part in zip(*((one.image, *one.maps) for one in views), strict=True)
        )
        return Views(images, *maps, turned=torch.tensor([one.turned for one in views]))


class FinderTraining(lightning.LightningModule):
    """A line finder while it is trained; logs train/loss and, of whole pages, val/recall, val/precision and val/f1."""

    def __init__(self, finder: LineFinder, params: FinderParams, train: LayoutSplit, val: LayoutSplit) -> None:
        super().__init__()
        self.finder, self._params, self._train, self._val = finder, params, train, val
        self._counts = Counts()

    def train_dataloader(self) -> DataLoader[Views]:
        """The batches of the epoch."""
        return DataLoader(RandomViews(self._train, self._params, self.current_epoch), batch_size=None)

    def val_dataloader(self) -> DataLoader[int]:
        """The numbers of the pages of val."""
        return DataLoader(cast(Dataset[int], range(len(self._val))), batch_size=None)

    def training_step(self, batch: Views, _index: int) -> Tensor:
        """Cores by cross entropy and overlap, reaches within them, and how the page is turned."""
        found = self.finder(batch.images[:, None].float() / 255)
        upright = (batch.turned == 0)[:, None, None].float()
        loss = TURN * functional.cross_entropy(found.turned, batch.turned)
        weight = upright.expand_as(batch.core)
        core = found.core.float()
        entropy = functional.binary_cross_entropy_with_logits(core, batch.core, weight, reduction="sum")
        share = core.sigmoid() * weight
        overlap = 2 * (share * batch.core).sum() / (share.sum() + (batch.core * weight).sum() + 1)
        loss = loss + 4 * entropy / weight.sum().clamp(min=1) + 1 - overlap
        inside = batch.core * weight
        for one, truth in ((found.above, batch.above), (found.below, batch.below)):
            away = functional.smooth_l1_loss(one.float(), truth.clamp(min=0.5).log(), reduction="none", beta=0.2)
            loss = loss + REACH * (away * inside).sum() / inside.sum().clamp(min=1)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.images))
        return loss

    def validation_step(self, page: int, _index: int) -> None:
        """Find the lines of a whole page."""
        self._counts += _found_in(self.finder, self._val[page])

    def on_validation_epoch_end(self) -> None:
        """Log what all pages gave, and print a line."""
        recall, precision = self._counts.recall, self._counts.precision
        both = 2 * recall * precision / max(recall + precision, 1e-9)
        self.log_dict({"val/recall": recall, "val/precision": precision, "val/f1": both}, batch_size=1)
        self.print(f"epoch {self.current_epoch}: val recall {recall:.4f}, precision {precision:.4f}")
        self._counts = Counts()

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and a cosine down to zero."""
        optimizer = torch.optim.AdamW(self.parameters(), self._params.lr, weight_decay=self._params.weight_decay)
        steps = self._params.epochs * EPOCH
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self._params.lr, total_steps=steps, pct_start=0.1, cycle_momentum=False
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def found_lines(finder: LineFinder, layouts: LayoutSplit) -> Counts:
    """How many of the lines of all pages are found, by outlines that cover half of what both do."""
    counts = Counts()
    for index in tqdm(range(len(layouts)), desc="find", unit="page", disable=None):
        counts += _found_in(finder, layouts[index])
    return counts


def _found_in(finder: LineFinder, layout: Layout) -> Counts:
    maps, _ = finder.find(layout.image)
    return counted(layout.outlines, [SHRUNK * outline_of(one) for one in find_ribbons(maps)])


def fit_finder(params: FinderParams, train: LayoutSplit, val: LayoutSplit, *, folder: Path) -> LineFinder:
    """Train a line finder, or go on with what was broken off in `folder`."""
    lightning.seed_everything(params.seed, verbose=False)
    training = FinderTraining(LineFinder(params.network), params, train, val)
    last = ModelCheckpoint(folder, filename=Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = lightning.Trainer(
        max_epochs=params.epochs,
        limit_train_batches=EPOCH,
        check_val_every_n_epoch=max(1, params.epochs // VALIDATED),
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=1.0,
        precision="bf16-mixed" if fast_bfloat16() else "32-true",
        callbacks=[last, *averaging(params.ema_decay)],
        plugins=[WholeCheckpoints()],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
    )
    path = latest(folder, last)
    if path:
        trainer.print(f"going on from {path[0]}")
    trainer.fit(training, ckpt_path=path[0] if path else None, weights_only=True)
    return training.finder.eval()
