"""Measure what was read in the test split."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from textrec.base.edit_distance import char_errors
from textrec.base.params import load
from textrec.base.records import Prediction, read_predictions
from textrec.base.runtime import TextrecError, read_json, run, write_json
from textrec.datasets.samples import Split, read_split
from textrec.reports import metrics, reliability, tables
from textrec.reports.errors_page import Mistake, errors_page
from textrec.reports.summary import summary
from textrec.training.recipe import TrainParams


def main() -> None:
    """Write metrics/test.json, the tables of where the errors are, and the page of errors."""
    params = load("evaluate", metrics.EvaluateParams)
    predictions, speed = read_predictions("data/predictions/test.jsonl"), read_json("metrics/predict.json")
    data = f"data/processed/{load('train', TrainParams).data}.h5"
    split = read_split(data, "test")
    check_samples(predictions, split, data)
    if speed.keys() != predictions[0].readings.keys():
        problem = f"times {', '.join(speed)}, the predictions are by {', '.join(predictions[0].readings)}"
        raise TextrecError(f"metrics/predict.json: {problem}; run `dvc repro -f predict`")

    curve = reliability.risk_coverage(predictions)
    outputs = {
        "reports/decoders.json": tables.by_decoder(predictions, speed, params),
        "reports/writers.json": tables.by_writer(predictions),
        "reports/lengths.json": tables.by_length(predictions),
        "reports/characters.json": tables.by_character(predictions),
        "reports/confusions.json": tables.confusions(predictions),
        "reports/calibration_characters.json": reliability.of_characters(predictions),
        "reports/calibration_samples.json": reliability.of_samples(predictions),
        "reports/risk_coverage.json": reliability.thinned(curve),
    }
    for path, rows in outputs.items():
        write_json(path, rows)
    shown = {Path(path).stem: rows for path, rows in outputs.items()}
    measured = metrics.headline(predictions, shown["decoders"], params)
    measured["confidence"] = reliability.confidence_metrics(
        shown["calibration_characters"], shown["calibration_samples"], curve
    )
    write_json("metrics/test.json", measured)

    errors = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    worst = sorted(range(len(errors)), key=lambda index: -errors[index])[: params.worst]
    mistakes = [Mistake(predictions[index], errors[index], split.image(index)) for index in worst if errors[index]]
    errors_page("reports/errors.html", shown, mistakes)
    print(summary(shown, measured))


def check_samples(predictions: Sequence[Prediction], split: Split, data: str) -> None:
    """Raise TextrecError where the predictions are not of the samples of `split`, in their order, or not whole."""
    for index, (sample, prediction) in enumerate(zip_longest(split.id, predictions)):
        read = prediction and prediction.id
        if sample != read:
            problem = f"prediction {index} is of {read}, test sample {index} of {data} is {sample}"
        elif len(prediction.characters) != len(prediction.read):
            problem = f"{read} has {len(prediction.characters)} probabilities for {len(prediction.read)} characters"
        else:
            continue
        raise TextrecError(f"data/predictions/test.jsonl: {problem}; run `dvc repro -f predict`")


if __name__ == "__main__":
    run(main)
