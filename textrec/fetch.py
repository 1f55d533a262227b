"""Files fetched over HTTP: resumed where they broke off, tried again with back-off, and known by their SHA-256."""

import hashlib
import re
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from textrec.runtime import TextrecError, named

CHUNK = 1 << 16  # bytes; also the most that is lost at a kill
TIMEOUT = (10, 60)  # seconds to connect, and without a byte
TRIES = 6  # in a row that bring nothing
RETRY = urllib3.Retry(total=TRIES - 1, backoff_factor=1)  # waits 0, 2, 4, 8, 16 seconds, or what Retry-After asks for
SAFE = r"(https://([^/@]*@)?[\w.-]+|http://(localhost|127\.0\.0\.1|\[::1\]))(:\d+)?([/?].*)?"
TEMPORARY = {408, 425, 429, 500, 502, 503, 504}  # answers that a later try may change


def fetch(url: str, path: Path, *, sha256: str) -> None:
    """Fetch `url` to `path`, unless the right file is there; a part of it waits beside to be resumed.

    The part's name holds the digest, so that it is never continued as another file. Raises TextrecError, with the url
    stripped of what may be secret, where the server refuses, the last try fails, or the digest is wrong.
    """
    if path.is_file() and digest(path) == sha256:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{sha256[:16]}.part")
    while True:
        resumed = part.exists()
        _complete(url, part, description=path.name)
        got = digest(part)
        if got == sha256:
            part.replace(path)
            return
        part.unlink()
        if not resumed:  # of a resumed file the beginning may be to blame, so that is fetched once more
            raise TextrecError(wrong_digest(redact(url), expected=sha256, got=got))


def digest(path: Path) -> str:
    """The SHA-256 of a file in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong_digest(where: object, *, expected: str, got: str) -> str:
    """The line that tells of a file which is not the one that params.yaml names."""
    return f"{where}: sha256 is {got}, expected {expected}; get the right file or mend data.sha256"


def redact(url: str) -> str:
    """The url without user, password, query and fragment, for messages."""
    return re.split(r"[?#]", re.sub(r"://[^/]*@", "://", url))[0]


def is_safe(url: str) -> bool:
    """Whether the url is https, or plain http to this very machine."""
    return bool(re.fullmatch(SAFE, url))


def _complete(url: str, part: Path, *, description: str) -> None:
    """Append what is missing to `part`, trying again until all is there."""
    part.touch()
    retry = RETRY
    while True:
        start = part.stat().st_size
        try:
            refusal = _receive(url, part, start, description)
            if refusal is None:
                return
            reason = f"HTTP {refusal.status_code} {refusal.reason}"
            if refusal.status_code not in TEMPORARY:
                raise TextrecError(f"{redact(url)}: {reason}; check the address in data.urls")
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            refusal, reason = None, _root(error).replace(url, redact(url))
        if part.stat().st_size > start:
            retry = RETRY
        if retry.total == 0:
            raise TextrecError(f"{redact(url)}: {reason}, {TRIES} times; run the same command again later to go on")
        retry = retry.increment("GET")
        retry.sleep(refusal.raw if refusal is not None else None)


def _receive(url: str, part: Path, start: int, description: str) -> requests.Response | None:
    """One try: ask for the bytes from `start` on and write what comes; return the answer where it is a refusal."""
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return None  # nothing is left to send; the digest tells whether that is right
        if not answer.ok:
            return answer
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # the server sends the whole file again
        length = answer.headers.get("Content-Length")
        progress = {"desc": f"fetch {description}", "unit": "B", "unit_scale": True, "disable": None}
        with (
            named(part),
            part.open("r+b") as file,
            tqdm(total=int(length) + start if length else None, initial=start, **progress) as bar,
        ):
            file.truncate(start)
            file.seek(start)
            for piece in answer.raw.stream(CHUNK, decode_content=False):  # a .tgz may come as "encoded" with gzip
                file.write(piece)
                bar.update(len(piece))
    return None


def _root(error: BaseException) -> str:
    """The cause below all the layers, which is plain and, unlike them, holds no url."""
    while error.__context__:
        error = error.__context__
    return str(error) or type(error).__name__
