"""`make fonts`: handwriting fonts of open licences, by npm, to data/fonts, each with its licence.

data/fonts.tsv lists them. What is there already is not fetched again.
"""

import csv
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from textrec.base.runtime import TextrecError, atomic, run

LIST = Path("data/fonts.tsv")
FOLDER = Path("data/fonts")
PATIENCE = 120  # seconds for a package
REGULAR = 400  # weight


class Row(NamedTuple):
    """A font of the list; `package` is npm's, with its version."""

    family: str
    package: str
    licence: str
    copyright: str

    @property
    def name(self) -> str:
        """Of its files, without suffix."""
        return self.package.rpartition("@")[0].rpartition("/")[2]


def main() -> None:
    """Fetch the fonts that are not there yet; exit with one line where npm is missing or some could not be had."""
    npm = shutil.which("npm")
    if npm is None:
        raise TextrecError(
            "npm not found; install Node.js, or put fonts of your own into a folder and name it data.fonts"
        )
    with LIST.open(encoding="utf-8", newline="") as file:
        rows = [Row(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    missing = [row for row in rows if not all(path.exists() for path in _files(row))]
    failed = []
    for row in tqdm(missing, desc="fonts", unit="font", disable=None):
        try:
            _fetch(row, npm)
        except TextrecError as error:
            print(error, file=sys.stderr)
            failed.append(row)
    if failed:
        raise TextrecError(f"{len(failed)} of {len(rows)} fonts are missing in {FOLDER}; run `make fonts` again")
    print(f"{FOLDER}: {len(rows)} fonts; draw in them with -S data.fonts={FOLDER}")


def _files(row: Row) -> tuple[Path, Path]:
    return FOLDER / f"{row.name}.woff2", FOLDER / f"{row.name}.LICENSE.txt"


def _fetch(row: Row, npm: str) -> None:
    """Write a font and its licence; TextrecError where its package cannot be had or holds something else."""
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", row.package, "--silent", "--ignore-scripts", "--pack-destination", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise TextrecError(f"{row.package}: npm did not answer in {PATIENCE} seconds") from None
        packages = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(packages) != 1:
            reason = " ".join(done.stderr.split()) or f"npm ended with code {done.returncode}"
            raise TextrecError(f"{row.package}: {reason}")
        try:
            with tarfile.open(packages[0]) as package:
                contents = [_read(package, name) for name in (_font_member(package, row), "package/LICENSE")]
        except (tarfile.TarError, OSError, KeyError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise TextrecError(f"{row.package}: not a package of a font ({reason})") from None
    for path, content in zip(_files(row), contents, strict=True):
        with atomic(path) as temporary:
            temporary.write_bytes(content)


def _font_member(package: tarfile.TarFile, row: Row) -> str:
    """The upright font of Latin letters whose weight is nearest to the regular one."""
    pattern = rf"package/files/{row.name}-latin-(\d+)-normal\.woff2"
    weights = {name: int(match[1]) for name in package.getnames() if (match := re.fullmatch(pattern, name))}
    if not weights:
        raise KeyError("no upright Latin font")
    return min(weights, key=lambda name: abs(weights[name] - REGULAR))


def _read(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    with file:
        return file.read()


if __name__ == "__main__":
    run(main)
