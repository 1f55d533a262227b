"""Reading on a Ray cluster, as a Ray Data job: actors hold the models, Ray schedules, tries again and moves the data.

Tables come to the process that began it, which alone writes them: nodes need see neither the folder nor the model's
file, only the sources.
"""

import io
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from textrec.base.ray_cluster import connect
from textrec.bulk.job import Task
from textrec.bulk.worker import How, Reader

TRIES = 2  # of a unit by Ray itself, which tries again where a process or a node dies; then it is read page by page
AHEAD = 2  # units that are handed to an actor


class Cluster:
    """A Ray cluster, with an actor for each of its cores, or GPUs where it has such; a context manager.

    Raises TextrecError where none answers at the address (None: the one of this machine, or of RAY_ADDRESS), or where a
    node has another version of Python or textrec.
    """

    def __init__(self, address: str | None, model: Path, finder: Path, how: How, *, workers: int | None) -> None:
        self._ray = connect(address, asked="--cluster")
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        resources = self._ray.cluster_resources()
        self._gpu = resources.get("GPU", 0) >= 1
        self._workers = workers or max(1, int(resources.get("GPU" if self._gpu else "CPU", 1)))
        self._numbers = count()  # of all tasks that are read
        self._how = replace(how, device="cuda" if self._gpu else "cpu")
        self._files = [self._ray.put(path.read_bytes()) for path in (model, finder)]
        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=True)
        # Where its node dies, too, it is begun anew; what it had counted is then tried more often.
        lasting = {"max_restarts": -1, "max_task_retries": -1}
        self._tries = self._ray.remote(_Tries).options(num_cpus=0, scheduling_strategy=here, **lasting).remote()

    def read(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, pa.Table | str]]:
        """See `job.Runner`."""
        from ray.data import ActorPoolStrategy, from_items

        todo = dict(zip(self._numbers, tasks, strict=False))
        if not todo:
            return
        rows = [{"number": number, "items": pickle.dumps(task.items)} for number, task in todo.items()]
        read = from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Actor,
            fn_constructor_args=(self._files, self._how, self._tries),
            batch_size=1,
            batch_format="numpy",
            compute=ActorPoolStrategy(size=min(self._workers, len(rows)), max_tasks_in_flight_per_actor=AHEAD),
            num_cpus=0 if self._gpu else 1,
            num_gpus=1 if self._gpu else None,
        )
        for row in read.iter_rows():
            task = todo[int(row["number"])]
            if not row["table"]:
                yield task, "the process that reads it died"
                continue
            with pa.ipc.open_stream(row["table"]) as stream:
                yield task, stream.read_all()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()


class _Tries:
    """Counts how often each task was begun, for all actors: one at which they die would else be tried for ever."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """Which try of a task this is, from 1."""
        self._begun[number] += 1
        return self._begun[number]


class _Actor:
    """A reader on a node, which gets the models' files along."""

    def __init__(self, files: list[Any], how: How, tries: Any) -> None:
        import ray

        self._ray, self._tries = ray, tries

        with TemporaryDirectory(prefix="textrec-bulk-") as folder:
            model, finder = Path(folder) / "model.ckpt", Path(folder) / "finder.ckpt"
            for path, content in zip((model, finder), ray.get(files), strict=True):
                path.write_bytes(content)
            self._reader = Reader(model, finder, how)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        if self._ray.get(self._tries.begin.remote(int(batch["number"][0]))) > TRIES:
            return {"number": batch["number"], "table": [b""]}
        table = self._reader.read(pickle.loads(batch["items"][0]))  # noqa: S301 -- it comes from the job
        written = io.BytesIO()
        with pa.ipc.new_stream(written, table.schema) as stream:
            stream.write_table(table)
        return {"number": batch["number"], "table": [written.getvalue()]}
