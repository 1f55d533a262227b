"""The tables in reports/: error rates by decoder, writer, length and character, and what was read for what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from textrec.base.edit_distance import char_errors
from textrec.base.records import Prediction, form_of
from textrec.reports.metrics import EvaluateParams, corpus_rate, measure

# What cannot be seen in a table; as long as the charset has no angle brackets these are no texts of samples.
VISIBLE = str.maketrans({" ": "<space>", "\n": "<newline>"})


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
            measured = measure(readings, params) | above.entries("cer_above")
            rows.append({"lines": lines, "decoder": name, **measured, **speed[name]})
    return rows


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
