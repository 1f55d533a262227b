"""Read the test split of `train.data` with the trained model, in every way that it can."""

from tqdm import tqdm

from textrec.base.params import load
from textrec.base.records import Prediction, write_predictions
from textrec.base.runtime import run, write_json
from textrec.datasets.samples import read_split
from textrec.reports.metrics import EvaluateParams
from textrec.training.recipe import TrainParams


def main() -> None:
    """Write data/predictions/test.jsonl, in the order of the split, and the time that each decoder took."""
    # Not above: torch takes seconds to import, in which Ctrl-C must be answered as well.
    from textrec.network.batches import TextImages, loader
    from textrec.network.devices import best_device, now
    from textrec.network.trained import PredictParams, TrainedModel

    batch_size, search = load("predict", PredictParams).batch_size, load("evaluate", EvaluateParams)
    trained = TrainedModel.load("models/model.ckpt", device=best_device())
    split = read_split(f"data/processed/{load('train', TrainParams).data}.h5", "test")
    images = TextImages(split, trained.charset, trained.model.config)
    decoders = trained.decoders(search.ctc_weight)
    readings, seconds = {name: {} for name in decoders}, dict.fromkeys(decoders, 0.0)
    for batch in tqdm(loader(images, batch_size, shuffle=False), desc="read", unit="batch", disable=None):
        start = now()
        encoded = trained.encode(batch.images, batch.sizes)
        encoding = now() - start  # once, but each decoder by itself would need it
        for name, decode in decoders.items():
            start = now()
            readings[name] |= zip(batch.indices.tolist(), decode(encoded), strict=True)
            seconds[name] += encoding + now() - start

    *_, best = decoders
    predictions = []
    for index, s in enumerate(split.samples()):
        read = {name: found[index] for name, found in readings.items()}
        texts = {name: reading.text for name, reading in read.items()}
        certain = (read[best].confidence, list(read[best].characters))
        predictions.append(Prediction(s.id, s.writer, s.listed, s.text, texts[best], *certain, texts))
    write_predictions("data/predictions/test.jsonl", predictions)
    speed = {name: {"seconds": time, "samples_per_second": len(split) / time} for name, time in seconds.items()}
    write_json("metrics/predict.json", speed)
    shares = ", ".join(f"{name} {rates['samples_per_second']:.0f}" for name, rates in speed.items())
    print(f"{len(split)} samples read; samples a second: {shares}")


if __name__ == "__main__":
    run(main)
