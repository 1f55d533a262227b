"""A Ray cluster, for those whom one machine does not suffice; without it nothing here imports Ray."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from pydantic import ConfigDict

from textrec.base.params import Params
from textrec.base.runtime import Place, TextrecError, in_order

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4  # items a core that are handed out before their turn
ANSWER, PATIENCE = 10, 60  # seconds for a cluster to answer; for each of its nodes, which may have to begin a process


class Workers(Params):
    """What the section `data` tells of who draws."""

    model_config = ConfigDict(extra="ignore")

    workers: Place


def connect(address: str | None, *, asked: str) -> Any:
    """Connect this process to a Ray cluster, and return the package.

    address: HOST:PORT of its head, None: the cluster of this machine, or of RAY_ADDRESS. asked: the option or parameter
    that asks for it. Raises TextrecError where Ray is not installed, where none answers, and where a node has another
    version of Python or textrec.
    """
    try:
        import ray
        from ray.data import DataContext
    except ImportError:
        raise TextrecError(f"{asked}: Ray is not installed; run `pip install textrec[cluster]`") from None
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        _answers(address, asked)
    try:
        ray.init(address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (Exception, SystemExit) as error:
        where = f"at {address}" if address else "on this machine"
        first = str(error).partition("\n")[0]
        remedy = f"begin one by `ray start --head`, or do without {asked}"
        raise TextrecError(f"{asked}: no cluster to be used {where} ({first}); {remedy}") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    _same_versions(ray, asked)
    return ray


def map_on_cluster(function: Callable[[Item], Result], items: Iterable[Item], *, asked: str) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`, computed on all cores of the cluster of this machine.

    `function` must be importable by name (or a `functools.partial` of such) on every node. What a node that dies had
    begun Ray has done by another. Raises as `connect`, and what `function` raises.
    """
    ray = connect(None, asked=asked)
    try:
        begin = partial(ray.remote(_call).remote, ray.put(function))
        ahead = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield from in_order(begin, ray.get, items, ahead=ahead)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        ray.shutdown()


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)


def _answers(address: str, asked: str) -> None:
    """Raise TextrecError where no server of gRPC is at an address, for which Ray itself would wait minutes."""
    import grpc

    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(ANSWER)
    except Exception as error:
        remedy = "it is HOST:PORT, as `ray start --head` says; is the cluster up?"
        raise TextrecError(f"{asked} {address}: no cluster answers ({type(error).__name__}); {remedy}") from None


def _same_versions(ray: Any, asked: str) -> None:
    """Have every node say what it runs; TextrecError where it is another version than here."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def versions() -> tuple[str, str]:  # taken along by value, as textrec may not be there
        import importlib
        import platform

        try:
            version = importlib.import_module("textrec").__version__
        except ImportError:
            version = "none"
        return version, platform.python_version()

    here = versions()
    answers = {
        node["NodeManagerAddress"] + " " + node["NodeID"][:8]: ray.remote(versions)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote()
        for node in ray.nodes()
        if node["Alive"]
    }
    for node, answer in answers.items():
        try:
            there = ray.get(answer, timeout=PATIENCE)
        except ray.exceptions.RayError:  # it is dying, or too busy, which Ray copes with
            continue
        for name, mine, its in zip(("textrec", "Python"), here, there, strict=True):
            if mine != its:
                raise TextrecError(f"{asked}: node {node} has {name} {its}, here is {mine}; have the same on all")
