"""A Google Drive of our own on the loopback interface: what pydrive2 asks of the API's version 2, and faults.

Bodies lie in files, so that a large one takes no memory. It is as strict as Drive where a client may come to depend
on it: tokens, titles without regard to case, pages, ranges, upload sessions.
"""

import io
import json
import os
import re
import secrets
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qsl, urlsplit

from drive_access import Access
from drive_items import ERRORS, FOLDER, DriveError, Item, Items

HOOK = Path(__file__).parent / "drive_hook"
PIECE = 1 << 16  # bytes


@dataclass
class Session:
    """An upload over several requests."""

    metadata: dict[str, Any]
    path: Path
    held: int = 0  # bytes
    item: Item | None = None  # once it is complete


@dataclass
class Request:
    """A line of the log. `range` is Range, or an upload's Content-Range; `sent` and `received` are bytes of bodies."""

    method: str
    path: str
    query: dict[str, str]
    range: str | None
    status: int = 0  # 0: no answer
    sent: int = 0
    received: int = 0

    def matches(self, method: str, path: str) -> bool:
        return method in ("", self.method) and re.search(path, self.path) is not None


@dataclass
class Fault:
    """What happens to the next `times` requests of a method, on a path (a regular expression), that `when` accepts.

    A request meets the first fault that matches, with all of its effects.
    """

    method: str = ""
    path: str = ""
    when: Callable[[Request], bool] = lambda _: True
    times: float = 1
    error: str = ""  # a reason of ERRORS, in place of what was asked for
    cut: int | None = None  # the connection is reset after so many bytes of the answer's body
    cut_upload: int | None = None  # the connection is reset after so many bytes of the request's body
    short: int = 0  # the body ends so many bytes before its Content-Length, and the connection with it
    wrong: int | None = None  # this byte of the answer's body is another
    delay: float = 0  # seconds before the answer
    silent: bool = False  # no answer until the server stops


def is_media(request: Request) -> bool:
    """Whether a file's content is asked for."""
    return request.query.get("alt") == "media"


@dataclass
class Answer:
    """A JSON value, or the bytes `start` to `stop` of a file."""

    status: int = 200
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    path: Path | None = None
    start: int = 0
    stop: int = 0


class Drive(Access):
    """The server, at `url` from the beginning of a `with` to its end; `page_size` is the length of its longest page."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.page_size = 1000
        self.stopped = threading.Event()
        self.sessions: dict[str, Session] = {}
        self.errors: list[BaseException] = []
        self._faults: list[Fault] = []
        self._log_lock = threading.Lock()
        self._temporary = tempfile.TemporaryDirectory(prefix="drive-")
        self._server = _Server(self)
        super().__init__(f"http://127.0.0.1:{self._server.server_port}")
        self.items = Items(Path(self._temporary.name), self.url)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._temporary.cleanup()
        if self.errors:  # a mistake of the server must not pass for a fault that was asked for
            raise self.errors[0]

    def add_folder(self, title: str, parent: str = "root") -> str:
        return self.items.create({"title": title, "mimeType": FOLDER, "parents": [{"id": parent}]}).id

    def add_file(self, title: str, content: bytes | Path, parent: str = "root") -> str:
        """A path is served from where it lies."""
        path = self.items.new_path() if isinstance(content, bytes) else content
        if isinstance(content, bytes):
            path.write_bytes(content)
        return self.items.create({"title": title, "parents": [{"id": parent}]}, path).id

    def add_shared_drive(self, title: str) -> str:
        """Its id is also that of its root folder."""
        return self.items.create_shared_drive(title).id

    def files(self) -> list[Item]:
        """Files that are not in the trash, in the order in which they came."""
        return [item for item in self.items.search("trashed=false") if item.path]

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests of a method, on a path (a regular expression), there were."""
        return sum(request.matches(method, path) for request in self.requests)

    def fault(self, method: str = "", path: str = "", **effects: Any) -> Fault:
        """Plan a Fault; its `times` says how often it is yet to happen."""
        self._faults.append(Fault(method, path, **effects))
        return self._faults[-1]

    def environment(self) -> dict[str, str]:
        """The environment of a child whose Drive clients are to come here, and find no credentials but a test's."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        kept.pop("GDRIVE_CREDENTIALS_DATA", None)
        return kept | {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(HOOK), kept.get("PYTHONPATH")])),
            "TEXTREC_TEST_DRIVE": self.url,
            "GDRIVE_NON_INTERACTIVE": "1",
            "NO_PROXY": "127.0.0.1",
            "XDG_CACHE_HOME": str(Path(self._temporary.name) / "cache"),  # where pydrive2 keeps credentials
        }

    def record(self, request: Request) -> Fault:
        """Log a request; the fault that it meets, which may be one without effects."""
        with self._log_lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.times > 0 and request.matches(fault.method, fault.path) and fault.when(request):
                    fault.times -= 1
                    return fault
        return Fault()


class _Handler(BaseHTTPRequestHandler):
    """A connection: request after request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits until its head is acknowledged
    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    def _serve(self) -> None:
        self.drive, self.fault = self.server.drive, Fault()
        parts = urlsplit(self.path)
        ranges = self.headers["Range"] or self.headers["Content-Range"]
        self.entry = Request(self.command, parts.path, dict(parse_qsl(parts.query)), ranges)
        self.left = int(self.headers["Content-Length"] or 0)
        if "X-HTTP-Method-Override" in self.headers:  # googleapiclient's way with what is too long for a URL
            self.entry.method, self.entry.query = self.headers["X-HTTP-Method-Override"], self._form()
        self.fault = self.drive.record(self.entry)
        self.drive.stopped.wait(None if self.fault.silent else self.fault.delay)
        if self.drive.stopped.is_set():
            raise ConnectionAbortedError
        try:
            answer = self._route()
        except DriveError as error:
            answer = self._refusal(error)
        for _ in self._pieces():  # what is left unread would be taken for the next request
            pass
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _pieces(self) -> Iterator[bytes]:
        """What is left of the request's body, as it comes."""
        while self.left:
            allowed = PIECE if self.fault.cut_upload is None else self.fault.cut_upload - self.entry.received
            piece = self.rfile.read(min(PIECE, allowed, self.left)) if allowed > 0 else b""
            if not piece:
                self._reset()
            self.entry.received += len(piece)
            self.left -= len(piece)
            yield piece

    def _form(self) -> dict[str, str]:
        return dict(parse_qsl(b"".join(self._pieces()).decode()))

    def _json(self) -> dict[str, Any]:
        return json.loads(b"".join(self._pieces()))

    def _route(self) -> Answer:
        if self.fault.error:
            raise DriveError(self.fault.error)
        drive, items, entry = self.drive, self.drive.items, self.entry
        if (entry.method, entry.path) == ("POST", "/token"):
            return Answer(value=drive.grant(self._form()) | {"expires_in": 3600, "token_type": "Bearer"})
        if (entry.method, entry.path) == ("GET", "/auth"):
            return Answer(302, headers={"Location": drive.log_in(entry.query)})
        drive.authorise(self.headers["Authorization"] or "")
        match entry.method, entry.path.split("/")[1:]:
            case "GET", ["drive", "v2", "about"]:
                return Answer(value={"kind": "drive#about", "name": "Test", "rootFolderId": items.root})
            case "GET", ["drive", "v2", "files"]:
                return self._list()
            case "GET", ["drive", "v2", "files", name] if entry.query.get("alt") == "media":
                return self._media(items.find(name))
            case "GET", ["drive", "v2", "files", name]:
                value, fields = items.metadata(items.find(name)), entry.query.get("fields", "*").split(",")
                return Answer(value={key: value[key] for key in value if key in fields or fields == ["*"]})
            case "POST", ["drive", "v2", "files"]:
                return Answer(value=items.metadata(items.create(self._json())))
            case "PATCH" | "PUT", ["drive", "v2", "files", name]:
                items.update(items.find(name), self._json())
                return Answer(value=items.metadata(items.find(name)))
            case "POST", ["drive", "v2", "files", name, "trash"]:
                items.update(items.find(name), {"labels": {"trashed": True}})
                return Answer(value=items.metadata(items.find(name)))
            case "DELETE", ["drive", "v2", "files", name]:
                items.delete(items.find(name))
                return Answer(204)
            case "POST", ["upload", "drive", "v2", "files"] if entry.query.get("uploadType") == "resumable":
                return self._begin_upload()
            case "PUT", ["upload", "drive", "v2", "files"]:
                return self._continue_upload()
        raise DriveError("notFound")

    def _list(self) -> Answer:
        query = self.entry.query
        found = self.drive.items.search(
            query.get("q", "1"), query.get("driveId") if query.get("corpora") == "drive" else None
        )
        start = int(query.get("pageToken", "page-0").removeprefix("page-"))
        stop = start + min(int(query.get("maxResults", 100)), self.drive.page_size)
        value = {"kind": "drive#fileList", "items": [self.drive.items.metadata(item) for item in found[start:stop]]}
        return Answer(value=value | ({"nextPageToken": f"page-{stop}"} if stop < len(found) else {}))

    def _media(self, item: Item) -> Answer:
        if item.path is None:
            raise DriveError("notFound")
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if not asked:
            return Answer(200, None, {"Content-Type": item.mime}, item.path, 0, item.size)
        start, stop = int(asked[1]), min(int(asked[2] or item.size) + 1, item.size)
        if start >= stop:
            raise DriveError("requestedRangeNotSatisfiable", {"Content-Range": f"bytes */{item.size}"})
        headers = {"Content-Type": item.mime, "Content-Range": f"bytes {start}-{stop - 1}/{item.size}"}
        return Answer(206, None, headers, item.path, start, stop)

    def _begin_upload(self) -> Answer:
        session, name = Session(self._json(), self.drive.items.new_path()), secrets.token_hex(16)
        session.path.touch()
        self.drive.sessions[name] = session
        location = f"{self.drive.url}/upload/drive/v2/files?uploadType=resumable&upload_id={name}"
        return Answer(headers={"Location": location})

    def _continue_upload(self) -> Answer:
        """Take the bytes FIRST-LAST/TOTAL, or the whole; `*/TOTAL` only asks how many are held."""
        session = self.drive.sessions.get(self.entry.query.get("upload_id", ""))
        given = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", self.entry.range or f"bytes 0-0/{self.left}")
        if session is None:
            raise DriveError("notFound")
        if given is None or (given[1] and int(given[1]) != session.held):
            raise DriveError("invalid")
        if session.item is None:
            with session.path.open("ab", buffering=0) as file:  # whole, even when cut
                for piece in self._pieces():
                    file.write(piece)
                    session.held += len(piece)
            if session.held < int(given[2]):
                return Answer(308, headers={"Range": f"bytes=0-{session.held - 1}"} if session.held else {})
            session.item = self.drive.items.create(session.metadata, session.path)
        return Answer(value=self.drive.items.metadata(session.item))

    def _refusal(self, error: DriveError) -> Answer:
        status, domain, message = ERRORS[error.reason]
        if self.entry.path == "/token":
            return Answer(status, {"error": error.reason, "error_description": message})
        detail = {"domain": domain, "reason": error.reason, "message": message}
        return Answer(status, {"error": {"code": status, "message": message, "errors": [detail]}}, error.headers)

    def _send(self, answer: Answer) -> None:
        data = b"" if answer.value is None else json.dumps(answer.value).encode()
        body: BinaryIO = answer.path.open("rb") if answer.path else io.BytesIO(data)
        length = answer.stop - answer.start if answer.path else len(data)
        self.entry.status = answer.status
        self.send_response(answer.status)
        plain = {"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(length)}
        for name, value in (plain | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        stop = max(0, min(length - self.fault.short, length if self.fault.cut is None else self.fault.cut))
        with body:
            body.seek(answer.start)
            while self.entry.sent < stop:
                piece = bytearray(body.read(min(PIECE, stop - self.entry.sent)))
                place = -1 if self.fault.wrong is None else self.fault.wrong - self.entry.sent
                if 0 <= place < len(piece):
                    piece[place] ^= 0xFF
                self.entry.sent += len(piece)  # before they are out: a test may look as soon as it has them
                self.wfile.write(piece)
        if self.fault.cut is not None:
            self._reset()
        self.close_connection |= stop < length

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
        raise ConnectionAbortedError


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # DVC opens many connections at once

    def __init__(self, drive: Drive) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.drive = drive

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # clients go away, tests cut
            self.drive.errors.append(error)
