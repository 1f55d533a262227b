"""Folders and files as version 2 of Google Drive's API has them, and how it refuses."""

import hashlib
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "application/vnd.google-apps.folder"
BINARY = "application/octet-stream"
TERM = re.compile(r"'([^']*)' in parents|title ?= ?'((?:[^'\\]|\\.)*)'|trashed ?= ?(true|false)")
ERRORS = {  # reason: status, domain, message
    "invalid": (400, "global", "Invalid Value"),
    "invalid_client": (401, "", "The OAuth client was not found."),
    "invalid_grant": (400, "", "Token has been expired or revoked."),
    "authError": (401, "global", "Invalid Credentials"),
    "rateLimitExceeded": (403, "usageLimits", "Rate Limit Exceeded"),
    "userRateLimitExceeded": (403, "usageLimits", "User Rate Limit Exceeded"),
    "dailyLimitExceeded": (403, "usageLimits", "Daily Limit Exceeded"),
    "downloadQuotaExceeded": (403, "usageLimits", "The download quota for this file has been exceeded."),
    "accessNotConfigured": (403, "usageLimits", "Access Not Configured. The API is not enabled for your project."),
    "storageQuotaExceeded": (403, "global", "The user's Drive storage quota has been exceeded."),
    "notFound": (404, "global", "File not found"),
    "requestedRangeNotSatisfiable": (416, "global", "Request range not satisfiable"),
    "internalError": (500, "global", "Internal Error"),
    "backendError": (503, "global", "Backend Error"),
}


class DriveError(Exception):
    """A refusal, by its reason in ERRORS."""

    def __init__(self, reason: str, headers: dict[str, str] | None = None) -> None:
        self.reason, self.headers = reason, headers or {}


@dataclass
class Item:
    """A file or, where `path` is None, a folder."""

    id: str
    title: str
    mime: str
    parents: list[str]  # one, or none for the root of a drive
    path: Path | None = None
    size: int = 0
    md5: str = ""
    trashed: bool = False


class Items:
    """Folders and files, and the bodies of those that came by bytes or by upload, in `folder`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.root = f"0A{secrets.token_hex(8)}"  # "root" is another name of it, as in Drive
        self._all = {self.root: Item(self.root, "My Drive", FOLDER, [])}
        self._folder = folder
        self._url = url
        self._lock = threading.RLock()

    def new_path(self) -> Path:
        return self._folder / secrets.token_hex(8)

    def create(self, metadata: dict[str, Any], path: Path | None = None) -> Item:
        """A file, or without a path a folder; one more of that title where there is one already, as in Drive."""
        item = Item(f"1{secrets.token_hex(16)}", metadata["title"], metadata.get("mimeType", BINARY), [self.root], path)
        if path:
            with path.open("rb") as file:
                item.size, item.md5 = path.stat().st_size, hashlib.file_digest(file, "md5").hexdigest()
        with self._lock:
            self.update(item, {"parents": metadata.get("parents", [])})
            self._all[item.id] = item
        return item

    def create_shared_drive(self, title: str) -> Item:
        drive = Item(f"0A{secrets.token_hex(8)}", title, FOLDER, [])
        with self._lock:
            self._all[drive.id] = drive
        return drive

    def find(self, name: str) -> Item:
        with self._lock:
            item = self._all.get(self.root if name == "root" else name)
        if item is None:
            raise DriveError("notFound")
        return item

    def update(self, item: Item, changes: dict[str, Any]) -> None:
        with self._lock:
            item.title = changes.get("title", item.title)
            item.trashed = changes.get("labels", {}).get("trashed", item.trashed)
            item.parents = [self.find(parent["id"]).id for parent in changes.get("parents", [])] or item.parents

    def delete(self, item: Item) -> None:
        with self._lock:
            self._all = {name: other for name, other in self._all.items() if item not in self._lineage(other)}

    def search(self, query: str, drive: str | None = None) -> list[Item]:
        """What meets a query, in all drives or in one, in the order in which it came."""
        with self._lock:
            found = [item for item in self._all.values() if item.parents and self._meets(item, query)]
            return [item for item in found if drive in (None, self._lineage(item)[-1].id)]

    def _meets(self, item: Item, query: str) -> bool:
        """Each comparison gives 0 or 1, then each pair of parentheses, then what is left."""

        def compare(term: re.Match[str]) -> str:
            parent, title, trashed = term.groups()
            if parent is not None:
                value = (self.root if parent == "root" else parent) in item.parents
            elif title is not None:
                value = item.title.casefold() == re.sub(r"\\(.)", r"\1", title).casefold()
            else:
                value = self._is_trashed(item) == (trashed == "true")
            return "01"[value]

        text, pairs = TERM.sub(compare, query), 1
        while pairs:
            text, pairs = re.subn(r"\(([^()]*)\)", lambda inner: _joined(inner[1]), text)
        return _joined(text) == "1"

    def _lineage(self, item: Item) -> list[Item]:
        """The item, the folder that it is in, and so on up to the root of its drive."""
        return [item, *(self._lineage(self._all[item.parents[0]]) if item.parents else [])]

    def _is_trashed(self, item: Item) -> bool:
        return any(one.trashed for one in self._lineage(item))

    def metadata(self, item: Item) -> dict[str, Any]:
        """What version 2 of the API tells of an item."""
        parents = [{"kind": "drive#parentReference", "id": one, "isRoot": one == self.root} for one in item.parents]
        value = {"kind": "drive#file", "id": item.id, "title": item.title, "mimeType": item.mime, "parents": parents}
        if item.path:
            value |= {"fileSize": str(item.size), "md5Checksum": item.md5}
            value |= {"downloadUrl": f"{self._url}/drive/v2/files/{item.id}?alt=media"}
        with self._lock:
            drive = self._lineage(item)[-1].id
            value |= {"labels": {"trashed": self._is_trashed(item)}}
        return value if drive == self.root else value | {"driveId": drive}


def _joined(text: str) -> str:
    """What `0` and `1` give with `and` and `or` between them, from left to right, as Drive has it."""
    if not re.fullmatch(r"\s*[01](\s+(and|or)\s+[01])*\s*", text):
        raise DriveError("invalid")
    value, *rest = text.split()
    for word, other in zip(rest[::2], rest[1::2], strict=True):
        value = min(value, other) if word == "and" else max(value, other)
    return value
