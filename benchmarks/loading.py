"""What training waits for data, and what memory it takes: the share of an epoch between the end of a step and the next
batch being there.

Usage: python benchmarks/loading.py [SAMPLE_FILE ...]

SAMPLE_FILE is data/processed/<train.data>.h5 where none is named (`dvc repro` makes it). Model, batches, augmentation
are those of params.yaml, and all lines are recombined (train.recombine 1), the most that a loader can have to do. Of
two epochs, of STEPS steps at most, the second is measured whole, with the drawing of its lines; Lightning's own
bookkeeping between two steps counts as waiting. A GPU works on the last step meanwhile: there the share is what it
waits at most.

Each file has a process of its own, and its pages are put out of the system's memory beforehand. What of the process is
no page of a file is its own memory. For a million drawn lines:

    dvc exp run -S draw_hands.count.train=1000000 draw_hands
    python benchmarks/loading.py data/processed/iam_lines.h5 data/processed/drawn_lines.h5
"""

import math
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from machine import ROOT, save
from pytorch_lightning.callbacks import LambdaCallback
from training_step import make_trainer, own_manner, quiet

from textrec.base.charset import Charset
from textrec.base.params import load
from textrec.datasets.samples import read_split
from textrec.network.batches import loader
from textrec.network.memory import TRAINING, bound_memory
from textrec.network.model import ModelConfig
from textrec.network.trained import TrainedModel
from textrec.training.lightning_module import Training
from textrec.training.recipe import TrainParams
from textrec.training.recombination import TrainingImages

STEPS = 300


def main() -> None:
    """Measure, print, save."""
    params = load("train", TrainParams, ROOT / "params.yaml")
    config = load("model", ModelConfig, ROOT / "params.yaml")
    files = list(map(Path, sys.argv[1:])) or [ROOT / f"data/processed/{params.data}.h5"]
    figures = {}
    for file in files:
        forget(file)
        with ProcessPoolExecutor(1, get_context("spawn"), begin) as process:
            figures[file.stem] = process.submit(measured, file, params, config, limit_train_batches=STEPS).result()
    save("loading", figures)


def begin() -> None:
    """Begin a process as the stage `train` does."""
    quiet()
    bound_memory(TRAINING)


def forget(path: Path) -> None:
    """Put a file's pages out of the system's memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(file: Path, params: TrainParams, config: ModelConfig, **limits: int) -> dict[str, Any]:
    """Train for two epochs, limited as the Trainer has it, and measure the second."""
    begun = time.perf_counter()
    split = read_split(file, "train")
    charset = Charset(split.characters)
    images = TrainingImages(split, charset, config, recombine=1.0, seed=params.seed)
    opened = time.perf_counter() - begun
    training = Training(TrainedModel.build(config, charset, line_height=split.line_height), params)
    starts, ends, memory, pixels = [], [], [], []

    def end(*_: object) -> None:
        pixels.append(math.prod(training.batch_shape))
        memory.append(own_memory())
        ends.append(time.perf_counter())

    callback = LambdaCallback(
        on_train_batch_start=lambda *_: starts.append(time.perf_counter()), on_train_batch_end=end
    )
    trainer = make_trainer(params, **own_manner(params, callback), max_epochs=2, **limits)
    trainer.fit(training, loader(images, params.batch_size, shuffle=True, seed=params.seed))
    steps = len(ends) // 2
    waits = [start - end for start, end in zip(starts[steps:], ends[steps - 1 :], strict=False)]
    seconds = ends[-1] - ends[steps - 1]
    share, gib = sum(waits) / seconds, file.stat().st_size / 2**30
    print(f"{file.name}: {gib:.2f} GiB, {len(split)} lines, ready after {opened:.1f} s; ", end="")
    print(f"{steps} steps in {seconds:.1f} s, {share:.2%} of it waiting for data; ", end="")
    print(f"{max(memory) / 2**20:.0f} MiB of memory", flush=True)
    return {
        "gib": gib,
        "samples": len(split),
        "opened": opened,
        "steps": steps,
        "seconds": seconds,
        "pixels": sum(pixels[steps:]),
        "share_waiting": share,
        "batch_size": params.batch_size,
        "median_wait": statistics.median(waits),
        "between_epochs": waits[0],
        "own_memory_mib": max(memory) / 2**20,
    }


def own_memory() -> int:
    """Bytes of this process that are no pages of a file."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
