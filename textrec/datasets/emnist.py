"""EMNIST by-class: from its MATLAB file to glyphs by split and character.

https://www.nist.gov/itl/products-and-services/emnist-dataset (Cohen et al. 2017, arXiv:1702.05373): 814,255 glyphs of
62 classes, 28 x 28 pixels, stored transposed (MATLAB's column order).

The glyph file (HDF5) holds one dataset `<split>/<code point of the character>` each, uint8 (n, 28, 28).
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import scipy.io
from pydantic import Field, NonNegativeInt

from textrec.base import hdf5
from textrec.base.params import Params
from textrec.base.records import SPLITS
from textrec.base.runtime import TextrecError

MEMBER = "emnist-byclass.mat"
GLYPH_SIZE = 28  # pixels, both ways
FORMAT = 1

Glyphs = dict[str, np.ndarray]  # character -> its glyphs, uint8 (n, 28, 28), white ink on black


class ExtractEmnist(Params):
    """Section `extract_emnist`."""

    val_share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the training glyphs of each character that validates."""
    seed: NonNegativeInt


def extract_glyphs(archive: str | Path, path: str | Path, params: ExtractEmnist) -> None:
    """Write the glyph file of the by-class archive.

    The archive's training part gives the splits train and val, its test part the split test. Of each part a character
    keeps at most the median count of all characters, so that the frequent ones do not outweigh the rest.
    An archive without members, as `download` writes where there is no EMNIST, has no characters.
    Raises TextrecError where the archive is damaged or incomplete, or leaves a character without a glyph in a split.
    """
    dataset = _load(archive)
    characters = {} if dataset is None else _characters(dataset, archive)
    with hdf5.create(path) as file:
        file.attrs["format"] = FORMAT
        if dataset is None:
            for split in SPLITS:
                file.create_group(split)
            return
        for part in ("train", "test"):
            images, labels = _part(dataset, part, characters, archive)
            for character, rows in _choose(labels, characters, params.seed):
                val = round(params.val_share * len(rows)) if part == "train" else 0
                chosen = {"train": rows[val:], "val": rows[:val]} if part == "train" else {"test": rows}
                for split, split_rows in chosen.items():
                    if not len(split_rows):
                        raise TextrecError(
                            f"{archive}: {MEMBER}: character {character!r} has no glyph for split {split}; "
                            "use the complete EMNIST by-class file, or change extract_emnist.val_share"
                        )
                    glyphs = images[np.sort(split_rows)]  # in stored order, which is several times as fast
                    glyphs = glyphs.reshape(-1, GLYPH_SIZE, GLYPH_SIZE).transpose(0, 2, 1)
                    file.create_dataset(f"{split}/{ord(character)}", data=glyphs)


def read_glyphs(path: str | Path) -> dict[str, Glyphs]:
    """Glyphs by split and character; the same characters in every split.

    Raises TextrecError where the file is missing, damaged, or of another format version.
    """
    try:
        with h5py.File(path, "r") as file:
            if (version := file.attrs.get("format")) != FORMAT:
                raise TextrecError(
                    f"{path}: glyph format {version or 'unknown'}, this version reads {FORMAT}; run `dvc repro`"
                )
            groups: dict[str, Any] = {split: file[split] for split in SPLITS}
            return {
                split: {chr(code): group[str(code)][()] for code in sorted(map(int, group))}
                for split, group in groups.items()
            }
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` to get it") from None
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise TextrecError(f"{path}: not a readable glyph file ({error}); remove it and run `dvc repro`") from None


# ---- the MATLAB file ----


def _load(archive: str | Path) -> np.void | None:
    """The struct `dataset` of the archive's MATLAB file; None where the archive has no members."""
    try:
        with zipfile.ZipFile(archive) as file:
            if not file.namelist():
                return None
            with file.open(MEMBER) as member:
                return scipy.io.loadmat(member, variable_names=["dataset"])["dataset"][0, 0]  # type: ignore[arg-type]
    except FileNotFoundError:
        raise TextrecError(f"{archive}: not found; run `dvc repro download` to get it") from None
    except Exception as error:  # of a damaged file zipfile, zlib and scipy make nearly any exception
        raise TextrecError(
            f"{archive}: {MEMBER} is not a readable EMNIST by-class file ({str(error) or type(error).__name__}); "
            "remove the archive and run `dvc repro`"
        ) from None


def _field(struct: Any, name: str, archive: str | Path) -> Any:
    if struct.dtype.names is None or name not in struct.dtype.names:
        raise TextrecError(f"{archive}: {MEMBER}: field '{name}' is missing; use the EMNIST by-class file")
    return struct[name]


def _characters(dataset: np.void, archive: str | Path) -> dict[int, str]:
    """Label -> character, from the file's own mapping: rows of a label and the character's code."""
    mapping = _field(dataset, "mapping", archive)
    whole = mapping.size and mapping.dtype.kind in "ui" and mapping.shape[1:] == (2,)
    if not whole or mapping.min() < 0 or mapping.max() > 127:
        raise TextrecError(
            f"{archive}: {MEMBER}: mapping has shape {mapping.shape} of {mapping.dtype}, not (n, 2) of labels and "
            "ASCII codes; use the EMNIST by-class file"
        )
    characters = {int(label): chr(code) for label, code in mapping}
    if not len(mapping) == len(characters) == len(set(characters.values())):
        raise TextrecError(f"{archive}: {MEMBER}: mapping names a class twice; use the EMNIST by-class file")
    return characters


def _part(
    dataset: np.void, part: str, characters: dict[int, str], archive: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (n, 784), and labels (n,) of a part of the data set, checked."""
    where = f"{archive}: {MEMBER}: {part}"
    struct = _field(dataset, part, archive)
    if struct.size != 1:
        raise TextrecError(f"{where}: {struct.size} records, not one; use the EMNIST by-class file")
    struct = struct[0, 0]
    images, labels = _field(struct, "images", archive), _field(struct, "labels", archive).ravel()
    if images.dtype != np.uint8 or images.shape != (len(labels), GLYPH_SIZE**2) or labels.dtype.kind not in "ui":
        raise TextrecError(
            f"{where}: images have shape {images.shape} of {images.dtype} for {len(labels)} labels of {labels.dtype}, "
            f"not (n, {GLYPH_SIZE**2}) of uint8 for n whole numbers; use the EMNIST by-class file"
        )
    if unknown := set(np.unique(labels).tolist()) - characters.keys():
        raise TextrecError(f"{where}: label {min(unknown)} is not in the mapping; use the EMNIST by-class file")
    return images, labels


def _choose(labels: np.ndarray, characters: dict[int, str], seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Each character with the rows of its glyphs in random order, at most the median count of all characters."""
    rows = {character: np.flatnonzero(labels == label) for label, character in characters.items()}
    most = int(np.median([len(of_character) for of_character in rows.values()]))
    for character, of_character in rows.items():
        random = np.random.Generator(np.random.PCG64([seed, ord(character)]))
        yield character, random.permutation(of_character)[:most]
