"""Measure what was read in the test split."""

from textrec.metrics import EvaluateParams, char_errors, measure
from textrec.params import load
from textrec.recipe import TrainParams
from textrec.records import read_predictions
from textrec.report import errors_page
from textrec.runtime import run, write_json
from textrec.samples import read_split


def main() -> None:
    """Write metrics/test.json and the page of errors."""
    params = load("evaluate", EvaluateParams)
    predictions = read_predictions("data/predictions/test.jsonl")
    listed = [prediction for prediction in predictions if prediction.listed]
    measures = measure(predictions, params)
    write_json("metrics/test.json", measures | ({"listed": measure(listed, params)} if listed else {}))

    split = read_split(f"data/processed/{load('train', TrainParams).data}.h5", "test")
    errors = [char_errors(prediction.truth, prediction.read) for prediction in predictions]
    worst = sorted(range(len(errors)), key=lambda index: -errors[index])[: params.worst]
    wrong = [(predictions[index], errors[index], split.image(index)) for index in worst if errors[index]]
    summary = "CER {cer:.2%} [{cer_low:.2%}, {cer_high:.2%}], WER {wer:.2%} on {samples} samples".format(**measures)
    errors_page("reports/errors.html", f"{summary}; the {len(wrong)} worst:", wrong)


if __name__ == "__main__":
    run(main)
