from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from repository import ROOT
from torch import Tensor

from textrec.base.params import load, validate
from textrec.base.records import SPLITS, Sample
from textrec.base.runtime import TextrecError
from textrec.datasets.samples import Split, read_split, write_samples
from textrec.training.augmentation import MOST_SHEAR, Augment, augmentation_sheet
from textrec.training.recipe import AugmentParams, TrainParams

OFF = dict.fromkeys(AugmentParams.model_fields, 0.0)
ALL = OFF | {
    "slant": 0.3,
    "slope": 0.1,
    "shrink": 0.2,
    "shift": 0.1,
    "elastic": 0.1,
    "thickness": 1.0,
    "blur": 1.0,
    "contrast": 0.5,
    "mask": 0.5,
    "paper": 0.1,
    "noise": 0.1,
}
# Of these an image draws no more numbers where it is padded more.
WHOLE_IMAGE = {
    name: ALL[name] for name in ("slant", "slope", "shrink", "shift", "thickness", "blur", "contrast", "paper")
}


def augment(images: Tensor, sizes: Tensor, seed: int = 0, /, **values: float) -> Tensor:
    torch.manual_seed(seed)
    return Augment(validate(OFF | values, AugmentParams, where="augment"), line_height=28)(images, sizes)


def pad(drawn: list[np.ndarray], height: int, width: int) -> tuple[Tensor, Tensor]:
    images = torch.zeros(len(drawn), 1, height, width, dtype=torch.uint8)
    for image, row in zip(images, drawn, strict=True):
        image[0, : row.shape[0], : row.shape[1]] = torch.from_numpy(row)
    return images, torch.tensor([row.shape for row in drawn])


def writing(height: int, width: int) -> np.ndarray:
    """Upright strokes of 3 pixels, 12 apart, within a margin."""
    image = np.zeros((height, width), np.uint8)
    for left in range(12, width - 12, 12):
        image[6 : height - 6, left : left + 3] = 200
    return image


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    return pad([writing(28, 150), writing(28, 90), writing(20, 120), writing(84, 160)], 84, 160)


def test_nothing_is_touched_where_every_parameter_is_0(batch: tuple[Tensor, Tensor]) -> None:
    assert augment(*batch) is batch[0]


@pytest.mark.parametrize("name", OFF)
def test_each_operation_alone_changes_each_image_within_its_own_size(name: str, batch: tuple[Tensor, Tensor]) -> None:
    images, sizes = batch
    before = images.clone()
    changed = augment(images, sizes, **{name: ALL[name]})
    assert torch.equal(images, before)
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8
    for old, new, (height, width) in zip(images, changed, sizes.tolist(), strict=True):
        assert not torch.equal(old, new)
        assert not new[0, height:].any()
        assert not new[0, :, width:].any()


def test_images_draw_their_own_numbers_and_repeat_with_the_seed() -> None:
    images, sizes = pad([writing(28, 100)] * 2, 28, 100)
    one, two, other = (augment(images, sizes, seed, **ALL) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    for name, value in ALL.items():
        left, right = augment(images, sizes, **{name: value})
        assert not torch.equal(left, right), name


def test_an_image_depends_neither_on_its_padding_nor_on_the_others() -> None:
    one, two = writing(28, 100), writing(24, 70)
    alone = augment(*pad([one], 28, 100), **WHOLE_IMAGE)[0, 0]
    torch.manual_seed(0)
    padded = augment(*pad([one], 60, 160), **WHOLE_IMAGE)[0, 0, :28, :100]
    assert (alone.int() - padded.int()).abs().max() <= 1  # rounding
    beside = [augment(*pad([one, item], 28, 128), **ALL)[0] for item in (one, two)]
    assert torch.equal(*beside)


@pytest.mark.parametrize("shape", [(28, 800), (28, 40), (448, 600), (448, 60)])
def test_slanted_and_shrunk_text_stays_within_its_image(shape: tuple[int, int]) -> None:
    height, width = shape
    images, sizes = pad([np.full(shape, 255, np.uint8)] * 16, height + 20, width + 20)
    ink = augment(images, sizes, slant=1.0, shrink=0.3)[:, 0] / 255
    for rows in ink.sum(dim=2):
        whole = rows[(rows > 0).nonzero()[3:-3, 0]]
        assert whole.max() - whole.min() < 1.5  # a row that was cut would be shorter
        assert whole.min() > 0.7 * width / (1 + MOST_SHEAR) - 2
        assert len(whole) > 0.7 * height - 8


def test_the_ends_of_a_line_move_no_further_than_slope_allows() -> None:
    image = np.zeros((28, 800), np.uint8)
    image[13:15] = 255
    images, sizes = pad([image] * 32, 28, 800)
    changed = augment(images, sizes, slope=0.1)[:, 0] / 255
    height = (changed * torch.arange(28)[:, None]).sum(dim=1) / changed.sum(dim=1)  # (32, 800), centre of ink
    assert (height[:, 400] - 13.5).abs().max() < 0.1
    assert 2 < (height[:, 5] - 13.5).abs().max() <= 2.8


@pytest.mark.parametrize(("axis", "strength"), [(1, 1.0), (0, 0.5)])
def test_elastic_warp_moves_neighbours_alike_and_some_pixels_far(axis: int, strength: float) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))  # brightness tells where a pixel came from
    images, sizes = pad([np.ascontiguousarray(np.moveaxis(ramp, 1, axis))] * 16, 256, 256)
    moved = (augment(images, sizes, elastic=0.1).float() - images)[:, 0, 32:-32, 32:-32] / strength
    assert 1 < moved.std() < 2.8  # 0.1 of 28 pixels, times a share from 0 to 1 for each image
    for dim in (1, 2):
        near, far = ((moved.narrow(dim, lag, 150) - moved.narrow(dim, 0, 150)) for lag in (8, 40))
        assert near.abs().max() < 8  # nothing folds
        assert far.std() > 1.5  # on its own


@pytest.mark.parametrize("axis", [0, 1])
def test_strokes_change_by_a_pixel_at_most(axis: int) -> None:
    bar = np.zeros((28, 28), np.uint8)
    bar[10:14] = 255
    images, sizes = pad([np.ascontiguousarray(np.moveaxis(bar, 0, axis))] * 64, 28, 28)
    ink = augment(images, sizes, thickness=1.0)[:, 0].float() / 255
    thickness = ink.sum(dim=1 + axis)[:, 14]
    assert 3 <= thickness.min() < 3.2
    assert 4.8 < thickness.max() <= 5


def test_contrast_and_paper_stay_within_their_bounds() -> None:
    images, sizes = pad([writing(28, 100)] * 64, 28, 100)
    ink = augment(images, sizes, contrast=0.5)
    white = ink.amax(dim=(1, 2, 3)).float()
    assert not ink[images == 0].any()
    assert 255 * 0.5 * (200 / 255) ** 2**0.5 - 1 <= white.min() < 120 < 180 < white.max() <= 215
    paper = augment(images, sizes, paper=0.1)[images == 0]
    assert 20 < paper.max() <= 26


def test_a_share_of_the_squares_loses_a_span() -> None:
    images, sizes = pad([np.full((56, 2800), 255, np.uint8)] * 8, 56, 2800)
    squares = (augment(images, sizes, mask=0.25)[:, 0] == 0).reshape(8, 2, 28, 100, 28)
    assert torch.equal(squares.any(dim=2), squares.all(dim=2))  # spans are as high as a line
    widths = squares[:, :, 0].sum(dim=-1)
    assert widths.max() <= 10  # 0.35 of 28
    assert 0.2 < (widths > 0).float().mean() < 0.27  # the narrowest fall between pixels


def test_noise_is_as_strong_as_asked() -> None:
    images, sizes = pad([np.full((28, 300), 128, np.uint8)] * 64, 28, 300)
    deviation = augment(images, sizes, noise=0.1).float().std(dim=(1, 2, 3))
    assert deviation.min() < 3
    assert 22 < deviation.max() < 26


def test_it_computes_alike_under_autocast(batch: tuple[Tensor, Tensor]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        cast = augment(*batch, **ALL)
    assert torch.equal(cast, augment(*batch, **ALL))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slant": -0.1}, r"augment.slant is -0.1: .*greater than or equal to 0"),
        ({"slant": 1.5}, r"augment.slant is 1.5: .*less than or equal to 1"),
        ({"slope": 0.6}, r"augment.slope is 0.6: .*0.5"),
        ({"shrink": 0.6}, r"augment.shrink is 0.6: .*0.5"),
        ({"shift": 1.0}, r"augment.shift is 1.0: .*0.5"),
        ({"elastic": 0.3}, r"augment.elastic is 0.3: .*0.25"),
        ({"thickness": 2.0}, r"augment.thickness is 2.0: .*less than or equal to 1"),
        ({"blur": 1.1}, r"augment.blur is 1.1: .*less than or equal to 1"),
        ({"contrast": 1.0}, r"augment.contrast is 1.0: .*less than 1"),
        ({"mask": 2.0}, r"augment.mask is 2.0: .*less than or equal to 1"),
        ({"paper": 0.9}, r"augment.paper is 0.9: .*0.5"),
        ({"noise": float("nan")}, r"augment.noise is nan"),
        ({"noise": "1e-2"}, r"augment.noise is '1e-2': .*write 0.001"),
        ({"slants": 0.1}, r"augment.slants is not a parameter; did you mean 'slant'"),
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TextrecError, match=message):
        validate(OFF | changes, AugmentParams, where="augment")


def test_the_defaults_have_every_operation_on() -> None:
    params = load("train", TrainParams, ROOT / "params.yaml").augment
    assert all(params.model_dump().values())


@pytest.fixture
def split(tmp_path: Path) -> Split:
    samples = [Sample(f"s-{width}", "abc", "w", writing(28, width)) for width in (60, 700, 900)]
    rows = ((name, item) for name in SPLITS for item in samples)
    write_samples(tmp_path / "a.h5", rows, source="a", line_height=28, characters="abc")
    return read_split(tmp_path / "a.h5", "train")


def test_the_sheet_shows_the_versions_and_each_operation_that_is_on(split: Split, tmp_path: Path) -> None:
    def draw(name: str, **values: float) -> tuple[int, int]:
        augmentation_sheet(tmp_path / name, split, validate(OFF | values, AugmentParams, where="augment"))
        with Image.open(tmp_path / name) as sheet:
            return sheet.size

    state = torch.get_rng_state()
    sheets = [draw("off.png"), draw("one.png", slant=0.3), draw("two.png", slant=0.3, blur=1.0), draw("all.png", **ALL)]
    assert torch.equal(torch.get_rng_state(), state)
    widths, heights = zip(*sheets, strict=True)
    block = heights[1] - heights[0]
    assert block > 2 * 28
    assert [height - heights[0] for height in heights] == [0, block, 2 * block, len(OFF) * block]
    assert set(widths) == {1600}
    draw("again.png", **ALL)
    assert (tmp_path / "all.png").read_bytes() == (tmp_path / "again.png").read_bytes()
