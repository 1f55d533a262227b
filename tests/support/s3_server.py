"""A bucket of S3 on the loopback interface, by moto, that answers as a test plans."""

import threading
from collections.abc import Iterable
from typing import Any, Self

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ACCESS, SECRET, UNKNOWN = "AKIDACCESSKEY", "secretaccesskey", "AKIDUNKNOWN"
BUCKET = "scans"
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{0}</Code><Message>{0}</Message></Error>'


class S3:
    """Has `BUCKET`; `refusals` are how many requests for each key are refused as too many (503), `asked` logs all.

    Whoever has the access key `UNKNOWN` is refused.
    """

    def __init__(self) -> None:
        self.refusals: dict[str, int] = {}
        self.asked: list[str] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(f"{environ['REQUEST_METHOD']} {path}")
        code = None
        if f"Credential={UNKNOWN}/" in environ.get("HTTP_AUTHORIZATION", ""):
            code, status = "InvalidAccessKeyId", "403 Forbidden"
        elif left := self.refusals.get(path.removeprefix(f"/{BUCKET}/"), 0):
            self.refusals[path.removeprefix(f"/{BUCKET}/")] = left - 1
            code, status = "SlowDown", "503 Slow Down"
        if code is None:
            return self._moto(environ, start_response)
        start_response(status, [("Content-Type", "application/xml")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [ERROR.format(code).encode()]
