"""Train the recogniser on `train.data` and keep the weights of the best validation."""

import logging
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

from textrec.base.charset import Charset, CharsetParams
from textrec.base.params import load
from textrec.base.runtime import run, write_json
from textrec.datasets.samples import read_split
from textrec.training.recipe import NOTHING, Origin, TrainParams

FEW = 20  # samples


def main() -> None:
    """Write models/model.ckpt, its measures and its curves."""
    # Not above: torch takes seconds to import, in which Ctrl-C must be answered as well.
    import torch
    from pytorch_lightning import seed_everything
    from pytorch_lightning.utilities import rank_zero_only

    from textrec.network.batches import TextImages
    from textrec.network.language import LanguageModel
    from textrec.network.memory import TRAINING, bound_memory
    from textrec.network.model import ModelConfig
    from textrec.network.trained import TrainedModel
    from textrec.training.augmentation import augmentation_sheet
    from textrec.training.recombination import TrainingImages
    from textrec.training.runs import LIVE, finish, fit, run_folder
    from textrec.training.tracking import publish
    from textrec.training.transfer import begin_language, begin_with

    bound_memory(TRAINING)
    params, config = load("train", TrainParams), load("model", ModelConfig)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # Batches are cut from memory, curves have a point an epoch, a run that is continued has another folder, and curves
    # are in it already; the third is between Lightning and torch, the last of any machine that has SLURM.
    harmless = "not have many workers|smaller than the logging|LeafSpec|dirpath has changed|is not empty|srun"
    warnings.filterwarnings("ignore", f".*({harmless})")
    seed_everything(params.seed, verbose=False)
    # With `deterministic` torch would fill all memory that it takes, to show who reads it unwritten: a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore
    data = f"data/processed/{params.data}.h5"
    train, val = (read_split(data, split) for split in ("train", "val"))
    tell = rank_zero_only(partial(print, file=sys.stderr))
    if 0 < len(train) < FEW:
        tell(f"warning: {data}: {len(train)} training samples are few to learn from; a page or two more help much")
    if len(train) and not len(val):
        tell(f"warning: {data}: no val: the best weights are chosen, and confidence is fitted, on what they learn from")
        val = train
    charset = Charset(train.characters)
    trained = TrainedModel.build(config, charset, line_height=train.line_height)
    if params.init != NOTHING:
        tell(begin_with(trained, params.init))
    images = {"train": TextImages(train, charset, config), "val": TextImages(val, charset, config)}
    if not params.overfit_batches:
        images["train"] = TrainingImages(train, charset, config, recombine=params.recombine, seed=params.seed)
    rank_zero_only(augmentation_sheet)("reports/augmentation.png", train, params.augment)
    folder = run_folder(params, config, data)
    measures = fit(trained, params, **images, folder=folder)
    if measures is None:  # each device has a process; the first one writes
        return
    trained.model.eval()
    sample = load("data", Origin).is_sample and params.data != "corrected_lines"  # what people corrected is theirs
    told = {"normalize": load("charset", CharsetParams).normalize, "sample": sample}
    if params.language:
        language = LanguageModel.fit(map(charset.encode, train.text), vocabulary=len(charset), order=params.language)
        told["language"] = language if params.init == NOTHING else begin_language(language, charset, params.init)
    trained = replace(trained, **told)
    trained.calibrated(images["val"], batch_size=params.batch_size).save("models/model.ckpt")
    weights = sum(weight.numel() for weight in trained.model.parameters())
    write_json("metrics/train.json", {"samples": len(train), "parameters": weights, **measures})
    publish(folder / LIVE, Path("reports"))
    finish(folder)


if __name__ == "__main__":
    run(main)
