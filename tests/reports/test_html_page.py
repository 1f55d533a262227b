import base64
import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textrec.reports.html_page import differences, histograms, picture, table, write_html


def test_differences_are_marked_and_escaped() -> None:
    text, other = differences("a <b> cat", "a <b> bat!")
    assert text == "a &lt;b&gt; <del>c</del>at"
    assert other == "a &lt;b&gt; <ins>b</ins>at<ins>!</ins>"


def test_a_picture_is_ink_on_paper_in_sixteen_greys() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(8, 32)
    html = picture(image, 'so "it" is', zoom=1.5)
    assert 'alt="so &#34;it&#34; is" width="48" height="12"' in html
    [data] = re.findall(r"base64,([^\"]+)", html)
    with Image.open(io.BytesIO(base64.b64decode(data))) as drawn:
        assert drawn.size == (32, 8)
        shown = np.asarray(drawn.convert("L")).astype(int)
    assert shown[0, 0] == 255
    assert np.abs(shown - (255 - image.astype(int))).max() <= 17
    assert len(np.unique(shown)) == 16


def test_a_table_names_its_columns_and_rows() -> None:
    html = table("<1>", [{"name": "<a>", "n": 1}, {"name": "b", "n": 2}])
    assert "<caption>&lt;1&gt;</caption>" in html
    assert '<tr><th scope="col">name</th><th scope="col">n</th></tr>' in html
    assert '<tr><th scope="row">&lt;a&gt;</th><td>1</td></tr>' in html


def bars(html: str) -> list[list[int]]:
    """The counts of each histogram, from its table."""
    return [[int(n) for n in re.findall(r"<td>(\d+)</td></tr>", body)] for body in html.split("<figure>")[1:]]


def test_histograms_count_every_value_once_over_the_same_bars() -> None:
    random = np.random.default_rng(1)
    groups = {"a": random.normal(0, 1, 1000).tolist(), "b": random.normal(3, 0.1, 50).tolist()}
    html = histograms(groups, values="width, pixels", counted="lines")
    counts = bars(html)
    assert [sum(group) for group in counts] == [1000, 50]
    assert len(counts[0]) == len(counts[1])
    assert 12 <= len(counts[0]) <= 26
    assert np.argmax(counts[1]) > np.argmax(counts[0])
    assert 'aria-label="a: 1000 lines, from ' in html


def test_few_values_far_away_are_in_the_last_bar() -> None:
    html = histograms({"a": [*range(1000), 10**6]}, values="n", counted="lines")
    [counts] = bars(html)
    assert sum(counts) == 1001
    assert len(counts) <= 26
    assert "the last bar holds 1 beyond it" in html


@pytest.mark.parametrize("values", [[5], [0, 0, 0], [0.25, 0.25], [-3.5, 7.0], [1, 2]])
def test_histograms_of_few_values(values: list[float]) -> None:
    [counts] = bars(histograms({"a": values}, values="n", counted="lines"))
    assert sum(counts) == len(values)


def test_histograms_leave_out_what_is_not_finite_and_say_where_nothing_is() -> None:
    [counts] = bars(histograms({"a": [1.0, float("inf")], "b": []}, values="n", counted="lines"))
    assert sum(counts) == 1
    assert histograms({"a": []}, values="n", counted="lines") == "<p>No lines.</p>"


def test_the_policy_of_a_page_knows_its_style_and_allows_no_network(tmp_path: Path) -> None:
    names = ("losses", "stretches", "line_heights", "widths", "lengths", "by_writer")
    groups = {name: {"train": [1.0, 2.0]} for name in names}
    lists = dict.fromkeys(("notes", "drops", "suspects", "hard", "stretched", "characters", "writers"), ())
    few = {"source": "<none>", "sizes": {}, "impossible": 0, "of_iam": True}
    write_html(tmp_path / "page.html", "health.html", **few, **groups, **lists)
    page = (tmp_path / "page.html").read_text()
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'" in page
    assert not re.search(r"<script|https?:|style=|\son\w+=", page)
    assert "&lt;none&gt;" in page
