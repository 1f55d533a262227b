"""Files of wherever they are, brought to this machine; tried again where that may help."""

import errno
import time
from http import HTTPStatus
from pathlib import Path
from tempfile import NamedTemporaryFile

from textrec.archives.fetch import TEMPORARY
from textrec.base.runtime import TextrecError, named
from textrec.bulk.listing import Item, filesystem, is_here, reason, refused

TRIES, WAIT = 6, 1.0  # in all; seconds before the second, then twice as many each time: as long as a restart takes
FOR_GOOD = (FileNotFoundError, IsADirectoryError, ImportError)


def lies_here(item: Item) -> bool:
    """Whether it is a file of this machine, which needs no fetching."""
    return is_here(item.url) and item.member is None


def fetch_item(item: Item, folder: Path) -> Path:
    """Its file: where it lies, or a copy in a folder.

    Raises TextrecError where the file is not to be had, after TRIES where another may help; OSError where the folder's
    disk is full.
    """
    if lies_here(item):
        return Path(item.url)
    with named(folder), NamedTemporaryFile(dir=folder, suffix=item.suffix, delete=False) as file:
        path = Path(file.name)
    tries = 1
    while True:
        try:
            _fetch(item, path)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise OSError(error.errno, error.strerror, str(folder)) from None
            tried = f", {TRIES} times" if tries == TRIES else ""
            if tried or is_here(item.url) or not _temporary(error):
                path.unlink()
                raise TextrecError(reason(error) + tried) from None
            time.sleep(WAIT * 2 ** (tries - 1))
            tries += 1
        else:
            return path


def _fetch(item: Item, path: Path) -> None:
    files, name = filesystem(item.url)
    if item.start is None or item.size is None:
        files.get_file(name, str(path))
        return
    content = files.cat_file(name, start=item.start, end=item.start + item.size)
    if len(content) != item.size:
        raise OSError(f"{len(content):,} bytes of {item.size:,} came")
    path.write_bytes(content)


def _temporary(error: Exception) -> bool:
    """Whether a later try may help: not where it is plain that it will not."""
    status = getattr(error, "status", None)  # of an answer of HTTP
    for_good = isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST and status not in TEMPORARY
    return not (for_good or refused(error) or isinstance(error, (*FOR_GOOD, PermissionError)))
