"""Height of a line against speed: 28, 40 and 56 pixels, one sweep by `dvc exp run --queue`, equal minutes of training.

Usage: python benchmarks/frontier.py ARCHIVES SCRATCH [MINUTES]

ARCHIVES holds iamdb.zip. In a clone of the repository in SCRATCH the time of a step at each height is measured, on an
idle machine; the three experiments are queued, each with as many steps of IAM's lines as fit into MINUTES (20), from
nothing, and run one after the other. Of each the test CER; and when all are trained, again on an idle machine, lines a
second of reading, both by the pipeline's own stages. The figures are drawn as docs/frontier.svg. SCRATCH keeps what is
done: broken off, the same command goes on; for other MINUTES name another.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from ablation import prepare, run, schedule, timed_steps
from machine import ROOT, save
from pipeline import ENVIRONMENT

HEIGHTS = (28, 40, 56)
DATA = {"data.source": "local", "parse_iam.on_bad_line": "skip", "train.data": "iam_lines"}
PLOT = ROOT / "docs/frontier.svg"
WIDTH, HEIGHT, MARGIN = 420, 300, 56  # of the plot, pixels


def main() -> None:
    """Measure, draw, print, save."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    archives, scratch = (Path(argument).resolve() for argument in sys.argv[1:3])
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 20.0
    clone = scratch / "clone"
    if not clone.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        for name, value in (("user.name", "frontier"), ("user.email", "frontier@localhost")):
            subprocess.run(["git", "config", name, value], cwd=clone, check=True)
    steps = {height: _steps(scratch / str(height), archives, height, minutes) for height in HEIGHTS}
    print("steps", steps, flush=True)
    done = _experiments(clone)
    _said(clone, "dvc", "queue", "remove", "--queued")  # those of a sweep that was broken off
    for height in HEIGHTS:
        if f"px-{height}" not in done:
            changes = _changes(archives, height) | schedule(steps[height])
            options = [f"--set-param=++{name}={yaml.safe_dump(value).split()[0]}" for name, value in changes.items()]
            _said(clone, "dvc", "exp", "run", "--queue", "--name", f"px-{height}", *options, "evaluate")
    _said(clone, "dvc", "exp", "run", "--run-all")
    found = _experiments(clone)
    rows = [{"height": height, "steps": steps[height], **_measured(clone, found[f"px-{height}"])} for height in HEIGHTS]
    for row in rows:
        print(json.dumps(row))
    PLOT.write_text(drawn(rows))
    save("frontier", {"minutes": minutes, "rows": rows})


def _changes(archives: Path, height: int) -> dict[str, Any]:
    scale = -(-height // 28)
    return DATA | {
        "data.path": str(archives),
        "crop.line_height": height,
        "model.max_width": 1600 * scale,
        "model.max_height": 448 * scale,
    }


def _steps(folder: Path, archives: Path, height: int, minutes: float) -> int:
    """How many steps take so long."""
    kept = folder / "steps.json"
    if not kept.exists():
        shutil.rmtree(folder, ignore_errors=True)  # what was broken off
        folder.mkdir(parents=True)
        prepare(folder)
        changes = _changes(archives, height)
        run(folder, changes, "download", "parse_iam", "crop_lines")
        timed = timed_steps(folder, changes)
        kept.write_text(json.dumps(timed["seconds"] / timed["steps"]))
    return round(60 * minutes / json.loads(kept.read_text()))


def _said(clone: Path, *command: str) -> str:
    """What a command prints."""
    environment = ENVIRONMENT | {"PYTHONPATH": str(clone)}
    return subprocess.run(command, cwd=clone, env=environment, check=True, text=True, stdout=subprocess.PIPE).stdout


def _experiments(clone: Path) -> dict[str, str]:
    """The commits of those that are done, by name."""
    refs = _said(clone, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return {name: ref for ref in refs if (name := ref.rpartition("/")[2]).startswith("px-")}


def _measured(clone: Path, commit: str) -> dict[str, Any]:
    """CER with its interval and by each head alone, parameters, and lines a second of reading test once more."""
    _said(clone, "git", "checkout", commit, "--", "params.yaml", "dvc.lock", "metrics")
    _said(clone, "dvc", "checkout", "--force", "models/model.ckpt", "data/processed/iam_lines.h5")
    _said(clone, sys.executable, "-m", "stages.predict")
    test, train, speed = (
        json.loads((clone / f"metrics/{name}.json").read_text()) for name in ("test", "train", "predict")
    )
    return {
        **{key: test[key] for key in ("cer", "cer_low", "cer_high", "samples")},
        **{name: decoder["cer"] for name, decoder in test["decoders"].items()},
        "parameters": train["parameters"],
        "lines_per_second": {name: rates["samples_per_second"] for name, rates in speed.items()},
    }


def drawn(rows: list[dict[str, Any]]) -> str:
    """CER over lines a second by the joint search, with the interval of each, as SVG."""
    fastest = max(row["lines_per_second"]["joint"] for row in rows) * 1.15
    worst = max(row["cer_high"] for row in rows) * 1.1

    def place(speed: float, cer: float) -> tuple[float, float]:
        x = MARGIN + speed / fastest * (WIDTH - 2 * MARGIN)
        return round(x, 1), round(HEIGHT - MARGIN + 14 - cer / worst * (HEIGHT - 2 * MARGIN), 1)

    (left, bottom), (right, top) = place(0, 0), place(fastest, worst)
    parts = [f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#888"/>']
    for row in rows:
        x, y = place(row["lines_per_second"]["joint"], row["cer"])
        (_, low), (_, high) = place(0, row["cer_low"]), place(0, row["cer_high"])
        parts.append(f'<path d="M{x} {low}V{high}" stroke="#36c"/><circle cx="{x}" cy="{y}" r="4" fill="#36c"/>')
        parts.append(f'<text x="{x + 8}" y="{y + 4}">{row["height"]} px: {row["cer"]:.1%}</text>')
    for speed in _ticks(fastest):
        x = place(speed, 0)[0]
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{speed:.0f}</text>')
    for cer in _ticks(worst):
        y = place(0, cer)[1]
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{cer:.0%}</text>')
    parts.append(f'<text x="{(left + right) / 2}" y="{bottom + 40}" text-anchor="middle">lines a second</text>')
    parts.append(f'<text x="{left}" y="{top - 10}">test CER</text>')
    style = "<style>text{font:13px sans-serif;fill:#666}</style>"
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{"".join(parts)}</svg>\n'


def _ticks(most: float) -> list[float]:
    """Round numbers up to that, four or a few more."""
    sizes = (digit * 10.0**power for power in (2, 1, 0, -1, -2) for digit in (5, 2, 1))
    step = next(size for size in sizes if most / size >= 4)
    return [step * number for number in range(int(most / step) + 1)]


if __name__ == "__main__":
    main()
