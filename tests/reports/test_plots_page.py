import sys
from importlib import resources

from repository import ROOT

VEGA = "static/js_lib_vega_embed/vega-embed-full.js"


def test_plots_find_vega_in_the_environment() -> None:
    page = (ROOT / ".dvc/plots/page.html").read_text()
    folder = "../.venv/lib/python{}.{}/site-packages/js_lib_vega_embed".format(*sys.version_info)
    assert f'<script src="{folder}/{VEGA}"></script>' in page
    assert resources.files("js_lib_vega_embed").joinpath(VEGA).is_file()
    assert "html_template = plots/page.html" in (ROOT / ".dvc/config").read_text()
