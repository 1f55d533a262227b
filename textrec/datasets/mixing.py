"""Mixtures: sample files whose training samples are those of several datasets, measured on one of them."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import ConfigDict, Field, model_validator

from textrec.base.params import Params, not_a_parameter
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import Split, read_split, write_samples

Dataset = Literal[
    "emnist_lines",
    "iam_lines",
    "ondb_lines",
    "corrected_lines",
    "page_lines",
    "drawn_lines",
    "font_lines",
    "iam_paragraphs",
    "synth_paragraphs",
]
Share = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class Mixture(Params):
    """How a mixture is made."""

    train: Annotated[dict[Dataset, Share], Field(min_length=1)]
    """Dataset -> how often an epoch sees each of its training samples, on average."""
    measure: Dataset
    """Whose val and test it has."""


class Mixtures(Params):
    """Section `mix`: mixtures by the names that `train.data` takes."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Mixture]  # pyright: ignore[reportIncompatibleVariableOverride]

    @model_validator(mode="after")
    def _named(self) -> Self:
        for name in self.__pydantic_extra__:
            if name in get_args(Dataset) or not re.fullmatch("[a-z][a-z0-9_]*", name):
                raise TextrecError(f"mix.{name}: a dataset has that name, or it is none for a file; use a-z, 0-9 and _")
        return self

    def __getitem__(self, name: str) -> Mixture:
        """The mixture of a name; TextrecError where there is none."""
        if name not in self.__pydantic_extra__:
            raise TextrecError(not_a_parameter(f"params.yaml: mix.{name}", list(self.__pydantic_extra__)))
        return self.__pydantic_extra__[name]

    def datasets(self, name: str) -> set[str]:
        """The datasets that a mixture is of; of a dataset itself."""
        mixture = self.__pydantic_extra__.get(name)
        return {*mixture.train, mixture.measure} if mixture else {name}


def mix(path: str | Path, mixture: Mixture) -> str | None:
    """Write the mixture of datasets, which lie beside it, to a sample file, in the charset of them all.

    Where a dataset has no training samples the mixture has none either: trained on, it would be another by its name.
    Returns the name of such a dataset, None where there is none.
    Raises TextrecError where a file is missing or damaged, and where the heights of lines differ.
    """
    path = Path(path)
    name, real = path.stem, path.with_stem(mixture.measure)
    parts: dict[Dataset, Split] = {dataset: read_split(path.with_stem(dataset), "train") for dataset in mixture.train}
    measured = {split: read_split(real, split) for split in SPLITS if split != "train"}
    every = [*parts.values(), *measured.values()]
    heights = {part.source: part.line_height for part in every}
    if len(set(heights.values())) > 1:
        raise TextrecError(f"mix.{name}: lines of several heights cannot be mixed, in pixels: {heights}")
    empty = next((dataset for dataset, part in parts.items() if not len(part)), None)
    write_samples(
        path,
        itertools.chain(
            () if empty else _shared(parts, mixture.train),
            ((split, sample) for split, part in measured.items() for sample in part.samples()),
        ),
        source=f"{name}: {empty}" if empty else name,
        line_height=measured["val"].line_height,
        characters="".join(dict.fromkeys(itertools.chain.from_iterable(part.characters for part in every))),
        may_be_empty=SPLITS,
    )
    return empty


def _shared(parts: Mapping[Dataset, Split], shares: Mapping[Dataset, float]) -> Iterator[tuple[str, Sample]]:
    for dataset, part in parts.items():
        for sample in part.samples():
            yield "train", replace(sample, share=sample.share * shares[dataset])
