"""The sample file: the one on-disk contract of every dataset (HDF5), and its contact sheet.

One group per split (train, val, test). Images have their own sizes and are packed end to end:

    pixels      uint8 (N,)       white ink on black, row by row, image after image; contiguous, so that it can be mapped
    offset      int64 (n,)       where each image begins in `pixels`
    height      int32 (n,)       pixels
    width       int32 (n,)       pixels
    text        UTF-8 (n,)
    id          UTF-8 (n,)
    writer      UTF-8 (n,)
    listed      uint8 (n,)       1 where the official task list names the sample
    share       float32 (n,)     how often an epoch of training sees the sample, on average
    words       int32 (m, 2)     x-ranges [start, end) of the blank-separated words, (-1, -1) where unknown
    word_count  int32 (n,)       how many rows of `words` belong to each sample
    lines       int32 (k, 2)     y-ranges [top, bottom) of the lines of text, where known
    line_count  int32 (n,)       how many rows of `lines` belong to each sample

Root attributes: `format` (version), `line_height` (pixels), `source`, `characters` (the charset).
The bytes depend on the samples and their order alone: no timestamps, no compression library, no padding.
"""

import contextlib
import itertools
import mmap
import os
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, SupportsIndex, overload

import h5py
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from textrec.base import hdf5
from textrec.base.charset import Charset, CharsetParams
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError, atomic

FORMAT = 3
TEXTS = ("text", "id", "writer")
COLUMNS = {"height": "i", "width": "i", "listed": "B", "share": "f"}  # of each sample one value of this type
RANGES = ("word", "line")
ARRAYS = ("offset", *COLUMNS, "words", "word_count", "lines", "line_count")
UNKNOWN_REMEDY = "add it to charset.characters, change it by charset.normalize, or set charset.on_unknown to skip"
CHUNK = 1 << 20  # bytes of pixels that are copied at a time


def write_samples(
    path: str | Path,
    samples: Iterable[tuple[str, Sample]],
    *,
    source: str,
    line_height: int,
    characters: str,
    may_be_empty: Collection[str] = (),
) -> None:
    """Write (split, sample) pairs in their order; the file appears under its name once all are written.

    Memory holds texts and sizes; pixels wait in a file without a name beside it, until it is known how many there are.
    Raises TextrecError on a character outside `characters`, an id that stands twice in a split, and a split without
    samples other than those that `may_be_empty`.
    """
    charset = Charset(characters)
    with hdf5.create(path) as file, contextlib.ExitStack() as stack:
        file.attrs.update(format=FORMAT, line_height=line_height, source=source, characters=characters)
        spools = {split: stack.enter_context(tempfile.TemporaryFile(dir=Path(path).parent)) for split in SPLITS}
        writers = {split: _SplitWriter(spool) for split, spool in spools.items()}
        for split, sample in samples:
            if unknown := charset.unknown(sample.text):
                raise TextrecError(f"{path}: {sample.id}: {unknown!r} is not in the charset {characters!r}")
            if sample.id in writers[split].ids:
                raise TextrecError(f"{path}: id {sample.id} stands twice in split {split}; ids must be unique")
            writers[split].add(sample)
        for split, writer in writers.items():
            if not writer.ids and split not in may_be_empty:
                raise TextrecError(f"{path}: split {split} is empty; look at what was dropped on the way to it")
            writer.write(file.create_group(split))


def known_samples(
    samples: Iterable[tuple[str, Sample]], charset: Charset, params: CharsetParams
) -> Iterator[tuple[str, Sample]]:
    """The (split, sample) pairs with texts, normalised before, of known characters; others as `params` says.

    How many are dropped is told on standard error. Raises TextrecError at the first where it is to be an error.
    """
    dropped: Counter[str] = Counter()
    for split, sample in samples:
        text = params.replaced(sample.text, charset)
        if not (unknown := charset.unknown(text)):
            yield split, replace(sample, text=text)
        elif params.on_unknown == "error":
            raise TextrecError(f"{sample.id}: {unknown!r} in {text!r} is not in the charset; {UNKNOWN_REMEDY}")
        else:
            dropped[unknown] += 1
    if dropped:
        characters = "".join(sorted(set("".join(dropped))))
        tqdm.write(f"{dropped.total()} samples dropped: {characters!r} not in the charset", file=sys.stderr)


class _SplitWriter:
    """The samples of one group until all are there: pixels in the file `spool`, all else is small and kept packed."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self.ids: set[str] = set()
        self._columns = {name: array(kind) for name, kind in COLUMNS.items()}
        self._ranges = {name: (array("i"), array("i")) for name in RANGES}  # all, and how many of each sample
        self._texts = {name: (bytearray(), array("i")) for name in TEXTS}  # likewise

    def add(self, sample: Sample) -> None:
        self._spool.write(sample.image.tobytes())
        self.ids.add(sample.id)
        height, width = sample.image.shape
        values = {"height": height, "width": width, "listed": sample.listed, "share": sample.share}
        for name, column in self._columns.items():
            column.append(values[name])
        for (places, counts), ranges in zip(self._ranges.values(), (sample.words, sample.lines), strict=True):
            places.extend(itertools.chain.from_iterable(ranges))
            counts.append(len(ranges))
        for name, (packed, lengths) in self._texts.items():
            encoded = getattr(sample, name).encode()
            packed.extend(encoded)
            lengths.append(len(encoded))

    def write(self, group: h5py.Group) -> None:
        size = self._spool.seek(0, os.SEEK_END)
        self._spool.seek(0)
        pixels = group.create_dataset("pixels", (size,), np.uint8)
        for start in range(0, size, CHUNK):
            part = np.frombuffer(self._spool.read(CHUNK), np.uint8)
            pixels[start : start + len(part)] = part
        columns = {name: np.asarray(column) for name, column in self._columns.items()}
        sizes = columns["height"].astype(np.int64) * columns["width"]
        columns = {"offset": np.cumsum(sizes) - sizes, **columns}
        for name, (places, counts) in self._ranges.items():
            columns |= {f"{name}s": np.asarray(places).reshape(-1, 2), f"{name}_count": np.asarray(counts)}
        for name in ARRAYS:
            group.create_dataset(name, data=columns[name])
        for name, (packed, lengths) in self._texts.items():  # of fixed length: what HDF5 pads with is then known
            kind = h5py.string_dtype("utf-8", max(lengths, default=0) or 1)
            ends = np.cumsum(lengths, dtype=np.int64)
            texts = (bytes(packed[end - length : end]) for end, length in zip(ends.tolist(), lengths, strict=True))
            group.create_dataset(name, data=np.fromiter(texts, kind, len(lengths)))


class Texts(Sequence[str]):
    """Texts as they lie in a file, each decoded when it is asked for; encoded: UTF-8 of fixed length, (n,)."""

    def __init__(self, encoded: np.ndarray) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> "Texts": ...

    def __getitem__(self, index: SupportsIndex | slice) -> "str | Texts":
        return Texts(self._encoded[index]) if isinstance(index, slice) else self._encoded[index].decode()


@dataclass(frozen=True)
class Split:
    """One split of a sample file; fields as in the file.

    They are mapped, not read: memory holds what was looked at last, and gives it up where it is short. `mapped` is the
    file, in which pixels begin at byte `begin`.
    `line_height` (pixels), `source` and `characters` are those of the whole file.
    """

    pixels: np.ndarray
    offset: np.ndarray
    height: np.ndarray
    width: np.ndarray
    listed: np.ndarray
    share: np.ndarray
    words: np.ndarray
    word_count: np.ndarray
    lines: np.ndarray
    line_count: np.ndarray
    text: Texts
    id: Texts
    writer: Texts
    line_height: int
    source: str
    characters: str
    mapped: mmap.mmap
    begin: int

    def __len__(self) -> int:
        return len(self.offset)

    @cached_property
    def _word_end(self) -> np.ndarray:
        return np.cumsum(self.word_count)

    @cached_property
    def _line_end(self) -> np.ndarray:
        return np.cumsum(self.line_count)

    def image(self, index: int) -> np.ndarray:
        """The image of a sample, uint8 (height, width), white ink on black; a view on `pixels`."""
        height, width = int(self.height[index]), int(self.width[index])
        start = int(self.offset[index])
        return self.pixels[start : start + height * width].reshape(height, width)

    def read_ahead(self, indices: Iterable[int]) -> None:
        """Have the system read the images of samples while something else is done; not every system can."""
        for index in indices:
            size = int(self.height[index]) * int(self.width[index])
            _read_ahead(self.mapped, self.begin + int(self.offset[index]), size)

    def word_ranges(self, index: int) -> np.ndarray:
        """The rows of `words` of a sample, int32 (words, 2)."""
        return self.words[self._word_end[index] - self.word_count[index] : self._word_end[index]]

    def line_ranges(self, index: int) -> np.ndarray:
        """The rows of `lines` of a sample, int32 (lines, 2)."""
        return self.lines[self._line_end[index] - self.line_count[index] : self._line_end[index]]

    def samples(self) -> Iterator[Sample]:
        """The samples in their order; images are views on `pixels`."""
        for index in range(len(self)):
            yield Sample(
                id=self.id[index],
                text=self.text[index],
                writer=self.writer[index],
                image=self.image(index),
                words=tuple(map(tuple, self.word_ranges(index).tolist())),
                lines=tuple(map(tuple, self.line_ranges(index).tolist())),
                listed=bool(self.listed[index]),
                share=float(self.share[index]),
            )


def read_split(path: str | Path, split: str) -> Split:
    """Map one split.

    Raises TextrecError where the file is missing, damaged, or of another format version.
    """
    try:
        with h5py.File(path, "r") as file, Path(path).open("rb") as plain:
            version = file.attrs.get("format")
            if version != FORMAT:
                raise TextrecError(
                    f"{path}: sample format {version or 'unknown'}, this version reads {FORMAT}; run `dvc repro`"
                )
            group: Any = file[split]
            mapped = mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ)
            arrays: Any = {name: _mapped(mapped, group[name]) for name in ("pixels", *ARRAYS, *TEXTS)}
            begin = group["pixels"].id.get_offset() or 0  # HDF5 gives an empty array none
            for name in (*ARRAYS, *TEXTS):  # asked for here and there, each time a page of the disk
                _read_ahead(mapped, group[name].id.get_offset() or 0, arrays[name].nbytes)
            attributes: Any = {name: file.attrs[name] for name in ("source", "characters")}
            line_height = int(str(file.attrs["line_height"]))
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` or `dvc pull` to get it") from None
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise TextrecError(f"{path}: not a readable sample file ({error}); remove it and run `dvc repro`") from None
    arrays |= {name: Texts(arrays[name]) for name in TEXTS}
    return Split(**arrays, **attributes, line_height=line_height, mapped=mapped, begin=begin)


def _mapped(mapped: mmap.mmap, dataset: h5py.Dataset) -> np.ndarray:
    """The values of a dataset of HDF5, a view on its file."""
    place = dataset.id.get_offset()
    if place is None and dataset.size:
        raise ValueError(f"{dataset.name} is in several parts")
    return np.ndarray(dataset.shape, dataset.dtype, mapped, place or 0)


def _read_ahead(mapped: mmap.mmap, start: int, size: int) -> None:
    """Have the system read so many bytes of a file while something else is done, where it can."""
    if hasattr(mmap, "MADV_WILLNEED") and size:
        page = start - start % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_WILLNEED, page, start + size - page)


def write_training_samples(
    path: str | Path, samples: Iterable[Sample], real: str | Path, *, source: str, may_be_empty: Collection[str] = ()
) -> None:
    """Write samples to train on, with val and test, line height and charset of the sample file `real`.

    `may_be_empty` is ("train",) where there may be none, as data.source may have no IAM-OnDB; training on such a file
    is an error. Val and test may be empty where they are in `real`.
    """
    measured = {split: read_split(real, split) for split in SPLITS if split != "train"}
    write_samples(
        path,
        itertools.chain(
            (("train", sample) for sample in samples),
            ((split, sample) for split, part in measured.items() for sample in part.samples()),
        ),
        source=source,
        line_height=measured["val"].line_height,
        characters=measured["val"].characters,
        may_be_empty=(*may_be_empty, *(split for split, part in measured.items() if not len(part))),
    )


# ---- the contact sheet ----

SHEET_WIDTH = 1600  # pixels
MARGIN = 12
FONT_SIZE = 14


def contact_sheet(path: str | Path, sample_file: str | Path, *, per_split: int = 12) -> None:
    """Draw samples of each split, evenly spaced over it, each under its id, writer and text, as a PNG for a person."""
    pieces: list[tuple[str, Image.Image | None]] = []
    with h5py.File(sample_file, "r") as file:
        for split in SPLITS:
            group: Any = file[split]  # reading no more than is drawn
            count = len(group["offset"])
            pieces.append((f"{split}: {count} samples", None))
            for index in np.linspace(0, count - 1, min(per_split, count)).round().astype(int):
                start, height, width = (int(group[name][index]) for name in ("offset", "height", "width"))
                pixels = group["pixels"][start : start + height * width].reshape(height, width)
                name, writer, text = (group[column][index].decode() for column in ("id", "writer", "text"))
                pieces.append((f"{name}  (writer {writer})  {text}", Image.fromarray(255 - pixels)))
    draw_sheet(path, pieces)


def draw_sheet(path: str | Path, pieces: list[tuple[str, Image.Image | None]]) -> None:
    """Write captions, each with its image below, one under the other as a PNG; a caption without one is a heading."""
    usual, latin = ImageFont.load_default(FONT_SIZE), ImageFont.load_default_imagefont()  # the usual one has no accents
    heights = [_caption_height(caption) + (image.height if image else 0) + MARGIN for caption, image in pieces]
    width = max([SHEET_WIDTH, *(image.width + 2 * MARGIN for _, image in pieces if image)])
    sheet = Image.new("L", (width, sum(heights) + MARGIN), 255)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for (caption, image), height in zip(pieces, heights, strict=True):
        text = caption.encode("latin-1", "replace").decode("latin-1")
        font = usual if text.isascii() else latin
        draw.multiline_text((MARGIN, top), text, fill=96 if image else 0, font=font, spacing=4)
        if image:
            sheet.paste(image, (MARGIN, top + _caption_height(caption)))
        top += height
    with atomic(path) as temporary:
        sheet.save(temporary, "PNG")


def _caption_height(caption: str) -> int:
    return (caption.count("\n") + 1) * (FONT_SIZE + 5)
