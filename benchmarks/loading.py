"""What training waits for data: the share of an epoch between the end of a step and the next batch being there.

Usage: python benchmarks/loading.py [SAMPLE_FILE]

SAMPLE_FILE is data/processed/<train.data>.h5 where it is left out (`dvc repro` makes it). Model, batches, augmentation
are those of params.yaml, and all lines are recombined (train.recombine 1), the most that a loader can have to do. Of
two epochs the second is measured whole, with the drawing of its lines; Lightning's own bookkeeping between two steps
counts as waiting. A GPU works on the last step meanwhile: there the share is what it waits at most.
"""

import statistics
import sys
import time

from machine import ROOT, save
from pytorch_lightning.callbacks import LambdaCallback
from training_step import make_trainer, own_manner, quiet

from textrec.base.charset import Charset
from textrec.base.params import load
from textrec.datasets.samples import read_split
from textrec.network.batches import loader
from textrec.network.model import ModelConfig
from textrec.network.trained import TrainedModel
from textrec.training.lightning_module import Training
from textrec.training.recipe import TrainParams
from textrec.training.recombination import RecombinedImages


def main() -> None:
    """Measure, print, save."""
    quiet()
    config = load("model", ModelConfig, ROOT / "params.yaml")
    params = load("train", TrainParams, ROOT / "params.yaml")
    split = read_split(sys.argv[1] if len(sys.argv) > 1 else ROOT / f"data/processed/{params.data}.h5", "train")
    charset = Charset(split.characters)
    images = RecombinedImages(split, charset, config, recombine=1.0, seed=params.seed)
    training = Training(TrainedModel.build(config, charset, line_height=split.line_height), params)
    starts, ends = [], []
    callback = LambdaCallback(
        on_train_batch_start=lambda *_: starts.append(time.perf_counter()),
        on_train_batch_end=lambda *_: ends.append(time.perf_counter()),
    )
    trainer = make_trainer(params, **own_manner(params, callback), max_epochs=2)
    trainer.fit(training, loader(images, params.batch_size, shuffle=True, seed=params.seed))
    steps = len(ends) // 2
    waits = [start - end for start, end in zip(starts[steps:], ends[steps - 1 :], strict=False)]
    seconds = ends[-1] - ends[steps - 1]
    share = sum(waits) / seconds
    print(f"{steps} steps in {seconds:.1f} s, {share:.2%} of it waiting for data")
    figures = {
        "source": split.source,
        "samples": len(split),
        "steps": steps,
        "seconds": seconds,
        "share_waiting": share,
    }
    figures |= {"batch_size": params.batch_size, "median_wait": statistics.median(waits), "between_epochs": waits[0]}
    save("loading", figures)


if __name__ == "__main__":
    main()
