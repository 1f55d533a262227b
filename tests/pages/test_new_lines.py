"""Regions of PAGE XML and ALTO that have no lines get some, and all else stays as it is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textrec.pages.new_lines import NewLine
from textrec.pages.page_alto import Page, read_page, write_page

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<{p}PcGts xmlns{of}="http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}">
  <{p}Page imageFilename="scan.png" imageWidth="400" imageHeight="300">
    <{p}TextRegion id="line-1">
      {box}
    </{p}TextRegion>
    <{p}TextRegion id="b">
      {box}
      <{p}TextLine id="line-3">
        {box}
      </{p}TextLine>
    </{p}TextRegion>
    <{p}TextRegion id="c">{box}<{p}TextEquiv><{p}Unicode/></{p}TextEquiv></{p}TextRegion>
  </{p}Page>
</{p}PcGts>
"""
ALTO = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#">
  <Description>
    <MeasurementUnit>mm10</MeasurementUnit>
    <sourceImageInformation><fileName>scan.png</fileName></sourceImageInformation>
  </Description>
  <Layout><Page ID="p" WIDTH="800" HEIGHT="600"><PrintSpace>
    <TextBlock ID="a" HPOS="0" VPOS="0" WIDTH="800" HEIGHT="600"/>
  </PrintSpace></Page></Layout>
</alto>
"""
LINES = [
    NewLine(np.array([(10, 20), (90, 20), (90, 50), (10, 50)]), np.array([(10, 40), (90, 42)]), "a <& b", 0.5),
    NewLine(np.array([(10, 60), (90, 60), (90, 90), (10, 90)]), np.array([(10, 80), (90, 80)]), None, 0.0),
]


def page_source(version: str, prefix: str) -> str:
    corners = [(0, 0), (400, 0), (400, 300), (0, 300)]
    box = f'<{prefix}Coords points="{" ".join(f"{x},{y}" for x, y in corners)}"/>'
    if version < "2013":
        points = "".join(f'<{prefix}Point x="{x}" y="{y}"/>' for x, y in corners)
        box = f"<{prefix}Coords>{points}</{prefix}Coords>"
    return PAGE.format(version=version, p=prefix, of=f":{prefix[:-1]}" if prefix else "", box=box)


def read(folder: Path, source: str) -> Page:
    Image.new("L", (400, 300), 255).save(folder / "scan.png")
    (folder / "page.xml").write_text(source)
    return read_page(folder / "page.xml")


@pytest.mark.parametrize("prefix", ["", "pc:"])
@pytest.mark.parametrize("version", ["2010-03-19", "2019-07-15"])
def test_empty_regions_of_page_get_lines_in_their_order(tmp_path: Path, version: str, prefix: str) -> None:
    source = page_source(version, prefix)
    before = read(tmp_path, source)
    assert [region.element.attributes["id"] for region in before.empty_regions] == ["line-1", "c"]
    first, other = (region.element for region in before.empty_regions)
    write_page(before, tmp_path / "new.xml", {}, {first: LINES, other: LINES[:1]})
    after = read_page(tmp_path / "new.xml")
    assert [line.id for line in after.lines] == ["line-2", "line-4", "line-3", "line-5"]
    assert not after.empty_regions
    for found, line in zip((*after.lines[:2], after.lines[3]), (*LINES, LINES[0]), strict=True):
        assert found.problem is None
        assert found.text == line.text
        assert found.polygon.tolist() == line.outline.tolist()
        assert found.baseline is not None
        assert found.baseline.tolist() == line.baseline.tolist()
    written = (tmp_path / "new.xml").read_text()
    kept = [row for row in written.splitlines() if row in source.splitlines()]
    assert len(kept) >= len(source.splitlines()) - 2  # but for the regions that were on one row
    assert f"\n      <{prefix}TextLine id=" in written
    assert written.index("line-5") < written.index(f"<{prefix}Unicode/>")


@pytest.mark.parametrize("version", ["2", "4"])
def test_an_empty_block_of_alto_gets_lines_in_its_own_unit(tmp_path: Path, version: str) -> None:
    before = read(tmp_path, ALTO.format(version=version))
    write_page(before, tmp_path / "new.xml", {}, {before.empty_regions[0].element: LINES})
    after = read_page(tmp_path / "new.xml")
    assert [(line.id, line.text) for line in after.lines] == [("line-1", "a <& b"), ("line-2", "")]
    assert after.lines[0].polygon.tolist() == LINES[0].outline.tolist()
    baseline = after.lines[0].baseline
    assert (baseline is None) == (version == "2")
    if baseline is not None:
        assert baseline.tolist() == LINES[0].baseline.tolist()
    assert 'HPOS="20" VPOS="40" WIDTH="160" HEIGHT="60"' in (tmp_path / "new.xml").read_text()


def test_a_page_without_lines_stays_as_it_is(tmp_path: Path) -> None:
    before = read(tmp_path, page_source("2019-07-15", ""))
    write_page(before, tmp_path / "new.xml", {}, {before.empty_regions[0].element: []})
    assert (tmp_path / "new.xml").read_bytes() == (tmp_path / "page.xml").read_bytes()
