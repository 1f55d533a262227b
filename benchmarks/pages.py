"""Whole pages: how many of their lines are found, and how well their text is read, beside that of lines cut by hand.

Usage: python benchmarks/pages.py ARCHIVES SCRATCH [FINDER [PAGES]]

ARCHIVES holds iamdb.zip and the zip files CORPORA of transcribed pages, of which the test pages are read, or PAGES of
each; of IAM what is below the print, outlined by the boxes of its words. FINDER is models/pages.ckpt where it is left
out; what reads is models/latin.ckpt. Each page is read upright and as each other of `true_pages.VARIANTS`; what is
measured of each corpus and variant `judging` says. Of the upright pages also

    true_lines      CER of the lines of the truth, cut by its outlines, read by the same model, joined in its order
    seconds         of finding alone, on one core, and of all; and of a page of LINES lines, put together from forms

SCRATCH/pages/read has a picture and the texts of each upright page, those first that lose most to their true lines:
green is the truth, red what was found, numbered as it was read.
"""

import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from judging import FoundLine, Outcome, described, figures, joined, judged
from machine import ROOT, save
from PIL import Image, ImageDraw
from true_pages import VARIANTS, TruePage, pages_of, varied

from textrec.base.charset import CharsetParams
from textrec.base.edit_distance import char_errors
from textrec.base.params import load
from textrec.base.runtime import TextrecError, usable_cores
from textrec.network.finder import LineFinder
from textrec.pages.cutting import cut_line
from textrec.pages.reading_order import reading_order
from textrec.pages.ribbons import reduced_page
from textrec.reading.pages import page_ribbons
from textrec.reading.recognizer import Recognizer

UPRIGHT = "upright"
LINES, RUNS = 40, 5  # of the page that is timed
LARGEST = 1400  # pixels of a picture to look at


# ---- a page ----


def read_lines(page: TruePage, recognizer: Recognizer) -> list[str]:
    """What is read in the lines of the truth that have a text."""
    pixels, most = np.asarray(page.image), np.array(page.image.size) - 1
    crops = []
    for line in page.lines:
        if line.text:
            strip = cut_line(pixels, line.outline.clip(0, most), line.baseline)
            with suppress(TextrecError):  # it is too long to be read
                crops.append(recognizer.crop_line(strip))
    return [reading.text for reading in recognizer.read_prepared(crops)]


def draw(page: TruePage, found: Sequence[FoundLine], folder: Path) -> None:
    """Write the picture of a page with its lines, and beside it the texts."""
    folder.mkdir(parents=True, exist_ok=True)
    image, pen = page.image.convert("RGB"), max(2, max(page.image.size) // 600)
    canvas = ImageDraw.Draw(image)
    for lines, colour in ((page.lines, "green"), (found, "red")):
        for line in lines:
            canvas.polygon([tuple(point) for point in line.outline.tolist()], outline=colour, width=pen)
    for number, line in enumerate(found, start=1):
        canvas.text(tuple(line.outline[0]), str(number), "red", anchor="rm", font_size=10 * pen)
    image.thumbnail((LARGEST, LARGEST))
    image.save(folder / f"{page.name}.jpg")
    texts = [joined(line.text for line in lines) for lines in (page.lines, found)]
    (folder / f"{page.name}.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")


# ---- seconds ----


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(work: Callable[[], Any]) -> float:
    """What something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def find(image: Image.Image, finder: LineFinder) -> list[list[int]]:
    """Lines and their order, of a page that is upright, and nothing else."""
    small, scale = reduced_page(image)
    return reading_order(page_ribbons(np.asarray(image), small, scale, finder.find(small)[0], finder))


def stacked(pages: Iterable[TruePage], count: int) -> TruePage:
    """A page of so many lines, put together from others, each up to its last line."""
    images: list[Image.Image] = []
    lines = []
    for page in pages:
        if len(lines) + len(page.lines) <= count:
            tops, feet = ([edge(line.outline[:, 1]) for line in page.lines] for edge in (np.min, np.max))
            pitch = (max(feet) - min(tops)) / len(page.lines)
            above = sum(image.height for image in images)
            images.append(page.image.crop((0, 0, page.image.width, int(max(feet) + pitch / 4))))
            lines += [line._replace(outline=line.outline + np.array([0, above])) for line in page.lines]
        if len(lines) == count:
            break
    sheet = Image.new("L", (max(image.width for image in images), sum(image.height for image in images)), 255)
    for index, image in enumerate(images):
        sheet.paste(image, (0, sum(other.height for other in images[:index])))
    return TruePage(f"{count} lines", sheet, lines)


# ---- the whole ----


class Reader(NamedTuple):
    """What finds, what reads, and how texts are normalised."""

    finder: LineFinder
    recognizer: Recognizer
    truth: CharsetParams

    def read(self, page: TruePage) -> list[FoundLine]:
        """The lines of a page, as they are read."""
        (reading,) = self.recognizer.read_pages([page.image], finder=self.finder)
        return [FoundLine(line.outline, self.truth.normalized(line.text)) for line in reading.lines]


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    source, scratch = (Path(argument).resolve() for argument in sys.argv[1:3])
    path = Path(sys.argv[3]) if len(sys.argv) > 3 else ROOT / "models/pages.ckpt"
    most = int(sys.argv[4]) if len(sys.argv) > 4 else None
    recognizer = Recognizer.load(ROOT / "models/latin.ckpt")
    reader = Reader(LineFinder.load(path), recognizer, load("charset", CharsetParams, ROOT / "params.yaml"))
    long = stacked((page for _, page in pages_of(source, scratch)), LINES)
    runs = [seconds(lambda: reader.read(long)) for _ in range(1 + RUNS)][1:]  # the first has what begins, too
    found = {
        f"a page of {LINES} lines": {"seconds": statistics.median(runs), "cores": usable_cores()},
        **measured(reader, pages_of(source, scratch, most), scratch / "pages/read"),
    }
    print(found[f"a page of {LINES} lines"])
    save("pages", found)


def measured(reader: Reader, pages: Iterable[tuple[str, TruePage]], folder: Path) -> dict[str, Any]:
    """By corpus and variant: figures; pictures in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    outcomes: defaultdict[str, defaultdict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    true_lines: defaultdict[str, list[int]] = defaultdict(list)
    times: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for corpus, page in pages:
        for name in VARIANTS:
            seen = varied(page, name)
            start = time.perf_counter()
            found = reader.read(seen)
            taken = time.perf_counter() - start
            outcomes[corpus][name].append(judged(seen, found))
            if name == UPRIGHT:
                with one_thread():
                    times[corpus].append((seconds(lambda: find(page.image, reader.finder)), taken))  # noqa: B023
                draw(page, found, folder / corpus)
        read = map(reader.truth.normalized, read_lines(page, reader.recognizer))
        truth = joined(line.text for line in page.lines)
        true_lines[corpus].append(char_errors(truth, joined(read)))
        print(corpus, outcomes[corpus][UPRIGHT][-1], true_lines[corpus][-1], flush=True)
    found = {}
    for corpus, variants in outcomes.items():
        rows = {name: figures(variant) for name, variant in variants.items()}
        finding, whole = np.mean(times[corpus], axis=0).tolist()
        rows[UPRIGHT] |= {"true_lines": sum(true_lines[corpus]) / sum(one.characters for one in variants[UPRIGHT])}
        rows[UPRIGHT] |= {"finding_seconds": finding, "seconds": whole}
        rank(variants[UPRIGHT], true_lines[corpus], folder / corpus)
        found[corpus] = rows
        for name, row in rows.items():
            print(f"{corpus:9} {name:11} {described(row)}")
        print(f"{corpus:9} finding {finding:.2f} s on one core, all {whole:.2f} s on {usable_cores()}")
    return found


def rank(outcomes: Sequence[Outcome], true_lines: Sequence[int], folder: Path) -> None:
    """Number the pictures and texts of pages by how much more is wrong than in their true lines."""
    worst = sorted(zip(outcomes, true_lines, strict=True), key=lambda pair: pair[1] - pair[0].cer)
    for number, (outcome, _) in enumerate(worst, start=1):
        for suffix in (".jpg", ".txt"):
            (folder / f"{outcome.name}{suffix}").rename(folder / f"{number:03} {outcome.name}{suffix}")


if __name__ == "__main__":
    main()
