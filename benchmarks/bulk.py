"""Many pages by one command: the memory that it takes, its speed, and what a kill in the middle leaves.

Usage: python benchmarks/bulk.py ARCHIVES SCRATCH [PAGES [OPTION ...]]

ARCHIVES and SCRATCH as of pages.py. PAGES (2,000) pictures, links to JPEGs of the upright test pages, small and large,
over and over, are read by `textrec read FOLDER --page --out page --to OUT` with each OPTION, say `--finder PATH`. Once
half of the files are there it is killed (SIGKILL); each that is there must be XML to its end, with lines. Then the same
command is given again: it must leave those as they are and write the rest, and nothing else may be left in OUT. Memory
is the highest that the system counted for the process (VmHWM), in each of the two runs, at each tenth of the pages: it
should not grow. Pages a second are of the second run, what beginning takes included.
"""

import os
import signal
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from machine import ROOT, save
from true_pages import pages_of

from textrec.base.runtime import TextrecError, usable_cores
from textrec.pages.xml_edit import read_xml

READ = (sys.executable, "-m", "textrec.cli", "read", "--page", "--out", "page")
PATIENCE = 0.2  # seconds between two looks
QUALITY = 90  # of JPEGs


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    source, scratch = (Path(argument).resolve() for argument in sys.argv[1:3])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
    pictures, out = linked(source, scratch, count), scratch / "bulk/out"
    command = [*READ, str(pictures), "--to", str(out), *sys.argv[4:]]
    if out.exists():
        raise SystemExit(f"{out}: remove it, or what is read would be there already")
    _, before = run(command, out, count, until=count // 2)
    written = {path: path.stat().st_mtime_ns for path in files(out)}
    broken = [path.name for path in written if not is_whole(path)]
    start = time.perf_counter()
    code, after = run(command, out, count, until=None)
    seconds = time.perf_counter() - start
    found = files(out)
    figures = {
        "pages": count,
        "cores": usable_cores(),
        "killed_after": len(written),
        "broken_by_the_kill": broken,
        "written_again": [path.name for path, at in written.items() if path.stat().st_mtime_ns != at],
        "missing": count - len(found),
        "broken": [path.name for path in found if not is_whole(path)],
        "left_over": [path.name for path in out.rglob("*") if path.is_file() and path not in set(found)],
        "exit_code": code,
        "pages_a_second": (count - len(written)) / seconds,
        "peak_mib": max(*before, *after),
        "peaks_mib": {"before": before, "after": after},
    }
    for name, value in figures.items():
        print(f"{name:20} {value}")
    save("bulk", figures)


def linked(source: Path, scratch: Path, count: int) -> Path:
    """A folder of so many pictures."""
    pages, folder = scratch / "bulk/pages", scratch / "bulk/pictures"
    for made in (pages, folder):
        made.mkdir(parents=True, exist_ok=True)
    kept = []
    for corpus, page in pages_of(source, scratch):
        kept.append(pages / f"{corpus}-{page.name}.jpg")
        if not kept[-1].exists():
            page.image.save(kept[-1], quality=QUALITY)
    names = {f"{number:05}.jpg": page for number, page in enumerate(islice(cycle(kept), count))}
    for link in folder.iterdir():
        link.unlink()
    for name, page in names.items():
        (folder / name).symlink_to(page)
    return folder


def run(command: list[str], out: Path, count: int, *, until: int | None) -> tuple[int, list[float]]:
    """Run a command to its end, or until there are so many files, then kill it; its exit code, and peaks in MiB."""
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks: dict[int, float] = {}
    while process.poll() is None:
        done = len(files(out))
        if until is not None and done >= until:
            process.send_signal(signal.SIGKILL)
        peaks[10 * done // count] = max(peak(process.pid), peaks.get(10 * done // count, 0.0))
        time.sleep(PATIENCE)
    return process.returncode, [round(value) for value in peaks.values()]


def peak(pid: int) -> float:
    """The most MiB that a process has had in memory; 0 of one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def files(folder: Path) -> list[Path]:
    """What was written there under its name."""
    return sorted(folder.rglob("[!.]*.xml"))


def is_whole(path: Path) -> bool:
    """Whether a file is PAGE XML to its end, and has lines."""
    try:
        return any(element.name == "TextLine" for element in read_xml(path).elements)
    except TextrecError:
        return False


if __name__ == "__main__":
    main()
