"""What a run keeps of itself: written whole, and looked at before it goes on from there."""

import hashlib
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only

from textrec.base.runtime import TextrecError, atomic
from textrec.network.saved import load_saved

LAST, PREVIOUS, FINISHED = "last.ckpt", "previous.ckpt", "finished.ckpt"


def folder_of(described: str, files: Iterable[str | Path]) -> Path:
    """The folder of the run of what is described, on these files, by the code that is now loaded."""
    digest = hashlib.sha256(described.encode())
    code = sorted(str(module.__file__) for name, module in sys.modules.items() if name.startswith("textrec."))
    for path in [*files, *code]:
        with Path(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return Path("checkpoints") / digest.hexdigest()[:16]


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it; `last.ckpt` is kept as `previous.ckpt` for an epoch more.

    Lightning's own writes to the system's temporary folder and moves: from disk to disk a copy, which may end half-way.
    """

    def __init__(self) -> None:
        self._outdated: list[Path] = []  # best ones, no more named by the next `last.ckpt`
        self._needless: list[Path] = []  # nor by that which is there

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write `path`."""
        path, buffer = Path(path), io.BytesIO()
        torch.save(checkpoint, buffer)
        with atomic(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
            if path.name == LAST and path.exists():
                path.replace(path.with_name(PREVIOUS))
        if path.name == LAST:
            for needless in self._needless:
                needless.unlink(missing_ok=True)
            self._needless, self._outdated = self._outdated, []

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove `path`, once neither `last.ckpt` nor `previous.ckpt` names it."""
        if Path(path).with_name(LAST).exists():
            self._outdated.append(Path(path))
        else:
            Path(path).unlink(missing_ok=True)


def latest(folder: Path, best: ModelCheckpoint) -> tuple[Path, int] | None:
    """The checkpoint from which the unfinished run in `folder` goes on, and how many steps it has done; None: anew.

    One that cannot be read, or that names a best one that cannot, is told in a line and removed.
    """
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            state = load_saved(path, remedy="going on without it")
            if named := state["callbacks"][best.state_key]["best_model_path"]:
                _check_best(path, Path(named))
        except FileNotFoundError:
            continue
        except TextrecError as error:
            rank_zero_only(print)(error)
            path.unlink(missing_ok=True)
        else:
            return path, state["global_step"]
    return None


def _check_best(path: Path, named: Path) -> None:
    best = path.with_name(named.name)
    try:
        load_saved(best, remedy=f"going on without it and {path.name}")
    except FileNotFoundError:
        raise TextrecError(f"{best}: not found; going on without it and {path.name}") from None
