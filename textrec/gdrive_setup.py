"""Setting up Google Drive: `make gdrive-login` and `make gdrive-remote`.

python -m textrec.gdrive_setup login             log in once, with the client id in google_drive_credentials.json
python -m textrec.gdrive_setup remote FOLDER     a Drive folder (its id or link) as DVC's default remote
python -m textrec.gdrive_setup remote            the same for the folder that .dvc/config names already
"""

import os
import subprocess
import sys

from textrec.archives.credentials import (
    LOGIN,
    configured_options,
    dvc_remotes,
    found_options,
    given_options,
    login,
)
from textrec.archives.gdrive import file_id
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


def _connect() -> None:
    """Tell DVC in .dvc/config.local, which git does not see, where the credentials of the remote are."""
    options = given_options() or found_options()
    if not options and not configured_options():
        print(f"but there are no credentials here yet; {LOGIN}")
    for name, value in options.items():
        text = str(value).lower() if isinstance(value, bool) else os.path.relpath(value)
        _dvc("remote", "modify", "--local", REMOTE, name, text)


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
