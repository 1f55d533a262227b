"""The life of a training run: kept in checkpoints/ as it goes, so that it goes on from there after a crash.

A run is known by all that changes its result: parameters, data, what it begins with, and the code. While it lasts its
folder holds `last.ckpt`, written after every epoch, the best weights so far, curves and readings in `live`, and a copy
of these as they were when the epoch began. Once its results are written, `finished.ckpt` and `live` are left.
"""

import contextlib
import hashlib
import inspect
import itertools
import json
import os
import pickle
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from textrec.base.params import not_a_parameter
from textrec.base.runtime import TextrecError, atomic
from textrec.network.batches import Batch, TextImages, loader
from textrec.network.model import ModelConfig
from textrec.network.trained import TrainedModel
from textrec.training.lightning_module import Training, averaging
from textrec.training.recipe import NOTHING, TrainParams
from textrec.training.tracking import loggers, monitors

# As many of the routines that oneDNN compiles, one a shape, are kept. Its own default, 1,024, holds those of a few
# widths of batches; training on real lines is a seventh faster where none has to be compiled again.
PRIMITIVES = 16384
LIVE = "live"  # curves and readings, in the folder of a run
KEPT_LIVE = "live.tar"
KEPT = 4  # runs in checkpoints/, the latest; each takes 16 bytes a weight: itself, its average, Adam's two


def run_folder(params: TrainParams, config: ModelConfig, data: str | Path) -> Path:
    """The folder of the run with these parameters on the file `data`, by the code that is now loaded."""
    tracking = {"wandb", "watch_gradients", "device_stats"}  # leaves the result as it is
    described = json.dumps([config.model_dump(), params.model_dump(exclude=tracking)], default=str)
    digest = hashlib.sha256(described.encode())
    code = sorted(str(module.__file__) for name, module in sys.modules.items() if name.startswith("textrec."))
    for path in [data, params.init, params.ckpt_path, *code]:
        with Path(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return Path("checkpoints") / digest.hexdigest()[:16]


def fit(
    trained: TrainedModel, params: TrainParams, *, train: TextImages, val: TextImages, folder: Path
) -> dict[str, float] | None:
    """Train `trained` in place, leave it with the weights of the best validation, and return its measures.

    With several devices each has a process that calls this; all but the first get None.

    folder: see `run_folder`; a run that was broken off there goes on.
    Raises TextrecError where `train.trainer` or `train.checkpoint` hold what Lightning does not take, where
    `train.ckpt_path` cannot be continued, where memory does not suffice, and where the loss is not a number.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PRIMITIVES))
    training, live = Training(trained, params), folder / LIVE
    options = {"dirpath": folder, "monitor": "val/cer", "mode": "min", "enable_version_counter": False}
    best = _build(ModelCheckpoint, options | params.checkpoint, "train.checkpoint")
    callbacks = [*monitors(params, live), *averaging(params.ema_decay), _KeepLive(live), best]
    if not params.overfit_batches:  # where an epoch is a step or two, writing would take longer than training
        every_epoch = {"filename": "last", "save_on_train_epoch_end": True, "enable_version_counter": False}
        callbacks.append(ModelCheckpoint(folder, **every_epoch))
    options = {
        "callbacks": callbacks,
        "logger": False,  # until their folder is ready
        "use_distributed_sampler": False,  # the batches' own sampler shares them out
        "enable_model_summary": False,
        "enable_progress_bar": sys.stderr.isatty(),
    }
    trainer: Trainer = _build(Trainer, options | trainer_options(params), "train.trainer")
    if params.batch_size < 2 * trainer.world_size:
        raise TextrecError(f"train.batch_size is {params.batch_size}; {trainer.world_size} devices need 2 samples each")
    path = _checkpoint(folder, params, training, trainer)
    _restore(live, params)
    trainer.loggers = loggers(params, live)
    if path:
        trainer.print(f"going on from {path}")
    with _explained(training):
        trainer.fit(training, *_batches(params, train, val), ckpt_path=path, weights_only=True)
    if not best.best_k_models:
        raise TextrecError("training ended without a validation; raise train.trainer.max_epochs or max_steps")
    if not trainer.is_global_zero:
        return None
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    training.load_state_dict(state["state_dict"])
    return {"epoch": state["epoch"], **state["measures"]}


def trainer_options(params: TrainParams) -> dict[str, Any]:
    """`train.trainer` with the precision that `auto` stands for on this machine.

    That is bf16-mixed where the processor multiplies bfloat16 itself, else 32-true: emulated it is slower.
    """
    options = dict(params.trainer)
    if options.get("precision") == "auto":
        if options.get("accelerator") != "cpu" and torch.cuda.is_available():
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        options["precision"] = "bf16-mixed" if native else "32-true"
    return options


def finish(folder: Path) -> None:
    """Leave of a run whose results are written but `finished.ckpt`, which `train.ckpt_path` takes, and `live`."""
    for path in folder.iterdir():
        if path.name == "last.ckpt":
            path.replace(folder / "finished.ckpt")
        elif path.name not in ("finished.ckpt", LIVE):
            path.unlink()


def _batches(params: TrainParams, train: TextImages, val: TextImages) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Batches to train and to validate on: the very same where a few are to be learned by heart."""
    batches = loader(train, params.batch_size, shuffle=True, seed=params.seed)
    if params.overfit_batches:
        few = list(itertools.islice(batches.sampler, params.overfit_batches))
        same = DataLoader(train, batch_size=None, sampler=few)
        return same, same
    return batches, loader(val, params.batch_size, shuffle=False)


def _checkpoint(folder: Path, params: TrainParams, training: Training, trainer: Trainer) -> Path | None:
    """What to go on with: this run, if it was broken off, or else `train.ckpt_path`, if it is given."""
    if (folder / "last.ckpt").exists():
        return folder / "last.ckpt"
    if params.ckpt_path == NOTHING:
        return None
    path = Path(params.ckpt_path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        shapes = {name: weight.shape for name, weight in state["state_dict"].items()}
        epochs = state["loops"]["fit_loop"]["epoch_progress"]["total"]["processed"]
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError):
        raise TextrecError(
            f"{path}: not a run; train.ckpt_path takes checkpoints/*/finished.ckpt, and train.init takes models"
        ) from None
    if shapes != {name: weight.shape for name, weight in training.state_dict().items()}:
        raise TextrecError(f"{path}: of a model of other parameters; give it those of params.yaml in its commit")
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= epochs:
        raise TextrecError(f"{path}: trained for {epochs} epochs already; raise train.trainer.max_epochs above that")
    return path


@rank_zero_only
def _restore(live: Path, params: TrainParams) -> None:
    """Empty `live`, or give back what it held when the epoch began that was broken off; forget the oldest runs."""
    folder = live.parent
    shutil.rmtree(live, ignore_errors=True)
    if (folder / "last.ckpt").exists():
        with contextlib.suppress(FileNotFoundError), tarfile.open(folder / KEPT_LIVE) as archive:
            archive.extractall(live, filter="data")
    others = set(folder.parent.glob("*/")) - {folder, Path(params.ckpt_path).parent}
    for run in sorted(others, key=lambda run: run.stat().st_mtime)[: -KEPT + 1]:
        shutil.rmtree(run)


class _KeepLive(Callback):
    """Copies what the loggers wrote before each epoch: an epoch that is broken off is tracked anew."""

    def __init__(self, live: Path) -> None:
        self._live = live

    @rank_zero_only
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        if self._live.exists():
            with atomic(self._live.parent / KEPT_LIVE) as temporary, tarfile.open(temporary, "w") as archive:
                archive.add(self._live, arcname=".")


@contextlib.contextmanager
def _explained(training: Training) -> Iterator[None]:
    """Turn what ends a training into what the user can act on."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise
        count, _, height, width = training.batch_shape
        raise TextrecError(
            f"not enough memory for a batch of {count} images of {height} x {width} pixels; lower train.batch_size"
        ) from None
    except SystemExit as error:  # so Lightning ends the process at Ctrl-C
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _build(kind: Any, options: dict[str, Any], where: str) -> Any:
    known = inspect.signature(kind).parameters
    for name in options:
        if name not in known:
            raise TextrecError(not_a_parameter(f"params.yaml: {where}.{name}", list(known)))
    try:
        return kind(**options)
    except (TypeError, ValueError, MisconfigurationException) as error:
        hint = "; accelerator: auto takes what there is" if re.search("accelerator|backend", str(error)) else ""
        raise TextrecError(f"params.yaml: {where}: {error}{hint}") from None
