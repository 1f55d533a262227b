"""Files of wherever they are, brought to this machine; tried again where that may help."""

import time
from http import HTTPStatus
from pathlib import Path
from tempfile import NamedTemporaryFile

from textrec.archives.fetch import TEMPORARY
from textrec.base.runtime import TextrecError, named
from textrec.bulk.listing import Item, filesystem, is_here, reason, refused

TRIES, WAIT = 4, 0.5  # in all; seconds before the second, then twice as many each time
FOR_GOOD = (FileNotFoundError, IsADirectoryError, ImportError)


def lies_here(item: Item) -> bool:
    """Whether it is a file of this machine, which needs no fetching."""
    return is_here(item.url) and item.member is None


def fetch_item(item: Item, folder: Path) -> Path:
    """Its file: where it lies, or a copy in a folder.

    Raises TextrecError where the file is not to be had, after TRIES where another may help.
    """
    if lies_here(item):
        return Path(item.url)
    tries = 1
    while True:
        try:
            content = _bytes(item)
        except Exception as error:
            if not _temporary(error):
                raise TextrecError(reason(error)) from None
            if tries == TRIES:
                raise TextrecError(f"{reason(error)}, {TRIES} times") from None
            time.sleep(WAIT * 2 ** (tries - 1))
            tries += 1
        else:
            break
    with named(folder), NamedTemporaryFile(dir=folder, suffix=item.suffix, delete=False) as file:
        file.write(content)
    return Path(file.name)


def _bytes(item: Item) -> bytes:
    files, path = filesystem(item.url)
    if item.start is None or item.size is None:
        return files.cat_file(path)
    content = files.cat_file(path, start=item.start, end=item.start + item.size)
    if len(content) != item.size:
        raise OSError(f"{len(content):,} bytes of {item.size:,} came")
    return content


def _temporary(error: Exception) -> bool:
    """Whether a later try may help: not where it is plain that it will not."""
    status = getattr(error, "status", None)  # of an answer of HTTP
    for_good = isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST and status not in TEMPORARY
    return not (for_good or refused(error) or isinstance(error, (*FOR_GOOD, PermissionError)))
