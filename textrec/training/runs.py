"""The life of a training run: kept in checkpoints/ as it goes, so that it goes on from there after a crash.

A run is known by all that changes its result: parameters, data, what it begins with, and the code. While it lasts its
folder holds `last.ckpt`, written after every epoch, the one before that, the best, and curves and readings in `live`.
Once its results are written, `finished.ckpt` and `live` are left.
"""

import contextlib
import inspect
import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only
from torch import distributed
from torch.utils.data import DataLoader

from textrec.base.params import not_a_parameter
from textrec.base.runtime import TextrecError, named
from textrec.network.batches import Batch, TextImages, loader
from textrec.network.devices import fast_bfloat16
from textrec.network.model import ModelConfig
from textrec.network.saved import load_saved
from textrec.network.trained import TrainedModel
from textrec.training.checkpoints import FINISHED, LAST, WholeCheckpoints, folder_of, latest
from textrec.training.lightning_module import Training, averaging
from textrec.training.recipe import NOTHING, TrainParams
from textrec.training.tracking import loggers, monitors

# As many of the routines that oneDNN compiles, one a shape, are kept. Its own default, 1,024, holds those of a few
# widths of batches; training on real lines is a seventh faster where none has to be compiled again.
PRIMITIVES = 16384
LIVE = "live"  # curves and readings, in the folder of a run
KEPT = 4  # runs in checkpoints/, the latest; each takes 16 bytes a weight: itself, its average, Adam's two


def run_folder(params: TrainParams, config: ModelConfig, data: str | Path) -> Path:
    """The folder of the run with these parameters on the file `data`, by the code that is now loaded.

    Raises TextrecError where `train.init` or `train.ckpt_path` name no file.
    """
    tracking = {"launcher", "wandb", "watch_gradients", "device_stats"}  # leaves the result as it is
    described = json.dumps([config.model_dump(), params.model_dump(exclude=tracking)], default=str)
    for parameter, path in (("init", params.init), ("ckpt_path", params.ckpt_path)):
        if not Path(path).is_file():
            raise TextrecError(f"train.{parameter}: {path}: not found; {NOTHING}, which is in git, stands for none")
    return folder_of(described, [data, params.init, params.ckpt_path])


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
    callbacks = [*monitors(params, live), *averaging(params.ema_decay), best]
    if not params.overfit_batches:  # where an epoch is a step or two, writing would take longer than training
        every_epoch = {"filename": Path(LAST).stem, "save_on_train_epoch_end": True, "enable_version_counter": False}
        callbacks.append(ModelCheckpoint(folder, **every_epoch))
    options = {
        "callbacks": callbacks,
        "plugins": [WholeCheckpoints()],
        "logger": False,  # until their folder is ready
        "use_distributed_sampler": False,  # the batches' own sampler shares them out
        "enable_model_summary": False,
        "enable_progress_bar": sys.stderr.isatty(),
    }
    trainer: Trainer = _build(Trainer, options | trainer_options(params), "train.trainer")
    if params.batch_size < 2 * trainer.world_size:
        raise TextrecError(f"train.batch_size is {params.batch_size}; {trainer.world_size} devices need 2 samples each")
    path, steps = latest(folder, best) or (_finished(params, training, trainer), 0)
    if path:
        rank_zero_only(print)(f"going on from {path}")  # trainer.print does so on each node
    with _explained(training), named(folder):
        _tidy(live, params, steps)
        trainer.loggers = loggers(params, live)
        trainer.fit(training, *_batches(params, train, val), ckpt_path=path, weights_only=True)
    if not best.best_k_models:
        raise TextrecError("training ended without a validation; raise train.trainer.max_epochs or max_steps")
    if not trainer.is_global_zero:
        return None
    state = load_saved(best.best_model_path, remedy="run the same command again")
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
            native = fast_bfloat16()
        options["precision"] = "bf16-mixed" if native else "32-true"
    return options


def finish(folder: Path) -> None:
    """Leave of a run whose results are written but `finished.ckpt`, which `train.ckpt_path` takes, and `live`."""
    with contextlib.suppress(FileNotFoundError):
        (folder / LAST).replace(folder / FINISHED)  # first, or what it names would be missing to a run killed here
    for path in folder.iterdir():
        if path.name not in (FINISHED, LIVE):
            path.unlink()


def _batches(params: TrainParams, train: TextImages, val: TextImages) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Batches to train and to validate on: the very same where a few are to be learned by heart."""
    batches = loader(train, params.batch_size, shuffle=True, seed=params.seed)
    if params.overfit_batches:
        few = list(itertools.islice(batches.sampler, params.overfit_batches))
        same = DataLoader(train, batch_size=None, sampler=few)
        return same, same
    return batches, loader(val, params.batch_size, shuffle=False)


def _finished(params: TrainParams, training: Training, trainer: Trainer) -> Path | None:
    """`train.ckpt_path`, if it is given: the run that is to be continued."""
    if params.ckpt_path == NOTHING:
        return None
    path = Path(params.ckpt_path)
    remedy = "train.ckpt_path takes checkpoints/*/finished.ckpt, and train.init takes models"
    try:
        state = load_saved(path, remedy=remedy)
        shapes = {name: weight.shape for name, weight in state["state_dict"].items()}
        epochs = state["loops"]["fit_loop"]["epoch_progress"]["total"]["processed"]
    except (KeyError, TypeError):
        raise TextrecError(f"{path}: not a run; {remedy}") from None
    if shapes != {name: weight.shape for name, weight in training.state_dict().items()}:
        raise TextrecError(f"{path}: of a model of other parameters; give it those of params.yaml in its commit")
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= epochs:
        raise TextrecError(f"{path}: trained for {epochs} epochs already; raise train.trainer.max_epochs above that")
    return path


@rank_zero_only
def _tidy(live: Path, params: TrainParams, steps: int) -> None:
    """Leave in `live` the curves of the first `steps` steps; forget the oldest runs."""
    folder = live.parent
    if not steps:
        shutil.rmtree(live, ignore_errors=True)
    (live / "metrics.json").unlink(missing_ok=True)  # the latest points, which DVCLive would go on from
    for path in live.glob("plots/metrics/**/*.tsv"):
        rows = [row for row in path.read_text().splitlines(keepends=True) if row.endswith("\n")]  # not cut off
        column = rows[0].split().index("step") if rows else 0
        kept = [row for row in rows[1:] if int(row.split()[column]) < steps]
        path.unlink()
        if kept:
            path.write_text("".join(rows[:1] + kept))
    others = set(folder.parent.glob("*/")) - {folder, Path(params.ckpt_path).parent}
    for run in sorted(others, key=lambda run: run.stat().st_mtime)[: -KEPT + 1]:
        shutil.rmtree(run)


@contextlib.contextmanager
def _explained(training: Training) -> Iterator[None]:
    """Turn what ends a training into what the user can act on."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, distributed.DistError) or "gloo" in str(error):
            remedy = "run the same command again on all nodes to go on from the last epoch"
            raise TextrecError(f"another process of this training is lost; {remedy}") from None
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
