"""A process that stops at a point of its work, so that a signal finds it there however busy the machine is."""

import subprocess
import time
from pathlib import Path

HOLD = """
def hold(module, path, calls, reached):
    import functools, importlib, pathlib, time

    *parents, name = path.split(".")
    holder = functools.reduce(getattr, parents, importlib.import_module(module))
    function, left = getattr(holder, name), calls

    @functools.wraps(function)
    def held(*arguments, **options):
        nonlocal left
        left -= 1
        if not left:
            pathlib.Path(reached).touch()
            time.sleep(3600)
        return function(*arguments, **options)

    setattr(holder, name, held)
"""


def hold(target: str, calls: int, reached: Path) -> str:
    """Code to run before a script's own: call number `calls` of a function makes the file `reached`, and waits an hour.

    target: "module:function" or "module:Class.method", as its callers look it up.
    """
    module, _, path = target.partition(":")
    return f"{HOLD}\nhold({module!r}, {path!r}, {calls}, {str(reached)!r})\n"


def wait_for(reached: Path, process: "subprocess.Popen[str]") -> None:
    """Return once the process is held; it must not end before."""
    while not reached.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
