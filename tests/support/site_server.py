"""A real web server on the loopback interface that answers as a test plans."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit


class Site:
    """Serves `files` by name; `plan` changes the next answers, one each; `ranges` logs the Range of every request.

    In an answer's plan: `status` with `headers` and no file, `cut` (bytes after which the connection ends),
    `ignore_range`, `stall` (bytes after which nothing more comes). A HEAD is answered as it should be, and not logged.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.plan: list[dict[str, Any]] = []
        self.ranges: list[str | None] = []
        self.stopped = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site._answer(self)

            def do_HEAD(self) -> None:
                data = site._file(self)
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.send_header("Accept-Ranges", "bytes")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _file(self, request: BaseHTTPRequestHandler) -> bytes | None:
        return self.files.get(urlsplit(request.path).path.lstrip("/"))

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers["Range"]
        self.ranges.append(asked)
        plan = self.plan.pop(0) if self.plan else {}
        data = self._file(request)
        status = plan.get("status", 404 if data is None else 206 if asked else 200)
        data = b"" if data is None else data
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)) + 1, len(data))
        if plan.get("ignore_range"):
            status, start, end = 200, 0, len(data)
        if start >= len(data) and status == 206:
            status = 416
        request.send_response(status)
        for name, value in plan.get("headers", {}).items():
            request.send_header(name, value)
        body = data[start:end] if status in (200, 206) else b""
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        with contextlib.suppress(ConnectionError):  # the client went away
            request.wfile.write(body[: min(plan.get("cut", len(body)), plan.get("stall", len(body)))])
            if "stall" in plan:
                self.stopped.wait()
