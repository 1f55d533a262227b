"""How well the lines of a page were found and read; both the benchmark of pages and that of others use it.

Of all pages of a corpus:

    recall, precision   of lines: their outlines and those that were found, one to one, pairs that share half of what
                        both cover (IoU 0.5)
    cer                 the whole page: its lines joined in reading order by newlines, with 95 % intervals over pages;
                        texts are normalised as the truth is, and lines without text are nothing on either side
    any_order           each line beside the one that it is most like, at most one; what remains is all wrong. Where
                        this is less than `cer` the order is wrong, where it is more lines are cut in two, or joined
    beside              lines that were found of which not even a tenth lies in those of the truth: print and stamps
                        that nobody transcribed, the next page, and what is no text
    there               `cer` without these; `precision_there` likewise

Lines that the truth outlines but does not transcribe are not counted, and nor is what is found there.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from machine import ROOT
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.optimize import linear_sum_assignment
from true_pages import TruePage

from textrec.base.edit_distance import char_errors
from textrec.base.params import load
from textrec.pages.overlap import LEAST, Counts, counted, overlaps
from textrec.pages.ribbons import covered
from textrec.reports.metrics import EvaluateParams, corpus_rate

ERRORS = ("cer", "any_order", "there")
BESIDE = 0.1  # of a line that was found: less of it in the lines of the truth is beside them


class FoundLine(NamedTuple):
    """A line that was found: its outline, float64 (N, 2), and what was read in it."""

    outline: np.ndarray
    text: str


class Outcome(NamedTuple):
    """What came of a page: lines, how many that were found are beside them, characters, and errors of each kind."""

    name: str
    untranscribed: int
    counts: Counts
    beside: int
    characters: int
    cer: int
    any_order: int
    there: int


def judged(page: TruePage, found: Sequence[FoundLine]) -> Outcome:
    """Compare what was found, in reading order, with the truth."""
    true = [line for line in page.lines if line.text]
    unknown = overlaps([line.outline for line in found], [line.outline for line in page.lines if not line.text])
    found = [line for line, shares in zip(found, unknown, strict=True) if not (shares >= LEAST).any()]
    shape = page.image.size[::-1]
    written = covered(shape, *(line.outline for line in true))
    there = [line for line in found if _share(covered(shape, line.outline), written) > BESIDE]
    truth, read = [line.text for line in true], [line.text for line in found]
    return Outcome(
        name=page.name,
        untranscribed=len(page.lines) - len(true),
        counts=counted([line.outline for line in true], [line.outline for line in found]),
        beside=len(found) - len(there),
        characters=len(joined(truth)),
        cer=char_errors(joined(truth), joined(read)),
        any_order=errors_in_any_order(truth, read),
        there=char_errors(joined(truth), joined(line.text for line in there)),
    )


def _share(line: np.ndarray, written: np.ndarray) -> float:
    return float(np.logical_and(line, written).sum() / max(1, line.sum()))


def joined(texts: Iterable[str]) -> str:
    """The text of a page."""
    return "\n".join(filter(None, texts))


def errors_in_any_order(truth: Sequence[str], read: Sequence[str]) -> int:
    """As few errors as can be where each line is compared with one other, or with none, then with its newline."""
    read = [text for text in read if text]
    costs = np.zeros((len(truth) + len(read),) * 2, int)
    costs[: len(truth), : len(read)] = cdist(truth, read, scorer=Levenshtein.distance)
    costs[: len(truth), len(read) :] = np.array([len(text) + 1 for text in truth])[:, None]
    costs[len(truth) :, : len(read)] = [len(text) + 1 for text in read]
    return int(costs[linear_sum_assignment(costs)].sum())


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Figures of the pages of a corpus, read in one way."""
    params = load("evaluate", EvaluateParams, ROOT / "params.yaml")
    counts, beside = (
        sum((outcome.counts for outcome in outcomes), Counts()),
        sum(outcome.beside for outcome in outcomes),
    )
    lengths, names = ([getattr(outcome, name) for outcome in outcomes] for name in ("characters", "name"))
    options: Any = {"resamples": params.resamples, "seed": params.seed}
    rates = {}
    for name in ERRORS:
        rate = corpus_rate([getattr(outcome, name) for outcome in outcomes], lengths, names, **options)
        rates |= rate.entries("cer") if name == "cer" else {name: rate.value}
    return {
        "pages": len(outcomes),
        "untranscribed_lines": sum(outcome.untranscribed for outcome in outcomes),
        "pages_with_such": sum(outcome.untranscribed > 0 for outcome in outcomes),
        "lines": counts.true,
        "recall": counts.recall,
        "precision": counts.precision,
        "beside": beside,
        "precision_there": counts._replace(found=counts.found - beside).precision,
        **rates,
    }


def described(figures: dict[str, Any]) -> str:
    """One row of the table."""
    shares = (
        "recall",
        "precision",
        "precision_there",
        "cer",
        "cer_low",
        "cer_high",
        "any_order",
        "there",
        "true_lines",
    )
    found = "  ".join(f"{name} {figures[name]:6.1%}" for name in shares if name in figures)
    return f"{figures['pages']:4} pages {figures['lines']:4} lines  {found}  beside {figures['beside']}"
