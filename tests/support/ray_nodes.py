"""A real Ray cluster on loopback, whose nodes are processes of this machine."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from repository import ROOT

from textrec.base.runtime import TextrecError

SUPPORT = ROOT / "tests/support"
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(map(str, (ROOT, SUPPORT / "fatal", SUPPORT))),
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_worker_niceness": "0",  # else other tests, which run beside these, would have all time
}
NODE: dict[str, Any] = {"object_store_memory": 100 << 20, "include_dashboard": False}


@contextlib.contextmanager
def nodes(count: int) -> Iterator[Any]:
    """A head without cores, and so many nodes of one core each; `ray` and RAY_ADDRESS know it."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
        try:
            for _ in range(count):
                made.add_node(num_cpus=1, **NODE)
            made.wait_for_nodes()
            patch.setenv("RAY_ADDRESS", made.address)
            yield made
        finally:
            made.shutdown()


def add(number: int, *, more: int) -> tuple[int, int]:
    """A sum, and who reckoned it; importable on nodes."""
    if number < 0:
        raise TextrecError(f"{number} is below 0")
    return number + more, os.getpid()
