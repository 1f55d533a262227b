"""Drive as DVC's default remote: real dvc processes, against a Drive on loopback that misbehaves."""

import hashlib
import json
import math
import random
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drive_server import Drive, is_media
from projects import DriveProject, Project, artifacts
from raw_archives import IAM, write_zip
from repository import ROOT

KEPT = ".dvc/tmp/gdrive-user-credentials.json"
SHARED = "[core]\n    analytics = false\n    check_update = false\n    remote = drive\n['remote \"drive\"']\n"
LOCAL = "['remote \"drive\"']\n    gdrive_user_credentials_file = tmp/gdrive-user-credentials.json\n"
DATA = ["a.bin", "b.bin", "c.bin", "changed.txt"]  # what is pushed: three files and an output
PIPELINE = """
stages:
  change:
    cmd: sed s/a/${letter}/ words.txt > changed.txt
    deps: [words.txt]
    params: [letter]
    outs: [changed.txt]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small DVC project with data in its cache, committed."""
    project = Project(tmp_path_factory.mktemp("template"))
    (project.folder / ".dvc").mkdir()
    for name in (".gitignore", ".dvc/.gitignore"):
        shutil.copy(ROOT / name, project.folder / name)
    (project.folder / ".dvc/config").touch()
    for number, name in enumerate(DATA[:3]):
        (project.folder / name).write_bytes(random.Random(number).randbytes(5000))  # noqa: S311
    (project.folder / "words.txt").write_text("a word\n")
    (project.folder / "params.yaml").write_text("letter: b\n")
    (project.folder / "dvc.yaml").write_text(PIPELINE)
    project("git", "init", "--quiet")
    project.dvc("add", "--quiet", *DATA[:3])
    project.dvc("repro")
    project.commit()
    return project.folder


@pytest.fixture
def work(template: Path, tmp_path: Path, drive: Drive) -> DriveProject:
    """A checkout with data, of which nothing is on Drive yet."""
    shutil.copytree(template, tmp_path / "work")
    work = DriveProject(tmp_path / "work", drive)
    name_remote(work)
    work.commit()
    log_in(work)
    return work


@pytest.fixture
def clone(work: DriveProject) -> DriveProject:
    """A fresh clone, whose data are on Drive."""
    work.dvc("push")
    return log_in(work.clone("clone"))


def name_remote(project: DriveProject) -> None:
    """As `make gdrive-remote` does; test_credentials.py has that."""
    (project.folder / ".dvc/config").write_text(SHARED + f"    url = gdrive://{project.drive.add_folder('textrec')}\n")


def log_in(project: DriveProject) -> DriveProject:
    path = project.folder / KEPT
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(project.drive.user_credentials()))
    path.chmod(0o600)
    (project.folder / ".dvc/config.local").write_text(LOCAL)
    return project


def contents(project: DriveProject) -> dict[str, bytes]:
    return {name: (project.folder / name).read_bytes() for name in DATA if (project.folder / name).exists()}


def stored(drive: Drive) -> list[str]:
    """The digests of what is on Drive, each as its place there has it."""
    for item in drive.files():
        assert hashlib.md5(item.path.read_bytes()).hexdigest().endswith(item.title)  # noqa: S324
    return sorted(item.md5 for item in drive.files())


def digests(project: DriveProject) -> list[str]:
    return sorted(hashlib.md5(content).hexdigest() for content in contents(project).values())  # noqa: S324


# ---- each command ----


def test_gc_leaves_what_is_in_use(clone: DriveProject, drive: Drive) -> None:
    before = stored(drive)
    (clone.folder / "a.bin").write_bytes(b"new")
    clone.dvc("add", "a.bin")
    clone.dvc("push", "a.bin")
    assert len(stored(drive)) == 5
    clone("git", "checkout", "--quiet", ".")
    clone.dvc("gc", "--workspace", "--cloud", "--force")
    assert stored(drive) == before
    clone.dvc("pull", "--force")
    assert len(contents(clone)) == 4


def test_experiments_go_through_a_bare_repository_and_leave_no_secret(
    work: DriveProject, drive: Drive, tmp_path: Path
) -> None:
    work("git", "clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    work("git", "remote", "add", "origin", str(tmp_path / "bare.git"))
    for name, value in {
        "token.json": drive.google_token(),
        "google_drive_credentials.json": drive.client_secrets(),
        "service_account.json": drive.service_account(),
    }.items():
        (work.folder / name).write_text(json.dumps(value))
    work.dvc("exp", "run", "--name", "other", "-S", "letter=c")
    work.dvc("exp", "push", "origin", "other")
    assert b"c word\n" in [item.path.read_bytes() for item in drive.files()]
    clone = DriveProject(tmp_path / "clone", drive)
    work("git", "clone", "--quiet", str(tmp_path / "bare.git"), str(clone.folder))
    log_in(clone).dvc("exp", "pull", "origin", "other")
    clone.dvc("exp", "apply", "other")
    assert contents(clone)["changed.txt"] == b"c word\n"
    drive.expire_tokens()
    work.dvc("push", "--verbose")
    clone.dvc("pull", "--verbose")
    assert contents(clone) == contents(work)
    assert drive.count("POST", "/token") > 1
    assert secrets_in(tmp_path, drive) == []
    work("git", "add", "--force", "token.json")  # and were one there, it would be seen
    assert secrets_in(tmp_path, drive) == [str(work.folder / ".git")]


def secrets_in(folder: Path, drive: Drive) -> list[str]:
    """Files below a folder, and git's objects, that hold a secret; the files that are there to hold them left out."""
    holders = {"gdrive-user-credentials.json", "token.json", "google_drive_credentials.json", "service_account.json"}
    secrets = [secret.encode() for secret in drive.secrets()]
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in holders}
    for repository in {path.parent for path in found if path.name == "HEAD" and (path.parent / "objects").is_dir()}:
        command = ["git", "-C", str(repository), "cat-file", "--batch-all-objects", "--batch"]
        found[repository] = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(found) > 10
    return [str(path) for path, content in found.items() if any(secret in content for secret in secrets)]


# ---- a Drive that misbehaves ----

UPLOAD = {"method": "POST", "path": "^/upload/"}
BODY = {"method": "PUT", "path": "^/upload/"}
LISTING = {"method": "GET", "path": "/files$"}
MEDIA = {"when": is_media}
# One file after the other, the one whose connection is reset last: a thread that went on with that connection would
# fail before it has begun a file, which makes DVC itself fail.
IN_TURN = ("--jobs", "1")


def push_and_pull(work: DriveProject) -> None:
    """What was on its way is completed by the next push, and the next pull elsewhere gives the same bytes."""
    work.dvc("push")
    assert stored(work.drive) == digests(work)
    clone = log_in(work.clone("clone"))
    clone.dvc("pull")
    assert contents(clone) == contents(work)


def test_what_passes_is_tried_again(work: DriveProject, drive: Drive) -> None:
    faults = [drive.fault(**LISTING, error="backendError")]
    faults += [drive.fault(**BODY, error=reason) for reason in ("rateLimitExceeded", "internalError")]
    work.dvc("push")
    assert not any(fault.times for fault in faults)
    faults = [drive.fault(**MEDIA, error=reason) for reason in ("userRateLimitExceeded", "backendError")]
    push_and_pull(work)
    assert not any(fault.times for fault in faults)


def test_a_push_that_fails_is_completed_by_the_next(work: DriveProject, drive: Drive) -> None:
    drive.fault(**UPLOAD, error="storageQuotaExceeded")
    drive.fault(**UPLOAD, error="notFound")
    drive.fault(**BODY, short=10)
    drive.fault(**BODY, cut_upload=1)
    output = work.dvc("push", *IN_TURN, code=1)
    assert "storage quota has been exceeded" in output
    assert "404" in output
    assert "Connection reset by peer" in output
    assert "IncompleteRead" in output
    assert "4 files failed to upload" in output
    assert len(stored(drive)) == 1  # it was there before the answer was lost
    push_and_pull(work)


def test_a_pull_that_fails_is_completed_by_the_next(clone: DriveProject, work: DriveProject, drive: Drive) -> None:
    drive.fault(**MEDIA, error="notFound")
    drive.fault(**MEDIA, short=1)
    drive.fault(**MEDIA)  # nothing happens to the third
    drive.fault(**MEDIA, cut=1)
    output = clone.dvc("pull", *IN_TURN, code=1)
    assert "404" in output
    assert "Connection reset by peer" in output
    assert "IncompleteRead" in output
    assert "3 files failed to download" in output
    clone.dvc("pull")
    assert contents(clone) == contents(work)


def test_a_wrong_byte_goes_nowhere(clone: DriveProject, work: DriveProject, drive: Drive) -> None:
    drive.fault(**MEDIA, wrong=0)
    assert "Checkout failed for following targets" in clone.dvc("pull", code=1)
    good = contents(work)
    assert len(contents(clone)) == 3
    assert contents(clone).items() <= good.items()
    clone.dvc("pull")
    assert contents(clone) == good


def test_a_listing_that_fails_is_no_empty_drive(work: DriveProject, drive: Drive) -> None:
    work.dvc("push")
    for fault in ({"cut": 5}, {"error": "notFound"}):
        drive.fault(**LISTING, **fault)
        work.dvc("push", code=255)
    assert stored(drive) == digests(work)


def test_a_token_that_ends_in_mid_transfer_is_renewed(work: DriveProject, drive: Drive) -> None:
    drive.expire_tokens(after=9)
    work.dvc("push")
    assert stat.S_IMODE((work.folder / KEPT).stat().st_mode) == 0o600
    clone, before = log_in(work.clone("clone")), drive.count("POST", "/token")
    assert before
    drive.expire_tokens(after=9)
    clone.dvc("pull")
    assert contents(clone) == contents(work)
    assert drive.count("POST", "/token") > before


def test_a_revoked_login_is_told_and_a_new_one_goes_on(work: DriveProject, drive: Drive) -> None:
    drive.revoke()
    assert "Token has been expired or revoked" in work.dvc("push", code=255)
    clone = work.clone("clone")
    log_in(work)
    work.dvc("push")
    log_in(clone)
    drive.revoke()
    assert "Token has been expired or revoked" in clone.dvc("pull", code=1)
    log_in(clone).dvc("pull")
    assert contents(clone) == contents(work)


def test_without_credentials_only_what_needs_drive_fails(work: DriveProject, drive: Drive) -> None:
    (work.folder / ".dvc/config.local").unlink()
    assert "Failed to authenticate GDrive" in work.dvc("push", code=255)
    assert "Failed to authenticate GDrive" in work.clone("clone").dvc("pull", code=1)
    assert "Ran experiment" in work.dvc("exp", "run", "--temp", "-S", "letter=c")
    assert not drive.requests


def test_two_of_one_name_as_after_two_pushes_at_once(work: DriveProject, drive: Drive, tmp_path: Path) -> None:
    shutil.copytree(work.folder, tmp_path / "other")
    slow = drive.fault(delay=0.1, times=math.inf)
    pushes = [
        subprocess.Popen(["dvc", "push", "--quiet"], cwd=folder, env=work.environment)
        for folder in (work.folder, tmp_path / "other")
    ]
    assert [push.wait() for push in pushes] == [0, 0]
    assert len(stored(drive)) > len(DATA)  # Drive has nothing against two of one name
    slow.times = 0
    for item in drive.files():
        drive.add_file(item.title, item.path, *item.parents)
    assert "Everything is up to date" in work.dvc("push")
    clone = log_in(work.clone("clone"))
    clone.dvc("pull")
    assert contents(clone) == contents(work)
    clone.dvc("gc", "--workspace", "--cloud", "--force")
    assert sorted(set(stored(drive))) == digests(work)


def test_a_pull_from_a_drive_that_falls_silent_can_be_ended(
    clone: DriveProject, work: DriveProject, drive: Drive
) -> None:
    silent = drive.fault(**MEDIA, silent=True)
    with subprocess.Popen(["dvc", "pull"], cwd=clone.folder, env=clone.environment) as pull:
        while silent.times:
            assert pull.poll() is None
            time.sleep(0.01)
        pull.send_signal(signal.SIGTERM)
    assert pull.returncode
    clone.dvc("pull")
    assert contents(clone) == contents(work)


PATIENT = "from textrec.archives import fetch; fetch.TIMEOUT = (1, 1); from textrec.dvc_timeout import main; main()"


@pytest.mark.parametrize(
    ("command", "silent"), [("pull", {"method": "GET"}), ("pull", MEDIA), ("push", {"method": "POST"})]
)
def test_with_a_bound_on_the_wait_a_silent_drive_is_one_that_fails(
    clone: DriveProject, work: DriveProject, drive: Drive, command: str, silent: dict[str, Any]
) -> None:
    project = clone if command == "pull" else work
    (work.folder / "words.txt").write_text("another word\n")
    work.dvc("repro")
    before = stored(drive)
    fault = drive.fault(**silent, silent=True, times=float("inf"))
    output = project("python", "-c", PATIENT, command, code=1)
    fault.times = 0
    assert "timed out" in output
    assert "Traceback" not in output
    assert stored(drive) == before
    project.dvc(command)
    assert set(stored(drive)) == set(before) | (set(digests(work)) if command == "push" else set())


# ---- before dvc is asked ----

BOUNDED = ("python", "-m", "textrec.dvc_timeout")


def without_credentials(project: DriveProject) -> DriveProject:
    """A clone, of somebody who sits before a browser."""
    clone = project.clone("without")
    clone.give_browser()
    return clone


@pytest.mark.parametrize("command", ["pull", "push", "fetch"])
def test_without_credentials_a_person_is_told_at_once_what_to_do(
    work: DriveProject, drive: Drive, command: str
) -> None:
    output = without_credentials(work)(*BOUNDED, command, code=1)
    assert output == "error: Google Drive: no credentials; run `make gdrive-login`, or see docs/drive.md\n"
    assert not drive.requests


@pytest.mark.parametrize("kind", ["token.json", "service_account.json", "environment"])
def test_credentials_that_dvc_was_not_told_of_serve(work: DriveProject, drive: Drive, kind: str) -> None:
    work.dvc("push")
    clone = without_credentials(work)
    if kind == "environment":
        clone.environment["GDRIVE_CREDENTIALS_DATA"] = json.dumps(drive.service_account())
    else:
        credentials = {"token.json": drive.google_token(expired=True), "service_account.json": drive.service_account()}
        (clone.folder / kind).write_text(json.dumps(credentials[kind]))
    clone(*BOUNDED, "pull", "a.bin")
    clone.dvc("pull")
    assert contents(clone) == contents(work)
    assert clone("git", "status", "--porcelain") == ""


def test_a_login_that_has_ended_is_told_with_its_remedy(work: DriveProject, drive: Drive) -> None:
    (work.folder / KEPT).write_text(json.dumps(drive.user_credentials(expired=True)))
    drive.revoke()
    output = work(*BOUNDED, "pull", code=1)
    assert output.startswith("error: Google Drive: ")
    assert "Token has been expired or revoked" in output or "invalid_grant" in output
    assert output.endswith("; run `make gdrive-login`\n")
    assert output.count("\n") == 1


def test_credentials_of_a_remote_of_its_own_are_taken_for_the_archives_too(work: DriveProject, drive: Drive) -> None:
    own = work.folder.parent / "own.json"
    (work.folder / KEPT).rename(own)
    work.dvc("remote", "modify", "--local", "drive", "gdrive_user_credentials_file", str(own))
    about = "from textrec.archives.gdrive import session\nwith session() as client: print(client.access_token_expired)"
    assert work("python", "-c", about) == "False\n"
    work(*BOUNDED, "push", "--remote", "drive")
    assert stored(drive) == digests(work)


def test_a_remote_that_is_not_on_drive_needs_no_credentials(work: DriveProject, drive: Drive) -> None:
    work.dvc("remote", "add", "folder", str(work.folder.parent / "folder"))
    clone = without_credentials(work)
    (clone.folder / ".dvc/config").write_text((work.folder / ".dvc/config").read_text())
    work(*BOUNDED, "push", "-r", "folder")
    clone(*BOUNDED, "pull", "-r", "folder")
    assert contents(clone) == contents(work)
    assert not drive.requests


# ---- the pipeline ----


@pytest.fixture(scope="module")
def shared() -> Iterator[Drive]:
    with Drive() as server:
        yield server


@pytest.fixture(scope="module")
def sample(reproduced: Path, tmp_path_factory: pytest.TempPathFactory, shared: Drive) -> DriveProject:
    """The pipeline, run on a small sample, where Drive is the default remote and there are no credentials."""
    folder = tmp_path_factory.mktemp("sample") / "work"
    shutil.copytree(reproduced, folder, symlinks=True)
    project = DriveProject(folder, shared)
    name_remote(project)
    project.commit()
    return project


def connect(project: DriveProject, name: str, credentials: dict[str, Any]) -> None:
    """As a person does it, where .dvc/config has the remote."""
    (project.folder / name).write_text(json.dumps(credentials))
    project("python", "-m", "textrec.gdrive_setup", "remote")


def outputs(project: DriveProject) -> dict[str, bytes]:
    """Each output that DVC keeps, where it is there."""
    files = {name: project.folder / name for name in artifacts(project.folder)}
    return {name: file.read_bytes() for name, file in files.items() if file.exists()}


def test_without_credentials_the_pipeline_runs_as_if_drive_did_not_exist(sample: DriveProject, shared: Drive) -> None:
    assert "up to date" in sample.dvc("status")
    assert "Ran experiment" in sample.dvc("exp", "run", "-S", "extract_emnist.seed=2", "extract_emnist")
    assert not shared.requests
    sample("git", "checkout", "--quiet", ".")
    sample.dvc("checkout", "--quiet", "--force")


def test_all_that_was_computed_comes_back_as_it_was(sample: DriveProject, shared: Drive) -> None:
    connect(sample, "token.json", shared.google_token())
    assert "new:" in sample.dvc("status", "--cloud")
    sample.dvc("push")
    pushed = outputs(sample)
    assert len(shared.files()) <= len(pushed) == len(artifacts(sample.folder))  # one each; what is alike, once
    clone = sample.clone("clone")
    connect(clone, "service_account.json", shared.service_account())
    clone.dvc("pull", "data/processed/iam_lines.h5")
    assert list(outputs(clone)) == ["data/processed/iam_lines.h5"]
    params = clone.folder / "params.yaml"
    params.write_text(params.read_text().replace("worst: 5", "worst: 4", 1))
    output = clone.dvc("repro", "--pull", "--allow-missing")
    assert [line for line in output.splitlines() if "Running stage" in line] == ["Running stage 'evaluate':"]
    clone("git", "checkout", "--quiet", ".")
    clone.dvc("pull", "--force")
    assert outputs(clone) == pushed
    assert "up to date" in clone.dvc("repro")
    assert "in sync" in clone.dvc("status", "--cloud")
    assert clone("git", "status", "--porcelain") == ""


def test_an_experiment_fetches_raw_data_and_no_secret_is_left_anywhere(sample: DriveProject, shared: Drive) -> None:
    archives = {"iamdb.zip": IAM, "matlab.zip": {"matlab/emnist-byclass.mat": b"by class"}}
    folder = shared.add_folder("raw")
    for name, members in archives.items():
        write_zip(sample.folder.parent / name, members)
        shared.add_file(name, sample.folder.parent / name, folder)
    (sample.folder / "token.json").write_text(json.dumps(shared.google_token(expired=True)))
    source = ["-S", "data.source=gdrive", "-S", f"data.gdrive.folder={folder}"]
    output = sample.dvc("exp", "run", "--temp", "--name", "raw", *source, "download")
    assert "Ran experiment" in output
    assert len([one for one in shared.requests if is_media(one) and one.status == 206]) >= 2
    assert secrets_in(sample.folder.parent, shared) == []
