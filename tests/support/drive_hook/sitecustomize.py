"""Sends the Google Drive clients of this process to the server that TEXTREC_TEST_DRIVE names.

Python imports this file by itself where its folder is on PYTHONPATH. It imports nothing of Google's: the modules are
changed when, and only if, they are imported.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


def redirect_discovery(module: ModuleType, root: str) -> None:
    """`googleapiclient.discovery_cache`: all addresses of Drive's API begin with what its description says."""
    original = module.get_static_doc

    def get_static_doc(name: str, version: str) -> str | None:
        text = original(name, version)
        if name != "drive" or text is None:
            return text
        description = json.loads(text)
        changes = {"rootUrl": f"{root}/", "mtlsRootUrl": f"{root}/", "baseUrl": f"{root}/{description['servicePath']}"}
        return json.dumps(description | changes)

    module.get_static_doc = get_static_doc


def redirect_defaults(module: ModuleType, root: str) -> None:
    """`oauth2client`: where tokens come from if the credentials do not say."""
    module.GOOGLE_TOKEN_URI = f"{root}/token"


def redirect_settings(module: ModuleType, root: str) -> None:
    """`pydrive2.auth`: where tokens come from in the settings that pydrive2.fs has built in."""
    original = module.GoogleAuth.LoadClientConfigSettings

    def load(self: Any) -> None:
        original(self)
        self.client_config["token_uri"] = f"{root}/token"

    module.GoogleAuth.LoadClientConfigSettings = load


def redirect_google_auth(module: ModuleType, root: str) -> None:
    """`google.oauth2.credentials`: where tokens come from, whatever token.json says."""
    module._GOOGLE_OAUTH2_TOKEN_ENDPOINT = f"{root}/token"


class Redirection:
    """Finds the modules that are to be changed, and changes them once they have run."""

    changes: dict[str, Callable[[ModuleType, str], None]] = {  # noqa: RUF012
        "google.oauth2.credentials": redirect_google_auth,
        "googleapiclient.discovery_cache": redirect_discovery,
        "oauth2client": redirect_defaults,
        "pydrive2.auth": redirect_settings,
    }

    def __init__(self, root: str) -> None:
        self.root = root

    def find_spec(self, name: str, path: Sequence[str] | None, _: ModuleType | None = None) -> ModuleSpec | None:
        change = self.changes.get(name)
        spec = PathFinder.find_spec(name, path) if change else None
        if change and spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                change(module, self.root)

            spec.loader.exec_module = exec_module
        return spec


def run_next() -> None:
    """Python runs the first sitecustomize alone: run the one that this one hides."""
    here = Path(__file__).parent
    spec = PathFinder.find_spec("sitecustomize", [folder for folder in sys.path if Path(folder) != here])
    if spec and spec.loader:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if __name__ == "sitecustomize":
    if "TEXTREC_TEST_DRIVE" in os.environ:
        sys.meta_path.insert(0, Redirection(os.environ["TEXTREC_TEST_DRIVE"]))
    run_next()
