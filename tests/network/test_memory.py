"""Memory that pages took is given back."""

import os
import platform
import subprocess
import sys

import pytest
from repository import ROOT

# A block of 64 MiB in pieces that the C library keeps when they are freed, all but the last, which holds up the rest.
FREED = """
from textrec.network.memory import bound_memory, give_back
bound_memory()
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
pieces = [bytearray(60_000) for _ in range(1100)]
last = pieces.pop()
pieces.clear()
before = resident()
give_back()
print(before - resident())
"""


def run(script: str, **environment: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | environment
    ).stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere nothing is given back")
def test_what_is_freed_goes_back_to_the_system() -> None:
    assert int(run(FREED)) > 30_000  # KiB


def test_what_a_person_has_set_stays() -> None:
    script = "import os; from textrec.network.memory import *; bound_memory(); print(os.environ[NAME])"
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    assert run(f"NAME = {name!r}; {script}", **{name: "7"}) == "7"
    assert run(f"import os; NAME = {name!r}; os.environ.pop(NAME, None); {script}") == "32"
    more = script.replace("bound_memory()", "bound_memory(TRAINING)")
    assert run(f"import os; NAME = {name!r}; os.environ.pop(NAME, None); {more}") == "256"
