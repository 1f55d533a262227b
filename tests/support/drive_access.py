"""Logins to a Google Drive as OAuth has them: tokens, and credentials in the forms in which clients keep them."""

import base64
import functools
import json
import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from drive_items import DriveError

SCOPES = ["https://www.googleapis.com/auth/drive", "https://www.googleapis.com/auth/drive.appdata"]
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Access:
    """Who may come in: tokens, and credentials in the forms in which clients keep them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._secrets: list[str] = []
        self._client_secret, self._refresh_token = self._secret("client"), self._secret("refresh")
        self._client_id = f"{secrets.token_hex(8)}.apps.googleusercontent.com"
        self._tokens: set[str] = set()
        self._codes: dict[str, str] = {}  # of people who logged in: where each was sent to
        self.refuses_login = False
        self._uses_left: int | None = None
        self._lock = threading.Lock()

    def secrets(self) -> list[str]:
        """What must never be seen in a message, a log, or a file that others read."""
        return list(self._secrets)

    def expire_tokens(self, after: int = 0) -> None:
        """Take `after` more requests, then no access token that was given before."""
        self._uses_left = after

    def revoke(self) -> None:
        """Take back every login: access tokens, and the means to get new ones. Credentials given later are good."""
        self._tokens.clear()
        self._refresh_token = self._secret("refresh")

    def user_credentials(self, *, expired: bool = False) -> dict[str, Any]:
        """As oauth2client keeps them, and so pydrive2 and DVC."""
        return {
            "access_token": self._secret("access") if expired else self._access_token(),
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "refresh_token": self._refresh_token,
            "token_expiry": f"{_expiry(expired):%Y-%m-%dT%H:%M:%SZ}",
            "token_uri": f"{self.url}/token",
            "user_agent": None,
            "revoke_uri": f"{self.url}/revoke",
            "id_token": None,
            "id_token_jwt": None,
            "token_response": None,
            "scopes": SCOPES,
            "token_info_uri": f"{self.url}/tokeninfo",
            "invalid": False,
            "_class": "OAuth2Credentials",
            "_module": "oauth2client.client",
        }

    def google_token(self, *, expired: bool = False) -> dict[str, Any]:
        """As google-auth keeps them, in token.json."""
        return {
            "token": self._secret("access") if expired else self._access_token(),
            "refresh_token": self._refresh_token,
            "token_uri": f"{self.url}/token",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "scopes": SCOPES,
            "universe_domain": "googleapis.com",
            "account": "",
            "expiry": f"{_expiry(expired):%Y-%m-%dT%H:%M:%S.%fZ}",
        }

    def client_secrets(self) -> dict[str, dict[str, Any]]:
        """As Google's console gives them for an application."""
        client = {"client_id": self._client_id, "client_secret": self._client_secret}
        return {"installed": client | self._console() | {"redirect_uris": ["http://localhost"]}}

    def service_account(self) -> dict[str, Any]:
        """As Google's console gives them for a service account."""
        key = _private_key()
        self._secrets.append(key.splitlines()[5])  # a line, since JSON writes the line ends in another way
        return self._console() | {
            "type": "service_account",
            "private_key_id": secrets.token_hex(20),
            "private_key": key,
            "client_email": "textrec@textrec-test.iam.gserviceaccount.com",
            "client_id": str(secrets.randbelow(10**21)),
            "client_x509_cert_url": f"{self.url}/cert",
            "universe_domain": "googleapis.com",
        }

    def _console(self) -> dict[str, Any]:
        uris = {"auth_uri": "auth", "token_uri": "token", "auth_provider_x509_cert_url": "certs"}
        return {"project_id": "textrec-test"} | {name: f"{self.url}/{path}" for name, path in uris.items()}

    def _secret(self, kind: str) -> str:
        self._secrets.append(f"secret-{kind}-{secrets.token_hex(16)}")
        return self._secrets[-1]

    def _access_token(self) -> str:
        token = self._secret("access")
        self._tokens.add(token)
        return token

    def authorise(self, header: str) -> None:
        """Raise unless the header Authorization holds a valid access token."""
        with self._lock:
            token = header.removeprefix("Bearer ")
            if token in self._tokens and self._uses_left is not None:
                self._uses_left -= 1
                if self._uses_left < 0:
                    self._tokens.clear()
                    self._uses_left = None
            if token not in self._tokens:
                realm = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
                raise DriveError("authError", {"WWW-Authenticate": realm})

    def log_in(self, query: dict[str, str]) -> str:
        """Where a browser is sent on to when somebody at the page of the login has agreed, or has not."""
        if (query.get("client_id"), query.get("response_type")) != (self._client_id, "code"):
            raise DriveError("invalid_client")
        answer = {"error": "access_denied"}
        if not self.refuses_login:
            answer = {"code": self._secret("code")}
            self._codes[answer["code"]] = query["redirect_uri"]
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def grant(self, form: dict[str, str]) -> dict[str, str]:
        """Tokens for a refresh token, for the code of a login, or for an assertion, whose signature is not checked."""
        kind = form.get("grant_type")
        if kind == JWT_GRANT:
            parts = form["assertion"].split(".")
            known = len(parts) == 3 and "iss" in json.loads(base64.urlsafe_b64decode(f"{parts[1]}=="))
        elif (form.get("client_id"), form.get("client_secret")) != (self._client_id, self._client_secret):
            raise DriveError("invalid_client")
        elif kind == "authorization_code":
            known = self._codes.pop(form["code"], None) == form["redirect_uri"]
        else:
            known = (kind, form.get("refresh_token")) == ("refresh_token", self._refresh_token)
        if not known:
            raise DriveError("invalid_grant")
        tokens = {"access_token": self._access_token()}
        return tokens | {"refresh_token": self._refresh_token} if kind == "authorization_code" else tokens


def _expiry(expired: bool) -> datetime:
    return datetime.now(UTC) + timedelta(hours=-1 if expired else 1)


@functools.cache
def _private_key() -> str:
    """An RSA key; one for all, since it takes a while to make."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()
