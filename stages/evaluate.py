"""Measure what was read in the test split."""

from itertools import zip_longest

from textrec import metrics
from textrec.params import load
from textrec.recipe import TrainParams
from textrec.records import read_predictions
from textrec.report import errors_page, read_json, summary
from textrec.runtime import TextrecError, run, write_json
from textrec.samples import read_split


def main() -> None:
    """Write metrics/test.json, the tables of where the errors are, and the page of errors."""
    params = load("evaluate", metrics.EvaluateParams)
    predictions, speed = read_predictions("data/predictions/test.jsonl"), read_json("metrics/predict.json")
    data = f"data/processed/{load('train', TrainParams).data}.h5"
    split = read_split(data, "test")
    for index, (sample, read) in enumerate(zip_longest(split.id, (prediction.id for prediction in predictions))):
        if sample != read:
            problem = f"prediction {index} is of {read}, test sample {index} of {data} is {sample}"
            raise TextrecError(f"data/predictions/test.jsonl: {problem}; run `dvc repro -f predict`")
    if speed.keys() != predictions[0].readings.keys():
        problem = f"times {', '.join(speed)}, the predictions are by {', '.join(predictions[0].readings)}"
        raise TextrecError(f"metrics/predict.json: {problem}; run `dvc repro -f predict`")

    decoders = metrics.by_decoder(predictions, speed, params)
    writers, lengths = metrics.by_writer(predictions), metrics.by_length(predictions)
    characters, confusions = metrics.by_character(predictions), metrics.confusions(predictions)
    write_json("metrics/test.json", metrics.headline(predictions, decoders, params))
    write_json("reports/decoders.json", decoders)
    write_json("reports/writers.json", writers)
    write_json("reports/lengths.json", lengths)
    write_json("reports/characters.json", characters)
    write_json("reports/confusions.json", confusions)
    text = summary(decoders, writers, lengths, confusions)
    print(text)

    errors = [metrics.char_errors(prediction.truth, prediction.read) for prediction in predictions]
    worst = sorted(range(len(errors)), key=lambda index: -errors[index])[: params.worst]
    wrong = [(predictions[index], errors[index], split.image(index)) for index in worst if errors[index]]
    tables = {
        "CER by writer, highest first": writers,
        "CER by length": lengths,
        "CER by character, most errors first": characters,
        "Confusions, most frequent first": confusions,
    }
    errors_page("reports/errors.html", text, tables, wrong)


if __name__ == "__main__":
    run(main)
