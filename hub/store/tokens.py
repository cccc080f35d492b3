"""Tokens, encrypted at rest: a ``hub.http.TokenStore`` on the store's database.

The key comes from ``HUB_SECRET_KEY`` (several, separated by commas, for rotation: the first encrypts, all decrypt). On one
machine without it, a key file with owner-only rights is made in the hub's home on first use.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from hub.errors import ConfigError, LeaseHeldError, StoreError
from hub.http.tokens import StoredToken
from hub.store.database import Database
from hub.store.leases import Leases
from hub.store.tables import Token

__all__ = ["Tokens", "secret_key"]

ENVIRONMENT = "HUB_SECRET_KEY"
KEY_FILE = "secret.key"
_TURN_SECONDS = 120
_WAIT_SECONDS = 0.1


def secret_key(home: Path) -> MultiFernet:
    """Return the cipher for secrets at rest.

    Raises:
        ConfigError: ``HUB_SECRET_KEY`` is set but is no key.
    """
    given = [text.strip() for text in os.environ.get(ENVIRONMENT, "").split(",") if text.strip()]
    texts = given or [_key_file(home)]
    try:
        return MultiFernet([Fernet(text) for text in texts])
    except ValueError as error:
        raise ConfigError(
            f"{ENVIRONMENT if given else home / KEY_FILE} is not a key: 32 bytes in url-safe base64 are needed.",
            code="secret_key_invalid",
            hint='Make one: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"',
        ) from error


def _key_file(home: Path) -> str:
    path = home / KEY_FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        _make_key_file(path)
    return path.read_text().strip()


def _make_key_file(path: Path) -> None:
    """Put a new key in place whole: another process sees no file or all of it, and the first one stays."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()


class Tokens:
    """Encrypted tokens, shared by all processes; renewal is taken in turns by lease."""

    def __init__(
        self,
        database: Database,
        cipher: Callable[[], MultiFernet],
        now: Callable[[], dt.datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._now = now
        self._sleep = sleep
        self._leases = Leases(database, now)

    def get(self, name: str) -> StoredToken | None:
        """Return the stored token of this name."""
        with self._database.read() as session:
            row = session.get(Token, name)
        return None if row is None else self._open(row)

    def put(self, name: str, token: StoredToken, *, replaces: int) -> bool:
        """Store ``token`` durably if the stored version is ``replaces`` (0: none is stored); say whether it was."""
        sealed = self._seal(token)
        with self._database.write() as session:
            self._database.alone(session, f"token {name}")
            row = session.get(Token, name)
            if (row.version if row else 0) != replaces:
                return False
            expires = None if token.expires_at is None else dt.datetime.fromtimestamp(token.expires_at, dt.UTC)
            session.merge(
                Token(name=name, version=token.version, sealed=sealed, expires_at=expires, renewed_at=self._now())
            )
        return True

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the right to renew this token, alone among all threads and processes; waits for its turn."""
        turns = Retrying(
            retry=retry_if_exception_type(LeaseHeldError),
            wait=wait_fixed(_WAIT_SECONDS),
            # Counted, not timed: the sleep may be a test's virtual one.
            stop=stop_after_attempt(int(_TURN_SECONDS / _WAIT_SECONDS)),
            sleep=self._sleep,
            reraise=True,
        )
        with ExitStack() as stack:
            turns(lambda: stack.enter_context(self._leases.hold(f"token {name}")))
            yield

    def _seal(self, token: StoredToken) -> bytes:
        content = {
            "value": token.value,
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
            "refresh_token": token.refresh_token,
            "extra": dict(token.extra),
        }
        return self._cipher().encrypt(orjson.dumps(content))

    def _open(self, row: Token) -> StoredToken:
        try:
            content = orjson.loads(self._cipher().decrypt(row.sealed))
        except InvalidToken as error:
            raise StoreError(
                f"The stored token {row.name} cannot be decrypted with this {ENVIRONMENT}.",
                code="secret_key_wrong",
                hint="Put the old key behind the new one, separated by a comma; or delete the token to sign in anew.",
            ) from error
        return StoredToken(version=row.version, **content)
