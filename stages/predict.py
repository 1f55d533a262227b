"""Read the test split of `train.data` with the trained model."""

from tqdm import tqdm

from textrec.params import load
from textrec.recipe import TrainParams
from textrec.records import Prediction, write_predictions
from textrec.runtime import run
from textrec.samples import read_split


def main() -> None:
    """Write data/predictions/test.jsonl, in the order of the split."""
    # Not above: torch takes seconds to import, in which Ctrl-C must be answered as well.
    import torch

    from textrec.dataset import TextImages, loader
    from textrec.recognizer import PredictParams, Recognizer

    batch_size = load("predict", PredictParams).batch_size
    recognizer = Recognizer.load("models/model.ckpt", device="cuda" if torch.cuda.is_available() else "cpu")
    split = read_split(f"data/processed/{load('train', TrainParams).data}.h5", "test")
    images = TextImages(split, recognizer.charset, recognizer.model.config)
    readings = {}
    for batch in tqdm(loader(images, batch_size, shuffle=False), desc="read", unit="batch", disable=None):
        readings |= zip(batch.indices.tolist(), recognizer.read_batch(batch.images, batch.sizes), strict=True)
    predictions = (
        Prediction(s.id, s.writer, s.listed, s.text, readings[index].text, readings[index].confidence)
        for index, s in enumerate(split.samples())
    )
    write_predictions("data/predictions/test.jsonl", predictions)


if __name__ == "__main__":
    run(main)
