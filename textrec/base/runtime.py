"""What every stage needs: errors as one line, outputs that appear whole or not at all, ordered parallel work."""

import contextlib
import errno
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Begun = TypeVar("Begun")
Result = TypeVar("Result")
Place = Literal["local", "ray"]
SIGNALS = {signal.SIGINT, signal.SIGTERM}
AHEAD = 8  # items a worker that are handed out before their turn, so that none waits for a slow one


class TextrecError(Exception):
    """Something the user can mend: one line that names the file, the id, the value and the remedy."""


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main`; end the process with one line and a non-zero exit code where it cannot go on.

    Exit codes: 1 for bad input or a failing disk, 130 after Ctrl-C, 143 after SIGTERM. A bug still shows its traceback.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that temporary files and workers go too
    interrupted = False

    def interrupt(*_: object) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    # Where Python calls back from C (h5py's weak references) it drops what is raised, and would print it.
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else sys.__unraisablehook__(lost)
    try:
        main()
        if interrupted:
            raise KeyboardInterrupt
    except TextrecError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; nothing was overwritten, run the same command again to go on", code=130)
    except OSError as error:
        fail(describe(error))


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Print `error: <message>` on standard error as one line and exit with `code`."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(code)


def tell_dropped(dropped: Mapping[str, Mapping[str, int]], *, see: str) -> None:
    """Print on standard error, in one line, what was left out: by kind the counts by reason; nothing where none was."""
    kinds = {
        kind: ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()) if count)
        for kind, reasons in dropped.items()
    }
    if told := "; ".join(f"{kind}: {counts}" for kind, counts in kinds.items() if counts):
        print(f"left out {told}; see {see}", file=sys.stderr)


def describe(error: OSError) -> str:
    """One line for an operating system error, with the file where it is known and the remedy where it is plain."""
    full = error.errno == errno.ENOSPC or "errno = 28" in str(error)  # HDF5 wraps the code in its message
    reason = error.strerror or str(error).partition("\n")[0]
    remedy = "; free some space on this disk and run the same command again" if full else ""
    return f"{error.filename}: {reason}{remedy}" if error.filename else f"{reason}{remedy}"


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` on success and removed on any error.

    Whoever reads `path` sees the last good file or the new one, never a part of it, even after the power has failed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with named(path):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Add the file to an operating system's error that has none: a write to a full disk does not say where."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def write_json(path: str | Path, value: Any, *, digits: int = 4) -> None:
    """Write `value` as indented JSON with every float rounded to `digits`, so that metrics compare well."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(_rounded(value, digits), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a file of metrics or a table.

    Raises TextrecError where it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run `dvc repro` or `dvc pull` to get it") from None
    except ValueError as error:
        raise TextrecError(f"{path}: not JSON ({error}); remove it and run `dvc repro`") from None


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, digits) for item in value]
    return value


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    total: int,
    description: str,
    unit: str,
    workers: int | None = None,
    place: Place = "local",
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`, computed by `workers` processes (default: all usable cores).

    place: `ray`: by the cluster of this machine, on all its cores. `function` must be importable by name (or a
    `functools.partial` of such). Results do not depend on who computes them.
    Raises TextrecError where a worker is killed, and where there is no such cluster.
    """
    workers = workers or usable_cores()
    progress = {"total": total, "desc": description, "unit": unit, "disable": None}  # None: no bar where no terminal
    if place == "ray":
        from textrec.base.ray_cluster import map_on_cluster

        yield from tqdm(map_on_cluster(function, items, asked="data.workers: ray"), **progress)
        return
    if workers == 1:
        yield from tqdm(map(function, items), **progress)
        return
    pool = ProcessPoolExecutor(workers, initializer=leave_signals_to_parent)
    try:
        with signals_waiting():
            pool.submit(int)  # which starts the workers
        begin = partial(pool.submit, function)
        yield from tqdm(in_order(begin, Future.result, items, ahead=AHEAD * workers), **progress)
    except BrokenProcessPool:
        raise TextrecError(
            f"{Path(sys.argv[0]).stem}: a worker process was killed, as the system does where memory runs out; "
            "free some memory and run the same command again"
        ) from None
    finally:
        # Not waited for: what an error leaves unfinished Python may end while it starts another pool's threads, where
        # waiting for a thread never ends. The process waits at its own end.
        pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def signals_waiting() -> Iterator[None]:
    """Start processes in here: a signal that comes meanwhile waits, so that none is left half started.

    They begin with signals waiting, too, until they `leave_signals_to_parent`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_order(
    begin: Callable[[Item], Begun], finish: Callable[[Begun], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """Results in order, of which no more than `ahead` are in the making, so that memory holds no more of them.

    begin: has an item's result made elsewhere; finish: waits for it.
    """
    items = iter(items)
    begun = deque(map(begin, islice(items, ahead)))
    while begun:
        result = finish(begun.popleft())
        begun.extend(map(begin, islice(items, 1)))
        yield result


def leave_signals_to_parent() -> None:
    """In a worker: the parent alone answers Ctrl-C and SIGTERM, and the worker ends with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which the pool ends the others where one was killed
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()  # killed, it tells no worker
        os._exit(1)
