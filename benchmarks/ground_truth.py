"""Importing transcribed pages: whether every line is accounted for, what is dropped and why, time and memory.

Usage: python benchmarks/ground_truth.py FOLDER NAME...

FOLDER holds the corpora NAME..., folders or zip files. The stages run as a user runs them, in a scratch folder, with
the charset `latin`; the contact sheet is copied to reports/page_lines.png, to be looked at. Lines are counted a second
time, by another parser: it fails where they differ, or where more than MOST are dropped for other reasons than a
character outside the charset or a missing text.
"""

import json
import os
import resource
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from defusedxml import ElementTree
from machine import ROOT, measure, save

from textrec.base.records import SPLITS
from textrec.datasets.truth_lines import NO_TEXT, UNKNOWN

MOST = 0.01  # of the lines
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def prepare(folder: Path, source: str, names: list[str]) -> None:
    """Bring the corpora into the scratch folder by the download stage, beside the embedded sample."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"] |= {"path": str(Path(source).resolve()), "ground_truth": names}
    params["data"]["sample"]["forms"] = 12
    params["charset"] |= {"characters": "latin", "on_unknown": "skip"}
    params["import_pages"]["on_bad_input"] = "skip"
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    measure([sys.executable, "-m", "stages.download"], folder, ENVIRONMENT)


def text_lines(archive: Path) -> dict[str, int]:
    """How many elements TextLine the XML of each corpus has."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.endswith(".xml"):
                tags = (element.tag.rpartition("}")[2] for element in ElementTree.fromstring(opened.read(name)).iter())
                corpus = name.partition("/")[0]
                counts[corpus] = counts.get(corpus, 0) + sum(tag == "TextLine" for tag in tags)
    return counts


def main() -> None:
    """Measure, check, print, save."""
    source, *names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, source, names)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, peak = measure([sys.executable, "-m", "stages.import_pages"], folder, ENVIRONMENT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = text_lines(folder / "data/raw/ground_truth.zip")
        metrics = json.loads((folder / "metrics/ground_truth.json").read_text())
        sheet = ROOT / "reports/page_lines.png"
        sheet.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "reports/page_lines.png", sheet)
    corpora, excused = {}, 0
    for corpus, counts in metrics["corpora"].items():
        kept = {split: counts[split]["lines"] for split in SPLITS}
        dropped = {reason: noted["count"] for reason, noted in counts["dropped_lines"].items()}
        files = {reason: noted["count"] for reason, noted in counts["dropped_files"].items()}
        if found[corpus] != sum(kept.values()) + sum(dropped.values()) or files:
            raise SystemExit(f"{corpus}: {found[corpus]} lines, kept {kept}, dropped {dropped}, files dropped {files}")
        excused += dropped.get(NO_TEXT, 0) + dropped.get(UNKNOWN, 0)
        documents = sum(counts[split]["documents"] for split in SPLITS)
        corpora[corpus] = {"lines": found[corpus], "documents": documents, "kept": kept, "dropped": dropped}
        print(corpus, corpora[corpus])
    lines = sum(found.values())
    kept = sum(sum(counts["kept"].values()) for counts in corpora.values())
    share = (lines - kept - excused) / lines
    print(f"{lines} lines, {kept} kept, {share:.2%} dropped for other reasons than charset and missing text")
    if share > MOST:
        raise SystemExit(f"more than {MOST:.0%}")
    figures = {
        "lines": lines,
        "kept": kept,
        "dropped_for_other_reasons": round(share, 5),
        "seconds": round(seconds, 1),
        "processor_seconds": round(
            sum(getattr(after, key) - getattr(before, key) for key in ("ru_utime", "ru_stime")), 1
        ),
        "peak_mib": round(peak),
        "text_overlap": metrics["text_overlap"],
        "corpora": corpora,
    }
    print({name: value for name, value in figures.items() if name != "corpora"})
    save("ground_truth", figures)


if __name__ == "__main__":
    main()
