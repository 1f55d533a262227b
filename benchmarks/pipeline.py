"""The whole pipeline in a fresh clone, stage by stage: wall time, peak memory, and what `dvc repro` costs when idle.

Usage: python benchmarks/pipeline.py [FOLDER [NAME=VALUE ...]]

FOLDER holds the raw archives (data.source: local); the embedded sample where it is left out. NAME=VALUE are parameters,
e.g. train.trainer.max_epochs=5. The committed state is what is measured.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from machine import ROOT, measure, save

IDLE_RUNS = 5
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def set_parameter(params: dict, assignment: str) -> None:
    """Apply `a.b=value` to nested parameters."""
    name, _, value = assignment.partition("=")
    *sections, key = name.split(".")
    for section in sections:
        params = params[section]
    params[key] = yaml.safe_load(value)


def main() -> None:
    """Measure, print, save."""
    source, assignments = (sys.argv[1:2] or [None])[0], sys.argv[2:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "textrec"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        params = yaml.safe_load((folder / "params.yaml").read_text())
        if source:
            assignments += ["data.source=local", f"data.path={Path(source).resolve()}"]
        for assignment in assignments:
            set_parameter(params, assignment)
        (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        stages = list(yaml.safe_load((folder / "dvc.yaml").read_text())["stages"])
        measured = {}
        for stage in stages:
            seconds, peak = measure(["dvc", "repro", "--single-item", "--force", stage], folder, ENVIRONMENT)
            measured[stage] = {"seconds": round(seconds, 1), "peak_mib": round(peak)}
            print(f"{stage:18} {seconds:6.1f} s  {peak:6.0f} MiB")
        idle = statistics.median(measure(["dvc", "repro"], folder, ENVIRONMENT)[0] for _ in range(IDLE_RUNS))
        print(f"{'nothing to do':18} {idle:6.1f} s")
        results = {name: yaml.safe_load((folder / f"metrics/{name}.json").read_text()) for name in ("train", "test")}
    total = sum(stage["seconds"] for stage in measured.values())
    print(f"{'all stages':18} {total:6.1f} s, test CER {results['test']['cer']:.2%}")
    figures = {"source": "real forms" if source else "embedded sample", "parameters": sys.argv[2:], "stages": measured}
    figures |= {"total_s": round(total, 1), "nothing_to_do_s": round(idle, 2), "metrics": results}
    save("pipeline_local" if source else "pipeline_sample", figures)


if __name__ == "__main__":
    main()
