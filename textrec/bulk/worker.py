"""One who reads: a model, and the items that it is given, to a table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import torch

from textrec.base.runtime import TextrecError, in_order
from textrec.bulk.fetching import fetch_item, lies_here
from textrec.bulk.listing import Item
from textrec.bulk.rows import row_of_error, rows_of, table_of
from textrec.network.finder import LineFinder
from textrec.network.memory import bound_memory
from textrec.pages.pictures import count_pages
from textrec.reading.recognizer import Kind, Recognizer
from textrec.reading.sheets import Sheet, read_files

AT_ONCE = 8  # files that are fetched before their turn


@dataclass(frozen=True)
class How:
    """How pages are read. model: its digest, in hex. kind: what each picture is, None where that is to be found out."""

    model: str
    finder: str
    kind: Kind | None = None
    greedy: bool = False
    batch_size: int = 32
    device: str = "cpu"


class Reader:
    """A model and a line finder, on so many cores of this machine, or on a GPU."""

    def __init__(self, model: Path, finder: Path, how: How, *, cores: int = 1) -> None:
        bound_memory()
        torch.set_num_threads(cores)
        self._how, self._cores = how, cores
        self._recognizer = Recognizer.load(model, device=how.device)
        self._finder = LineFinder.load(finder).to(self._recognizer.model.device)

    def read(self, items: Sequence[Item]) -> pa.Table:
        """Read items, each page of which stands in the table, whatever becomes of it; in their order."""
        rows = {}
        with TemporaryDirectory(prefix="textrec-bulk-") as folder:
            fetched = _fetched(items, Path(folder))
            pages = _Pages(fetched)
            how = self._how
            options = {"kind": how.kind, "batch_size": how.batch_size, "greedy": how.greedy, "cores": self._cores}
            for sheets in read_files(pages, self._recognizer, self._finder, **options):
                for sheet in sheets:
                    item = pages.done(sheet)
                    rows[item, sheet.number] = rows_of(item, sheet, how.model)
        rows |= {(item, None): [row_of_error(item, error, how.model)] for item, error in pages.lost.items()}
        places = {item: place for place, item in enumerate(items)}
        order = sorted(rows, key=lambda key: (places[key[0]], key[1] or 0))
        return table_of(row for key in order for row in rows[key])


class _Pages:
    """The pages of items as `read_files` takes them, as their files come, each of which goes once it is read.

    lost: why an item's file could not be had.
    """

    def __init__(self, fetched: Iterator[tuple[Item, Path | TextrecError]]) -> None:
        self._fetched = fetched
        self._items: dict[tuple[str, int | None], Item] = {}  # by the path of its file, and a page of that
        self._left: Counter[str] = Counter()  # its pages that are not read yet
        self.lost: dict[Item, str] = {}

    def __iter__(self) -> Iterator[tuple[str, int | None]]:
        for item, path in self._fetched:
            if isinstance(path, TextrecError):
                self.lost[item] = str(path)
                continue
            name = str(path)
            first, last = (item.first, item.last) if item.first and item.last else (1, count_pages(path))
            numbers = range(first, last + 1) if last else [None]
            self._items |= {(name, number): item for number in numbers}
            self._left[name] += len(numbers)
            yield from ((name, number) for number in numbers)

    def done(self, sheet: Sheet) -> Item:
        """The item of a page that was read."""
        item = self._items.pop((sheet.path, sheet.number))
        self._left[sheet.path] -= 1
        if not self._left[sheet.path] and not lies_here(item):
            Path(sheet.path).unlink()
        return item


def _fetched(items: Sequence[Item], folder: Path) -> Iterator[tuple[Item, Path | TextrecError]]:
    """Items with their files, or why those are not to be had; the next are fetched meanwhile."""
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def start(item: Item) -> tuple[Item, Future[Path]]:
            return item, pool.submit(fetch_item, item, folder)

        def finish(begun: tuple[Item, Future[Path]]) -> tuple[Item, Path | TextrecError]:
            item, future = begun
            try:
                return item, future.result()
            except TextrecError as error:
                return item, error

        yield from in_order(start, finish, items, ahead=AT_ONCE)
