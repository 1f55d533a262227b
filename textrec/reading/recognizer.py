"""From pictures to text: a trained model that takes them as people have them."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from textrec.base.charset import Charset
from textrec.base.runtime import TextrecError
from textrec.network.batches import pad
from textrec.network.calibration import Calibration
from textrec.network.finder import LineFinder
from textrec.network.trained import Reading, TrainedModel
from textrec.pages.cutting import Strip
from textrec.pages.pictures import gray, open_pictures
from textrec.pages.text_area import Crop, prepare, prepare_line
from textrec.reading.onnx_network import OnnxNetwork
from textrec.reading.page_reading import PageReading
from textrec.reading.pages import Way, find_lines, is_one_line, read_way, whole

OWN = Path("models/model.ckpt")  # what `dvc repro` trains
PACKAGE = Path(__file__).parents[1]
INSTALLED, CLONED = PACKAGE / "box", PACKAGE.parent / "models"
BOX = INSTALLED if INSTALLED.exists() else CLONED  # the models that textrec brings along
BOXED, BOXED_FINDER = BOX / "latin.ckpt", BOX / "pages.ckpt"
Kind = Literal["line", "page"]
STRIP, SMALL = 2.0, 200  # times as wide as high, or pixels: rather a line than a page
WORTHWHILE = 8  # lines a batch: of smaller ones Python, which does one thing at a time, takes most of the time
BLANK = Reading("", 0.0, ())  # of a picture without ink, with a line that is turned, or in which nothing was found


@cache
def boxed_finder() -> LineFinder:
    """The line finder that textrec brings along; TextrecError where it is missing or damaged."""
    if not BOXED_FINDER.exists():
        raise TextrecError(f"{BOXED_FINDER}: not found, though textrec brings it along; install it again")
    return LineFinder.load(BOXED_FINDER)


def usual_model() -> Path:
    """The model that is read by where none is named: `OWN`, if it learned from more than the sample, else `BOXED`."""
    return OWN if OWN.exists() and not TrainedModel.load(OWN).sample else BOXED


class Recognizer(TrainedModel):
    """A trained model for pictures: `Recognizer.load().read(images)`."""

    @classmethod
    def load(cls, path: str | Path | None = None, *, device: str = "cpu") -> Self:
        """Read a checkpoint, `usual_model()` where none is named, ready to read images on `device`.

        Raises TextrecError where the file is missing, damaged, or of another format version.
        """
        path = usual_model() if path is None else Path(path)
        if path == BOXED and not path.exists():
            raise TextrecError(f"{path}: not found, though textrec brings it along; install it again, or name a model")
        return super().load(path, device=device)

    @classmethod
    def load_export(cls, path: str | Path) -> Self:
        """Read what `textrec export` wrote, ready to read images by onnxruntime on all usable cores.

        Raises TextrecError where the file is missing, damaged, or of another format version, and where onnxruntime is
        not installed.
        """
        network, content = OnnxNetwork.load(path)
        calibration = {name: Calibration(**values) for name, values in content["calibration"].items()}
        # Reading asks of a network no more than this one has.
        return cls(cast(Any, network), Charset(content["characters"]), calibration, language=content["language"])

    @property
    def paragraphs(self) -> bool:
        """Whether it reads several lines of text at once, or one."""
        return "\n" in self.charset.characters

    def read(
        self,
        images: Iterable[str | Path | Image.Image | np.ndarray],
        *,
        batch_size: int = 32,
        greedy: bool = False,
    ) -> list[Reading]:
        """Read pictures of any size and colour, each of one line, or of several where it is a model of `paragraphs`.

        Each is the path of a file (of whose pages the first is read), a Pillow image, or an array as `pictures.gray`
        takes it. They are brought to crops by `text_area.prepare`, then read as by `read_crops`. A picture without ink
        has an empty text and confidence 0, and so has one in whose ink no text was found. May be called by several
        threads at once.
        Raises TextrecError at the first that cannot be read.
        """
        crops = [self.crop(_grey(image)) for image in images]
        return self.read_prepared(crops, batch_size=batch_size, greedy=greedy)

    def read_pages(
        self,
        images: Iterable[str | Path | Image.Image | np.ndarray],
        *,
        finder: LineFinder | None = None,
        batch_size: int = 32,
        greedy: bool = False,
    ) -> list[PageReading]:
        """Read whole pages, as `read` takes pictures: their lines are found, put in order, and read.

        A page may be turned by quarters; which way is up, some of its lines say, read both ways. A line that cannot be
        read says so. finder: None is the one that textrec brings along. May be called by several
        threads at once.
        Raises TextrecError at the first that cannot be read, and where this is a model of paragraphs.
        """
        finder = finder or boxed_finder()
        pages = []
        for image in images:
            way = self.find_lines(_grey(image), finder)
            pages.append(read_way(way, iter(self.read_prepared(way.crops, batch_size=batch_size, greedy=greedy))))
        return pages

    def find_lines(self, image: Image.Image, finder: LineFinder) -> Way:
        """The lines of a page, mode L, cut out.

        Raises TextrecError where this is a model of paragraphs.
        """
        if self.paragraphs:
            raise TextrecError("pages are read line by line, and this is a model of paragraphs; name one of lines")
        return find_lines(image, finder, self.crop_line, self._sure)

    def _sure(self, crops: Sequence[np.ndarray]) -> list[float]:
        """How sure it is of each of some crops, at a glance."""
        return [reading.confidence for reading in self.read_crops(crops, greedy=True)]

    def look(self, image: Image.Image, finder: LineFinder, kind: Kind | None = None) -> tuple[Way, bool]:
        """A picture, mode L, as what is to be read, and whether that is one line, or all of it at once.

        kind: what it is, None where that is to be found out. Models of paragraphs read a picture as it is.
        Raises TextrecError where its shape does not fit the model.
        """
        if self.paragraphs or kind == "line":
            return whole(image.size, self.crop(image)), True
        way = self.find_lines(image, finder)
        # Where nothing was found in a strip, or in what is too small for a page, there may be a letter or two.
        short = image.width > STRIP * image.height or max(image.size) < SMALL
        one = is_one_line(way.page) or (short and not way.page.lines)
        if kind == "page" or not one:
            return way, False
        crop = prepare(image, line_height=self.model.line_height, paragraph=False)
        fitting = self._fitting(crop) if crop.lines <= 1 else self.crop_line(Strip(np.asarray(image), None))
        return whole(image.size, fitting), True

    def crop(self, image: Image.Image) -> Crop:
        """What this model reads of a picture, mode L; TextrecError where its shape does not fit the model."""
        crop = prepare(image, line_height=self.model.line_height, paragraph=self.paragraphs)
        if crop.lines > 1 and not self.paragraphs:
            raise TextrecError(f"there seem to be {crop.lines} lines of text, and not one; read it as a page")
        return self._fitting(crop)

    def crop_line(self, strip: Strip) -> Crop:
        """What this model of lines reads of one that is cut out of a page, however many it looks like."""
        return self._fitting(prepare_line(strip, line_height=self.model.line_height))

    def _fitting(self, crop: Crop) -> Crop:
        config, (height, width) = self.model.config, crop.pixels.shape
        if height > config.max_height or width > config.max_width:
            size = f"{width} x {height} pixels at {self.model.line_height} a line"
            most = f"{config.max_width} x {config.max_height}"
            raise TextrecError(f"the text takes {size}, the model reads {most}; cut it into parts")
        return crop

    def read_prepared(self, crops: Sequence[Crop], *, batch_size: int = 32, greedy: bool = False) -> list[Reading]:
        """Read what `crop` gave, each as by `read`."""
        written = [index for index, crop in enumerate(crops) if crop.lines and not crop.turned]
        pixels = [crops[index].pixels for index in written]
        found = self.read_crops(pixels, batch_size=batch_size, greedy=greedy)
        readings = {index: reading for index, reading in zip(written, found, strict=True) if reading.text}
        return [readings.get(index, BLANK) for index in range(len(crops))]

    def read_crops(self, crops: Sequence[np.ndarray], *, batch_size: int = 32, greedy: bool = False) -> list[Reading]:
        """Read crops: each uint8 (height, width), white ink on black, `model.line_height` pixels a line of text.

        Those of like width are read together, and each as it would be alone but for rounding: by `joint_search`, or
        `greedy` by the CTC head alone; where the model has none, by the Transformer.
        """
        order = sorted(range(len(crops)), key=lambda index: -crops[index].size)
        at_once = self.model.device.type == "cpu" and batch_size >= WORTHWHILE
        threads = max(1, min(torch.get_num_threads(), len(crops) // WORTHWHILE)) if at_once else 1
        parts = _parts(order, batch_size, threads)

        def read(indices: list[int]) -> list[Reading]:
            return self.read_batch(*pad([crops[index] for index in indices]), greedy=greedy)

        with _by_threads(threads) as apply:
            found = [reading for readings in apply(read, parts) for reading in readings]
        return [reading for _, reading in sorted(zip(order, found, strict=True), key=lambda item: item[0])]

    def read_batch(self, images: Tensor, sizes: Tensor, *, greedy: bool = False) -> list[Reading]:
        """Read a padded batch like `read_crops`: uint8 (B, 1, H, W) and int64 (B, 2), as in `batches.Batch`."""
        decoders = self.decoders()
        read = decoders.get("ctc" if greedy else "joint", decoders["ar"])
        return read(self.encode(images, sizes))


def _grey(image: str | Path | Image.Image | np.ndarray) -> Image.Image:
    """A picture, mode L; of a file the first page."""
    return next(open_pictures(image)).image if isinstance(image, str | Path) else gray(image)


def _parts(order: list[int], most: int, threads: int) -> list[list[int]]:
    """Parts of at most `most`, about as many of about one size for each thread."""
    count = threads * math.ceil(len(order) / (most * threads))
    return [part.tolist() for part in np.array_split(order, max(count, 1)) if len(part)]


@contextlib.contextmanager
def _by_threads(threads: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` by so many threads, for each of which torch has one then.

    So the joint search takes a sixth less time than by one after the other, each by all threads of torch.
    """
    if threads < 2:
        yield map
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(before)  # threads that begin later would have one, too
