"""What torch saves, written and read whole or not at all."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textrec.base.runtime import TextrecError, atomic


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as a file has them: matrices as float16; vectors, of which some are variances, whole."""
    return {name: (one.half() if one.ndim > 1 else one).cpu() for name, one in weights.items()}


def save(path: str | Path, content: dict[str, Any]) -> None:
    """Write what `load_saved` reads; the bytes depend on the content alone."""
    buffer = io.BytesIO()  # given a path, torch would write the file's name into the file
    torch.save(content, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_saved(path: str | Path, *, remedy: str) -> Any:
    """What `torch.save` wrote to a file, on the CPU.

    torch writes a zip archive with a checksum of each part, and does not look at it when it reads.
    Raises FileNotFoundError where the file is missing, TextrecError that ends with `remedy` where it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if part := archive.testzip():
                raise zipfile.BadZipFile(f"bad checksum of {part}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file makes torch raise whatever comes up
        reason = " ".join(str(error).partition(".")[0].split()) or type(error).__name__
        raise TextrecError(f"{path}: not a readable checkpoint ({reason}); {remedy}") from None
