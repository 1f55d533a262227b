"""Train the recogniser on `train.data` and keep the weights of the best validation."""

import logging
import warnings

from textrec.charset import Charset
from textrec.params import load
from textrec.recipe import TrainParams
from textrec.runtime import run, write_json
from textrec.samples import read_split


def main() -> None:
    """Write models/model.ckpt, its measures and its curves."""
    # Not above: torch takes seconds to import, in which Ctrl-C must be answered as well.
    import torch
    from dvclive.lightning import DVCLiveLogger
    from pytorch_lightning import seed_everything

    from textrec.augmentation import augmentation_sheet
    from textrec.dataset import TextImages
    from textrec.model import ModelConfig
    from textrec.recognizer import Recognizer
    from textrec.training import fit

    params, config = load("train", TrainParams), load("model", ModelConfig)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # Batches are cut from memory, and curves have a point an epoch; the third is between Lightning and torch.
    warnings.filterwarnings("ignore", ".*(does not have many workers|smaller than the logging interval|LeafSpec)")
    seed_everything(params.seed, verbose=False)
    # With `deterministic` torch would fill all memory that it takes, to show who reads it unwritten: a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    train, val = (read_split(f"data/processed/{params.data}.h5", split) for split in ("train", "val"))
    charset = Charset(train.characters)
    recognizer = Recognizer.build(config, charset, line_height=train.line_height)
    images = {
        "train": TextImages(train, charset, config, recombine=params.recombine, seed=params.seed),
        "val": TextImages(val, charset, config),
    }
    augmentation_sheet("reports/augmentation.png", train, params.augment)
    # dvc.yaml declares the plots and the experiment is DVC's own; left alone, DVCLive would write both anew.
    logger = DVCLiveLogger(dir="reports/train", dvcyaml=None, save_dvc_exp=False, report=None)
    measures = fit(recognizer, params, **images, logger=logger)
    recognizer.save("models/model.ckpt")
    weights = sum(weight.numel() for weight in recognizer.model.parameters())
    write_json("metrics/train.json", {"samples": len(train), "parameters": weights, **measures})


if __name__ == "__main__":
    run(main)
