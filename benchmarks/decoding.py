"""Decoding on the CPU: cached keys and values against recomputing the prefix for every token, in one run.

Usage: python benchmarks/decoding.py

The network is that of params.yaml, untrained and kept from writing <END>, so that every row has the full length.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from machine import ROOT, save

sys.path.insert(0, str(ROOT))
from textrec.base.charset import END, PARAGRAPH_CHARACTERS, START, Charset
from textrec.base.params import load
from textrec.network.decoding import greedy
from textrec.network.model import Encoded, ModelConfig, ResNetTransformer
from textrec.network.trained import TrainedModel

# tokens, batch, image height and width, runs: a line, and a paragraph of 13 lines of 52 characters at 28 pixels a line
CASES = ((89, 32, 28, 800, 5), (682, 8, 364, 640, 1))
CACHED_RUNS = 3  # to each of the long ones without a cache


@torch.inference_mode()
def recompute(model: ResNetTransformer, encoded: Encoded, length: int) -> torch.Tensor:
    """Greedy decoding without a cache."""
    tokens = torch.full((len(encoded.memory), 1), START)
    for _ in range(length):
        tokens = torch.cat([tokens, model.decode(encoded, tokens)[:, -1:].argmax(-1)], dim=1)
    return tokens[:, 1:]


def seconds(function: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Wall time of one call, and what it returned."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main() -> None:
    """Print and save the figures."""
    torch.manual_seed(0)
    config = load("model", ModelConfig, ROOT / "params.yaml")
    model = TrainedModel.build(config, Charset(PARAGRAPH_CHARACTERS), line_height=28).model.eval()
    torch.nn.init.normal_(model.output.weight)
    with torch.no_grad():
        model.output.bias[END] = -1e9
    figures = []
    for length, batch, height, width, runs in CASES:
        images = torch.randint(0, 256, (batch, 1, height, width), dtype=torch.uint8)
        with torch.inference_mode():
            encoded = model.encode(images, torch.tensor([[height, width]] * batch))
        encoded = encoded._replace(limit=torch.full((batch,), length))
        greedy(model, encoded)  # warm up
        cached, anew = [], []
        for _ in range(runs):
            for _ in range(CACHED_RUNS):
                time_cached, tokens = seconds(lambda encoded=encoded: greedy(model, encoded)[0])
                cached.append(time_cached)
            time_anew, expected = seconds(lambda encoded=encoded, length=length: recompute(model, encoded, length))
            anew.append(time_anew)
            if not torch.equal(tokens, expected):
                raise SystemExit(f"{length} tokens: the two ways wrote different tokens")
        cached, anew = statistics.median(cached), statistics.median(anew)
        ratio = anew / cached
        figures.append({"tokens": length, "batch": batch, "memory": encoded.memory.shape[1], "runs": runs})
        figures[-1] |= {"cached_s": cached, "recomputed_s": anew, "ratio": ratio}
        print(f"{length} tokens, batch {batch}: cached {cached:.3f} s, recomputed {anew:.2f} s, {ratio:.1f} times")
    save("decoding", figures)


if __name__ == "__main__":
    main()
