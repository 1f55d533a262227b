from pathlib import Path

import numpy as np

from textrec.records import Prediction
from textrec.report import errors_page, mark_differences, table


def test_differences_are_marked_and_escaped() -> None:
    truth, read = mark_differences("a <b> cat", "a <b> bat!")
    assert truth == "a &lt;b&gt; <del>c</del>at"
    assert read == "a &lt;b&gt; <ins>b</ins>at<ins>!</ins>"


def test_the_page_shows_each_error_with_its_image(tmp_path: Path) -> None:
    image = np.zeros((28, 60), np.uint8)
    predictions = [Prediction(f"s-{i}", "<w>", True, "truth", "truht", 0.5, {"ar": "truht"}) for i in range(2)]
    errors_page(tmp_path / "errors.html", "CER 1 %", [(prediction, 2, image) for prediction in predictions])
    page = (tmp_path / "errors.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "CER 1 %" in page
    assert "writer &lt;w&gt;" in page
    assert "2 errors in 5 characters" in page


def test_the_table_shows_rates_with_their_intervals() -> None:
    row = {"samples": 7, "cer": 0.05, "cer_low": 0.04, "cer_high": 0.06, "perfect": 0.5}
    row |= {"wer": 0.2, "wer_low": 0.1, "wer_high": 0.3}
    lines = table(row | {"listed": row | {"samples": 6}}).splitlines()
    assert lines[1].split() == [
        "test",
        "split",
        "7",
        "5.00%",
        "[4.00%,",
        "6.00%]",
        "20.00%",
        "[10.00%,",
        "30.00%]",
        "50.0%",
    ]
    assert lines[2].startswith("officially listed")
    assert len({len(line) for line in lines}) == 1
    assert len(table(row).splitlines()) == 2
