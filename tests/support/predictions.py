"""Predictions, for what measures and shows them."""

from collections.abc import Sequence

from textrec.base.records import Prediction


def predict(
    truth: str,
    read: str,
    *,
    sample: str = "s-1",
    writer: str = "w",
    confidence: float = 1.0,
    characters: Sequence[float] = (),
) -> Prediction:
    """A prediction; its characters are as sure as the whole where nothing is said of them."""
    sure = list(characters) or [confidence] * len(read)
    return Prediction(sample, writer, True, truth, read, confidence, sure, {"ar": read})


def of_forms(*rows: tuple[str, str, str]) -> list[Prediction]:
    """Predictions of (id, truth, read); each letter that ids begin with is a writer."""
    return [predict(truth, read, sample=name, writer=f"w-{name[0]}") for name, truth, read in rows]


ROWS = of_forms(("a01-000-00", "a cat", "a cat"), ("a01-000-01", "a dog", "a dig"), ("b01-000-00", "no", ""))
