"""What is typed in place of commands that would take minutes: they look at what they are given, and little more.

`python cut_short.py NAME ARGUMENTS...` does what NAME would, or ends with what is wrong with its arguments.
"""

import ast
import os
import re
import sys
import tarfile
import tomllib
from pathlib import Path

from repository import ROOT

COMMANDS = ("python", "python3", "pip", "pytest", "ruff", "pyright", "lint-imports", "npm")
FEW_TESTS = ["--collect-only", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
FEW_TESTS += [str(ROOT / "tests/base/test_charset.py")]


def cut_short(name: str, arguments: list[str]) -> list[str]:
    """The command to run for one of COMMANDS; [] for none."""
    match name, arguments:
        case "python3" | "python", ["-m", "venv", _]:
            return []
        case "python3" | "python", ["-m", "app", *options]:
            return [sys.executable, "-m", "app", *options, "--help"]
        case "python3" | "python", [script, *rest] if script.startswith("benchmarks/"):
            least, most = places(ROOT / script)
            if not least <= len(rest) <= most:
                raise SystemExit(f"{script} takes {least} to {most} arguments, not {rest}")
            return []
        case "python3" | "python", _:
            return [sys.executable, *arguments]
        case "pip", ["install", "-c", constraints, "-e", place]:
            extras = re.fullmatch(r"\.(?:\[([\w,]+)\])?", place)
            known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            if not (extras and set(filter(None, (extras[1] or "").split(","))) <= known.keys()):
                raise SystemExit(f"pip: {place} is not here, or has no such extra")
            if not Path(constraints).exists():
                raise SystemExit(f"pip: {constraints} is not here")
            return []
        case "npm", ["pack", package, "--silent", "--ignore-scripts", "--pack-destination", folder]:
            name = package.rpartition("@")[0].rpartition("/")[2]
            with tarfile.open(Path(folder, "package.tgz"), "w:gz") as archive:
                for member in ("LICENSE", f"files/{name}-latin-400-normal.woff2"):
                    archive.addfile(tarfile.TarInfo(f"package/{member}"))
            return []
        case "pytest", _:
            return [sys.executable, "-m", "pytest", *arguments, *FEW_TESTS]
        case (("ruff" | "pyright" | "lint-imports"), _):
            return []
    raise SystemExit(f"{name} {' '.join(arguments)}: not known to be right")


def places(script: Path) -> tuple[int, float]:
    """How many arguments a benchmark takes at least and at most, by its docstring."""
    docstring = ast.get_docstring(ast.parse(script.read_text())) or ""
    words = re.search(r"^Usage: python \S+(.*)$", docstring, re.MULTILINE)
    names = re.findall(r"\[?[A-Z_]+", words[1]) if words else []
    return sum(not name.startswith("[") for name in names), float("inf") if words and "..." in words[1] else len(names)


if __name__ == "__main__":
    if command := cut_short(sys.argv[1], sys.argv[2:]):
        os.execvp(command[0], command)  # noqa: S606
