"""Logging in to Drive and naming it as DVC's remote, by real processes, a browser among them."""

import contextlib
import json
import os
import shutil
import socket
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from drive_server import Drive
from projects import DriveProject
from repository import ROOT

from textrec.archives import credentials
from textrec.archives.credentials import drive_options
from textrec.base.runtime import TextrecError

pytestmark = pytest.mark.usefixtures("browser_ports")

KEPT = ".dvc/tmp/gdrive-user-credentials.json"
LOGIN = (sys.executable, "-m", "textrec.gdrive_setup", "login")
REMOTE = (sys.executable, "-m", "textrec.gdrive_setup", "remote")
ABOUT = """
from textrec.archives.gdrive import session
with session() as client: print(client.service.about().get().execute())
"""


@pytest.fixture
def project(tmp_path: Path, drive: Drive) -> DriveProject:
    """A checkout with what logging in needs of the project; somebody sits at it, before a browser."""
    project = DriveProject(tmp_path / "project", drive)
    for name in ("Makefile", ".gitignore", ".dvc/.gitignore"):
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project.folder / name)
    (project.folder / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    project("git", "init", "--quiet")
    project.commit()
    project.give_browser()
    del project.environment["TEXTREC_TEST_DRIVE"]  # the client tells where the login is
    project.environment["PYTHONPATH"] += os.pathsep + str(ROOT)
    return project


def give(project: DriveProject, name: str, value: Any) -> Path:
    path = project.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def make(project: DriveProject, *words: str, code: int = 0) -> str:
    """`make`, where the virtual environment is there already."""
    return project("make", "--old-file=.venv/repro", *words, code=code)


def refuses(project: DriveProject, *command: str, message: str) -> None:
    """The command ends with one line, below what PyDrive2 may have said to the person at the browser."""
    last = project(*command, code=1).splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


def private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def tracked(project: DriveProject) -> str:
    """What has changed that git sees."""
    return project("git", "status", "--porcelain").strip()


# ---- logging in ----


def test_without_a_client_the_steps_are_shown(project: DriveProject) -> None:
    output = make(project, "gdrive-login", code=2)
    assert "google_drive_credentials.json is not there" in output
    assert "Create credentials, OAuth client ID, Desktop app" in output
    assert "Traceback" not in output


def test_a_person_logs_in_once(project: DriveProject) -> None:
    client = give(project, "google_drive_credentials.json", project.drive.client_secrets())
    output = make(project, "gdrive-login")
    assert "logged in; .dvc/tmp/gdrive-user-credentials.json holds the token" in output
    assert private(project.folder / KEPT)
    assert private(client)
    kept = json.loads((project.folder / KEPT).read_text())
    assert {kept["access_token"], kept["refresh_token"], kept["client_secret"]} <= set(project.drive.secrets())
    assert (kept["invalid"], kept["token_uri"]) == (False, f"{project.drive.url}/token")
    (page,) = [request for request in project.drive.requests if request.path == "/auth"]
    assert (page.query["access_type"], page.query["scope"]) == ("offline", "https://www.googleapis.com/auth/drive")
    project.environment["TEXTREC_TEST_DRIVE"] = project.drive.url
    assert "'name': 'Test'" in project(sys.executable, "-c", ABOUT)
    assert project.drive.count("POST", "/token") == 1
    assert tracked(project) == ""


def test_a_login_takes_the_place_of_a_service_account(project: DriveProject) -> None:
    give(project, "google_drive_credentials.json", project.drive.client_secrets())
    give(project, "service_account.json", project.drive.service_account())
    project(*REMOTE, "1AbC")
    assert "gdrive_use_service_account = true" in (project.folder / ".dvc/config.local").read_text()
    project(*LOGIN)
    local = (project.folder / ".dvc/config.local").read_text()
    assert "gdrive_use_service_account = false" in local
    assert "gdrive_user_credentials_file = tmp/gdrive-user-credentials.json" in local


def test_a_refusal_in_the_browser_is_one_line_and_the_former_login_stays(project: DriveProject) -> None:
    give(project, "google_drive_credentials.json", project.drive.client_secrets())
    former = give(project, KEPT, project.drive.user_credentials()).read_text()
    project.drive.refuses_login = True
    refuses(project, *LOGIN, message="User rejected authentication; run `make gdrive-login` again")
    project.drive.refuses_login = False
    project.drive.fault("POST", "/token", error="invalid_grant")
    refuses(project, *LOGIN, message="OAuth2 code exchange failed: invalid_grant")
    secrets = project.drive.client_secrets()
    secrets["installed"] |= {"token_uri": "http://nowhere.invalid/token"}
    give(project, "google_drive_credentials.json", secrets)
    refuses(project, *LOGIN, message="the server at nowhere.invalid; run the same command again later")
    assert (project.folder / KEPT).read_text() == former


def test_ports_that_are_taken_are_one_line(project: DriveProject) -> None:
    give(project, "google_drive_credentials.json", project.drive.client_secrets())
    with contextlib.ExitStack() as stack:
        for port in (8080, 8090):
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # by another program: just as well
                taken.bind(("127.0.0.1", port))
                taken.listen()
        refuses(project, *LOGIN, message="ports 8080 and 8090 of this machine are taken")


@pytest.mark.parametrize(
    ("client", "message"),
    [
        ("{", "google_drive_credentials.json: not a JSON object"),
        ({"installed": {"client_id": "1"}}, "google_drive_credentials.json: holds no client_secret"),
        ({"type": "service_account"}, "google_drive_credentials.json: holds no client_id"),
    ],
)
def test_a_client_that_is_none_is_one_line(project: DriveProject, client: Any, message: str) -> None:
    give(project, "google_drive_credentials.json", client)
    refuses(project, *LOGIN, message=message)


# ---- the remote ----

SHARED = """[core]
    analytics = false
    check_update = false
    remote = drive
['remote "drive"']
    url = gdrive://1AbC-d_9
"""
USER = """['remote "drive"']
    gdrive_use_service_account = false
    gdrive_user_credentials_file = tmp/gdrive-user-credentials.json
"""
SERVICE = """['remote "drive"']
    gdrive_use_service_account = true
    gdrive_service_account_json_file_path = ../service_account.json
"""


@pytest.mark.parametrize("kind", ["token.json", "a login", "service_account.json", "environment", "nothing"])
def test_one_command_names_the_remote(project: DriveProject, kind: str) -> None:
    local = {"service_account.json": SERVICE, "nothing": None}.get(kind, USER)
    if kind == "token.json":
        give(project, "token.json", project.drive.google_token())
    elif kind == "a login":
        give(project, KEPT, project.drive.user_credentials())
    elif kind == "service_account.json":
        give(project, "service_account.json", project.drive.service_account())
    elif kind == "environment":
        project.environment["GDRIVE_CREDENTIALS_DATA"] = json.dumps(project.drive.service_account())
        local = SERVICE[: SERVICE.index("    gdrive_service_account_json")]
    link = "https://drive.google.com/drive/folders/1AbC-d_9?usp=sharing&x=1"
    output = make(project, "gdrive-remote", f"FOLDER={link}")
    assert "gdrive://1AbC-d_9 is the default remote" in output
    assert ("no credentials here yet; run `make gdrive-login`" in output) == (kind == "nothing")
    if kind == "token.json":  # and again
        make(project, "gdrive-remote")
        make(project, "gdrive-remote", "FOLDER=1AbC-d_9")
        assert private(project.folder / "token.json")
        assert private(project.folder / KEPT)
    assert (project.folder / ".dvc/config").read_text() == SHARED
    kept = project.folder / ".dvc/config.local"
    assert (kept.read_text() if kept.exists() else None) == local
    assert tracked(project) == "M .dvc/config"


def test_what_is_not_a_folder_is_one_line(project: DriveProject) -> None:
    refuses(project, *REMOTE, "https://example.org/1", message="FOLDER is 'https://example.org/1'; give the link")
    refuses(project, *REMOTE, message="FOLDER is not set; give the link")
    refuses(project, *REMOTE, "", message="FOLDER is not set; give the link")
    assert tracked(project) == ""


# ---- which credentials are taken ----


@pytest.fixture
def here(project: DriveProject, monkeypatch: pytest.MonkeyPatch) -> DriveProject:
    monkeypatch.chdir(project.folder)
    monkeypatch.delenv("GDRIVE_CREDENTIALS_DATA", raising=False)
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, project.environment[name])
    return project


def test_the_later_of_two_tokens_is_taken(here: DriveProject) -> None:
    def kept() -> str:
        assert drive_options() == {
            "gdrive_use_service_account": False,
            "gdrive_user_credentials_file": str(here.folder / KEPT),
        }
        return json.loads((here.folder / KEPT).read_text())["access_token"]

    google = here.drive.google_token()
    token = give(here, "token.json", google)
    assert kept() == google["token"]
    login = here.drive.user_credentials()
    give(here, KEPT, login)
    os.utime(token, (1, 1))
    assert kept() == login["access_token"]
    os.utime(here.folder / KEPT, (0, 0))
    assert kept() == google["token"]


def test_credentials_that_dvc_was_told_of_come_first_and_the_environment_before_them(
    here: DriveProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(here, "token.json", here.drive.google_token())
    own = give(here, "../own.json", here.drive.user_credentials())
    give(here, ".dvc/config.local", f"['remote \"mine\"']\nurl = gdrive://1\ngdrive_user_credentials_file = {own}\n")
    assert drive_options()["gdrive_user_credentials_file"] == str(own)
    own.unlink()
    assert drive_options()["gdrive_user_credentials_file"] == str(here.folder / KEPT)
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", json.dumps(here.drive.service_account()))
    assert drive_options() == {"gdrive_use_service_account": True}
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", "secret")
    with pytest.raises(TextrecError, match="GDRIVE_CREDENTIALS_DATA: not a JSON object"):
        drive_options()


def test_an_experiment_in_a_folder_of_its_own_finds_them(here: DriveProject, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = here.folder / ".dvc/tmp/exps/tmp1"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    with pytest.raises(TextrecError, match="no credentials; run `make gdrive-login`"):
        drive_options()
    give(here, "service_account.json", here.drive.service_account())
    assert drive_options()["gdrive_service_account_json_file_path"] == str(here.folder / "service_account.json")
    give(here, "token.json", here.drive.google_token())
    assert drive_options()["gdrive_user_credentials_file"] == str(here.folder / KEPT)
    assert not list(copy.iterdir())


@pytest.mark.parametrize("name", ["refresh_token", "client_id", "client_secret"])
def test_a_token_without_a_part_is_one_line(drive: Drive, name: str) -> None:
    with pytest.raises(TextrecError, match=f"^token.json: holds no {name}; "):
        credentials.convert(drive.google_token() | {name: ""})


def test_a_token_whose_end_is_unknown_is_renewed_at_once(drive: Drive) -> None:
    token = drive.google_token()
    del token["expiry"]
    assert json.loads(credentials.convert(token)).get("token_expiry") == "1970-01-01T00:00:00Z"
