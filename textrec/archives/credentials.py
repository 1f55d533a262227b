"""Credentials for Google Drive: what people have, brought to what dvc-gdrive reads, for its owner's eyes alone.

Secrets lie in files that git ignores: token.json (google-auth's), google_drive_credentials.json (the client id and
secret), service_account.json, and TOKEN, oauth2client's form of token.json, which dvc-gdrive keeps fresh.
"""

import datetime
import http.client
import json
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from textrec.archives.fetch import TEMPORARY
from textrec.base.runtime import TextrecError

GOOGLE_TOKEN = Path("token.json")
CLIENT = Path("google_drive_credentials.json")
SERVICE_ACCOUNT = Path("service_account.json")
TOKEN = Path(".dvc/tmp/gdrive-user-credentials.json")
ENVIRONMENT = "GDRIVE_CREDENTIALS_DATA"  # dvc-gdrive's: credentials as JSON, for machines without files
LOGIN = "run `make gdrive-login`"
AGAIN = "run the same command again later to go on"
PROXIED = "the environment names a proxy, which takes PySocks: run `pip install PySocks`"
SCOPE = ["https://www.googleapis.com/auth/drive"]
NO_CREDENTIALS = f"Google Drive: no credentials; {LOGIN}, or see docs/drive.md"
STEPS = f"""{CLIENT} is not there. It names the app that you log in with: Google blocks DVC's own, so make one of yours.
  1. https://console.cloud.google.com: make a project, and enable the Google Drive API in it.
  2. APIs & Services, OAuth consent screen: External; then Publish app, or the login ends after 7 days.
  3. Credentials, Create credentials, OAuth client ID, Desktop app; download its JSON as {CLIENT}.
  4. {LOGIN} again."""


def drive_options() -> dict[str, Any]:
    """The options of a gdrive remote of DVC that say who one is, as `dvc_gdrive.GDriveFileSystem` takes them.

    They are those of the environment, else those of DVC's configuration, else what lies in this folder.
    Raises TextrecError where there are none.
    """
    options = given_options() or configured_options() or found_options()
    if not options:
        raise TextrecError(NO_CREDENTIALS)
    return options


def given_options() -> dict[str, Any]:
    """Options for what the environment holds; {} where it holds nothing."""
    data = os.environ.get(ENVIRONMENT)
    return {"gdrive_use_service_account": _load(data, ENVIRONMENT).get("type") == "service_account"} if data else {}


def configured_options() -> dict[str, Any]:
    """The remote of DVC's configuration that has credentials of its own; {} where there is none."""
    return next((remote for remote in dvc_remotes().values() if has_credentials(remote)), {})


def has_credentials(remote: Mapping[str, Any]) -> bool:
    """Whether a remote of DVC's names a file of credentials that is there, elsewhere than in TOKEN."""
    names = ("gdrive_user_credentials_file", "gdrive_service_account_json_file_path")
    file = Path(remote.get(names[remote.get("gdrive_use_service_account", False)], ""))
    return file.is_file() and file != _root() / TOKEN


def dvc_remotes() -> dict[str, dict[str, Any]]:
    """The remotes of DVC's configuration, by name, with their options."""
    return _dvc_config()["remote"]


def default_remote() -> str:
    """The name of DVC's default remote; "" where there is none."""
    return _dvc_config()["core"].get("remote", "")


def _dvc_config() -> Any:
    from dvc.config import Config

    return Config.from_cwd()


def found_options() -> dict[str, Any]:
    """Options for what lies in the project's folder; {} where there is nothing.

    A login comes before a service account, which has no space of its own to push to.
    """
    google, kept, service = (_root() / path for path in (GOOGLE_TOKEN, TOKEN, SERVICE_ACCOUNT))
    if google.exists() and (not kept.exists() or kept.stat().st_mtime < google.stat().st_mtime):
        _protect(google)
        token = _load(google.read_text(encoding="utf-8"), GOOGLE_TOKEN)
        _write_private(kept, convert(token | (_client() if (_root() / CLIENT).exists() else {})))
    if kept.exists():
        return {"gdrive_use_service_account": False, "gdrive_user_credentials_file": str(kept)}
    if service.exists():
        _protect(service)
        return {"gdrive_use_service_account": True, "gdrive_service_account_json_file_path": str(service)}
    return {}


def _root() -> Path:
    """The project's folder: what `dvc exp run --temp` and `--queue` work in is a copy under its .dvc/tmp."""
    here = Path.cwd()
    return next((folder.parent for folder in here.parents if folder.name == ".dvc"), here)


def convert(token: dict[str, Any]) -> str:
    """google-auth's token.json as the JSON that oauth2client reads.

    Raises TextrecError where the refresh token or the client that it belongs to is missing.
    """
    from oauth2client.client import EXPIRY_FORMAT, OAuth2Credentials

    for name in ("refresh_token", "client_id", "client_secret"):
        if not token.get(name):
            remedy = f"add {CLIENT}" if name.startswith("client") else LOGIN
            raise TextrecError(f"{GOOGLE_TOKEN}: holds no {name}; {remedy}")
    expiry = re.sub(r"\.\d+", "", token.get("expiry") or "1970-01-01T00:00:00Z")  # unknown: refresh it at once
    return OAuth2Credentials(
        access_token=token.get("token"),
        client_id=token["client_id"],
        client_secret=token["client_secret"],
        refresh_token=token["refresh_token"],
        token_expiry=datetime.datetime.strptime(expiry, EXPIRY_FORMAT),
        token_uri=token.get("token_uri", "https://oauth2.googleapis.com/token"),
        user_agent=None,
        scopes=token.get("scopes") or SCOPE,
    ).to_json()


def login() -> None:
    """Open Google's page in a browser, and keep what it gives in TOKEN."""
    import httplib2
    from pydrive2.auth import AuthError, GoogleAuth

    if not CLIENT.exists():
        raise SystemExit(STEPS)
    settings = {
        "client_config_backend": "settings",
        "client_config": {"revoke_uri": None, "redirect_uri": ""} | _client(),
        "oauth_scope": SCOPE,
        "get_refresh_token": True,
    }
    auth = GoogleAuth(settings=settings)
    try:
        auth.LocalWebserverAuth()
    except (AuthError, httplib2.HttpLib2Error, OSError) as error:
        reason = str(error) or "ports 8080 and 8090 of this machine are taken, and one of them is needed"
        raise TextrecError(f"Google Drive: {reason}; {remedy_of_way(error) or f'{LOGIN} again'}") from None
    _write_private(TOKEN, auth.credentials.to_json())
    print(f"logged in; {TOKEN} holds the token, which git does not see")


def remedy_of_way(error: BaseException) -> str | None:
    """What helps where Google was not reached, or is out of order, so that a login may well be good; None elsewhere."""
    import httplib2
    from oauth2client.client import HttpAccessTokenRefreshError

    cause: BaseException | None = error
    while cause:
        if isinstance(cause, HttpAccessTokenRefreshError) and cause.status in TEMPORARY:
            return AGAIN
        if isinstance(cause, httplib2.HttpLib2Error | http.client.HTTPException) or (
            isinstance(cause, OSError) and cause.filename is None
        ):
            proxied = any(map(httplib2.proxy_info_from_environment, ("http", "https")))
            return PROXIED if proxied and find_spec("socks") is None else AGAIN
        cause = cause.__cause__ or cause.__context__
    return None


def _client() -> dict[str, Any]:
    """The client of CLIENT: id, secret, and where to ask."""
    path = _root() / CLIENT
    _protect(path)
    secrets = _load(path.read_text(encoding="utf-8"), CLIENT)
    client = secrets.get("installed") or secrets.get("web") or {}
    names = ("client_id", "client_secret", "auth_uri", "token_uri")
    if missing := [name for name in names if not client.get(name)]:
        raise TextrecError(f"{CLIENT}: holds no {missing[0]}; download the OAuth client ID of a desktop app anew")
    return {name: client[name] for name in names}


def _load(text: str, where: object) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise TextrecError(f"{where}: not a JSON object; get it anew") from None  # and show nothing of it


def _protect(path: Path) -> None:
    path.chmod(0o600)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
