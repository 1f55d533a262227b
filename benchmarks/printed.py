"""How many lines of print, and of handwriting, `textrec read` marks as print.

Usage: python benchmarks/printed.py ARCHIVES SCRATCH [FOLDER]

ARCHIVES and SCRATCH as of pages.py. Of IAM's test forms, of which the upper part is print, or blank where an archive
leaves that out: what is found there is printed, what is found where the truth has a line is written. Lines that are
marked wrongly are written into FOLDER, as the model reads them, to look at.
"""

import sys
from collections import Counter
from itertools import takewhile
from pathlib import Path

import numpy as np
from machine import ROOT, save
from PIL import Image
from true_pages import pages_of

from textrec.archives.raw import read_form_image
from textrec.pages.overlap import LEAST, overlaps
from textrec.pages.printing import is_printed
from textrec.reading.recognizer import Recognizer, boxed_finder


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    source, scratch, *folders = (Path(argument).resolve() for argument in sys.argv[1:])
    recognizer, finder = Recognizer.load(ROOT / "models/latin.ckpt"), boxed_finder()
    counts: Counter[str] = Counter()
    for _, page in takewhile(lambda one: one[0] == "iam", pages_of(source, scratch)):
        form = read_form_image(scratch / "pages/data/raw/iamdb.zip", page.name)
        below = form.height - page.image.height  # where the print ends
        way = recognizer.find_lines(form, finder)
        found = [line for line in way.page.lines if not line.problem]
        written = overlaps([one.outline + np.array([0, below]) for one in page.lines], [line.outline for line in found])
        for line, crop, share in zip(found, way.crops, written.max(axis=0, initial=0), strict=True):
            if line.outline[:, 1].max() < below:
                kind = "printed"
            elif share >= LEAST:
                kind = "written"
            else:
                continue
            marked = is_printed(crop.pixels)
            counts[kind] += 1
            counts[f"{kind}, marked"] += marked
            if folders and marked != (kind == "printed"):
                folders[0].mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.invert(crop.pixels)).save(folders[0] / f"{kind}-{page.name}-{line.id}.png")
    for kind in ("printed", "written"):
        marked = counts[f"{kind}, marked"]
        print(f"{kind}: {marked} of {counts[kind]} marked as print, {marked / counts[kind]:.1%}", flush=True)
    save("printed", counts)


if __name__ == "__main__":
    main()
