"""Reading real lines: what each way to run the network needs, for one line alone and for 32 together.

Usage: python benchmarks/reading.py MODEL SAMPLES [LINES [RUNS]]

MODEL is a checkpoint, SAMPLES a sample file; LINES (500) of its val split, evenly spread, are read, sorted by size and
cut into batches as `Recognizer.read_crops` does it (every fourth of them where each is read alone), RUNS (3) times
after one that does not count. Each variant reads in a process of its own for each batch size, as a peak of memory
(resident, of the whole process) stays.

    torch           as `Recognizer` reads
    torch compiled  the same, its encoder by `torch.compile`
    onnxruntime     the export of MODEL
    recomputed      the whole prefix anew for every token, the decoder alone, of every 16th line
    read_crops      `Recognizer.read_crops`, which has a batch on each core: lines a second, greedy and by the search

and where there is a GPU, torch on that too. A variant that fails is left out, and why is said. For each: seconds of
encoding and of each decoder (`ctc`, which is what greedy reading takes; `ar`; `joint`), medians over the runs; lines a
second of encoding and one of these together; the multiplications of a line in billions (torch's flop counter, halved;
padding counts) and how many of those a second; and of how many lines the text is not that of `torch`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from machine import ROOT, save
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(ROOT))
from decoding import recompute

from textrec.datasets.samples import read_split
from textrec.network.batches import pad
from textrec.network.decoding import greedy
from textrec.network.devices import now
from textrec.network.model import Encoded
from textrec.reading.export import export
from textrec.reading.recognizer import Recognizer

BATCHES = (1, 32)
VARIANTS = ("torch", "torch compiled", "onnxruntime", "recomputed", "read_crops")
EVERY = 16  # of the lines are read by recomputing, which takes its time, and are counted the multiplications of


def share(variant: str, size: int) -> int:
    """Which of the lines are read: each so-manieth."""
    return EVERY if variant == "recomputed" else 4 if size == 1 else 1


ON_GPU = ("torch on GPU", "torch compiled on GPU")
Batches = list[tuple[Tensor, Tensor]]


def crops(samples: str, lines: int, every: int = 1) -> list[np.ndarray]:
    """Each `every`th of so many lines, the largest first."""
    split = read_split(samples, "val")
    chosen = np.linspace(0, len(split) - 1, min(lines, len(split))).astype(int)
    return sorted((split.image(index) for index in chosen), key=lambda crop: -crop.size)[::every]


def batches(images: list[np.ndarray], size: int) -> Batches:
    """Images and sizes as by `batches.pad`."""
    return [pad(images[start : start + size]) for start in range(0, len(images), size)]


def recognizer(variant: str, model: str, exported: str) -> Recognizer:
    """What reads."""
    if variant == "onnxruntime":
        return Recognizer.load_export(exported)
    found = Recognizer.load(model, device="cuda" if variant in ON_GPU else "cpu")
    if "compiled" in variant:
        found.compile()
    return found


def decoders(variant: str, reader: Recognizer) -> dict[str, Callable[[Encoded], list[str]]]:
    """By name: what gives the texts."""
    if variant == "recomputed":
        return {"ar": lambda encoded: _recomputed(reader, encoded)}
    found = reader.decoders()
    return {
        name: lambda encoded, decode=decode: [reading.text for reading in decode(encoded)]
        for name, decode in found.items()
    }


def _recomputed(reader: Recognizer, encoded: Encoded) -> list[str]:
    length = greedy(reader.model, encoded)[0].shape[1]  # ended when all rows have ended
    return [reader.charset.decode(row) for row in recompute(reader.model, encoded, length).tolist()]


@torch.inference_mode()
def read(variant: str, reader: Recognizer, data: Batches) -> tuple[dict[str, float], dict[str, list[str]]]:
    """One run: seconds of each part, and the texts of each decoder."""
    seconds: dict[str, float] = {}
    texts: dict[str, list[str]] = {}

    def timed(part: str, function: Callable[[], Any]) -> Any:
        start = now()
        result = function()
        seconds[part] = seconds.get(part, 0.0) + now() - start
        return result

    for images, sizes in data:
        encoded = timed("encoding", lambda: reader.encode(images, sizes))  # noqa: B023
        for name, decode in decoders(variant, reader).items():
            texts.setdefault(name, []).extend(timed(name, lambda: decode(encoded)))  # noqa: B023
    return seconds, texts


def measure(variant: str, size: int, model: str, samples: str, exported: str, lines: int, runs: int) -> dict[str, Any]:
    """The figures of one variant, in a process of its own."""
    images = crops(samples, lines, share(variant, size))
    if variant == "read_crops":
        return side_by_side(Recognizer.load(model), images, size, runs)
    data, reader = batches(images, size), recognizer(variant, model, exported)
    found = [read(variant, reader, data) for _ in range(runs + 1)]
    seconds = {part: statistics.median(run[part] for run, _ in found[1:]) for part in found[0][0]}
    row: dict[str, Any] = {"seconds": seconds, "peak_mib": peak_mib(), "texts": found[-1][1]}
    if variant in ON_GPU:
        row["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return row


def side_by_side(reader: Recognizer, images: list[np.ndarray], size: int, runs: int) -> dict[str, Any]:
    """Lines a second of `read_crops`, as a user has them."""
    rates = {}
    for name in ("greedy", "joint"):
        seconds = []
        for _ in range(runs + 1):
            start = now()
            reader.read_crops(images, batch_size=size, greedy=name == "greedy")
            seconds.append(now() - start)
        rates[name] = len(images) / statistics.median(seconds[1:])
    return {"lines_per_second": rates, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Of this process; what getrusage tells a child begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@torch.inference_mode()
def giga_macs(model: str, data: Batches) -> dict[str, float]:
    """Billions of multiplications of all lines by part, with attention and LSTM taken apart so that torch sees them."""
    reader, counts = Recognizer.load(model), {}

    def counted(part: str, function: Callable[[], Any]) -> Any:
        with FlopCounterMode(display=False) as counter:
            result = function()
        counts[part] = counts.get(part, 0.0) + counter.get_total_flops() / 2e9
        return result

    warnings.filterwarnings("ignore", "TF32 acceleration")
    in_float32 = mock.patch("textrec.network.devices.fast_bfloat16", return_value=False)  # or types would not fit
    with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH), in_float32:
        for images, sizes in data:
            encoded = counted("encoding", lambda: reader.encode(images, sizes))  # noqa: B023
            for name, decode in decoders("torch", reader).items():
                counted(name, lambda: decode(encoded))  # noqa: B023
    return counts


def in_process(variant: str, size: int, arguments: list[str]) -> dict[str, Any] | None:
    """What `measure` gives, or None where it fails."""
    command = [sys.executable, __file__, "--measure", variant, str(size), *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        print(f"{variant}, batch {size}: failed, {process.stderr.strip().splitlines()[-1]}")
        return None
    return json.loads(process.stdout.splitlines()[-1])


def summary(row: dict[str, Any], macs: dict[str, float]) -> dict[str, Any]:
    """Seconds as what one compares; macs: billions a line."""
    seconds, lines = row["seconds"], row["lines"]
    together = {name: seconds["encoding"] + seconds[name] for name in seconds if name != "encoding"}
    return row | {
        "lines_per_second": {name: lines / time for name, time in together.items()},
        "encoded_per_second": lines / seconds["encoding"],
        "milliseconds_per_line": {name: 1000 * time / lines for name, time in together.items()},
        "gmacs_per_line": macs,
        "gmacs_per_second": {part: lines * macs[part] / time for part, time in seconds.items()},
    }


def main() -> None:
    """Measure, print, save."""
    model, samples = sys.argv[1:3]
    lines = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        exported = str(Path(folder) / "model.zip")
        export(Recognizer.load(model), exported)
        for size in BATCHES:
            images = crops(samples, lines, EVERY)
            macs = {part: value / len(images) for part, value in giga_macs(model, batches(images, size)).items()}
            expected: dict[str, list[str]] = {}
            for variant in (*VARIANTS, *(ON_GPU if torch.cuda.is_available() else ())):
                if variant == "read_crops" and size == 1:  # which reads one after the other
                    continue
                row = in_process(variant, size, [model, samples, exported, str(lines), str(runs)])
                if row is None:
                    continue
                row |= {"variant": variant, "batch": size}
                if variant == "read_crops":
                    rows.append(row)
                else:
                    every = share(variant, size) // share(VARIANTS[0], size)
                    texts = row.pop("texts")
                    expected = expected or texts
                    row["other_texts"] = {
                        name: sum(map(str.__ne__, found, expected[name][::every])) for name, found in texts.items()
                    }
                    row["lines"] = len(texts["ar"])
                    rows.append(summary(row, macs))
                print(described(rows[-1]), flush=True)
    save("reading", {"lines": lines, "runs": runs, "rows": rows})


def described(row: dict[str, Any]) -> str:
    """One line to print."""
    rates = ", ".join(f"{name} {rate:.1f} lines/s" for name, rate in row["lines_per_second"].items())
    text = f"{row['variant']}, batch {row['batch']}: {rates}; {row['peak_mib']:.0f} MiB"
    if "other_texts" in row:
        macs = ", ".join(f"{part} {rate:.1f}" for part, rate in row["gmacs_per_second"].items())
        text += f"; other texts {row['other_texts']}; GMAC/s: {macs}"
    return text


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        variant, size, model, samples, exported, lines, runs = sys.argv[2:]
        print(json.dumps(measure(variant, int(size), model, samples, exported, int(lines), int(runs))))
    else:
        main()
