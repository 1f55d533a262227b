import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from charsets import CHARSET_YAML, IAM
from iam_archives import SIZE, Page, line, members, pages, write_archive
from PIL import Image
from repository import ROOT

from textrec.archives.raw import read_form_image
from textrec.base.records import Box, Form, Line, Word, write_forms
from textrec.base.runtime import TextrecError
from textrec.datasets.crops import crop_forms, crop_lines, crop_paragraph, line_crops, line_regions
from textrec.datasets.iam import Report, parse_forms
from textrec.datasets.samples import read_split


def form(*lines: list[Box], size: tuple[int, int] = SIZE) -> Form:
    """A form whose n-th line is one word with the n-th boxes."""
    parsed = tuple(Line(f"f-{n:02}", "word", True, (Word("word", tuple(boxes)),)) for n, boxes in enumerate(lines))
    return Form("f", "w", "train", *size, parsed)


@pytest.fixture
def prepare(tmp_path):
    """An archive of pages and the forms parsed from it, in a folder as the stages expect it."""
    folders = itertools.count()

    def run(forms: list[Page], **options) -> Path:
        folder = tmp_path / str(next(folders))
        archive = write_archive(folder / "data/raw/iamdb.zip", members(forms, **options))
        (folder / "data/corrections.tsv").write_text("form\twrong\tright\treason\n")
        (folder / "params.yaml").write_text(f"{CHARSET_YAML}crop: {{line_height: 28}}")
        options = {"charset": IAM, "skip_bad_lines": False, "report": Report()}
        parsed = parse_forms(archive, folder / "data/corrections.tsv", **options)
        write_forms(folder / "data/interim/iam.jsonl", parsed)
        return folder

    return run


def crops(folder: Path, crop=crop_lines) -> dict[str, np.ndarray]:
    samples = crop_forms(crop, folder / "data/interim/iam.jsonl", archive=folder / "data/raw/iamdb.zip", line_height=28)
    return {sample.id: sample.image for _, sample in samples}


# ---- regions ----


def test_a_region_is_the_union_of_the_boxes_with_padding():
    assert line_regions(form([Box(100, 200, 50, 40), Box(300, 190, 80, 60)])) == [Box(84, 174, 312, 92)]


def test_a_region_stays_within_the_page():
    assert line_regions(form([Box(5, 3, 995, 1397)]))[0][:3] == (0, 0, 1000)
    assert line_regions(form([Box(5, 1350, 995, 50)])) == [Box(0, 1334, 1000, 66)]


def test_an_f_that_runs_into_the_next_line_counts_120_px():  # r02-060
    assert line_regions(form([Box(100, 200, 50, 300)])) == [Box(84, 184, 82, 152)]


def test_the_120_px_count_from_the_smallest_top_so_far():
    low_then_high = [Box(0, 300, 10, 200), Box(20, 250, 10, 60)]
    assert line_regions(form(low_then_high))[0].bottom == 300 + 120 + 16
    assert line_regions(form(low_then_high[::-1]))[0].bottom == 250 + 120 + 16


def test_padding_is_at_most_half_of_the_gap():
    upper, lower = line_regions(form([Box(100, 200, 50, 50)], [Box(100, 261, 50, 50)]))
    assert (upper.bottom, lower.y) == (255, 256)


def test_lines_that_overlap_get_no_padding_between_them():  # h04-082
    upper, lower = line_regions(form([Box(100, 200, 50, 100)], [Box(100, 280, 50, 50)]))
    assert (upper.bottom, lower.y) == (300, 280)


# ---- crops ----


def test_lines_are_inverted_28_px_high_and_in_proportion(prepare):
    found = crops(prepare(pages(), scale=1, suffix="png"))
    assert list(found) == ["a01-000-00", "a01-000-01", "b01-000-00", "b01-000-01", "c01-000-00", "c01-000-01"]
    image = found["a01-000-00"]  # three words of 100 x 50 from x = 100 on, 150 apart: 432 wide with padding
    assert image.shape == (28, round(28 * 432 / (0.6 * 50 * 3.6)))  # six tenths of what has no tails are body
    assert image.dtype == np.uint8
    assert image[0].max() == 0
    assert image[14, image.shape[1] // 2] == 255 - 20


def test_half_size_and_full_size_give_the_same_crops_but_for_rounding(prepare):
    for crop in (crop_lines, crop_paragraph):
        half = crops(prepare(pages(), scale=0.5, suffix="png"), crop)
        full = crops(prepare(pages(), scale=1, suffix="png"), crop)
        for name, image in half.items():
            assert image.shape == full[name].shape
            assert np.abs(image.astype(int) - full[name]).mean() < 3


def test_word_ranges_hold_the_words_ink(prepare):
    folder = prepare(pages(), scale=1, suffix="png")
    samples = crop_forms(
        crop_lines, folder / "data/interim/iam.jsonl", archive=folder / "data/raw/iamdb.zip", line_height=28
    )
    _, sample = next(iter(samples))
    assert len(sample.words) == 3
    inside = np.zeros(sample.image.shape[1], bool)
    for start, end in sample.words:
        assert sample.image[14, start + 1 : end - 1].min() > 200
        inside[start - 1 : end + 1] = True
    assert sample.image[:, ~inside].max() < 30


@pytest.mark.parametrize(
    ("boxes", "known"),
    [
        ([(100, 50), (200, 50), (300, 50)], [True, True, True]),
        ([(100, 250), (200, 50), (300, 50)], [False, True, True]),  # the first word's box is the line's
        ([(100, 250), None, None], [False, False, False]),
        ([(100, 170), (200, 50), (300, 50)], [False, True, True]),  # holds the second word's
        ([(100, 50), None, (300, 50)], [True, False, True]),
    ],
)
def test_word_ranges_that_cannot_be_a_words_are_unknown(tmp_path, boxes, known):
    words = tuple(
        Word(text, (Box(box[0], 200, box[1], 50),) if box else ()) for text, box in zip("abc", boxes, strict=True)
    )
    archive = write_archive(tmp_path / "iamdb.zip", members(pages()))
    parsed = Form("a01-000", "w", "train", *SIZE, (Line("a01-000-00", "a b c", True, words),))
    [(_, sample)] = crop_lines(parsed, archive=archive, line_height=28)
    assert [word != (-1, -1) for word in sample.words] == known


def test_a_paragraph_is_the_union_of_its_lines_at_28_px_a_line(prepare):
    folder = prepare(pages(), scale=1, suffix="png")
    samples = crop_forms(
        crop_paragraph, folder / "data/interim/iam.jsonl", archive=folder / "data/raw/iamdb.zip", line_height=28
    )
    split, sample = next(iter(samples))
    assert (split, sample.id, sample.text) == ("train", "a01-000", "A quick fox\njumps over")
    assert sample.words == ((4, 32), (46, 74), (88, 116), (4, 32), (46, 74))
    assert sample.image.shape == (56, round(56 * 432 / (370 - 200 + 32)))


def test_line_crops_are_cut_at_the_scale_of_the_image():
    image = Image.new("L", (500, 700), 255)
    image.paste(20, (50, 100, 100, 125))
    [crop] = line_crops(image, form([Box(100, 200, 100, 50)]))
    assert crop.shape == (41, 66)
    assert (crop[8:33, 8:58] == 235).all()
    assert crop.sum() == 235 * 50 * 25


def test_a_page_cut_below_the_last_line_is_cropped_to_its_end():
    [crop] = line_crops(Image.new("L", (1000, 255), 255), form([Box(100, 200, 100, 50)]))
    assert crop.shape == (71, 132)


def test_colour_images_are_read_as_grey(tmp_path):
    contents = members(pages())
    colour = Image.new("RGB", (10, 20), (255, 0, 0))
    colour.save(tmp_path / "page.png")
    contents["forms/x.png"] = (tmp_path / "page.png").read_bytes()
    image = read_form_image(write_archive(tmp_path / "iamdb.zip", contents), "x")
    assert (image.mode, image.getpixel((0, 0))) == ("L", 76)  # ITU-R 601-2: 0.299 of red


# ---- bad input ----


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_truncated_image_is_an_error_naming_archive_and_form(prepare, suffix):
    folder = prepare(pages(), suffix=suffix)
    contents = members(pages(), suffix=suffix)
    image = contents[f"forms/b01-000.{suffix}"]
    contents[f"forms/b01-000.{suffix}"] = image[: len(image) // 2]
    write_archive(folder / "data/raw/iamdb.zip", contents)
    with pytest.raises(TextrecError, match=rf"iamdb.zip: forms/b01-000.{suffix} cannot be read \("):
        crops(folder)


def test_a_damaged_member_is_an_error_naming_archive_and_form(tmp_path):
    archive = write_archive(tmp_path / "iamdb.zip", members(pages()))
    data = bytearray(archive.read_bytes())
    data[data.index(b"forms/a01-000.jpg") + 500] ^= 255  # the check sum no longer holds
    archive.write_bytes(data)
    with pytest.raises(TextrecError, match=r"iamdb.zip: forms/a01-000.jpg cannot be read \(Bad CRC-32"):
        read_form_image(archive, "a01-000")


def test_a_form_without_image_is_an_error(tmp_path):
    archive = write_archive(tmp_path / "iamdb.zip", members(pages()))
    with pytest.raises(TextrecError, match=r"iamdb.zip: form z99 has no image in forms/"):
        read_form_image(archive, "z99")


# ---- the stages ----


def test_the_stages_write_the_same_bytes_in_any_folder_with_any_number_of_workers(prepare):
    form_pages = pages() + [
        Page(f"d{n:02}-000", "001", "trainset", [line("some more text", 200), line("to crop", 300)]) for n in range(12)
    ]
    one, two = prepare(form_pages), prepare(form_pages)
    for name in ("lines", "paragraphs"):
        for folder, cores in ((one, {min(os.sched_getaffinity(0))}), (two, os.sched_getaffinity(0))):
            subprocess.run(
                [sys.executable, ROOT / f"stages/crop_{name}.py"],
                cwd=folder,
                env={"PYTHONPATH": str(ROOT)},
                check=True,
                preexec_fn=lambda cores=cores: os.sched_setaffinity(0, cores),
            )
            assert (folder / f"reports/iam_{name}.png").stat().st_size > 1000
        outputs = [(folder / f"data/processed/iam_{name}.h5").read_bytes() for folder in (one, two)]
        assert outputs[0] == outputs[1]
    train = read_split(one / "data/processed/iam_paragraphs.h5", "train")
    assert train.source == "iam_paragraphs"
    assert list(train.id[:2]) == ["a01-000", "d00-000"]


def test_a_stage_that_cannot_go_on_keeps_the_last_good_output(prepare):
    folder = prepare(pages())
    command = [sys.executable, ROOT / "stages/crop_lines.py"]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=True)
    good = (folder / "data/processed/iam_lines.h5").read_bytes()
    write_archive(folder / "data/raw/iamdb.zip", members(pages()) | {"forms/c01-000.jpg": b"\xff\xd8"})
    failed = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: data/raw/iamdb.zip: forms/c01-000.jpg is no image")
    assert failed.stderr.count("\n") == 1
    assert (folder / "data/processed/iam_lines.h5").read_bytes() == good
