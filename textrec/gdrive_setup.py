"""Setting up Google Drive: `make gdrive-login` and `make gdrive-remote`.

python -m textrec.gdrive_setup login             log in once, with the client id in google_drive_credentials.json
python -m textrec.gdrive_setup remote FOLDER     a Drive folder (its id or link) as DVC's default remote
python -m textrec.gdrive_setup remote            the same for the folder that .dvc/config names already
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from textrec.archives.credentials import (
    LOGIN,
    NO_CREDENTIALS,
    configured_options,
    default_remote,
    dvc_remotes,
    found_options,
    given_options,
    has_credentials,
    login,
)
from textrec.archives.gdrive import file_id, session
from textrec.base.runtime import TextrecError, run

REMOTE = "drive"


def set_remote(folder: str) -> None:
    """Make a Drive folder DVC's default remote; "" is the one that is so already. Use the credentials that are here."""
    if folder:
        if not (found := file_id(folder)):
            raise TextrecError(f"FOLDER is {folder!r}; give the link of a Drive folder, or the long part of it")
        _dvc("remote", "add", "--force", "--default", REMOTE, f"gdrive://{found}")
    elif REMOTE not in dvc_remotes():
        raise TextrecError("FOLDER is not set; give the link of a Drive folder, or the long part of it")
    print(f"{dvc_remotes()[REMOTE]['url']} is the default remote: dvc push, dvc pull; commit .dvc/config to share it")
    _connect()


def ready(name: str) -> None:
    """Have a remote of DVC's ready to be asked; "" is the default one.

    Of one on Drive whose credentials are missing, DVC itself would open a browser, for an app that Google blocks, and
    wait. Raises TextrecError where there are none, or Google does not take them.
    """
    name = name or default_remote()
    remote = dvc_remotes().get(name, {})
    if not remote.get("url", "").startswith("gdrive://") or "gdrive_client_id" in remote:  # DVC's own login serves then
        return
    options = given_options()
    if not (options or has_credentials(remote)):
        options = found_options()
        if not options:
            raise TextrecError(NO_CREDENTIALS)
    if any(remote.get(key, False) != value for key, value in options.items()):
        _tell_dvc(name, options)
    with session(remote | options):
        pass


def _connect() -> None:
    """Tell DVC where the credentials of the remote are."""
    options = given_options() or found_options()
    if not options and not configured_options():
        print(f"but there are no credentials here yet; {LOGIN}")
    _tell_dvc(REMOTE, options)


def _tell_dvc(name: str, options: Mapping[str, Any]) -> None:
    """Set options of a remote in .dvc/config.local, which git does not see."""
    for key, value in options.items():
        text = str(value).lower() if isinstance(value, bool) else os.path.relpath(value)
        _dvc("remote", "modify", "--local", name, key, text)


def _dvc(*words: str) -> None:
    if subprocess.run([sys.executable, "-m", "dvc", "--quiet", *words], check=False).returncode:  # noqa: S603
        raise TextrecError(f"dvc {' '.join(words[:2])} failed, as it says above")


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["login"]:
            login()
            if REMOTE in dvc_remotes():
                _connect()
        case ["remote", *folder] if len(folder) < 2:
            set_remote("".join(folder))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    run(main)
