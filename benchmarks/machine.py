"""Where a figure was measured, and where it is kept."""

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def save(name: str, figures: Any) -> None:
    """Write benchmarks/results/<name>.json: the figures with machine and date."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {"processor": _processor(), "cores": cores, "python": platform.python_version()}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path.write_text(json.dumps({"date": today, "machine": machine, "figures": figures}, indent=2) + "\n")
    print(f"saved to {path.relative_to(ROOT)}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
