"""Pages of a few lines of text in a font, a line finder that has learned a little of them, and a model that has not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import config
from PIL import Image, ImageFont
from text_images import WORDS, text_image

from textrec.base.charset import Charset
from textrec.datasets.layouts import Layout, LayoutSplit, reduced, write_layouts
from textrec.network.finder import LineFinder
from textrec.reading.recognizer import Recognizer
from textrec.training import finding
from textrec.training.finding import FinderParams, fit_finder

SIZE, MARGIN = 22, 40


def page(lines: list[str]) -> tuple[Image.Image, list[tuple[np.ndarray, np.ndarray]]]:
    """A page of text, and outline and baseline of each line."""
    font, found = ImageFont.load_default(SIZE), []
    for row, text in enumerate(lines):
        top, right = MARGIN // 2 + round(1.6 * SIZE) * row, MARGIN + font.getlength(text)
        base = top + SIZE
        box = [(MARGIN, top), (right, top), (right, top + 1.3 * SIZE), (MARGIN, top + 1.3 * SIZE)]
        found.append((np.array(box), np.array([(MARGIN, base), (right, base)])))
    return text_image(lines, size=SIZE, margin=MARGIN), found


def layout(seed: int) -> Layout:
    random = np.random.default_rng(seed)
    image, lines = page([WORDS[index] for index in random.integers(len(WORDS), size=6)])
    return reduced(f"page {seed}", "d", image, lines)


def small_finder(folder: Path) -> LineFinder:
    """Trained on such pages, which takes some seconds."""
    write_layouts(folder / "l.h5", [*(("train", layout(seed)) for seed in range(4)), ("val", layout(9))])
    values = {"network": {"channels": [8, 12, 16, 16], "dilations": [1, 2]}, "epochs": 2, "batch_size": 2, "size": 192}
    params = FinderParams(**values, seed=1, lr=0.01, weight_decay=0.01, ema_decay=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "EPOCH", 120)
        splits = (LayoutSplit(folder / "l.h5", split) for split in ("train", "val"))
        return fit_finder(params, *splits, folder=folder)


def line_recognizer(seed: int = 0) -> Recognizer:
    """It reads lines, and writes texts that depend on the seed more than on what it reads."""
    torch.manual_seed(seed)
    built = Recognizer.build(config(max_width=1000), Charset("abcd "), line_height=28)
    torch.nn.init.normal_(built.model.ctc_output.weight, std=1.0)
    built.model.eval()
    return built
