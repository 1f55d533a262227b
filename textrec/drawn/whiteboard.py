"""The embedded sample's on-line handwriting: lines by the people of `pen`, as the strokes that IAM-OnDB has."""

import io
import itertools

import numpy as np

from textrec.drawn.pen import Writer, writer
from textrec.drawn.prose import broken_into_lines, sentences

WRITERS = 24  # none of them writes a form or a glyph
LINES = 12  # by each
POINTS = 4  # of ink to one that is recorded
LIFT = 1.2  # units of the face: where points lie further apart, the pen was lifted
CLIMB = (-0.1, 0.05)  # how steeply lines go down; on a whiteboard most climb


def record_lines(seed: int) -> dict[str, bytes]:
    """The arrays of some 300 lines, in NumPy's format by file name, laid out as `datasets.strokes` reads them."""
    ids, texts, lines = [], [], []
    for index in range(WRITERS):
        hand = writer(index, seed=seed + 2_000_000)
        rng = np.random.Generator(np.random.PCG64((seed, 5, index)))
        source = sentences("train", rng)
        words = " ".join(itertools.islice(source, LINES))
        for number, text in enumerate(broken_into_lines(words, hand.line_length)[:LINES], start=1):
            ids.append(f"o{hand.id[1:]}-000-{number:02d}")
            texts.append(text)
            lines.append(_strokes(hand, text, rng))
    strokes = [stroke for line in lines for stroke in line]
    arrays = {
        "points": np.concatenate(strokes),
        "stroke_end": np.cumsum([len(stroke) for stroke in strokes]).astype(np.int32),
        "line_end": np.cumsum([len(line) for line in lines]).astype(np.int32),
        "line_id": np.array(ids),
        "text": np.array(texts),
    }
    return {f"{name}.npy": _as_npy(array) for name, array in arrays.items()}


def _strokes(hand: Writer, text: str, rng: np.random.Generator) -> list[np.ndarray]:
    """A line as int16 (n, 2) a stroke."""
    points = hand.write(text, rng).points
    points[:, 1] += rng.uniform(*CLIMB) * points[:, 0]
    lifted = np.hypot(*np.diff(points, axis=0).T) > LIFT * hand.size
    strokes = np.split(points, np.flatnonzero(lifted) + 1)
    return [np.rint(np.concatenate([stroke[:-1:POINTS], stroke[-1:]])).astype(np.int16) for stroke in strokes]


def _as_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
