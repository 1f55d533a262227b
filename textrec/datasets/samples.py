"""The sample file: the one on-disk contract of every dataset (HDF5), and its contact sheet.

One group per split (train, val, test). Images have their own sizes and are packed end to end:

    pixels      uint8 (N,)       white ink on black, row by row, image after image
    offset      int64 (n,)       where each image begins in `pixels`
    height      int32 (n,)       pixels
    width       int32 (n,)       pixels
    text        UTF-8 (n,)
    id          UTF-8 (n,)
    writer      UTF-8 (n,)
    listed      uint8 (n,)       1 where the official task list names the sample
    words       int32 (m, 2)     x-ranges [start, end) of the blank-separated words, (-1, -1) where unknown
    word_count  int32 (n,)       how many rows of `words` belong to each sample
    lines       int32 (k, 2)     y-ranges [top, bottom) of the lines of text, where known
    line_count  int32 (n,)       how many rows of `lines` belong to each sample

Root attributes: `format` (version), `line_height` (pixels), `source`, `characters` (the charset).
The bytes depend on the samples and their order alone: no timestamps, no compression library, no padding.
"""

import itertools
import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from textrec.base import hdf5
from textrec.base.charset import Charset, CharsetParams
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError, atomic

FORMAT = 2
TEXTS = ("text", "id", "writer")
ARRAYS = ("pixels", "offset", "height", "width", "listed", "words", "word_count", "lines", "line_count")
UNKNOWN_REMEDY = "add it to charset.characters, change it by charset.normalize, or set charset.on_unknown to skip"
CHUNK = 1 << 20  # bytes of pixels in a chunk of the file; also how much is buffered before writing


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

    Memory holds texts and sizes, and a chunk of pixels of each split.
    Raises TextrecError on a character outside `characters`, an id that stands twice in a split, and a split without
    samples other than those that `may_be_empty`.
    """
    charset = Charset(characters)
    with hdf5.create(path) as file:
        file.attrs.update(format=FORMAT, line_height=line_height, source=source, characters=characters)
        groups = {split: _SplitWriter(file.create_group(split)) for split in SPLITS}
        for split, sample in samples:
            if unknown := charset.unknown(sample.text):
                raise TextrecError(f"{path}: {sample.id}: {unknown!r} is not in the charset {characters!r}")
            if sample.id in groups[split].ids:
                raise TextrecError(f"{path}: id {sample.id} stands twice in split {split}; ids must be unique")
            groups[split].add(sample)
        for split, group in groups.items():
            if not group.ids and split not in may_be_empty:
                raise TextrecError(f"{path}: split {split} is empty; look at what was dropped on the way to it")
            group.finish()


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
    """The datasets of one group; pixels go to the file a whole chunk at a time, all else is small and kept packed."""

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self._pixels = group.create_dataset("pixels", (0,), np.uint8, maxshape=(None,), chunks=(CHUNK,))
        self._buffer = [np.zeros(0, np.uint8)]
        self._buffered = 0
        self.ids: set[str] = set()
        self._columns = {name: array("i") for name in ARRAYS if name not in ("pixels", "offset")}
        self._texts: dict[str, list[bytes]] = {name: [] for name in TEXTS}

    def add(self, sample: Sample) -> None:
        self._buffer.append(sample.image.ravel())
        self._buffered += sample.image.size
        self.ids.add(sample.id)
        columns = self._columns
        columns["height"].append(sample.image.shape[0])
        columns["width"].append(sample.image.shape[1])
        columns["listed"].append(sample.listed)
        for name, ranges in (("word", sample.words), ("line", sample.lines)):
            columns[f"{name}s"].extend(itertools.chain.from_iterable(ranges))
            columns[f"{name}_count"].append(len(ranges))
        for name in TEXTS:
            self._texts[name].append(getattr(sample, name).encode())
        if self._buffered >= CHUNK:
            self._flush(self._buffered // CHUNK * CHUNK)

    def _flush(self, size: int) -> None:
        pixels = np.concatenate(self._buffer)
        written = len(self._pixels)
        self._pixels.resize((written + size,))
        self._pixels[written:] = pixels[:size]
        self._buffer = [pixels[size:].copy()]
        self._buffered = len(pixels) - size

    def finish(self) -> None:
        self._flush(self._buffered)
        columns: dict[str, Any] = {name: np.array(column, np.int32) for name, column in self._columns.items()}
        sizes = columns["height"].astype(np.int64) * columns["width"]
        columns["listed"] = columns["listed"].astype(np.uint8)
        columns |= {name: columns[name].reshape(-1, 2) for name in ("words", "lines")}
        for name in ARRAYS[1:]:
            self._group.create_dataset(name, data=np.cumsum(sizes) - sizes if name == "offset" else columns[name])
        for name, values in self._texts.items():  # of fixed length: what HDF5 pads with is then known
            kind = h5py.string_dtype("utf-8", max(map(len, values), default=0) or 1)
            self._group.create_dataset(name, data=np.array(values, kind))


@dataclass(frozen=True)
class Split:
    """One split of a sample file in memory; fields as in the file, texts as lists of str.

    `line_height` (pixels), `source` and `characters` are those of the whole file.
    """

    pixels: np.ndarray
    offset: np.ndarray
    height: np.ndarray
    width: np.ndarray
    listed: np.ndarray
    words: np.ndarray
    word_count: np.ndarray
    lines: np.ndarray
    line_count: np.ndarray
    text: list[str]
    id: list[str]
    writer: list[str]
    line_height: int
    source: str
    characters: str

    def __len__(self) -> int:
        return len(self.offset)

    def image(self, index: int) -> np.ndarray:
        """The image of a sample, uint8 (height, width), white ink on black; a view on `pixels`."""
        height, width = int(self.height[index]), int(self.width[index])
        start = int(self.offset[index])
        return self.pixels[start : start + height * width].reshape(height, width)

    def samples(self) -> Iterator[Sample]:
        """The samples in their order; images are views on `pixels`."""
        words, lines = (_ragged(*columns) for columns in ((self.words, self.word_count), (self.lines, self.line_count)))
        for index in range(len(self)):
            yield Sample(
                id=self.id[index],
                text=self.text[index],
                writer=self.writer[index],
                image=self.image(index),
                words=words[index],
                lines=lines[index],
                listed=bool(self.listed[index]),
            )


def _ragged(ranges: np.ndarray, counts: np.ndarray) -> list[tuple[tuple[int, int], ...]]:
    """Rows of `ranges` by sample, `counts` of them each."""
    return [tuple(map(tuple, part.tolist())) for part in np.split(ranges, np.cumsum(counts)[:-1])]


def read_split(path: str | Path, split: str) -> Split:
    """Read one split whole.

    Raises TextrecError where the file is missing, damaged, or of another format version.
    """
    try:
        with h5py.File(path, "r") as file:
            version = file.attrs.get("format")
            if version != FORMAT:
                raise TextrecError(
                    f"{path}: sample format {version or 'unknown'}, this version reads {FORMAT}; run `dvc repro`"
                )
            group: Any = file[split]
            texts: Any = {name: [value.decode() for value in group[name][()]] for name in TEXTS}
            arrays: Any = {name: group[name][()] for name in ARRAYS}
            attributes: Any = {name: file.attrs[name] for name in ("source", "characters")}
            line_height = int(str(file.attrs["line_height"]))
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` or `dvc pull` to get it") from None
    except (OSError, KeyError, RuntimeError) as error:
        raise TextrecError(f"{path}: not a readable sample file ({error}); remove it and run `dvc repro`") from None
    return Split(**arrays, **texts, **attributes, line_height=line_height)


def write_training_samples(
    path: str | Path, samples: Iterable[Sample], real: str | Path, *, source: str, may_be_empty: Collection[str] = ()
) -> None:
    """Write samples to train on, with val and test, line height and charset of the sample file `real`.

    `may_be_empty` is ("train",) where there may be none, as data.source may have no IAM-OnDB; training on such a file
    is an error.
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
        may_be_empty=may_be_empty,
    )


def mix_samples(path: str | Path, real: str | Path, made: str | Path, *, source: str) -> None:
    """Write the training samples of two files, and val and test of the file `real`, to a third.

    Where `made` has no training samples the mixture has none either: trained on, it would be `real` by another name.
    """
    drawn = read_split(made, "train")
    parts = [read_split(real, "train"), drawn] if len(drawn) else []
    samples = (sample for part in parts for sample in part.samples())
    write_training_samples(path, samples, real, source=source, may_be_empty=("train",))


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
