from xml.etree import ElementTree

import pytest

from textrec.reports.charts import Series, axis, chart


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([0.83, 1.0], [0.8, 0.85, 0.9, 0.95, 1.0]),
        ([0.0, 0.0437], [0.0, 0.01, 0.02, 0.03, 0.04, 0.05]),
        ([0.0, 3.0], [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]),
        ([0.0, 7.3], [0.0, 2.0, 4.0, 6.0, 8.0]),
        ([0.0, 0.0], [0.0, 0.002]),
    ],
)
def test_an_axis_shows_all_values_from_tick_to_tick(values: list[float], ticks: list[float]) -> None:
    made = axis("CER", values)
    assert made.ticks == pytest.approx(ticks)
    assert made.low <= min(values) <= max(values) <= made.high


def test_points_stand_where_the_axes_say() -> None:
    x, y = axis("x & y", [0.0, 1.0]), axis("up", [0.0, 0.5])
    points = [(0.0, 0.0), (1.0, 0.5), (0.5, 0.25)]
    series = [Series("<dots>", "circle", points), Series("boxes", "square", points), Series("way", "line", points)]
    root = ElementTree.fromstring(chart('a "title"', x, y, series, diagonal="equal"))  # noqa: S314 - our own
    assert root.attrib["aria-label"] == 'a "title"'
    circles = [(float(node.attrib["cx"]), float(node.attrib["cy"])) for node in root.iterfind("circle")]
    (left, bottom), (right, top), middle = circles
    assert middle == ((left + right) / 2, (bottom + top) / 2)
    assert left < right
    assert bottom > top
    grid = [node.attrib["d"] for node in root.iterfind("path[@class='grid']")]
    assert any(path.startswith(f"M{left} ") and "V" in path for path in grid)
    assert any(path.startswith("M") and f" {top}H" in path for path in grid)
    squares = [(float(node.attrib["x"]) + 4, float(node.attrib["y"]) + 4) for node in root.iterfind("rect")]
    assert squares == circles
    lines = {node.attrib["class"]: node.attrib["points"] for node in root.iterfind("polyline")}
    assert lines["line"] == " ".join(f"{x},{y}" for x, y in circles)
    assert lines["diagonal"].startswith(f"{left},{bottom} {middle[0]},{top}")  # up to 0.5, where y ends
    texts = [node.text for node in root.iter("text")]
    assert {"x & y", "up", "<dots>", "boxes", "way", "equal", "0%", "100%", "50%"} <= set(texts)
