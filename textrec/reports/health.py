"""The health of the data, as a page: labels that are likely wrong, samples unlike the others, what was dropped."""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import NonNegativeInt

from textrec.base.params import Params
from textrec.base.records import SPLITS, Form, Sample
from textrec.base.runtime import atomic
from textrec.datasets.iam import FEW, Report
from textrec.datasets.samples import Split
from textrec.reports.dropped import drops, notes
from textrec.reports.html_page import write_html
from textrec.reports.tables import VISIBLE

# In nats, added to the loss of the reading: of 58 errors planted in the 807 val lines of IAM that the model had not
# seen, the list by suspicion had an average precision of 0.82 (0.80 with 1 or 10; 0.72 by loss a character).
DOUBT = 5.0
ENOUGH = 5  # samples of a writer from which on his or her own median counts
RARE = 10  # a character that stands no more often in a split
REASON = "read so by eye"


class InspectData(Params):
    """How much the page shows."""

    worst: NonNegativeInt  # labels to check
    examples: NonNegativeInt  # of each kind of sample that is dropped or unlike the others


class Judgement(NamedTuple):
    """What a model makes of a labelled sample.

    read: what it reads. loss, read_loss: -ln p of the label and of the reading given the image, in nats; infinite
    where the image has too few columns for the text.
    """

    read: str
    loss: float
    read_loss: float


@dataclass(frozen=True, slots=True)
class Label:
    """A label with what speaks for and against it.

    stretch: how far the characters' mean width is from the writer's median, in median absolute deviations of all; see
        `stretches`.
    """

    split: str
    sample: Sample
    judgement: Judgement
    stretch: float

    @property
    def fits(self) -> bool:
        """Whether the image has columns enough for the label."""
        return math.isfinite(self.judgement.loss)

    @property
    def loss_per_character(self) -> float:
        """Nats."""
        return self.judgement.loss / max(1, len(self.sample.text))

    @property
    def suspicion(self) -> float:
        """How much more likely than the label the reading is, over how unsure it is."""
        return (self.judgement.loss - self.judgement.read_loss) / (DOUBT + self.judgement.read_loss)


def examine(splits: Mapping[str, Split], judgements: Mapping[str, Sequence[Judgement]]) -> list[Label]:
    """The labels of all splits with what their model makes of them, in the order of the splits."""
    samples = [(split, sample) for split, part in splits.items() for sample in part.samples()]
    judged = chain.from_iterable(judgements[split] for split in splits)
    stretched = stretches([sample for _, sample in samples])
    return [
        Label(split, sample, judgement, stretch)
        for (split, sample), judgement, stretch in zip(samples, judged, stretched, strict=True)
    ]


def stretches(samples: Sequence[Sample]) -> list[float]:
    """`Label.stretch` of each sample; against the median of all where the writer has fewer than ENOUGH.

    Widths are compared by their logarithms, times the root of the number of characters: the mean of many strays less.
    In a sample of many lines the width is that of a line of mean length.
    """
    lines = np.array([sample.text.count("\n") + 1 for sample in samples])
    lengths = np.array([max(1, len(sample.text.replace("\n", ""))) for sample in samples])
    widths = np.log([sample.image.shape[1] for sample in samples]) - np.log(lengths / lines)
    writers, index, counts = np.unique([s.writer for s in samples], return_inverse=True, return_counts=True)
    medians = np.full(len(writers), np.median(widths))
    for writer in np.flatnonzero(counts >= ENOUGH):
        medians[writer] = np.median(widths[index == writer])
    residuals = (widths - medians[index]) * np.sqrt(lengths)
    return (residuals / (np.median(np.abs(residuals)) or 1.0)).tolist()


def suspects(labels: Iterable[Label], most: int) -> list[Label]:
    """The labels that the model reads otherwise and finds less likely than its reading, most suspicious first."""
    doubted = [label for label in labels if label.judgement.read != label.sample.text and label.suspicion > 0]
    return sorted(doubted, key=lambda label: -label.suspicion)[:most]


def correction_rows(label: Label, forms: Mapping[str, str]) -> list[str]:
    """Rows for the table of corrections that make the label what was read; none where they cannot be made.

    forms: the form's id by the id of each sample that is cut from a form. Corrections are of a form's lines: the
    reading must have as many as the label.
    """
    wrong, right = label.sample.text.split("\n"), label.judgement.read.split("\n")
    if label.sample.id not in forms or len(wrong) != len(right):
        return []
    form = forms[label.sample.id]
    # Where nothing was read the label is left for a person to change: no value of a row may be empty.
    return [f"{form}\t{old}\t{new or old}\t{REASON}" for old, new in zip(wrong, right, strict=True) if old != new]


def write_suspects(path: str | Path, found: Iterable[tuple[Label, list[str]]]) -> None:
    """Write suspects with their rows of corrections as JSON, one a line; numbers that are not finite are null."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for label, rows in found:
            numbers = {
                "suspicion": label.suspicion,
                "loss": label.judgement.loss,
                "loss_per_character": label.loss_per_character,
                "read_loss": label.judgement.read_loss,
                "stretch": label.stretch,
            }
            record = {
                "id": label.sample.id,
                "split": label.split,
                "writer": label.sample.writer,
                "text": label.sample.text,
                "read": label.judgement.read,
                **{name: round(value, 3) if math.isfinite(value) else None for name, value in numbers.items()},
                "corrections": rows,
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


# ---- the page ----


def line_heights(forms: Iterable[Form]) -> dict[str, list[int]]:
    """By split, from the highest to the lowest edge of each line's boxes, in pixels of the original scan."""
    heights: dict[str, list[int]] = {split: [] for split in SPLITS}
    for form in forms:
        spans = [(min(box.y for box in line.boxes), max(box.bottom for box in line.boxes)) for line in form.lines]
        heights[form.split] += (bottom - top for top, bottom in spans)
    return heights


def character_rows(splits: Mapping[str, Split]) -> list[dict[str, Any]]:
    """How often each character of the charset stands in each split, the rarest of the first split first."""
    counts = {split: Counter("".join(part.text)) for split, part in splits.items()}
    rows = []
    for character in next(iter(splits.values())).characters:
        own = {split: count[character] for split, count in counts.items()}
        missing = [split for split, count in own.items() if not count]
        rare = [split for split, count in own.items() if 0 < count <= RARE]
        remarks = [f"{word} in {', '.join(where)}" for word, where in (("missing", missing), ("rare", rare)) if where]
        rows.append({"character": character.translate(VISIBLE), **own, "remark": "; ".join(remarks)})
    return sorted(rows, key=lambda row: list(row.values())[1])


def writer_rows(splits: Mapping[str, Split]) -> list[dict[str, Any]]:
    """Writers, samples and characters of each split, and the writers that it shares with others."""
    rows = []
    for split, part in splits.items():
        others = {writer for other, that in splits.items() if other != split for writer in that.writer}
        shared = sorted(set(part.writer) & others)
        characters = sum(map(len, part.text))
        row = {"split": split, "writers": len(set(part.writer)), "samples": len(part), "characters": characters}
        rows.append(row | {"shared": ", ".join(shared[:FEW]) or "none"})
    return rows


def health_page(
    path: str | Path,
    splits: Mapping[str, Split],
    labels: Sequence[Label],
    found: Sequence[tuple[Label, list[str]]],
    *,
    forms: Collection[Form],
    report: Report,
    archive: str | Path,
    left_out: Sequence[Mapping[str, Any]],
    examples: int,
) -> None:
    """Write the page.

    found: the suspects with their rows of corrections. forms, report: what `parse_forms` made of `archive`, none and an
    empty one where the data are not of IAM. left_out: what `counted` says of other data. examples: as in InspectData.
    """
    source = next(iter(splits.values())).source
    by_split = {split: [label for label in labels if label.split == split] for split in splits}
    shown = {id(label) for label, _ in found}
    others = [label for label in labels if id(label) not in shown]
    write_html(
        path,
        "health.html",
        source=source,
        of_iam=bool(forms),
        sizes={split: len(part) for split, part in splits.items()},
        notes=[*notes(report), *left_out],
        drops=drops(report, archive, examples),
        suspects=found,
        hard=sorted(others, key=lambda label: -label.loss_per_character)[:examples],
        stretched=sorted(labels, key=lambda label: -abs(label.stretch))[:examples],
        losses={split: [label.loss_per_character for label in own] for split, own in by_split.items()},
        impossible=sum(not label.fits for label in labels),
        stretches={split: [label.stretch for label in own] for split, own in by_split.items()},
        line_heights=line_heights(forms),
        widths={split: part.width.tolist() for split, part in splits.items()},
        lengths={split: list(map(len, part.text)) for split, part in splits.items()},
        characters=character_rows(splits),
        writers=writer_rows(splits),
        by_writer={split: list(Counter(part.writer).values()) for split, part in splits.items()},
    )
