"""Large files fetched over a network: resumed where they broke off, tried again with back-off, known by a digest."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import requests
import urllib3
from tqdm import tqdm

from textrec.base.runtime import TextrecError, named

CHUNK = 1 << 16  # bytes; also the most that is lost at a kill
TIMEOUT = (10, 60)  # seconds to connect, and without a byte
TRIES = 6  # in a row that bring nothing
RETRY = urllib3.Retry(total=TRIES - 1, backoff_factor=1)  # waits 0, 2, 4, 8, 16 seconds, or what Retry-After asks for
SAFE = r"(https://([^/@]*@)?[\w.-]+|http://(localhost|127\.0\.0\.1|\[::1\]))(:\d+)?([/?].*)?"
TEMPORARY = {408, 425, 429, 500, 502, 503, 504}  # answers that a later try may change


class Refusal(NamedTuple):
    """An answer without the bytes that were asked for."""

    reason: str  # "HTTP 404 Not Found", say
    temporary: bool  # a later try may be answered otherwise
    answer: Any = None  # urllib3's, which may tell how long to wait
    remedy: str | None = None  # where it is another than the source's


class LostError(Exception):
    """The connection is lost, or nothing came for too long; what came before is kept."""


class Source(Protocol):
    """A file somewhere else; `remedy` is what to do where it is refused for good."""

    remedy: ClassVar[str]

    @property
    def where(self) -> str:
        """What messages call it; without secrets."""
        ...

    def receive(self, part: Path, start: int) -> Refusal | None:
        """Write the bytes from `start` on to the file `part` as they come, in one try: a refusal, or LostError."""
        ...


def fetch(source: Source, path: Path, *, expected: str, algorithm: str = "sha256") -> None:
    """Fetch `source` to `path`, unless the file of the `expected` digest is there; a part of it waits beside.

    The part's name holds the digest, so that it is never continued as another file. Raises TextrecError where the
    source refuses, the last try fails, or the digest is wrong.
    """
    if path.is_file() and digest(path, algorithm) == expected:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{expected[:16]}.part")
    while True:
        resumed = part.exists()
        _complete(source, part)
        got = digest(part, algorithm)
        if got == expected:
            part.replace(path)
            return
        part.unlink()
        if not resumed:  # of a resumed file the beginning may be to blame, so that is fetched once more
            raise TextrecError(wrong_digest(source.where, expected=expected, got=got, algorithm=algorithm))


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def wrong_digest(where: object, *, expected: str, got: str, algorithm: str = "sha256") -> str:
    """The line that tells of a file which is not the one that was to come."""
    remedy = "get the right file or mend data.sha256" if algorithm == "sha256" else "run the same command again"
    return f"{where}: {algorithm} is {got}, expected {expected}; {remedy}"


def _complete(source: Source, part: Path) -> None:
    """Append what is missing to `part`, trying again until all is there."""
    part.touch()
    retry = RETRY
    while True:
        start = part.stat().st_size
        try:
            refusal = source.receive(part, start)
            if refusal is None:
                return
            if not refusal.temporary:
                raise TextrecError(f"{source.where}: {refusal.reason}; {refusal.remedy or source.remedy}")
            reason, answer = refusal.reason, refusal.answer
        except LostError as error:
            reason, answer = str(error), None
        if part.stat().st_size > start:
            retry = RETRY
        if retry.total == 0:
            raise TextrecError(f"{source.where}: {reason}, {TRIES} times; run the same command again later to go on")
        retry = retry.increment("GET")
        retry.sleep(answer)


def progress(path: Path, *, start: int, total: int | None) -> tqdm:
    """The bar of a file that is being fetched, with rate and time left; none where there is no terminal."""
    name = path.name.rpartition(".part")[0].rpartition(".")[0]
    return tqdm(desc=f"fetch {name}", unit="B", unit_scale=True, disable=None, initial=start, total=total)


# ---- HTTP ----


@dataclass(frozen=True)
class Url:
    """A file that a web server has."""

    url: str
    remedy: ClassVar[str] = "check the address in data.urls"

    @property
    def where(self) -> str:
        """The address without what may be secret."""
        return redact(self.url)

    def receive(self, part: Path, start: int) -> Refusal | None:
        """See `Source.receive`."""
        try:
            return self._receive(part, start)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise LostError(root_cause(error).replace(self.url, self.where)) from None

    def _receive(self, part: Path, start: int) -> Refusal | None:
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        with requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                return None  # nothing is left to send; the digest tells whether that is right
            if not answer.ok:
                reason = f"HTTP {answer.status_code} {answer.reason}"
                return Refusal(reason, answer.status_code in TEMPORARY, answer.raw)
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                start = 0  # the server sends the whole file again
            length = answer.headers.get("Content-Length")
            with (
                named(part),
                part.open("r+b") as file,
                progress(part, start=start, total=int(length) + start if length else None) as bar,
            ):
                file.truncate(start)
                file.seek(start)
                for piece in answer.raw.stream(CHUNK, decode_content=False):  # a .tgz may come as "encoded" with gzip
                    file.write(piece)
                    bar.update(len(piece))
        return None


def redact(url: str) -> str:
    """The url without user, password, query and fragment, for messages."""
    return re.split(r"[?#]", re.sub(r"://[^/]*@", "://", url))[0]


def is_safe(url: str) -> bool:
    """Whether the url is https, or plain http to this very machine."""
    return bool(re.fullmatch(SAFE, url))


def root_cause(error: BaseException) -> str:
    """The cause below all the layers, which is plain and, unlike them, holds no url."""
    while error.__context__:
        error = error.__context__
    return str(error) or type(error).__name__
