"""Raw archives on Google Drive, fetched by the session that dvc-gdrive opens: one client, DVC's own credentials.

What DVC's access to files cannot do, reading from the middle of one and finding one by its id, is asked of the PyDrive2
session below it. dvc, dvc-gdrive and PyDrive2 are imported where they are needed: no other source needs them.
"""

import contextlib
import http.client
import json
import os
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from textrec.archives.credentials import LOGIN, drive_options, remedy_of_way
from textrec.archives.fetch import TEMPORARY, TIMEOUT, TRIES, LostError, Refusal, progress, redact
from textrec.base.params import Params
from textrec.base.runtime import TextrecError, named

CHUNK = 16 << 20  # bytes asked for at a time: a request takes 0.2 s of Drive, and as much is lost at a kill
FOLDER = "application/vnd.google-apps.folder"
RATE = {"rateLimitExceeded", "userRateLimitExceeded"}  # reasons of a 403 that passes; others stay
QUOTAS = {"dailyLimitExceeded", "downloadQuotaExceeded", "quotaExceeded"}  # ... or pass within a day
REMEDIES = dict.fromkeys(QUOTAS, "wait for a day, then run the same command again") | {
    "accessNotConfigured": "enable the Google Drive API in the project of your client id, https://console.cloud.google.com",
    "authError": LOGIN,
}
FIELDS = "id,title,mimeType,fileSize,md5Checksum"


class DriveParams(Params):
    """Where the archives are on Google Drive."""

    folder: str | None
    """A folder: the long part of its link, or the link. Archives are looked for in it by their names."""
    files: dict[str, str]
    """Archive name -> the file where it is elsewhere: the long part of its sharing link, the link, or, with a dot in
    its name, a path below `folder`."""


@dataclass(frozen=True)
class DriveFile:
    """A file on Google Drive, as its listing tells; `size` in bytes."""

    id: str
    title: str
    size: int
    md5: str
    client: Any  # pydrive2.auth.GoogleAuth
    remedy: ClassVar[str] = "look at how it is shared, or mend data.gdrive"

    @property
    def where(self) -> str:
        """Title and id."""
        return f"Google Drive: {self.title} ({self.id})"

    def receive(self, part: Path, start: int) -> Refusal | None:
        """See `fetch.Source.receive`."""
        request = self.client.service.files().get_media(fileId=self.id, supportsAllDrives=True)
        transport = self.client.Get_Http_Object()
        with named(part), part.open("r+b") as file, progress(part, start=start, total=self.size) as bar:
            file.seek(start)
            while start < self.size:
                last = min(start + CHUNK, self.size) - 1
                headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{last}"}
                with _lost():
                    answer, body = transport.request(request.uri, headers=headers)
                if answer.status != http.client.PARTIAL_CONTENT:
                    return _refusal(answer, body)
                body = body[: last + 1 - start]
                file.write(body)
                file.flush()
                start += len(body)
                bar.update(len(body))
        return None


@contextlib.contextmanager
def session(options: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Log in to Drive as DVC would; yields pydrive2.auth.GoogleAuth. Nothing in it waits for ever, nor asks anybody.

    options: those of a remote of DVC's; default: `drive_options`.
    """
    from dvc_gdrive import GDriveFileSystem

    os.environ["GDRIVE_NON_INTERACTIVE"] = "1"  # or a stage would open a browser
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT[1])
    try:
        with _explained():
            # The root is not looked at before it is asked for; what is fetched may lie elsewhere.
            drive: Any = GDriveFileSystem(**{**(options or drive_options()), "url": "gdrive://root"}).fs
            client = drive.client.auth
            client.Authorize()
            yield client
    finally:
        socket.setdefaulttimeout(before)


def find(client: Any, params: DriveParams, known: Collection[str]) -> dict[str, DriveFile]:
    """The archives that there are, by name: those that `files` names, and of the `known` names those in `folder`.

    Raises TextrecError where a file is not there or stands twice.
    """
    folder = params.folder and file_id(params.folder)
    drive = _shared_drive(client, folder) if folder else {}
    found = {}
    for name, place in params.files.items():
        if given := file_id(place):
            metadata = _call(client.service.files().get(fileId=given, fields=FIELDS, supportsAllDrives=True), client)
        elif folder:
            metadata = _below(client, folder, place, drive)
        else:
            raise TextrecError(f"data.gdrive.files.{name} is {place!r}, a path; set data.gdrive.folder, or give its id")
        found[name] = _file(metadata, client, where=f"data.gdrive.files.{name}")
    if folder:
        for metadata in _children(client, folder, drive):
            name = metadata["title"]
            if name in known and name not in params.files:
                if name in found:
                    raise TextrecError(_twice(name, folder))
                found[name] = _file(metadata, client, where=f"data.gdrive.folder: {name}")
    return found


def file_id(place: str) -> str | None:
    """The id in a sharing link, or `place` itself where it looks like an id; None where it is a path."""
    if match := re.match(r"https://(?:drive|docs)\.google\.com/.*?(?:/d/|/folders/|[?&]id=)([\w-]+)", place):
        return match[1]
    return place if re.fullmatch(r"[\w-]+", place) else None


def _below(client: Any, folder: str, path: str, drive: dict[str, str]) -> dict[str, Any]:
    """The file at `path` below a folder."""
    parent = {"id": folder}
    for part in PurePosixPath(path).parts:
        matches = [item for item in _children(client, parent["id"], drive, title=part) if item["title"] == part]
        if not matches:
            raise TextrecError(f"Google Drive: no {part} in folder {parent['id']}, of data.gdrive.files: {path}")
        if len(matches) > 1:
            raise TextrecError(_twice(part, parent["id"]))
        parent = matches[0]
    return parent


def _shared_drive(client: Any, folder: str) -> dict[str, str]:
    """How a listing names the shared drive that a folder is on; nothing where it is on somebody's own."""
    request = client.service.files().get(fileId=folder, fields="id,driveId", supportsAllDrives=True)
    drive = _call(request, client).get("driveId")
    return {"corpora": "drive", "driveId": drive} if drive else {}


def _children(client: Any, folder: str, drive: dict[str, str], *, title: str | None = None) -> Iterator[dict[str, Any]]:
    """What lies in a folder; titles are compared as Drive does it, whatever their case."""
    files = client.service.files()
    query = f"'{folder}' in parents and trashed=false"
    if title is not None:
        query += " and title='{}'".format(title.replace("\\", "\\\\").replace("'", "\\'"))
    shared = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}
    request = files.list(q=query, maxResults=1000, **shared, **drive)
    while request is not None:
        page = _call(request, client)
        yield from page["items"]
        request = files.list_next(request, page)


def _file(metadata: dict[str, Any], client: Any, *, where: str) -> DriveFile:
    if "fileSize" not in metadata or "md5Checksum" not in metadata:
        kind = "a folder" if metadata.get("mimeType") == FOLDER else f"of type {metadata.get('mimeType')}"
        raise TextrecError(f"{where}: {metadata['title']} ({metadata['id']}) is {kind}, not a file to fetch")
    return DriveFile(metadata["id"], metadata["title"], int(metadata["fileSize"]), metadata["md5Checksum"], client)


def _twice(name: str, folder: str) -> str:
    return (
        f"Google Drive: {name} stands twice in folder {folder}; remove one, or give data.gdrive.files.{name} its link"
    )


# ---- what can go wrong ----


def _call(request: Any, client: Any) -> dict[str, Any]:
    """Carry out a request for metadata, trying again what may pass."""
    return request.execute(http=client.Get_Http_Object(), num_retries=TRIES - 1)


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    import httplib2

    try:
        yield
    except (httplib2.HttpLib2Error, http.client.HTTPException, OSError) as error:
        raise LostError(_cause(error)) from None


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what Drive answers and what the network does into a line for the user."""
    import httplib2
    from googleapiclient.errors import HttpError
    from oauth2client.client import AccessTokenRefreshError
    from pydrive2.auth import AuthError
    from pydrive2.fs.spec import GDriveAuthError

    try:
        yield
    except HttpError as error:
        refusal = _refusal(error.resp, error.content)
        remedy = refusal.remedy or "look at data.gdrive, and at what is shared with whom"
        again = "run the same command again later"
        raise TextrecError(
            f"Google Drive: {redact(str(error.uri))}: {refusal.reason}; {again if refusal.temporary else remedy}"
        ) from None
    except (AccessTokenRefreshError, AuthError, GDriveAuthError) as error:
        remedy, reason = remedy_of_way(error), _cause(error)
        if not (remedy or isinstance(error, GDriveAuthError)):
            reason = f"the login has ended or was revoked ({reason})"
        raise TextrecError(f"Google Drive: {reason}; {remedy or LOGIN}") from None
    except (httplib2.HttpLib2Error, http.client.HTTPException, OSError) as error:
        if not (remedy := remedy_of_way(error)):  # a disk's
            raise
        raise TextrecError(f"Google Drive: {_cause(error)}; {remedy}") from None


def _refusal(answer: Any, body: bytes) -> Refusal:
    """What an error of Drive says: {"error": {"message": ..., "errors": [{"reason": ...}]}}."""
    try:
        error = json.loads(body)["error"]
        reason, message = error["errors"][0]["reason"], error["message"]
    except (ValueError, LookupError, TypeError):
        reason, message = "", answer.reason
    temporary = answer.status in TEMPORARY or reason in RATE
    return Refusal(f"HTTP {answer.status} {reason}: {message.rstrip('.')}", temporary, remedy=REMEDIES.get(reason))


def _cause(error: BaseException) -> str:
    while error.__cause__:
        error = error.__cause__
    return str(error) or type(error).__name__
