"""Parsing and cropping: wall time against bare decoding of the same images, and memory by number of forms.

Usage: python benchmarks/crops.py [FOLDER]

FOLDER holds the raw archives (data.source: local); the embedded sample where it is left out. The stages run as a user
runs them, in a scratch folder. The yardstick is a fresh process as they are: a pool of as many workers decodes every
image to grey and drops it.
"""

import io
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath

import yaml
from machine import ROOT, measure, save
from PIL import Image

from textrec.base.runtime import usable_cores

ARCHIVE = Path("data/raw/iamdb.zip")
RUNS = 5  # of each, in alternation
SHARES = (0.25, 0.5, 1.0)  # of the forms, for memory
STAGES = ("parse_iam", "crop_lines", "crop_paragraphs")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
_archives: dict[Path, zipfile.ZipFile] = {}


def decode(name: str) -> None:
    """Decode one image in a worker, which opens the archive once."""
    if ARCHIVE not in _archives:
        _archives[ARCHIVE] = zipfile.ZipFile(ARCHIVE)
    with Image.open(io.BytesIO(_archives[ARCHIVE].read(name))) as image:
        image.load() if image.mode == "L" else image.convert("L")


def decode_all() -> None:
    """The yardstick."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        names = [name for name in archive.namelist() if name.startswith("forms/")]
    with multiprocessing.Pool(usable_cores()) as pool:
        for _ in pool.imap(decode, names, chunksize=4):
            pass


def prepare(folder: Path, source: str | None) -> None:
    """Bring the archives into the scratch folder by the download stage."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    if source:
        params["data"] |= {"source": "local", "path": str(Path(source).resolve())}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data/corrections.tsv", folder / "data")
    run(stage("download"), folder)


def stage(name: str) -> list[str]:
    """The command that runs a stage."""
    return [sys.executable, "-m", f"stages.{name}"]


def run(command: list[str], folder: Path) -> float:
    """Seconds of wall time."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def keep_share(folder: Path, share: float) -> int:
    """Drop all but every n-th form of the scratch archive's; returns how many are left."""
    with zipfile.ZipFile(folder / "all.zip") as source, zipfile.ZipFile(folder / ARCHIVE, "w") as target:
        forms = sorted(PurePosixPath(name).stem for name in source.namelist() if name.startswith("xml/"))
        forms = set(forms[:: round(1 / share)])
        for name in source.namelist():
            data = source.read(name)
            if name.startswith("task/"):
                data = "\n".join(line for line in data.decode().split() if line.rpartition("-")[0] in forms).encode()
            if name.startswith("task/") or PurePosixPath(name).stem in forms:
                target.writestr(name, data)
    return len(forms)


def main() -> None:
    """Measure, print, save."""
    source = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, source)
        commands = {"decode": [sys.executable, str(Path(__file__).resolve()), "--decode"]}
        commands |= {name: stage(name) for name in STAGES}
        runs: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                runs[name].append(run(command, folder))
        seconds = {name: statistics.median(times) for name, times in runs.items()}
        for name, value in seconds.items():
            print(f"{name:16} {value:6.2f} s  {value / seconds['decode']:5.2f} x decoding")
        shutil.copy(folder / ARCHIVE, folder / "all.zip")
        memory = {}
        for share in SHARES:
            count = keep_share(folder, share)
            memory[count] = {name: round(measure(commands[name], folder, ENVIRONMENT)[1]) for name in STAGES}
            print(f"{count:5} forms: peak MiB {memory[count]}")
    figures = {
        "source": "real forms" if source else "embedded sample",
        "forms": count,
        "runs": RUNS,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "times_decoding": {name: round(seconds[name] / seconds["decode"], 2) for name in STAGES[1:]},
        "peak_mib_by_forms": memory,
    }
    save("crops", figures)


if __name__ == "__main__":
    decode_all() if sys.argv[1:] == ["--decode"] else main()
