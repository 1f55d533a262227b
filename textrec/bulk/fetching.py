"""Files of wherever they are, brought to this machine; tried again where that may help."""

import time
from http import HTTPStatus
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from fsspec.core import url_to_fs

from textrec.archives.fetch import TEMPORARY, TIMEOUT
from textrec.base.runtime import TextrecError
from textrec.bulk.listing import Item, reason

TRIES, WAIT = 4, 0.5  # in all; seconds before the second, then twice as many each time
FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, ImportError)


def is_here(item: Item) -> bool:
    """Whether it is a file of this machine, which needs no fetching."""
    return "://" not in item.url and item.member is None


def fetch_item(item: Item, folder: Path) -> Path:
    """Its file: where it lies, or a copy in a folder.

    Raises TextrecError where the file is not to be had, after TRIES where another may help.
    """
    if is_here(item):
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
    with NamedTemporaryFile(dir=folder, suffix=item.suffix, delete=False) as file:
        file.write(content)
    return Path(file.name)


def _bytes(item: Item) -> bytes:
    files, path = url_to_fs(item.url, **_patience(item.url))
    if item.start is None or item.size is None:
        return files.cat_file(path)
    content = files.cat_file(path, start=item.start, end=item.start + item.size)
    if len(content) != item.size:
        raise OSError(f"{len(content)} bytes of {item.size} came")
    return content


def _patience(url: str) -> dict[str, Any]:
    """How long to wait for those kinds of servers that may be asked so."""
    connect, read = TIMEOUT
    if url.startswith("s3://"):
        return {"config_kwargs": {"connect_timeout": connect, "read_timeout": read}}
    if url.startswith("http"):
        from aiohttp import ClientTimeout

        return {"client_kwargs": {"timeout": ClientTimeout(total=None, sock_connect=connect, sock_read=read)}}
    return {}


def _temporary(error: Exception) -> bool:
    """Whether a later try may help: not where it is plain that it will not."""
    status = getattr(error, "status", None)  # of an answer of HTTP
    refused = isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST and status not in TEMPORARY
    return not (refused or isinstance(error, FOR_GOOD))
