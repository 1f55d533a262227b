"""What torch saved, read whole or not at all."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from textrec.base.runtime import TextrecError


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
