"""The device that networks run on, and the time that it takes."""

import time

import torch


def best_device() -> str:
    """The name of the torch device to read on: a GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by itself, not in many steps."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def by_bfloat16(device: torch.device) -> torch.autocast:
    """To compute in bfloat16 on a processor that does so fast, elsewhere as it is."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cpu" and fast_bfloat16())


def now() -> float:
    """Seconds of a clock, once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
