"""Small archives of on-line handwriting, in both of the forms that it comes in."""

import io
from pathlib import Path

import numpy as np
from raw_archives import write_zip

Line = tuple[str, str, list[list[tuple[int, int]]]]  # id, text, strokes

ZIGZAG = [(40 * i, 60 - 60 * (i % 2)) for i in range(30)]
LINES: list[Line] = [
    ("b01-000-01", "first of these lines", [ZIGZAG[:10], ZIGZAG[10:]]),
    ("b01-000-02", "Mr . Smith ' s", [ZIGZAG[:8], [(300, 10)]]),
    ("b02-111z-01", "another text", [ZIGZAG[:20]]),
]


def arrays(lines: list[Line] = LINES) -> dict[str, np.ndarray]:
    strokes = [stroke for _, _, strokes in lines for stroke in strokes]
    return {
        "points": np.concatenate([np.array(stroke, np.int16) for stroke in strokes]),
        "stroke_end": np.cumsum([len(stroke) for stroke in strokes]),
        "line_end": np.cumsum([len(strokes) for _, _, strokes in lines]),
        "line_id": np.array([id_ for id_, _, _ in lines]),
        "text": np.array([text for _, text, _ in lines]),
    }


def packed(lines: list[Line] = LINES, **changes: np.ndarray) -> dict[str, bytes]:
    members = {}
    for name, array in (arrays(lines) | changes).items():
        file = io.BytesIO()
        np.save(file, array)
        members[f"{name}.npy"] = file.getvalue()
    return members


def xml(lines: list[Line] = LINES) -> dict[str, bytes]:
    """Members as `download` lays them out; line and transcript numbers start with 1."""
    members, forms = {}, {}
    for id_, text, strokes in lines:
        forms.setdefault(id_.rpartition("-")[0], []).append(text)
        points = ["".join(f'<Point x="{x}" y="{y}" time="1.5"/>' for x, y in stroke) for stroke in strokes]
        body = "".join(f"<Stroke>{stroke}</Stroke>" for stroke in points)
        members[f"lineStrokes/{id_}.xml"] = (
            '<?xml version="1.0" encoding="ISO-8859-1"?><WhiteboardCaptureSession><WhiteboardDescription/>'
            f"<StrokeSet>{body}</StrokeSet></WhiteboardCaptureSession>"
        ).encode()
    for form, texts in forms.items():
        members[f"ascii/{form}.txt"] = f"OCR:\n\nfirst guess\n\nCSR:\n\n{chr(10).join(texts)}\n\n".encode()
    return members


def write_ondb(path: Path, members: dict[str, bytes] | None = None) -> Path:
    return write_zip(path, packed() if members is None else members)
