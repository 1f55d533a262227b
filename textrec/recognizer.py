"""From pictures to text: a trained model that takes them as people have them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from PIL import Image

from textrec.calibration import Calibration
from textrec.charset import Charset
from textrec.decoding import BEAM, CTC_WEIGHT
from textrec.onnx_network import OnnxNetwork
from textrec.pictures import Crop, gray, open_pictures, prepare
from textrec.runtime import TextrecError
from textrec.trained import Reading, TrainedModel

BLANK = Reading("", 0.0, ())  # of a picture without ink


class Recognizer(TrainedModel):
    """A trained model for pictures: `Recognizer.load(path).read(images)`."""

    @classmethod
    def load_export(cls, path: str | Path) -> Self:
        """Read what `textrec export` wrote, ready to read images by onnxruntime on all usable cores.

        Raises TextrecError where the file is missing, damaged, or of another format version, and where onnxruntime is
        not installed.
        """
        network, content = OnnxNetwork.load(path)
        calibration = {name: Calibration(**values) for name, values in content["calibration"].items()}
        # Reading asks of a network no more than this one has.
        return cls(cast(Any, network), Charset(content["characters"]), calibration)

    @property
    def paragraphs(self) -> bool:
        """Whether it reads several lines of text at once, or one."""
        return "\n" in self.charset.characters

    def read(
        self,
        images: Iterable[str | Path | Image.Image | np.ndarray],
        *,
        batch_size: int = 32,
        beam: int = BEAM,
        ctc_weight: float = CTC_WEIGHT,
    ) -> list[Reading]:
        """Read pictures of any size and colour, each of one line, or of several where it is a model of `paragraphs`.

        Each is the path of a file (of whose pages the first is read), a Pillow image, or an array as `pictures.gray`
        takes it. They are brought to crops by `pictures.prepare`, then read as by `read_crops`. A picture without ink
        has an empty text and confidence 0. May be called by several threads at once.
        Raises TextrecError at the first that cannot be read.
        """
        crops = [self.crop(next(open_pictures(i)).image if isinstance(i, str | Path) else gray(i)) for i in images]
        return self.read_prepared(crops, batch_size=batch_size, beam=beam, ctc_weight=ctc_weight)

    def crop(self, image: Image.Image) -> Crop:
        """What this model reads of a picture, mode L; TextrecError where its shape does not fit the model."""
        crop = prepare(image, line_height=self.model.line_height, paragraph=self.paragraphs)
        if crop.lines > 1 and not self.paragraphs:
            remedy = "cut it into lines, or read it by a model of paragraphs"
            raise TextrecError(f"there seem to be {crop.lines} lines of text and the model reads one; {remedy}")
        config, (height, width) = self.model.config, crop.pixels.shape
        if height > config.max_height or width > config.max_width:
            size = f"{width} x {height} pixels at {self.model.line_height} a line"
            most = f"{config.max_width} x {config.max_height}"
            raise TextrecError(f"the text takes {size}, the model reads {most}; cut it into parts")
        return crop

    def read_prepared(
        self, crops: Sequence[Crop], *, batch_size: int = 32, beam: int = BEAM, ctc_weight: float = CTC_WEIGHT
    ) -> list[Reading]:
        """Read what `crop` gave, each as by `read`."""
        written = [index for index, crop in enumerate(crops) if crop.lines]
        pixels = [crops[index].pixels for index in written]
        found = self.read_crops(pixels, batch_size=batch_size, beam=beam, ctc_weight=ctc_weight)
        readings = dict(zip(written, found, strict=True))
        return [readings.get(index, BLANK) for index in range(len(crops))]
