"""Pages by `textrec bulk` alone, and on Ray clusters of this machine: what Ray costs, and what a second node gives.

Usage: python benchmarks/cluster.py SCRATCH [PAGES]

PAGES (400) pictures as of bulk.py, in units of 8, are read by each of

    alone       two processes of this machine
    one node    --cluster, of a node of two cores
    half        --cluster, of a node of one core
    two nodes   --cluster, of two nodes of one core each

Each cluster has besides a head without cores, where the command runs. Pages a second are of what is read from the first
table that comes to the end, so that all that beginning takes is left out; `seconds` and `first` have it. `actor_mib` is
the most that one process of Ray's which reads has (PSS). All nodes are of one machine, of which two cores are to be
free; what a network costs is not in it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from bulk import COMMANDS, files, linked, memory
from machine import ROOT, save, tree

CLUSTERS = {"one node": [2], "half": [1], "two nodes": [1, 1]}  # cores of each node
RATIOS = (("one node", "alone"), ("two nodes", "half"))
UNIT = 8  # pages
LOOK = 0.05  # seconds
NODE: dict[str, Any] = {"object_store_memory": 200 << 20, "include_dashboard": False}
ENVIRONMENT = {"PYTHONPATH": os.fspath(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_worker_niceness": "0"}


def main() -> None:
    """Measure, print, save."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    scratch = Path(sys.argv[1]).resolve()
    pages = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    pictures = linked(scratch, pages)
    os.environ.update(ENVIRONMENT)
    figures = {"alone": measured(pictures, scratch / "bulk/alone", pages, "--workers", "2")}
    for name, cores in CLUSTERS.items():
        with cluster(cores) as address:
            figures[name] = measured(pictures, scratch / f"bulk/{name}", pages, "--cluster", address)
    rates = {name: values["pages_a_second"] for name, values in figures.items()}
    ratios = {f"{name} / {other}": rates[name] / rates[other] for name, other in RATIOS}
    print(", ".join(f"{name} {value:.3f}" for name, value in ratios.items()))
    save("cluster", {"pages": pages, "unit": UNIT, **figures, **ratios})


def measured(pictures: Path, out: Path, count: int, *options: str) -> dict[str, float]:
    """How fast a command reads so many pages once it has begun, and how long it took in all."""
    if out.exists():
        raise SystemExit(f"{out}: remove it, or what is read would be there already")
    words = ["bulk", str(pictures), "--page", "--out", str(out), "--unit", str(UNIT), *options]
    begun = time.perf_counter()
    most = 0.0
    with (
        TemporaryFile("w+") as told,
        subprocess.Popen([sys.executable, "-m", "textrec.cli", *words], stderr=told) as process,
    ):
        while not (there := len(files(out, COMMANDS["bulk"]))) and process.poll() is None:
            time.sleep(LOOK)
        first = time.perf_counter()
        while process.poll() is None:
            most = max([most, *map(memory, actors())])
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
        end = time.perf_counter()
        if process.returncode:
            told.seek(0)
            raise SystemExit(f"{' '.join(words)}: {told.read()}")
    found = {"pages_a_second": (count - UNIT * there) / (end - first), "seconds": end - begun, "first": first - begun}
    found["actor_mib"] = most
    print(f"{out.name}: {', '.join(f'{name} {value:.2f}' for name, value in found.items())}", flush=True)
    return found


def actors() -> Iterator[int]:
    """The processes below this one that read for Ray."""
    for pid in tree(os.getpid()):
        with suppress(OSError):  # it has ended
            if "_Actor" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                yield pid


@contextmanager
def cluster(cores: list[int]) -> Iterator[str]:
    """The address of a cluster of a head without cores and nodes of so many."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
    try:
        for count in cores:
            made.add_node(num_cpus=count, **NODE)
        made.wait_for_nodes()
        yield str(made.address)
    finally:
        made.shutdown()


if __name__ == "__main__":
    main()
