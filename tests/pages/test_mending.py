"""Paper as archives have it comes out white and its ink dark; a clean scan comes out as it is."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage
from text_images import LINE, WORDS, likeness, line_crop, text_image

from textrec.pages.mending import INK, PAPER, mended, mended_line, without_rules

DARK = 245 - np.asarray(LINE, np.float32)
DARK /= DARK.max()
STROKES = DARK > 0.9
WRITTEN = ndimage.binary_dilation(DARK > 0.03, iterations=3)


def on_paper(ink: float, paper: np.ndarray | float) -> Image.Image:
    """The line with ink that takes so much of the light, on paper of those grey levels."""
    return Image.fromarray(np.clip((1 - ink * DARK) * paper, 0, 255).astype(np.uint8))


def uneven(light: float, dark: float, texture: float) -> np.ndarray:
    """Paper that gets darker to the right and has a texture of that standard deviation."""
    random = np.random.default_rng(0).normal(0, 1, DARK.shape)
    random = ndimage.gaussian_filter(random, 1)
    return np.linspace(light, dark, DARK.shape[1]) + texture * random / random.std()


@pytest.mark.parametrize("ink", [0.9, 0.5, 0.25])
@pytest.mark.parametrize("paper", [(240, 215, 3), (200, 150, 3), (150, 110, 4)], ids=["off-white", "grey", "dark"])
def test_grey_paper_comes_out_white_and_its_ink_dark(paper: tuple[float, float, float], ink: float) -> None:
    image = on_paper(ink, uneven(*paper))
    pixels = np.asarray(mended_line(image), np.float32)
    beside, strokes = pixels[~WRITTEN], pixels[STROKES]
    assert PAPER - 3 <= np.median(beside) <= PAPER
    assert np.percentile(beside, 5) > PAPER - 15  # its texture
    assert np.median(strokes) < INK + 25
    assert likeness(line_crop(LINE), line_crop(image)) > 0.9


def test_a_faint_word_beside_a_dark_one_stays() -> None:
    fading = np.linspace(0.8, 0.25, DARK.shape[1])
    pixels = np.asarray(mended_line(Image.fromarray(((1 - fading * DARK) * 190).astype(np.uint8))))
    last = int(0.9 * DARK.shape[1])
    assert np.median(pixels[:, last:][STROKES[:, last:]]) < PAPER - 45


def test_what_shines_through_is_weakened() -> None:
    through = 40 * DARK[:, ::-1]
    pixels = np.asarray(mended_line(Image.fromarray(np.minimum(200 - through, on_paper(0.9, 200)).astype(np.uint8))))
    seen = (through > 36) & ~WRITTEN
    assert np.median(pixels[seen]) > PAPER - 0.75 * 40 / 200 * PAPER


def test_letters_as_bold_as_a_stamps_are_not_hollow() -> None:
    stamp = Image.new("L", (300, 60), 200)
    for x in range(30, 270, 50):
        ImageDraw.Draw(stamp).rectangle((x, 10, x + 12, 50), fill=130)
    pixels = np.asarray(mended_line(stamp))
    assert np.ptp(pixels[20:40, 32:41]) < 20
    assert pixels[30, 36] < INK + 25


@pytest.mark.parametrize("texts", [WORDS, WORDS[:1]], ids=["page", "line"])
def test_a_clean_scan_stays_as_it_is(texts: list[str]) -> None:
    page = text_image(texts)
    noisy = np.asarray(page, float) + np.random.default_rng(0).normal(0, 2, (page.height, page.width))
    for image in (page, Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))):
        assert np.array_equal(np.asarray(mended(image)), np.asarray(image))
        assert np.array_equal(np.asarray(mended_line(image)), np.asarray(image))


def test_a_word_whose_letters_are_joined_is_no_rule() -> None:
    word = Image.new("L", (100, 29), 245)
    x = np.arange(8, 92)
    ImageDraw.Draw(word).line(list(zip(x.tolist(), (16 + 2 * np.sin(x / 3)).tolist(), strict=True)), fill=60, width=4)
    assert np.array_equal(np.asarray(without_rules(word)), np.asarray(word))
