import io
import shutil
import zipfile

import numpy as np
import pytest
from charsets import CHARSET_YAML
from PIL import Image, ImageDraw

from stages import synth_paragraphs
from textrec.archives.raw import read_form_image
from textrec.base.charset import PARAGRAPH_CHARACTERS
from textrec.base.params import validate
from textrec.base.records import SPLITS, Box, Form, Line, Sample, Word, write_forms
from textrec.base.runtime import TextrecError
from textrec.datasets.crops import crop_paragraph, line_regions
from textrec.datasets.samples import read_split, write_samples
from textrec.datasets.synthesis import SynthParagraphs, _measure, _stack, stack_paragraphs
from textrec.pages.cutting import resample

VALUES = {"count": 12, "min_lines": 1, "max_lines": 4, "seed": 1}
PAGE = (600, 800)


def params(**changes):
    return validate(VALUES | changes, SynthParagraphs, where="params.yaml: synth_paragraphs")


def form(form_id, *, split="train", pitch=120, height=80, lines=5):
    """Lines of different widths and indents, one box each."""
    boxes = [Box(40 + 9 * (i % 3), 50 + i * pitch, 300 + 31 * i, height) for i in range(lines)]
    texts = [f"{form_id} {i}" for i in range(lines)]
    made = (Line(f"{form_id}-{i:02d}", text, True, (Word(text, (boxes[i],)),)) for i, text in enumerate(texts))
    return Form(form_id, "000", split, *PAGE, tuple(made))


def archive(folder, forms, ink):
    """White pages where every line begins with a bar of `ink(form)`, the upper half of it fainter."""
    path = folder / "iamdb.zip"
    with zipfile.ZipFile(path, "w") as target:
        for page in forms:
            image = Image.new("L", PAGE, 255)
            draw = ImageDraw.Draw(image)
            for line in page.lines:
                x, y, width, height = line.boxes[0]
                draw.rectangle((x, y, x + width // 3, y + height - 1), 255 - ink(page))
                draw.rectangle((x, y, x + width // 3, y + height // 2), 255 - ink(page) // 2)
            file = io.BytesIO()
            image.save(file, "PNG")
            target.writestr(f"forms/{page.id}.png", file.getvalue())
    return path


FORMS = [form("a01"), form("a02", pitch=90, height=70), form("b01", pitch=150, height=60, lines=3)]


@pytest.fixture
def pages(tmp_path):
    return archive(tmp_path, FORMS, lambda _: 200)


def stack(pages, forms=FORMS, workers=1, **changes):
    return list(stack_paragraphs(forms, pages, params(**changes), line_height=28, place="local", workers=workers))


def test_paragraphs_have_the_height_of_real_ones_and_lines_of_several_forms(pages):
    paragraphs = stack(pages)
    assert [paragraph.id for paragraph in paragraphs[:2]] == ["synth-00000", "synth-00001"]
    assert len(paragraphs) == 12
    texts = {line.text for page in FORMS for line in page.lines}
    for paragraph in paragraphs:
        lines = paragraph.text.split("\n")
        assert paragraph.image.shape[0] == 28 * len(lines)
        assert texts.issuperset(lines)
    assert {paragraph.text.count("\n") for paragraph in paragraphs} == {0, 1, 2, 3}
    assert any(len({line[:3] for line in paragraph.text.split("\n")}) > 1 for paragraph in paragraphs)


@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.id)
def test_lines_of_one_page_stand_where_they_stand_in_its_real_paragraph(pages, page):
    boxes = _stack(_measure(page, 0), 28)
    regions = line_regions(page)
    real = crop_paragraph(page, archive=pages, line_height=28)[0][1].image
    assert boxes[-1].bottom == real.shape[0]
    assert max(box.right for box in boxes) == real.shape[1]
    scale = real.shape[0] / (regions[-1].bottom - regions[0].y)
    for box, region in zip(boxes, regions, strict=True):
        placed = (region.x - min(r.x for r in regions), region.y - regions[0].y, region.width, region.height)
        assert box == pytest.approx([value * scale for value in placed], abs=1)


def test_a_paragraph_of_one_line_is_its_region_of_the_form(pages):
    real = {
        line.text: resample(read_form_image(pages, page.id), (box.x, box.y, box.right, box.bottom), 28).astype(int)
        for page in FORMS
        for line, box in zip(page.lines, line_regions(page), strict=True)
    }
    for paragraph in stack(pages, max_lines=1):
        difference = paragraph.image.astype(int) - real[paragraph.text]
        assert np.abs(difference).max() <= 1  # the one is inverted before it is resampled, the other after


def test_hands_of_all_sizes_come_out_in_one_size():
    small, large = form("s01", pitch=60, height=40), form("l01", pitch=120, height=80)
    heights = [
        {box.height for box in _stack([line for line in _measure(page, 0) for _ in range(8)], 28)}
        for page in (small, large)
    ]
    assert max(heights[0] | heights[1]) - min(heights[0] | heights[1]) <= 4  # padding weighs more in a small hand


def test_where_lines_overlap_the_ink_of_both_stays(tmp_path):
    crowded = [form("a01", pitch=50, height=90)]
    regions = line_regions(crowded[0])
    assert regions[0].bottom > regions[1].y
    path = tmp_path / "iamdb.zip"
    with zipfile.ZipFile(path, "w") as target:
        file = io.BytesIO()
        image = Image.new("L", PAGE, 255)
        image.paste(255 - 200, (0, 0, 120, PAGE[1]))  # a bar of ink down the page, through the left of every line
        image.save(file, "PNG")
        target.writestr("forms/a01.png", file.getvalue())
    for paragraph in stack(path, crowded, min_lines=3):
        assert (paragraph.image[:, 10:30] == 200).all()
        assert (paragraph.image[:, 60:] == 0).all()


def test_lines_from_papers_of_several_tones_lie_on_one_paper(tmp_path):
    path = tmp_path / "iamdb.zip"
    with zipfile.ZipFile(path, "w") as target:
        for page, tone in zip(FORMS, (0, 10, 30), strict=True):
            file = io.BytesIO()
            Image.new("L", PAGE, 255 - tone).save(file, "PNG")
            target.writestr(f"forms/{page.id}.png", file.getvalue())
    for paragraph in stack(path):
        tones = [{"a01": 0, "a02": 10, "b01": 30}[line[:3]] for line in paragraph.text.split("\n")]
        assert (paragraph.image == max(tones)).all()


def test_a_paragraph_depends_on_seed_and_id_alone(pages):
    first = stack(pages)
    for other in (stack(pages, workers=2), stack(pages, count=20)[:12]):
        for one, two in zip(first, other, strict=True):
            assert (one.id, one.text) == (two.id, two.text)
            assert (one.image == two.image).all()
    assert [p.text for p in stack(pages, seed=2)] != [p.text for p in first]


def test_without_forms_there_is_nothing_to_stack(pages):
    assert stack(pages, forms=[]) == []


def test_a_missing_image_is_told_in_one_line(pages):
    with pytest.raises(TextrecError, match=r"iamdb\.zip: form z01 has no image"):
        stack(pages, forms=[form("z01")], workers=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"min_lines": 5}, "min_lines must not be above max_lines"), ({"count": 0}, "count is 0")],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(TextrecError, match=message):
        params(**change)


def paragraphs_file(path, source, ids):
    samples = (
        (split, Sample(f"{split}-{name}", f"{name}\nof {source}", "w", np.full((56, 30), 9, np.uint8)))
        for split in SPLITS
        for name in ids
    )
    write_samples(path, samples, source=source, line_height=28, characters=PARAGRAPH_CHARACTERS)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working folder with training forms in faint ink and others in black, and real paragraphs."""
    for folder in ("data/raw", "data/interim", "data/processed"):
        (tmp_path / folder).mkdir(parents=True)
    forms = [*FORMS, form("v01", split="val"), form("t01", split="test")]
    made = archive(tmp_path, forms, lambda page: 120 if page.split == "train" else 240)
    shutil.move(made, tmp_path / "data/raw/iamdb.zip")
    write_forms(tmp_path / "data/interim/iam.jsonl", forms)
    paragraphs_file(tmp_path / "data/processed/iam_paragraphs.h5", "the archive", ["one", "two"])
    (tmp_path / "params.yaml").write_text(
        f"{CHARSET_YAML}crop: {{line_height: 28}}\ndata: {{workers: local}}\n"
        "synth_paragraphs: {count: 12, min_lines: 1, max_lines: 4, seed: 1}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_stages_train_on_training_forms_alone_and_measure_on_real_paragraphs(project):
    synth_paragraphs.main()
    stacked = read_split("data/processed/synth_paragraphs.h5", "train")
    assert len(stacked) == 12
    assert stacked.pixels.max() <= 120
    assert not any("v01" in text or "t01" in text for text in stacked.text)
    assert (project / "reports/synth_paragraphs.png").exists()
    for split in ("val", "test"):
        real, copied = (
            read_split(f"data/processed/{name}.h5", split) for name in ("iam_paragraphs", "synth_paragraphs")
        )
        assert ([*copied.id], [*copied.text]) == ([*real.id], [*real.text])
        assert (copied.pixels == real.pixels).all()


def test_a_second_run_writes_the_same_bytes(project):
    outputs = []
    for _ in range(2):
        synth_paragraphs.main()
        outputs.append((project / "data/processed/synth_paragraphs.h5").read_bytes())
    assert outputs[0] == outputs[1]
