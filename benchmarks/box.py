"""How well the model that textrec brings along reads hands that it has never seen, and how well it knows.

Usage: python benchmarks/box.py ARCHIVES SCRATCH [MODEL]

ARCHIVES holds iamdb.zip and the zip files CORPORA of transcribed pages; MODEL is models/latin.ckpt where it is left
out. Each test set is made, read and measured by the stages of the pipeline, in a folder of its own in SCRATCH: lines of
IAM, of which the model has seen nothing, and the test documents of each of the corpora, of whose others it has.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ablation import prepare, run
from learn_from import CORPORA
from machine import ROOT, save

LATIN = {"data.source": "local", "charset.characters": "latin", "charset.on_unknown": "skip"}
IAM = ({"train.data": "iam_lines", "parse_iam.on_bad_line": "skip"}, ["download", "parse_iam", "crop_lines"])
KEPT = ("samples", "cer", "cer_low", "cer_high", "wer", "perfect")


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    source, scratch = (Path(argument).resolve() for argument in sys.argv[1:3])
    model = Path(sys.argv[3] if len(sys.argv) > 3 else ROOT / "models/latin.ckpt").resolve()
    figures = {}
    for name in ("iamdb.zip", *CORPORA):
        changes = make(scratch / Path(name).stem, source, name)
        figures[Path(name).stem] = read(scratch / Path(name).stem, changes, model)
        print(name, json.dumps(figures[Path(name).stem]), flush=True)
    save("box", figures)


def _corpus(name: str) -> tuple[dict[str, Any], list[str]]:
    changes = {"data.ground_truth": [name], "train.data": "page_lines", "import_pages.on_bad_input": "skip"}
    return changes, ["download", "import_pages"]


def make(folder: Path, source: Path, name: str) -> dict[str, Any]:
    """Make the lines of an archive in a folder, if they are not there; the parameters by which they are read."""
    own, stages = IAM if name == "iamdb.zip" else _corpus(name)
    changes = LATIN | {"data.path": str(source)} | own
    if not (folder / f"data/processed/{changes['train.data']}.h5").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        prepare(folder)
        run(folder, changes, *stages)
    return changes


def read(folder: Path, changes: dict[str, Any], model: Path) -> dict[str, Any]:
    """Read the test lines of a folder by a model, and measure that."""
    shutil.copy(model, folder / "models/model.ckpt")
    run(folder, changes, "predict", "evaluate")
    test, speed = (json.loads((folder / f"metrics/{name}.json").read_text()) for name in ("test", "predict"))
    return {
        **{key: test[key] for key in KEPT},
        **{name: found["cer"] for name, found in test["decoders"].items()},
        **{key: test["confidence"][key] for key in ("ece_characters", "ece_samples")},
        "samples_per_second": {name: found["samples_per_second"] for name, found in speed.items()},
    }


if __name__ == "__main__":
    main()
