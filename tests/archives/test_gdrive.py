"""`data.source: gdrive` by real processes, against a Drive on loopback that misbehaves."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from drive_server import Drive, Request, is_media
from raw_archives import IAM, write_zip
from repository import ROOT

from textrec.archives.gdrive import file_id

MAT = {"matlab/emnist-byclass.mat": b"by class"}
CHUNK = 1 << 18
# The stage, with little to fetch at a time, and without waits that a person would hardly notice.
STAGE = f"""
import textrec.archives.fetch, textrec.archives.gdrive
textrec.archives.gdrive.CHUNK = {CHUNK}
textrec.archives.gdrive.TIMEOUT = (1, 1)
textrec.archives.fetch.RETRY = textrec.archives.fetch.RETRY.new(backoff_factor=0)
from stages.download import main
from textrec.base.runtime import run
run(main)
"""
RAW = ["corpus.txt", "fonts.zip", "ground_truth.zip", "iamdb.zip", "matlab.zip", "ondb.zip"]


class Project:
    """A folder to run the stage in."""

    def __init__(self, folder: Path, drive: Drive) -> None:
        self.folder, self.drive = folder, drive
        self.environment = drive.environment()
        self.environment["PYTHONPATH"] += os.pathsep + str(ROOT)
        for name, members in {"iamdb.zip": IAM | {"forms/big.jpg": noise(3 * CHUNK)}, "matlab.zip": MAT}.items():
            write_zip(folder / "archives" / name, members)
        self.place = drive.add_folder("raw data")

    def upload(self, *names: str, folder: str | None = None) -> dict[str, str]:
        """Put archives on Drive; their ids."""
        names = names or ("iamdb.zip", "matlab.zip")
        return {
            name: self.drive.add_file(name, self.folder / "archives" / name, folder or self.place) for name in names
        }

    def log_in(self) -> None:
        (self.folder / "token.json").write_text(json.dumps(self.drive.google_token()))

    def command(self, **gdrive: Any) -> list[str]:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())["data"]
        params |= {"source": "gdrive", "gdrive": {"folder": self.place, "files": {}} | gdrive}
        (self.folder / "params.yaml").write_text(yaml.safe_dump({"data": params}))
        return [sys.executable, "-c", STAGE]

    def run(self, **gdrive: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(**gdrive), cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert not any(secret in done.stdout + done.stderr for secret in self.drive.secrets())
        return done

    def fetches(self, **gdrive: Any) -> None:
        """The stage brings the archives."""
        done = self.run(**gdrive)
        assert (done.returncode, done.stderr) == (0, "")
        assert self.outputs() == RAW

    def refuses(self, message: str, **gdrive: Any) -> None:
        """The stage ends with one line, and writes nothing."""
        done = self.run(**gdrive)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert message in done.stderr
        assert not self.outputs()

    def outputs(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("data/raw/*") if path.is_file())


@pytest.fixture
def project(tmp_path: Path, drive: Drive) -> Project:
    return Project(tmp_path, drive)


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)  # noqa: S311


# ---- where files are ----


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("1AbC-d_9", "1AbC-d_9"),
        ("https://drive.google.com/file/d/1AbC-d_9/view?usp=sharing", "1AbC-d_9"),
        ("https://drive.google.com/open?id=1AbC-d_9", "1AbC-d_9"),
        ("https://drive.google.com/uc?export=download&id=1AbC-d_9", "1AbC-d_9"),
        ("https://drive.google.com/drive/folders/1AbC-d_9?usp=drive_link", "1AbC-d_9"),
        ("https://drive.google.com/drive/u/0/folders/1AbC-d_9", "1AbC-d_9"),
        ("iam/iamdb.zip", None),
        ("iamdb.zip", None),
        ("https://example.org/iamdb.zip", None),
    ],
)
def test_the_id_in_a_link(place: str, found: str | None) -> None:
    assert file_id(place) == found


def test_archives_are_found_in_a_folder_by_their_names(project: Project) -> None:
    project.log_in()
    project.upload()
    project.drive.add_file("notes.txt", b"nothing of ours", project.place)
    project.drive.page_size = 1
    project.fetches(folder=f"https://drive.google.com/drive/folders/{project.place}?usp=sharing")
    kept = project.folder / ".dvc/tmp/gdrive-user-credentials.json"
    for path in (project.folder / "token.json", kept):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    outputs = b"".join(path.read_bytes() for path in (project.folder / "data").rglob("*") if path.is_file())
    assert not any(secret.encode() in outputs for secret in project.drive.secrets())


def test_archives_are_named_by_id_and_by_path_in_a_shared_drive(project: Project) -> None:
    project.environment["GDRIVE_CREDENTIALS_DATA"] = json.dumps(project.drive.service_account())
    shared = project.drive.add_shared_drive("team")
    place = project.drive.add_folder("it's ours", project.drive.add_folder("handwriting", shared))
    ids = project.upload("matlab.zip") | project.upload("iamdb.zip", folder=place)
    project.fetches(
        folder=shared, files={"matlab.zip": ids["matlab.zip"], "iamdb.zip": "handwriting/it's ours/iamdb.zip"}
    )


def test_what_is_not_there_is_named(project: Project) -> None:
    project.log_in()
    project.refuses("Google Drive: none of ascii-all.tar.gz, ")
    project.refuses("no iam in folder", files={"iamdb.zip": "iam/iamdb.zip"})
    project.refuses("HTTP 404 notFound: File not found; look at data.gdrive", files={"iamdb.zip": "1234"})
    project.refuses(
        "data.gdrive.files.iamdb.zip is 'iam/iamdb.zip', a path", folder=None, files={"iamdb.zip": "iam/iamdb.zip"}
    )
    project.refuses("is a folder, not a file", files={"iamdb.zip": project.place})
    for _ in range(2):
        project.upload("iamdb.zip")
    project.refuses("iamdb.zip stands twice in folder")


# ---- who one is ----


def test_a_login_is_kept_and_renewed(project: Project) -> None:
    token = project.folder / "token.json"
    token.write_text(json.dumps(project.drive.google_token(expired=True)))
    project.upload()
    project.fetches()
    assert project.drive.count("POST", "/token") == 1
    project.fetches()
    assert project.drive.count("POST", "/token") == 1


def test_the_client_may_stand_in_a_file_of_its_own(project: Project) -> None:
    token = project.drive.google_token(expired=True)
    client = {name: token.pop(name) for name in ("client_id", "client_secret")}
    (project.folder / "token.json").write_text(json.dumps(token))
    project.upload()
    project.refuses("token.json: holds no client_id; add google_drive_credentials.json")
    secrets = project.drive.client_secrets()
    assert secrets["installed"].items() >= client.items()
    (project.folder / "google_drive_credentials.json").write_text(json.dumps(secrets))
    project.fetches()


def test_a_service_account_is_found(project: Project) -> None:
    (project.folder / "service_account.json").write_text(json.dumps(project.drive.service_account()))
    project.upload()
    project.fetches()


@pytest.mark.parametrize("text", [None, "{", "[1]"])
def test_without_credentials_nobody_is_asked(project: Project, text: str | None) -> None:
    if text:
        (project.folder / "token.json").write_text(text)
    message = "token.json: not a JSON object" if text else "no credentials; run `make gdrive-login`"
    project.refuses(message)
    assert not project.drive.requests


def test_a_revoked_login_is_one_line(project: Project) -> None:
    project.log_in()
    project.drive.revoke()
    project.refuses("Google Drive: the login has ended or was revoked (invalid_grant")


def far(project: Project, **environment: str) -> None:
    """Whose login is to be renewed by a server that is not there."""
    token = project.drive.user_credentials(expired=True) | {"token_uri": "https://nowhere.invalid/token"}
    project.environment |= environment | {"GDRIVE_CREDENTIALS_DATA": json.dumps(token)}


def test_a_server_that_is_not_reached_is_no_reason_to_log_in(project: Project) -> None:
    far(project)
    project.refuses("Unable to find the server at nowhere.invalid; run the same command again later to go on")


@pytest.mark.skipif(find_spec("socks") is not None, reason="PySocks is there")
@pytest.mark.parametrize("name", ["https_proxy", "http_proxy"])
def test_a_proxy_takes_a_package_which_is_named(project: Project, name: str) -> None:
    far(project, **{name: "http://127.0.0.1:1"})
    project.refuses("the environment names a proxy, which takes PySocks: run `pip install PySocks`")


def test_a_login_that_google_cannot_renew_now_is_a_good_one(project: Project) -> None:
    (project.folder / "token.json").write_text(json.dumps(project.drive.google_token(expired=True)))
    project.drive.fault("POST", "/token", error="internalError", times=9)
    project.refuses("run the same command again later to go on")


# ---- a Drive that misbehaves ----

MEDIA = {"path": r"/files/\w+$", "when": lambda request: request.query.get("alt") == "media"}
PASSING = {
    "rate limit": {"error": "userRateLimitExceeded", "times": 2} | MEDIA,
    "rate limit of the listing": {"path": "/files$", "error": "rateLimitExceeded"},
    "out of order": {"error": "backendError"} | MEDIA,
    "cut": {"cut": 1000} | MEDIA,
    "short": {"short": 10} | MEDIA,
    "a wrong byte": {"wrong": 5} | MEDIA,
    "an answer that does not come": {"silent": True} | MEDIA,
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_again(project: Project, fault: dict[str, Any]) -> None:
    project.log_in()
    project.upload()
    planned = project.drive.fault(**fault)
    if "wrong" in fault:  # found at the end, and then fetched once more from its beginning: that is for the next run
        project.refuses("md5 is")
    project.fetches()
    assert planned.times == 0


def test_a_token_that_expires_in_mid_transfer_is_renewed(project: Project) -> None:
    project.log_in()
    project.upload()
    project.drive.expire_tokens(after=4)
    project.fetches()
    assert project.drive.count("POST", "/token") == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"error": "notFound"} | MEDIA, "iamdb.zip (ID): HTTP 404 notFound: File not found; look at how it is shared"),
        ({"error": "storageQuotaExceeded"} | MEDIA, "iamdb.zip (ID): HTTP 403 storageQuotaExceeded"),
        (
            {"error": "downloadQuotaExceeded"} | MEDIA,
            "The download quota for this file has been exceeded; wait for a day, then run the same command again",
        ),
        ({"error": "dailyLimitExceeded", "path": "/files$"}, "Daily Limit Exceeded; wait for a day, then run the same"),
        ({"error": "accessNotConfigured", "path": "/files$"}, "; enable the Google Drive API in the project of your"),
        (
            {"error": "internalError", "times": 6} | MEDIA,
            "HTTP 500 internalError: Internal Error, 6 times; run the same",
        ),
        ({"silent": True, "times": 99} | MEDIA, "timed out, 6 times; run the same command again later to go on"),
    ],
)
def test_what_stays_is_one_line_and_the_next_run_goes_on(project: Project, fault: dict[str, Any], message: str) -> None:
    project.log_in()
    ids = project.upload()
    fault = project.drive.fault(**fault)
    project.refuses(message.replace("ID", ids["iamdb.zip"]))
    fault.times = 0
    project.fetches()


def begins(request: Request) -> int:
    """Where in a file an answer is to begin; -1 for another request."""
    return int(request.range.removeprefix("bytes=").partition("-")[0]) if is_media(request) else -1


def test_a_killed_stage_goes_on_where_it_was(project: Project) -> None:
    project.log_in()
    project.upload()
    for kept in (1, 2):
        silent = project.drive.fault(when=lambda request, kept=kept: begins(request) >= kept * CHUNK, silent=True)
        patient = [part.replace("TIMEOUT = (1, 1)", "TIMEOUT = (1, 3600)") for part in project.command()]
        process = subprocess.Popen(patient, cwd=project.folder, env=project.environment)
        while silent.times:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    project.fetches()
    ranges = [request.range for request in project.drive.requests if is_media(request)]
    assert ranges.count(f"bytes=0-{CHUNK - 1}") == 1
