"""Measure what was read in the test split."""

from textrec.metrics import EvaluateParams, char_errors, measure
from textrec.params import load
from textrec.recipe import TrainParams
from textrec.records import read_predictions
from textrec.report import errors_page, table
from textrec.runtime import run, write_json
from textrec.samples import read_split


def main() -> None:
    """Write metrics/test.json and the page of errors."""
    params = load("evaluate", EvaluateParams)
    predictions = read_predictions("data/predictions/test.jsonl")
    listed = [prediction for prediction in predictions if prediction.listed]
    metrics = measure(predictions, params) | ({"listed": measure(listed, params)} if listed else {})
    write_json("metrics/test.json", metrics)
    print(table(metrics))

    split = read_split(f"data/processed/{load('train', TrainParams).data}.h5", "test")
    errors = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    worst = sorted(range(len(errors)), key=lambda index: -errors[index])[: params.worst]
    wrong = [(predictions[index], errors[index], split.image(index)) for index in worst if errors[index]]
    errors_page("reports/errors.html", f"{table(metrics)}\n\nThe {len(wrong)} worst:", wrong)


if __name__ == "__main__":
    run(main)
