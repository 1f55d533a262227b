"""The page of `python -m app`, served as people start it, and a real browser to look at it."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from repository import ROOT

pytest.importorskip("gradio", reason="the page needs the extra 'app'")
playwright = pytest.importorskip("playwright.sync_api", reason="driving a browser needs playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SECONDS = 30_000  # milliseconds that a browser waits


class Site(NamedTuple):
    """A served page: its address, the folder that it runs in, and the connections that it tried to make elsewhere."""

    address: str
    folder: Path
    calls: list[bytes]


@contextlib.contextmanager
def eavesdropper() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a proxy that lets nothing through, and what it was asked for."""
    calls: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        calls.append(connection.recv(1000))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def served(project: Path, temporary: Path, *arguments: object) -> Iterator[Site]:
    """The page of a project, whose uploads lie in the folder `temporary`, where they must not stay."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with eavesdropper() as (proxy, calls):
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), proxy)
        environment = (
            os.environ
            | proxies
            | {"NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
        )
        command = [sys.executable, "-u", "-m", "app", "--port", str(port), *map(str, arguments)]
        with subprocess.Popen(
            command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as server:
            try:
                assert server.stdout
                assert f"http://127.0.0.1:{port}/ is open" in server.stdout.readline()
                yield Site(f"http://127.0.0.1:{port}/", project, calls)
            finally:
                os.killpg(server.pid, signal.SIGTERM)  # as `timeout` and service managers do
                try:
                    assert server.wait(20) == 143
                finally:
                    server.kill()
                assert not list(temporary.iterdir())


@contextlib.contextmanager
def chromium() -> Iterator[playwright.Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on PATH")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--no-first-run"])
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: playwright.Browser, site: Site, width: int = 390) -> Iterator[playwright.Page]:
    """The open page; whatever a test does, nothing may be asked from elsewhere, nor a script fail."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_default_timeout(SECONDS)
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(site.address)
    page.get_by_label("The text, to correct").wait_for()
    yield page
    page.close()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((site.address, "data:", "blob:" + site.address))] == []
    assert failed == []
    assert site.calls == []


def upload(page: playwright.Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)


def wait_for_text(page: playwright.Page, place: str, text: str) -> None:
    page.locator(place).get_by_text(text).first.wait_for()


def ask(site: Site, event: str, *inputs: object, place: int = 0, sent: object = None) -> str:
    """What the page answers to one who goes around it: to the event of a kind, of several the one in that place.

    sent: what a script in the browser would give with the event.
    """
    config = requests.get(f"{site.address}config", timeout=20).json()
    assert not config["analytics_enabled"]
    found = [one["id"] for one in config["dependencies"] if one["targets"][0][1] == event]
    session = secrets.token_hex(8)
    body = {"data": inputs, "fn_index": found[place], "session_hash": session, "event_data": sent}
    requests.post(f"{site.address}gradio_api/queue/join", json=body, timeout=20).raise_for_status()
    return requests.get(f"{site.address}gradio_api/queue/data", params={"session_hash": session}, timeout=20).text
