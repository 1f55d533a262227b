"""How a command is measured, where a figure was measured, and where it is kept."""

import datetime
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from textrec.base.runtime import usable_cores

ROOT = Path(__file__).parent.parent


def save(name: str, figures: Any) -> None:
    """Write benchmarks/results/<name>.json: the figures with machine and date."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    machine = {"processor": _processor(), "cores": usable_cores(), "python": platform.python_version()}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path.write_text(json.dumps({"date": today, "machine": machine, "figures": figures}, indent=2) + "\n")
    print(f"saved to {path.relative_to(ROOT)}")


def measure(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall time and peak MiB of a command, which must succeed.

    Memory is the highest sum over the process tree of resident memory; pages that processes share count in each.
    """
    peak, start = 0, time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None:
        peak = max(peak, sum(map(_resident, tree(process.pid))))
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with code {process.returncode} in {folder}")
    return seconds, peak / 2**20


def tree(pid: int) -> list[int]:
    """A process and all below it; none where it has ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in tree(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
