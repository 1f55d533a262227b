"""Sample files as batches of tensors: images as they lie in the file, those of like width together."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from textrec.base.charset import END, PAD, START, Charset
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import Split
from textrec.network.model import ModelConfig

# Batches are padded to multiples of this many pixels: torch prepares and keeps its convolutions for each width anew;
# with 32 instead of 1 a step on IAM lines takes 16 % less time, the process 30 % less memory (2 cores).
WIDTH_STEP = 32
NARROWEST = 0.1  # line heights that a character takes across at the least; in IAM-OnDB 99.8 % take 0.22 or more


AGAIN = "then run `dvc repro -f -s download` and this again"
NO_IAM = f"put iamdb.zip, or IAM's original downloads, into data.path, {AGAIN}"
REMEDIES = {  # by how the name of a dataset without samples begins
    "iam": NO_IAM,
    "synth": NO_IAM,
    "emnist": f"put EMNIST's matlab.zip into data.path, {AGAIN}",
    "ondb": "put ondb_strokes.npz, or lineStrokes-all.tar.gz and ascii-all.tar.gz, into data.path, and IAM, on which "
    f"they are measured, {AGAIN}",
    "page": "name your pages in data.ground_truth; metrics/ground_truth.json tells what was dropped of them",
    "corrected": "correct readings on the page of `make app` first; they are measured on IAM",
    "font": "name a folder of fonts in data.fonts (`make fonts` fills data/fonts), then `dvc repro draw_fonts`",
}


class Batch(NamedTuple):
    """A padded batch.

    images: uint8 (B, 1, H, W), white ink on black, 0 where padded; sizes: int64 (B, 2), own height and width;
    tokens: int64 (B, T), `<START>` text `<END>` and `<PAD>` to the longest; indices: int64 (B,) in the split.
    """

    images: Tensor
    sizes: Tensor
    tokens: Tensor
    indices: Tensor


class TextImages(Dataset[Batch]):
    """A split as a data set that is indexed by lists: `images[[3, 1, 4]]` is a `Batch` of three.

    Raises TextrecError where the split is empty or has another charset, and where a text or an image is larger than
    the model takes, naming the first and their number, or than an image can hold.
    """

    def __init__(self, split: Split, charset: Charset, config: ModelConfig) -> None:
        self.split = split
        if not len(split):
            source = split.source.rpartition(": ")[2]  # of a mixture: the dataset that it lacks
            remedies = (remedy for name, remedy in REMEDIES.items() if source.startswith(name))
            remedy = next(remedies, "metrics/ tells what was dropped on the way")
            raise TextrecError(f"{split.source}: no samples are left; {remedy}")
        if split.characters != charset.characters:
            raise TextrecError(
                f"{split.source}: its characters are {split.characters!r}, the model's {charset.characters!r}; "
                "train a model on it, or set train.data to what this one was trained on"
            )
        self._charset = charset
        counts = np.fromiter(map(len, split.text), np.int64)
        lengths = counts + 2  # <START> and <END>
        self._check_labels(counts, lengths > config.max_length)
        self._check(lengths, "tokens of text", "max_length", config.max_length)
        self._check(split.height, "pixels high", "max_height", config.max_height)
        self._check(split.width, "pixels wide", "max_width", config.max_width)

    def set_epoch(self, epoch: int) -> None:
        """Choose the samples of an epoch; here they are always the same."""

    def areas(self, indices: np.ndarray) -> np.ndarray:
        """How many pixels the images at `indices` have; both int64 (N,)."""
        return self.split.height[indices].astype(np.int64) * self.split.width[indices]

    def _check_labels(self, count: np.ndarray, long: np.ndarray) -> None:
        split = self.split
        room = split.width * (split.height / split.line_height) / (NARROWEST * split.line_height)
        for index in np.flatnonzero(long & (count > room)):
            raise TextrecError(
                f"{split.source}: {split.id[index]}: its label has {count[index]:,} characters, more than can stand in "
                f"its image of {split.width[index]} x {split.height[index]} pixels; look at the label and mend it"
            )

    def _check(self, values: np.ndarray, unit: str, parameter: str, most: int) -> None:
        too_large = np.flatnonzero(values > most)
        if too_large.size:
            first = too_large[0]
            raise TextrecError(
                f"{self.split.source}: {self.split.id[first]} has {values[first]} {unit}, model.{parameter} is {most} "
                f"({too_large.size} of {len(self.split)} samples have more); set model.{parameter} to {values.max()}"
            )

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, indices: list[int]) -> Batch:
        """The batch of the samples at `indices`."""
        return self._batch([(self.split.image(index), self.split.text[index]) for index in indices], indices)

    def _batch(self, samples: Sequence[tuple[np.ndarray, str]], indices: Sequence[int]) -> Batch:
        """Images and their texts as a batch; indices: where in the split they stand."""
        images, sizes = pad([image for image, _ in samples])
        tokens = [torch.tensor([START, *self._charset.encode(text), END]) for _, text in samples]
        tokens = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_value=PAD)
        return Batch(images, sizes, tokens, torch.tensor(indices))


def pad(images: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Images, each uint8 (height, width), as `images` and `sizes` of a `Batch`."""
    sizes = torch.tensor([image.shape for image in images])
    height, width = sizes.amax(0).tolist()
    padded = np.zeros((len(images), 1, height, -(-width // WIDTH_STEP) * WIDTH_STEP), np.uint8)
    for row, image in zip(padded, images, strict=True):
        row[0, : image.shape[0], : image.shape[1]] = image
    return torch.from_numpy(padded), sizes


class Buckets(Sampler[list[int]]):
    """Batches of indices whose images have about the same size: random batches, anew every epoch.

    The samples are shuffled, then sorted by size within pools of `POOL` batches, which come in random order;
    `shuffle=False` sorts them all, widest first, so that a batch too large for memory fails at once. Where several
    processes train together (DDP), each gets its share of every batch.
    """

    POOL = 16  # batches; more: less padding, fewer ways to combine samples

    def __init__(self, images: TextImages, batch_size: int, *, shuffle: bool, seed: int = 0) -> None:
        self._images = images
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the shuffle and the samples; Lightning calls it before every epoch."""
        self._epoch = epoch
        self._images.set_epoch(epoch)

    def __len__(self) -> int:
        return -(-len(self._images) // self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        together = distributed.is_available() and distributed.is_initialized()
        rank, ranks = (distributed.get_rank(), distributed.get_world_size()) if together else (0, 1)
        for batch in self._batches(ranks):
            yield batch[rank::ranks].tolist()

    def _batches(self, ranks: int) -> Iterator[np.ndarray]:
        count = len(self._images)
        if not self._shuffle:
            area = self._images.areas(np.arange(count))
            yield from _cut(np.argsort(-area, kind="stable"), self._batch_size, ranks)
            return
        random = np.random.default_rng((self._seed, self._epoch))
        for pool in _cut(random.permutation(count), self.POOL * self._batch_size, ranks):
            by_size = pool[np.argsort(self._images.areas(pool), kind="stable")]
            batches = _cut(by_size, self._batch_size, ranks)
            yield from (batches[index] for index in random.permutation(len(batches)))


def _cut(order: np.ndarray, size: int, ranks: int) -> list[np.ndarray]:
    """Parts of `size`; the last one holds what remains, but a sample for each rank at least."""
    edges = list(range(size, len(order), size))
    if edges:
        edges[-1] = min(edges[-1], len(order) - ranks)
    return np.split(order, edges)


def loader(images: TextImages, batch_size: int, *, shuffle: bool, seed: int = 0) -> DataLoader[Batch]:
    """Batches of `images`, made in the training process: nothing is decoded, so next to nothing is waited for."""
    return DataLoader(images, batch_size=None, sampler=Buckets(images, batch_size, shuffle=shuffle, seed=seed))
