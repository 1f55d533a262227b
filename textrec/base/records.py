"""What is handed from step to step: forms as parsed, samples as stored."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textrec.base.runtime import TextrecError, atomic

SPLITS = ("train", "val", "test")


def form_of(sample_id: str) -> str:
    """The form that a sample was cut from: an IAM line id without its number, any other id as it is."""
    return re.sub(r"^([a-z]\d\d-\d{3}[a-z]?)-\d\d$", r"\1", sample_id)


class Box(NamedTuple):
    """A rectangle in pixels: left and top edge, width and height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line: its text and the boxes of its connected components (none where the source knows none)."""

    text: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A handwritten line: `words` are the blank-separated words of `text`, in order; `listed` by the official task."""

    id: str
    text: str
    listed: bool
    words: tuple[Word, ...]

    @property
    def boxes(self) -> list[Box]:
        """All component boxes in document order."""
        return [box for word in self.words for box in word.boxes]


@dataclass(frozen=True, slots=True)
class Form:
    """A parsed form: boxes are in pixels of the original scan, `width` x `height` of them."""

    id: str
    writer: str
    split: str
    width: int
    height: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of text with its truth.

    image: uint8 (height, width), white ink (255) on black (0).
    words: for each blank-separated word of `text` its x-range [start, end) in the image, (-1, -1) where unknown;
        empty where none is known.
    lines: for each line of `text` its y-range [top, bottom) in the image; empty where it is not known.
    listed: whether the official task list names it.
    share: how often an epoch of training sees it, on average.
    """

    id: str
    text: str
    writer: str
    image: np.ndarray
    words: tuple[tuple[int, int], ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    listed: bool = True
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model read in a sample: `truth` and `read` are texts.

    confidence: that share of the characters of `read` is right, as far as the model knows; in [0, 1].
    characters: the probability of each character of `read` that it is right.
    readings: the text by each decoder, of which `read` is one: "ar" (greedy, Transformer decoder) and, where the model
        has a CTC head, "ctc" (greedy) and "joint" (a search by both).
    """

    id: str
    writer: str
    listed: bool
    truth: str
    read: str
    confidence: float
    characters: list[float]
    readings: dict[str, str]


def write_predictions(path: str | Path, predictions: Iterable[Prediction]) -> None:
    """Write predictions as JSON, one a line."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for prediction in predictions:
            file.write(json.dumps(asdict(prediction), ensure_ascii=False) + "\n")


def read_predictions(path: str | Path) -> list[Prediction]:
    """Read what `write_predictions` wrote.

    Raises TextrecError where the file is missing, holds no prediction or something else.
    """
    try:
        predictions = [Prediction(**json.loads(text)) for text in read_records(path)]
    except (TypeError, ValueError):
        raise TextrecError(f"{path}: not predictions of this version; run `dvc repro -f predict`") from None
    if not predictions:
        raise TextrecError(f"{path}: holds no predictions; run `dvc repro -f predict`")
    return predictions


def read_records(path: str | Path) -> Iterator[str]:
    """The lines of a file that a stage wrote; TextrecError where it is missing or not UTF-8."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` or `dvc pull` to get it") from None
    except UnicodeDecodeError as error:
        raise TextrecError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from None


def write_forms(path: str | Path, forms: Iterable[Form]) -> None:
    """Write forms as JSON, one a line."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for form in forms:
            record = {name: getattr(form, name) for name in ("id", "writer", "split", "width", "height")}
            record["lines"] = [
                {
                    "id": line.id,
                    "text": line.text,
                    "listed": line.listed,
                    "words": [{"text": word.text, "boxes": word.boxes} for word in line.words],
                }
                for line in form.lines
            ]
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_forms(path: str | Path) -> Iterator[Form]:
    """Read what `write_forms` wrote, a form at a time; TextrecError where it is missing or something else."""
    for text in read_records(path):
        yield parse_form(text, where=path)


def training_texts(path: str | Path) -> Iterator[str]:
    """The texts of the training lines of what `write_forms` wrote."""
    return (line.text for form in read_forms(path) if form.split == "train" for line in form.lines)


def parse_form(text: str, *, where: str | Path) -> Form:
    """One form from its line of JSON in the file `where`; TextrecError where it is something else."""
    try:
        record = json.loads(text)
        lines = (line | {"words": tuple(map(_word, line["words"]))} for line in record.pop("lines"))
        return Form(**record, lines=tuple(Line(**line) for line in lines))
    except (TypeError, ValueError, LookupError, AttributeError):
        raise TextrecError(f"{where}: not forms of this version; run `dvc repro -f parse_iam`") from None


def _word(record: dict[str, Any]) -> Word:
    return Word(record["text"], tuple(Box(*box) for box in record["boxes"]))
