"""Whether a model knows how well it reads documents that it is a stranger to, by what its confidences were fitted on.

Usage: python benchmarks/calibration.py ARCHIVES SCRATCH STRANGER CORPUS CORPUS ...

ARCHIVES holds the zip files of transcribed pages. STRANGER has learned from none of these CORPORA, as
models/latin-1.ckpt of `recipes/latin.sh ARCHIVES copiste mss19 poilus` from neither peraire nor stanford. Of each the
test lines are read, and CER and calibration errors measured, with confidences fitted

    as it is            as the model has them: on the val lines of what it learned from
    on another corpus   on the val lines of each other of CORPORA, to which it is a stranger as well
"""

import json
import sys
from pathlib import Path

from box import make, read
from machine import save

from textrec.datasets.samples import read_split
from textrec.network.batches import TextImages
from textrec.network.devices import best_device
from textrec.network.trained import TrainedModel

AS_IT_IS = "as it is"
BATCH = 16


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 6:
        raise SystemExit(__doc__)
    source, scratch, stranger = (Path(argument).resolve() for argument in sys.argv[1:4])
    corpora = sys.argv[4:]
    changes = {corpus: make(scratch / corpus, source, f"{corpus}.zip") for corpus in corpora}
    trained = TrainedModel.load(stranger, device=best_device())
    models = {AS_IT_IS: stranger}
    for corpus in corpora:
        val = read_split(scratch / corpus / "data/processed/page_lines.h5", "val")
        models[corpus] = scratch / f"on_{corpus}.ckpt"
        images = TextImages(val, trained.charset, trained.model.config)
        trained.calibrated(images, batch_size=BATCH).save(models[corpus])
    figures = {}
    for corpus in corpora:
        fitted = [name for name in models if name != corpus]
        figures[corpus] = {name: read(scratch / corpus, changes[corpus], models[name]) for name in fitted}
        for name, found in figures[corpus].items():
            print(corpus, name, json.dumps(found), flush=True)
    save("calibration", figures)


if __name__ == "__main__":
    main()
