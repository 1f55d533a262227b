"""The training step: this network against the two that it descends from (benchmarks/ancestors.py), in one run.

Usage: python benchmarks/training_step.py [BATCH_SIZE [SECONDS]]

Every network trains on the same batch, 32 lines of 28 pixels, padded to 800 and of 64 to 89 tokens, by the same
Lightning Trainer: `textrec` with `model` and `train` of params.yaml, its augmentation, losses, optimiser and averaged
weights; `textrec, small` the same with the original's blocks and decoder for a model; the ancestors with their losses
and Adam. Each trains in float32 and in bfloat16 by autocast, in turn, SECONDS (10) a round; figures are medians of
ROUNDS rounds.

For each: parameters that are trained; `macs`, multiplications of one line in the forward pass (torch's flop counter,
halved, of training_step in float32); `lines_per_second` of whole steps, forward, backward and optimiser;
`lines_per_second_per_gmac`, that divided by billions of `macs`; and `gmacs_per_second`, lines_per_second * 3 * macs,
as a backward pass multiplies twice as much as a forward pass. `ratios` are textrec's figures in the precision of
params.yaml divided by an ancestor's:

    lines_per_second            how many times as many lines it trains on in the same time
    lines_per_second_per_gmac   the same, divided by how many times as large it is: favours the smaller network twice
    gmacs_per_second            the same, multiplied by how many times as large it is: speed for its size
"""

import itertools
import logging
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from machine import ROOT, save
from pytorch_lightning.callbacks import LambdaCallback
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(ROOT))
from ancestors import LENGTH, course, original

from textrec.base.charset import LINE_CHARACTERS, Charset
from textrec.base.params import load
from textrec.base.records import SPLITS, Sample
from textrec.datasets.samples import read_split, write_samples
from textrec.network.batches import Batch, TextImages
from textrec.network.devices import now
from textrec.network.model import ModelConfig
from textrec.network.trained import TrainedModel
from textrec.training.lightning_module import Training, averaging
from textrec.training.recipe import TrainParams
from textrec.training.runs import trainer_options

CHARSET = Charset(LINE_CHARACTERS)
HEIGHT, WIDTH = 28, 800  # pixels
SHORTEST = 64  # tokens
INK = 0.15  # share of the pixels
ROUNDS = 5
WARM_UP = 3  # steps of each round that are not counted
PRECISIONS = ("32-true", "bf16-mixed")
SMALL = "textrec, small"
PAIRS = (("textrec", "original"), ("textrec", "course"), (SMALL, "original"))
RATIOS = ("lines_per_second", "lines_per_second_per_gmac", "gmacs_per_second")
ORIGINAL = {  # its network as parameters of this one
    "resnet": {
        "channels": [4, 4, 8, 8, 16, 16, 32, 32, 64],
        "kernels": [5, 3, 3, 3, 3, 3, 3, 3, 3],
        "strides": [2, 1, 2, 1, 2, 1, 2, 1, 2],
    },
    "lstm_layers": 0,
    "tf_dim": 64,
    "tf_fc_dim": 128,
    "tf_heads": 4,
    "tf_layers": 4,
    "ctc_weight": 0.0,  # of 25 positions none is left for 87 characters
    "ctc_shortcut": 0.0,
}


class Clock:
    """Ends a round after so many seconds; `rate` is then the steps a second."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = -WARM_UP

    def tick(self, trainer: lightning.Trainer, *_: object) -> None:
        """A step is done, or given to the GPU."""
        self.steps += 1
        if self.steps == 0:
            self.start = now()
        trainer.should_stop = self.steps > 0 and time.perf_counter() - self.start > self.seconds

    def stop(self, *_: object) -> None:
        """The round is over."""
        self.rate = self.steps / (now() - self.start)


def quiet() -> None:
    """Keep Lightning to what went wrong, and start from the same random numbers."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch")
    lightning.seed_everything(0, verbose=False)


def make_batch(count: int, config: ModelConfig) -> Batch:
    """Lines of noise as wide as their text is long, the longest of `WIDTH` pixels and `LENGTH` tokens."""
    random = np.random.default_rng(0)
    samples = []
    for index in range(count):
        tokens = LENGTH if index == 0 else int(random.integers(SHORTEST, LENGTH + 1))
        text = "".join(random.choice(list(LINE_CHARACTERS.replace(" ", "")), tokens - 2))
        ink = random.random((HEIGHT, WIDTH * tokens // LENGTH)) < INK
        samples.append(Sample(f"line-{index}", text, "w", ink.astype(np.uint8) * 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.h5"
        rows = [(split, sample) for split in SPLITS for sample in samples]
        write_samples(path, rows, source="noise", line_height=HEIGHT, characters=CHARSET.characters)
        return TextImages(read_split(path, "train"), CHARSET, config)[list(range(count))]


def count_macs(module: lightning.LightningModule, batch: Batch) -> float:
    """Multiplications of the forward pass for one line, with attention and LSTM taken apart so that torch sees them."""
    apart = torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH)
    with apart[0], apart[1], FlopCounterMode(display=False) as counter:
        module.training_step(batch, 0)
    return counter.get_total_flops() / 2 / len(batch.images)


def make_trainer(params: TrainParams, **options: Any) -> lightning.Trainer:
    """A Trainer on the machine that `train.trainer` names, which trains and does nothing else."""
    names = ("accelerator", "devices", "deterministic", "precision")
    options = {name: trainer_options(params)[name] for name in names} | options
    silent = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return lightning.Trainer(limit_val_batches=0, **silent, **options)


def own_manner(params: TrainParams, callback: lightning.Callback) -> dict[str, Any]:
    """What this network's Trainer does besides: clip gradients, average weights."""
    return {
        "gradient_clip_val": params.trainer["gradient_clip_val"],
        "callbacks": [*averaging(params.ema_decay), callback],  # the average belongs to the step
    }


def main() -> None:
    """Measure, print, save."""
    batch_size = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    quiet()
    config = load("model", ModelConfig, ROOT / "params.yaml")
    params = load("train", TrainParams, ROOT / "params.yaml")
    batch = make_batch(batch_size, config)

    def ours(config: ModelConfig) -> Training:
        return Training(TrainedModel.build(config, CHARSET, line_height=HEIGHT), params)

    networks = {
        "textrec": ours(config),
        SMALL: ours(ModelConfig(**config.model_dump() | ORIGINAL)),
        "original": original(len(CHARSET)),
        "course": course(len(CHARSET)),
    }
    macs = {name: count_macs(network, batch) for name, network in networks.items()}
    rounds: dict[tuple[str, str], list[float]] = {key: [] for key in itertools.product(networks, PRECISIONS)}
    for _ in range(ROUNDS):
        for (name, precision), rates in rounds.items():
            clock = Clock(seconds)
            callback = LambdaCallback(on_train_batch_end=clock.tick, on_train_end=clock.stop)
            manner = {"callbacks": [callback]} if name in ("original", "course") else own_manner(params, callback)
            trainer = make_trainer(params, **manner, precision=precision, max_steps=10**6)
            trainer.fit(networks[name], itertools.repeat(batch))
            rates.append(clock.rate * batch_size)
    rows = {}
    for (name, precision), rates in rounds.items():
        rate = statistics.median(rates)
        rows[name, precision] = {
            "network": name,
            "precision": precision,
            "parameters": sum(weight.numel() for weight in networks[name].parameters() if weight.requires_grad),
            "macs": macs[name],
            "lines_per_second": rate,
            "slowest_and_fastest_round": [min(rates), max(rates)],
            "lines_per_second_per_gmac": rate / macs[name] * 1e9,
            "gmacs_per_second": 3 * macs[name] * rate / 1e9,
        }
        print(
            f"{name:14} {precision:10} {rows[name, precision]['parameters']:10,} parameters"
            f" {macs[name] / 1e6:6.0f} MMAC a line {rate:6.1f} lines/s {3 * macs[name] * rate / 1e9:6.1f} GMAC/s"
        )
    ratios = []
    for (mine, other), precision in itertools.product(PAIRS, PRECISIONS):
        row, against = rows[mine, trainer_options(params)["precision"]], rows[other, precision]
        ratios.append(
            {"of": mine, "to": other, "precision": precision} | {name: row[name] / against[name] for name in RATIOS}
        )
        figures = ", ".join(f"{name} {ratios[-1][name]:.3g}" for name in RATIOS)
        print(f"{mine} to {other} in {precision}: {figures}")
    figures = {"batch_size": batch_size, "rounds": ROUNDS, "seconds": seconds}
    save("training_step", figures | {"networks": list(rows.values()), "ratios": ratios})


if __name__ == "__main__":
    main()
