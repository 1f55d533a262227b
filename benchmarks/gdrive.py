"""Google Drive: what slow answers cost a pull, and what a large archive takes of memory, killed twice on the way.

Usage: python benchmarks/gdrive.py

Drive is the server of the tests, on loopback. Real dvc processes pull as many files as the data stages have outputs,
into a project without a cache; they are small, so that the time is that of the requests. Then the code of the download
stage fetches one large file.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import ROOT, measure, save

sys.path.insert(0, str(ROOT / "tests/support"))

from drive_server import Drive
from projects import DriveProject, artifacts

RUNS = 3  # of each, in alternation
DELAY = 0.15  # seconds added to each request
SMALL = 10_000  # bytes of each file that is pulled
LARGE = 1 << 30  # bytes of the file that is fetched
BLOCK = 1 << 20
TRAINING = ("train", "predict", "evaluate")
FETCH = """
import sys
from pathlib import Path
from textrec.archives.fetch import fetch
from textrec.archives.gdrive import DriveParams, find, session

with session() as client:
    file = find(client, DriveParams(folder=None, files={"iamdb.zip": sys.argv[1]}), {})["iamdb.zip"]
    fetch(file, Path("iamdb.zip"), expected=file.md5, algorithm="md5")
"""


def pull_slowly(folder: Path) -> dict[str, float]:
    """Seconds of a pull, with and without the delay."""
    names = artifacts(ROOT, without=TRAINING)
    with Drive() as drive:
        folder.mkdir()
        project = DriveProject(folder, drive)
        project.dvc("init", "--quiet", "--no-scm")
        project.dvc("config", "core.analytics", "false")
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(os.urandom(SMALL))
        project.dvc("add", "--quiet", *names)
        log_in(project)
        project("python", "-m", "textrec.gdrive_setup", "remote", drive.add_folder("textrec"))
        project.dvc("push")
        seconds: dict[float, list[float]] = {0: [], DELAY: []}
        for _ in range(RUNS):
            for delay, times in seconds.items():
                shutil.rmtree(folder / ".dvc/cache")
                shutil.rmtree(project.environment["DVC_SITE_CACHE_DIR"])
                for name in names:
                    (folder / name).unlink()
                fault, before = drive.fault(delay=delay, times=float("inf")), drive.count()
                start = time.perf_counter()
                project.dvc("pull")
                times.append(time.perf_counter() - start)
                fault.times, requests = 0, drive.count() - before
    plain, slow = (statistics.median(times) for times in seconds.values())
    return {
        "files": len(names),
        "requests": requests,
        "seconds": round(plain, 2),
        "seconds_with_delay": round(slow, 2),
        "seconds_of_delay": round(slow - plain, 2),
    }


def fetch_large(folder: Path) -> dict[str, float]:
    """Memory of the process that fetches, over all three runs, and how often each byte came."""
    source = folder / "source"
    with source.open("wb") as file:
        for _ in range(LARGE // BLOCK):
            file.write(os.urandom(BLOCK))
    with Drive() as drive:
        project = DriveProject(folder / "project", drive)
        project.folder.mkdir()
        log_in(project)
        project.environment["PYTHONPATH"] += os.pathsep + str(ROOT)
        command = [sys.executable, str(Path(__file__).resolve()), "--killed", drive.add_file("iamdb.zip", source)]
        seconds, peak = measure(command, project.folder, project.environment)
        sent = [request for request in drive.requests if request.query.get("alt") == "media"]
    return {
        "mib": LARGE // BLOCK,
        "mib_sent": round(sum(request.sent for request in sent) / BLOCK),
        "starts_from_the_beginning": sum(request.range.startswith("bytes=0-") for request in sent),
        "peak_mib": round(peak),
        "seconds": round(seconds, 1),
    }


def fetch_killed(place: str) -> None:
    """Fetch into this folder: killed after a third, killed after two thirds, and to the end."""
    command = [sys.executable, "-c", FETCH, place]
    for share in (1 / 3, 2 / 3):
        process = subprocess.Popen(command)
        while sum(part.stat().st_size for part in Path().glob("*.part")) < share * LARGE:
            if process.poll() is not None:
                raise SystemExit("the fetch ended before it could be killed")
            time.sleep(0.01)
        process.kill()
        process.wait()
    subprocess.run(command, check=True)


def log_in(project: DriveProject) -> None:
    """Put credentials into a project's folder."""
    (project.folder / "token.json").write_text(json.dumps(project.drive.google_token()))


def main() -> None:
    """Measure, print, save."""
    with tempfile.TemporaryDirectory() as scratch:
        pull = pull_slowly(Path(scratch, "pull"))
        print(f"pull of {pull['files']} files, {DELAY * 1000:.0f} ms added to each of {pull['requests']} requests: ")
        print(f"{pull['seconds_with_delay']} s - {pull['seconds']} s = {pull['seconds_of_delay']} s (aim: under 10)")
        large = fetch_large(Path(scratch))
    print(
        f"{large['mib']} MiB, killed twice: peak {large['peak_mib']} MiB (aim: under 200), {large['mib_sent']} MiB sent"
    )
    save("gdrive", {"runs": RUNS, "delay": DELAY, "pull": pull, "fetch": large})


if __name__ == "__main__":
    fetch_killed(sys.argv[2]) if sys.argv[1:2] == ["--killed"] else main()
