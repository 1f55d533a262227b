"""The Drive of these tests is good enough for the real pydrive2 and dvc, and its faults are what they are called."""

import hashlib
import http.client
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from drive_server import ERRORS, Drive
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import ProtocolError

DATA = bytes(range(256)) * 1200  # 307,200 bytes
FILES = "/drive/v2/files"
UPLOADS = "/upload/drive/v2/files"


class Client(requests.Session):
    """Asks the server with an access token; a path in place of an address."""

    def __init__(self, drive: Drive) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Authorization"] = f"Bearer {drive.user_credentials()['access_token']}"
        self.root = drive.url

    def request(self, method, url, **options) -> requests.Response:  # type: ignore[override]
        return super().request(method, url if url.startswith("http") else self.root + url, **options)

    def error(self, method: str, path: str, **options) -> tuple[int, str]:
        """The status and the reason of a refusal."""
        answer = self.request(method, path, **options)
        return answer.status_code, answer.json()["error"]["errors"][0]["reason"]

    def begin(self, title: str) -> str:
        """Where the bytes of a new file are to be sent."""
        return self.post(UPLOADS, params={"uploadType": "resumable"}, json={"title": title}).headers["Location"]


@pytest.fixture
def client(drive: Drive) -> Iterator[Client]:
    with Client(drive) as session:
        yield session


def python(drive: Drive, code: str, *arguments: str, **variables: str) -> str:
    """What a child whose Drive clients come to the server writes."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=drive.environment() | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- real clients ----

PYDRIVE2 = """
import functools, json, sys
import google.auth.transport.requests, google.oauth2.credentials, oauth2client.clientsecrets, pydrive2.files
from pydrive2.fs import GDriveFileSystem

given = json.load(open(sys.argv[1]))
pydrive2.files.MediaIoBaseUpload = functools.partial(pydrive2.files.MediaIoBaseUpload, chunksize=1 << 18)

def connect(path, credentials, **options):
    return GDriveFileSystem(path, client_json=json.dumps(credentials), **options)

user = connect(f"{given['folder']}/store", given["user"], client_id="id", client_secret="secret", trash_only=False)
user.put_file(sys.argv[2], f"{given['folder']}/store/new/It's.bin")
assert user.ls(f"{given['folder']}/store/new") == [f"{given['folder']}/store/new/It's.bin"]
user.get_file(f"{given['folder']}/store/new/It's.bin", sys.argv[3], block_size=100_000)
assert user.info(f"{given['folder']}/store/new/It's.bin")["size"] == 307_200
assert len(user.ls(f"{given['folder']}/twins")) == 2
assert len(user.find(f"{given['folder']}/store")) == 101
user.mv(f"{given['folder']}/store/d0/file", f"{given['folder']}/store/d0/moved")
user.rm_file(f"{given['folder']}/store/d1/file")
assert user.client.CreateFile({"id": given["odd"]}).GetContentString() == "text"
assert user.client.auth.flow.token_uri == given["user"]["token_uri"]
shared = connect(given["shared"], given["service"], use_service_account=True, trash_only=True)
assert shared.find(given["shared"]) == [f"{given['shared']}/a/file"]
shared.rm_file(f"{given['shared']}/a/file")
assert shared._list_params == {"corpora": "drive", "driveId": given["shared"]}
token = google.oauth2.credentials.Credentials.from_authorized_user_info(given["google"])
token.refresh(google.auth.transport.requests.Request())
assert oauth2client.clientsecrets.loads(json.dumps(given["secrets"]))[0] == "installed"
"""


def test_pydrive2_reads_and_writes(drive: Drive, tmp_path: Path) -> None:
    folder = drive.add_folder("textrec")
    twins, store = drive.add_folder("twins", folder), drive.add_folder("store", folder)
    for title in ("same", "same"):
        drive.add_file(title, b"twin", twins)
    for number in range(100):  # their ids are too many for the length of a URL
        drive.add_file("file", b"", drive.add_folder(f"d{number}", store))
    shared = drive.add_shared_drive("Team")
    drive.add_file("file", b"team", drive.add_folder("a", shared))
    service = drive.service_account()
    del service["token_uri"]  # then it is where oauth2client says
    given = {"folder": folder, "shared": shared, "odd": drive.add_file("odd", b"text"), "service": service}
    given |= {"user": drive.user_credentials(expired=True), "google": drive.google_token(expired=True)}
    (tmp_path / "given.json").write_text(json.dumps(given | {"secrets": drive.client_secrets()}))
    (tmp_path / "up").write_bytes(DATA)
    drive.page_size = 40
    drive.fault("GET", FILES, when=lambda request: "q" in request.query, error="userRateLimitExceeded")
    python(drive, PYDRIVE2, str(tmp_path / "given.json"), str(tmp_path / "up"), str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == DATA
    (new,) = [item for item in drive.files() if item.title == "It's.bin"]
    assert (new.size, new.md5, new.path.read_bytes()) == (len(DATA), hashlib.md5(DATA).hexdigest(), DATA)  # noqa: S324
    sent = [(one.range, one.status) for one in drive.requests if one.method == "PUT"]
    assert sent == [("bytes 0-262143/307200", 308), ("bytes 262144-307199/307200", 200)]
    ranges = [one.range for one in drive.requests if one.range and one.method == "GET"]
    assert ranges == [f"bytes={start}-{start + 99_999}" for start in range(0, 400_000, 100_000)]
    assert any(one.query.get("pageToken") == "page-40" for one in drive.requests)
    titles = [item.title for item in drive.files()]
    assert (titles.count("same"), titles.count("file"), titles.count("moved")) == (2, 98, 1)
    assert (drive.count("DELETE"), drive.count("POST", "/trash$"), drive.count("POST", "/token")) == (1, 1, 3)


def test_dvc_pushes_and_pulls(drive: Drive, tmp_path: Path) -> None:
    work, clone = tmp_path / "work", tmp_path / "clone"
    folder = drive.add_folder("textrec")
    drive.add_folder("store", folder)  # pydrive2 would not create it
    for name, credentials in (("user", drive.user_credentials(expired=True)), ("service", drive.service_account())):
        (tmp_path / f"{name}.json").write_text(json.dumps(credentials))
    environment = drive.environment() | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "dvc"),
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
    }

    def run(where: Path, *command: str) -> None:
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not any(secret in done.stdout + done.stderr for secret in drive.secrets())

    work.mkdir()
    run(work, "git", "init", "--quiet")
    run(work, "dvc", "init", "--quiet")
    (work / ".dvc/config").write_text(
        f"[core]\n  remote = drive\n  check_update = false\n['remote \"drive\"']\n  url = gdrive://{folder}/store\n"
    )
    (work / "data.bin").write_bytes(DATA)
    run(work, "dvc", "add", "--quiet", "data.bin")
    run(work, "git", "add", "--all")
    run(work, "git", "-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "--quiet", "-m", "data")
    run(tmp_path, "git", "clone", "--quiet", "work", "clone")

    local = "['remote \"drive\"']\n  gdrive_user_credentials_file = ../../user.json\n"
    (work / ".dvc/config.local").write_text(local)
    run(work, "dvc", "push")
    digest = hashlib.md5(DATA).hexdigest()  # noqa: S324
    assert [(item.title, item.size) for item in drive.files()] == [(digest[2:], len(DATA))]
    local = "['remote \"drive\"']\n  gdrive_use_service_account = true\n"
    local += "  gdrive_service_account_json_file_path = ../../service.json\n"
    (clone / ".dvc/config.local").write_text(local)
    run(clone, "dvc", "pull")
    assert (clone / "data.bin").read_bytes() == DATA


# ---- the hook ----


def test_hook_changes_nothing_where_drive_is_not_used(drive: Drive, tmp_path: Path) -> None:
    code = "import sys; print(sorted({'googleapiclient', 'oauth2client', 'httplib2', 'pydrive2'} & sys.modules.keys()))"
    assert python(drive, code) == "[]\n"
    environment = drive.environment()
    del environment["TEXTREC_TEST_DRIVE"]
    code = "import oauth2client; print(oauth2client.GOOGLE_TOKEN_URI)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "https://oauth2.googleapis.com/token\n"
    (tmp_path / "sitecustomize.py").write_text("print('the other')\n")
    path = f"{environment['PYTHONPATH']}{os.pathsep}{tmp_path}"
    assert python(drive, "print('done')", PYTHONPATH=path) == "the other\ndone\n"


# ---- tokens ----


def test_token_is_needed_and_refreshed(drive: Drive, client: Client) -> None:
    user = drive.user_credentials(expired=True)
    client.headers["Authorization"] = f"Bearer {user['access_token']}"
    assert client.error("GET", f"{drive.url}/drive/v2/about") == (401, "authError")
    form = {"grant_type": "refresh_token", "refresh_token": user["refresh_token"], "client_id": user["client_id"]}
    assert client.post("/token", data=form).json()["error"] == "invalid_client"
    form["client_secret"] = user["client_secret"]
    answer = client.post("/token", data=form).json()
    assert answer["expires_in"] == 3600
    client.headers["Authorization"] = f"Bearer {answer['access_token']}"
    assert client.get("/drive/v2/about").json()["rootFolderId"] == drive.items.root
    assert {answer["access_token"], user["refresh_token"], user["client_secret"]} <= set(drive.secrets())
    drive.expire_tokens(after=2)
    assert [client.get("/drive/v2/about").status_code for _ in range(3)] == [200, 200, 401]
    client.headers["Authorization"] = f"Bearer {client.post('/token', data=form).json()['access_token']}"
    assert client.get("/drive/v2/about").status_code == 200
    drive.revoke()
    assert client.error("GET", "/drive/v2/about") == (401, "authError")
    answer = client.post("/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_service_account_must_send_a_jwt(client: Client) -> None:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "e30.e30"}
    assert client.post("/token", data=form).json()["error"] == "invalid_grant"
    form["assertion"] = "e30.eyJpc3MiOiJtZSJ9.c2ln"
    assert "access_token" in client.post("/token", data=form).json()


# ---- files ----


def test_search_is_as_drive_has_it(drive: Drive, client: Client) -> None:
    folder = drive.add_folder("f")
    names = {drive.add_file(title, b"x", folder): title for title in ("It's (a) \\", "it's (A) \\", "b", "trash")}
    client.patch(f"{FILES}/{list(names)[3]}", json={"labels": {"trashed": True}})

    def found(query: str, **parameters: str) -> list[str]:
        answer = client.get(FILES, params={"q": query, **parameters}).json()
        return [item["title"] for item in answer["items"]]

    assert found("title='IT\\'S (a) \\\\' and trashed=false") == ["It's (a) \\", "it's (A) \\"]
    assert found(f"('{folder}' in parents or 'none' in parents) and trashed=false and title='B'") == ["b"]
    assert found("'root' in parents and (trashed=false)") == ["f"]
    assert found("title = 'trash' and trashed = true") == ["trash"]
    assert found("title='b' and trashed=true or 'root' in parents") == ["f"]
    assert found("trashed=false", corpora="drive", driveId=drive.add_shared_drive("Team")) == []
    for query in ("title='b", "name='b'", "(trashed=false", "trashed=false or"):
        assert client.error("GET", FILES, params={"q": query}) == (400, "invalid")
    page = client.get(FILES, params={"maxResults": 3}).json()
    assert (len(page["items"]), page["nextPageToken"]) == (3, "page-3")
    page = client.get(FILES, params={"pageToken": "page-3"}).json()
    assert (len(page["items"]), "nextPageToken" in page) == (2, False)


def test_metadata_and_ranges(drive: Drive, client: Client, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(DATA)
    shared = drive.add_shared_drive("Team")
    name, empty = drive.add_file("a.bin", tmp_path / "body", shared), drive.add_file("empty", b"")
    value = client.get(f"{FILES}/{name}").json()
    assert (value["fileSize"], value["driveId"], value["labels"]) == ("307200", shared, {"trashed": False})
    assert client.get(f"{FILES}/{name}", params={"fields": "id,fileSize"}).json() == {"id": name, "fileSize": "307200"}
    assert client.get(f"{FILES}/root").json()["id"] == drive.items.root
    body = client.get(value["downloadUrl"], headers={"Range": "bytes=300000-"})
    assert (body.status_code, body.content) == (206, DATA[300_000:])
    assert body.headers["Content-Range"] == "bytes 300000-307199/307200"
    answer = client.get(f"{FILES}/{empty}?alt=media", headers={"Range": "bytes=0-99"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */0")
    assert client.get(f"{FILES}/{name}?alt=media").content == DATA
    client.put(f"{FILES}/{name}", json={"title": "new", "parents": [{"id": "root"}]})
    assert [(item.title, item.parents) for item in drive.files()] == [
        ("new", [drive.items.root]),
        ("empty", [drive.items.root]),
    ]
    assert client.delete(f"{FILES}/{name}").status_code == 204
    assert client.error("GET", f"{FILES}/{name}") == (404, "notFound")


def test_upload_goes_on_where_it_broke_off(drive: Drive, client: Client) -> None:
    place = client.begin("a.bin")
    drive.fault("PUT", UPLOADS, cut_upload=100_000)
    with pytest.raises(requests.ConnectionError):
        client.put(place, data=DATA, headers={"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"})
    answer = client.put(place, headers={"Content-Range": f"bytes */{len(DATA)}"})
    assert (answer.status_code, answer.headers["Range"]) == (308, "bytes=0-99999")
    assert client.error("PUT", place, headers={"Content-Range": "bytes 5-9/307200"}, data=b"wrong") == (400, "invalid")
    rest = {"Content-Range": f"bytes 100000-{len(DATA) - 1}/{len(DATA)}"}
    assert client.put(place, data=DATA[100_000:], headers=rest).json()["title"] == "a.bin"
    assert client.put(place, headers={"Content-Range": f"bytes */{len(DATA)}"}).status_code == 200
    client.put(client.begin("a.bin"), data=b"")
    assert [(item.title, item.size) for item in drive.files()] == [("a.bin", len(DATA)), ("a.bin", 0)]
    assert client.error("PUT", f"{UPLOADS}?upload_id=other") == (404, "notFound")


# ---- faults ----


@pytest.mark.parametrize("reason", ["userRateLimitExceeded", "storageQuotaExceeded", "notFound", "backendError"])
def test_error_is_given_so_often_as_planned(drive: Drive, client: Client, reason: str) -> None:
    fault = drive.fault("GET", "/about$", times=2, error=reason)
    drive.fault("GET", "/about$", error="internalError")
    for _ in range(2):
        assert client.error("GET", "/drive/v2/about") == (ERRORS[reason][0], reason)
    assert client.get(FILES).status_code == 200
    assert client.error("GET", "/drive/v2/about") == (500, "internalError")
    assert client.get("/drive/v2/about").status_code == 200
    assert fault.times == 0
    assert drive.count("GET", "/about$") == 4


def test_connection_is_cut_or_a_body_too_short(drive: Drive, client: Client) -> None:
    path = f"{FILES}/{drive.add_file('a.bin', DATA)}?alt=media"
    drive.fault("GET", when=lambda request: request.query.get("alt") == "media", cut=70_000)
    drive.fault("GET", "/files/", short=10)
    with client.get(path, stream=True) as answer, pytest.raises(ChunkedEncodingError, match="reset by peer"):
        for _ in answer.iter_content(1000):
            pass
    with client.get(path, stream=True) as answer:
        assert answer.raw.read(len(DATA) - 10) == DATA[:-10]
        with pytest.raises(ProtocolError, match="10 more expected"):
            answer.raw.read()
    assert [one.sent for one in drive.requests] == [70_000, len(DATA) - 10]
    assert client.get(path).content == DATA


def test_one_byte_is_wrong(drive: Drive, client: Client) -> None:
    path = f"{FILES}/{drive.add_file('a.bin', DATA)}?alt=media"
    drive.fault("GET", wrong=70_000)
    body = client.get(path).content
    assert [place for place in range(len(DATA)) if body[place] != DATA[place]] == [70_000]
    assert client.get(path).content == DATA


def test_answer_comes_late_or_never(drive: Drive, client: Client) -> None:
    drive.fault(delay=0.2, times=math.inf)
    begun = time.monotonic()
    assert client.get("/drive/v2/about").status_code == 200
    assert time.monotonic() - begun > 0.19
    with Drive() as silent:
        silent.fault("GET", silent=True)
        connection = http.client.HTTPConnection(silent.url.removeprefix("http://"), timeout=0.2)
        connection.request("GET", "/drive/v2/about")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.sock.settimeout(5)
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()
