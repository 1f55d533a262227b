"""What there is to look at while a model is trained: curves by DVCLive and wandb, and readings of a fixed batch."""

import functools
import secrets
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback, DeviceStatsMonitor
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from textrec.base.runtime import TextrecError, atomic
from textrec.datasets.samples import draw_sheet
from textrec.network.batches import Batch
from textrec.training.recipe import TrainParams


def loggers(params: TrainParams, live: Path) -> list[Logger]:
    """DVCLive, which goes on with the curves that lie in the folder `live`, and wandb where `train.wandb` says so.

    Raises TextrecError where wandb is to be online and has no key, or does not take it.
    """
    from dvclive.lightning import DVCLiveLogger

    # dvc.yaml declares the plots and the experiment is DVC's own; left alone, DVCLive would write both anew.
    curves = DVCLiveLogger(dir=str(live), dvcyaml=None, save_dvc_exp=False, report=None, resume=True)
    # Or it would look for who calls, through all modules: a tenth of a second each time.
    curves.log_metrics = functools.partial(curves.log_metrics, sync=True)
    made: list[Logger] = [curves]
    if params.wandb != "disabled":
        made.append(_wandb_logger(params, live / "wandb.txt"))
    return made


def _wandb_logger(params: TrainParams, name: Path) -> Logger:
    """The file `name` holds the id of the wandb run, so that a training that was broken off goes on in the same."""
    import wandb

    if params.wandb == "online":
        remedy = "run `wandb login`, or set WANDB_API_KEY or train.wandb=offline"
        try:
            ready = wandb.login(prompt=False)
        except wandb.Error as error:
            raise TextrecError(f"train.wandb is online, but wandb says: {error}; {remedy}") from None
        if not ready:
            raise TextrecError(f"train.wandb is online, but wandb has no key; {remedy}")
    if not name.exists():
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(secrets.token_hex(4))
    logger = WandbLogger(project="textrec", id=name.read_text(), resume="allow", offline=params.wandb == "offline")
    logger.log_hyperparams(params.model_dump())
    return logger


class Tracking(Callback):
    """Writes `live`/readings/epoch-*.png at each validation, and the same as a table to wandb.

    They show the image, the truth and the reading of the middle batch, which has images of middling size. wandb watches
    the gradients where `train.watch_gradients` says so.
    """

    def __init__(self, params: TrainParams, live: Path) -> None:
        self._params = params
        self._live = live

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let wandb watch."""
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger) and self._params.watch_gradients:
                every = trainer.log_every_n_steps  # pyright: ignore[reportAttributeAccessIssue]
                logger.watch(pl_module, log="gradients", log_freq=every, log_graph=False)

    @rank_zero_only
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Show what was read."""
        if batch_idx != (int(trainer.num_val_batches[0]) - 1) // 2 or trainer.sanity_checking:
            return
        epoch = trainer.current_epoch
        sizes = batch.sizes.tolist()
        images = [image[0, :height, :width].cpu() for image, (height, width) in zip(batch.images, sizes, strict=True)]
        rows = list(zip((255 - image.numpy() for image in images), outputs["truth"], outputs["read"], strict=True))
        pieces = [(f"truth: {truth}\nread:  {read}", Image.fromarray(image)) for image, truth, read in rows]
        draw_sheet(self._live / f"readings/epoch-{epoch:04}.png", [(f"epoch {epoch}", None), *pieces])
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                import wandb

                data = [[epoch, wandb.Image(image), truth, read] for image, truth, read in rows]
                logger.log_table("readings", columns=["epoch", "image", "truth", "read"], data=data)


CURVES = {name: f"{name.replace('/', '_')}.tsv" for name in ("train/loss", "val/loss", "val/cer")}


def publish(live: Path, reports: Path) -> None:
    """Copy what is to be kept of a run's `live` folder to `reports`, one file each: CURVES and the last readings."""
    last = max((live / "readings").iterdir())
    files = {live / f"plots/metrics/{name}.tsv": reports / path for name, path in CURVES.items()}
    for source, target in (files | {last: reports / "readings.png"}).items():
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)


def monitors(params: TrainParams, live: Path) -> list[Callback]:
    """The callbacks that track a run."""
    return [Tracking(params, live), *([DeviceStatsMonitor()] if params.device_stats else [])]
