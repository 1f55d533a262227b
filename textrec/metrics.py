"""Error rates of what was read: over the whole corpus, with bootstrap intervals; by writer, length and character."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, PositiveInt
from rapidfuzz.distance import Levenshtein

from textrec.params import Params
from textrec.records import Prediction, form_of


class EvaluateParams(Params):
    """How the test split is read by both heads, and how errors are measured and shown."""

    beam: PositiveInt  # hypotheses of the joint search
    ctc_weight: Annotated[float, Field(ge=0, le=1)]  # of the CTC prefix score, the rest is the decoder's
    resamples: PositiveInt  # of the bootstrap
    seed: int
    worst: Annotated[int, Field(ge=0)]  # how many samples the page of errors shows


class Rate(NamedTuple):
    """An error rate, and its 95 % bootstrap interval [low, high]; 1 is one error for each unit of truth."""

    value: float
    low: float
    high: float


def char_errors(truth: str, read: str) -> int:
    """Characters to insert, delete or replace (Levenshtein distance)."""
    return Levenshtein.distance(truth, read)


def word_errors(truth: str, read: str) -> int:
    """Blank-separated words to insert, delete or replace."""
    return Levenshtein.distance(truth.split(), read.split())


def corpus_rate(
    errors: Sequence[int], lengths: Sequence[int], groups: Sequence[str], *, resamples: int, seed: int
) -> Rate:
    """Summed errors over summed lengths, with the percentile interval of a bootstrap over groups.

    `groups` names what is drawn with replacement: samples of one form are not independent. Lengths are positive.
    """
    names, index = np.unique(groups, return_inverse=True)
    table = np.stack([np.bincount(index, values, len(names)) for values in (errors, lengths)])
    drawn = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    errors_drawn, lengths_drawn = table[:, drawn].sum(axis=2)
    low, high = np.quantile(errors_drawn / lengths_drawn, [0.025, 0.975])
    value = table[0].sum() / table[1].sum()
    return Rate(float(value), float(low), float(high))


def measure(predictions: Sequence[Prediction], params: EvaluateParams) -> dict[str, int | float]:
    """Corpus CER and WER of `read` with their intervals over forms, and the share of samples without any error."""
    truths = [prediction.truth for prediction in predictions]
    forms = [form_of(prediction.id) for prediction in predictions]
    char = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    word = [word_errors(prediction.truth, prediction.read) for prediction in predictions]
    options: Any = {"groups": forms, "resamples": params.resamples, "seed": params.seed}
    return {
        "samples": len(predictions),
        "forms": len(set(forms)),
        "characters": sum(map(len, truths)),
        **_entries("cer", corpus_rate(char, [len(truth) for truth in truths], **options)),
        **_entries("wer", corpus_rate(word, [len(truth.split()) for truth in truths], **options)),
        "perfect": char.count(0) / len(char),
    }


def by_decoder(
    predictions: Sequence[Prediction], speed: Mapping[str, Mapping[str, float]], params: EvaluateParams
) -> list[dict[str, Any]]:
    """What `measure` measures, of each decoder's readings, for all `lines` and for those officially listed.

    speed: as in metrics/predict.json, how fast each decoder read all samples; it stands in the decoder's rows.
    cer_above: CER less that of `read`. Its interval is that of the difference, on the same draws of forms: it tells
        decoders apart whose own intervals overlap.
    """
    rows = []
    for lines, part in (("all", predictions), ("listed", [p for p in predictions if p.listed])):
        lengths, forms = [len(p.truth) for p in part], [form_of(p.id) for p in part]
        for name in part[0].readings if part else ():
            readings = [replace(p, read=p.readings[name]) for p in part]
            more = [char_errors(p.truth, p.readings[name]) - char_errors(p.truth, p.read) for p in part]
            above = corpus_rate(more, lengths, forms, resamples=params.resamples, seed=params.seed)
            measured = measure(readings, params) | _entries("cer_above", above)
            rows.append({"lines": lines, "decoder": name, **measured, **speed[name]})
    return rows


def headline(
    predictions: Sequence[Prediction], decoders: Sequence[Mapping[str, Any]], params: EvaluateParams
) -> dict[str, Any]:
    """What is compared from run to run: all of `measure`, the same of the officially listed, the main of `decoders`."""
    listed = [prediction for prediction in predictions if prediction.listed]
    main = ("cer", "cer_low", "cer_high", "wer", "perfect", "seconds")
    return {
        **measure(predictions, params),
        "decoders": {row["decoder"]: {key: row[key] for key in main} for row in decoders if row["lines"] == "all"},
        **({"listed": measure(listed, params)} if listed else {}),
    }


def _entries(name: str, rate: Rate) -> dict[str, float]:
    return {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}


# ---- where the errors are ----

# What cannot be seen in a table; as long as the charset has no angle brackets these are no texts of samples.
VISIBLE = str.maketrans({" ": "<space>", "\n": "<newline>"})


def by_writer(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """CER of each writer, worst first."""
    rows = _grouped(predictions, [prediction.writer for prediction in predictions])
    return sorted(({"writer": name} | row for name, row in rows), key=lambda row: (-row["cer"], row["writer"]))


def by_length(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """CER of samples whose truth has `from` to `to` characters: in tens for lines, in hundreds for paragraphs."""
    width = 100 if any("\n" in prediction.truth for prediction in predictions) else 10
    rows = _grouped(predictions, [(len(prediction.truth) - 1) // width for prediction in predictions])
    return [{"from": index * width + 1, "to": (index + 1) * width} | row for index, row in rows]


def _grouped(predictions: Sequence[Prediction], keys: Sequence[Any]) -> list[tuple[Any, dict[str, Any]]]:
    names, index = np.unique(keys, return_inverse=True)
    samples = np.bincount(index).tolist()
    characters = np.bincount(index, [len(prediction.truth) for prediction in predictions]).tolist()
    errors = np.bincount(index, [char_errors(prediction.truth, prediction.read) for prediction in predictions]).tolist()
    rows = zip(names.tolist(), samples, characters, errors, strict=True)
    return [
        (name, {"samples": count, "characters": int(length), "errors": int(wrong), "cer": wrong / length})
        for name, count, length, wrong in rows
    ]


def by_character(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """CER of each character of the truths, most errors first.

    cer: how often it was `substituted` or `deleted`, over its `count`. How often it was `inserted` where the truth has
    no such character stands beside, since an insertion is the error of no character of the truth.
    """
    kinds = {"substituted": Counter(), "deleted": Counter(), "inserted": Counter()}
    for (truth, read), count in _edits(predictions).items():
        kinds["inserted" if not truth else "substituted" if read else "deleted"][truth or read] += count
    rows = []
    for character, count in Counter("".join(prediction.truth for prediction in predictions)).items():
        counts = {kind: counter[character] for kind, counter in kinds.items()}
        cer = (counts["substituted"] + counts["deleted"]) / count
        rows.append({"character": character.translate(VISIBLE), "count": count, **counts, "cer": cer})
    return sorted(rows, key=lambda row: (-row["substituted"] - row["deleted"], row["character"]))


def confusions(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """What was read for what, most frequent first; `share` is that of all errors.

    A deletion has an empty `read`, an insertion an empty `truth`.
    """
    edits = _edits(predictions)
    return [
        {
            "kind": "insertion" if not truth else "substitution" if read else "deletion",
            "truth": truth.translate(VISIBLE),
            "read": read.translate(VISIBLE),
            "count": count,
            "share": count / edits.total(),
        }
        for (truth, read), count in sorted(edits.items(), key=lambda item: (-item[1], item[0]))
    ]


def _edits(predictions: Sequence[Prediction]) -> Counter[tuple[str, str]]:
    """How often (character of the truth, character read instead) stands in the alignments; '' for none.

    Of the alignments with as few errors as can be, rapidfuzz takes always the same.
    """
    return Counter(
        (p.truth[e.src_pos : e.src_pos + (e.tag != "insert")], p.read[e.dest_pos : e.dest_pos + (e.tag != "delete")])
        for p in predictions
        for e in Levenshtein.editops(p.truth, p.read)
    )
