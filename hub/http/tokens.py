"""Access tokens fetched once, shared by every thread and process, renewed by exactly one of them."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from hub.errors import AuthError, HubError, StopError
from hub.http.clock import Clock, SystemClock

__all__ = [
    "FetchToken",
    "MemoryTokenStore",
    "NewToken",
    "StaticToken",
    "StoredToken",
    "TokenCache",
    "TokenSource",
    "TokenStore",
]


@dataclass(frozen=True)
class NewToken:
    """What a platform's token endpoint gave.

    Args:
        value: the access token.
        expires_in: seconds of life; ``None`` if it lives until revoked.
        refresh_token: for the next renewal; one that rotates replaces the old one.
        extra: whatever the plugin needs beside it (shop id, scope); stored with the token.
    """

    value: str = field(repr=False)
    expires_in: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class StoredToken:
    """A token as kept in a :class:`TokenStore`.

    Attributes:
        value: the access token.
        issued_at: seconds since the Unix epoch.
        expires_at: seconds since the Unix epoch; ``None`` if it lives until revoked.
        refresh_token: for the next renewal.
        extra: the plugin's own additions.
        version: counts up by one with each renewal; tells a revoked token from its successor.
    """

    value: str = field(repr=False)
    issued_at: float = 0.0
    expires_at: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: int = 0

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be shown."""
        return (self.value, self.refresh_token) if self.refresh_token else (self.value,)


class TokenStore(Protocol):
    """Where tokens are kept and how processes take turns; the hub's store implements it on its database."""

    def get(self, name: str) -> StoredToken | None:
        """Return the stored token of this name."""

    def put(self, name: str, token: StoredToken, *, replaces: int) -> bool:
        """Store ``token`` durably if the stored version is ``replaces`` (0: none is stored); say whether it was."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold the right to renew this token, alone among all threads and processes.

        The holder calls the platform meanwhile, so this must not be an open database transaction; it must end by
        itself when its holder dies.
        """


class TokenSource(Protocol):
    """Gives the token to use now and renews one that the platform refused."""

    def current(self) -> StoredToken:
        """Return a token that is believed good."""

    def renew(self, rejected: StoredToken) -> bool:
        """Replace the refused token; ``False`` if that is not possible."""

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be shown."""


FetchToken = Callable[[StoredToken | None], NewToken]


class StaticToken:
    """A token that a person configured; it cannot be renewed."""

    def __init__(self, value: str) -> None:
        self._token = StoredToken(value)

    def current(self) -> StoredToken:
        """Return the configured token."""
        return self._token

    def renew(self, rejected: StoredToken) -> bool:  # noqa: ARG002
        """Return ``False``: a person must replace it."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Return the token's value."""
        return self._token.secrets()


class MemoryTokenStore:
    """A :class:`TokenStore` in memory, for tests and for programs of one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, StoredToken] = {}
        self._guard = Lock()
        self._turns: defaultdict[str, Lock] = defaultdict(Lock)

    def get(self, name: str) -> StoredToken | None:
        """Return the stored token of this name."""
        with self._guard:
            return self._tokens.get(name)

    def put(self, name: str, token: StoredToken, *, replaces: int) -> bool:
        """Store ``token`` if the stored version is ``replaces``; say whether it was."""
        with self._guard:
            stored = self._tokens.get(name)
            if (stored.version if stored else 0) != replaces:
                return False
            self._tokens[name] = token
            return True

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the right to renew this token, alone among all threads."""
        with self._guard:
            turn = self._turns[name]
        with turn:
            yield


class TokenCache:
    """The one token of a connection: fetched when needed, renewed once however many callers find it stale.

    Args:
        name: name in the store; one per set of credentials (a token asked twice may invalidate the first).
        fetch: asks the platform; gets the stored token (for its ``refresh_token``) or ``None``.
        store: where the token is kept; a renewed one is stored *before* anybody uses it, so that a rotated refresh
            token survives a crash.
        clock: source of the time.
        margin: seconds before expiry at which the token counts as stale; at most half of the token's life.
        failure_pause: seconds during which a refused credential is not tried again. Platforms block the caller's
            address after repeated wrong secrets.
    """

    def __init__(
        self,
        name: str,
        fetch: FetchToken,
        store: TokenStore,
        *,
        clock: Clock | None = None,
        margin: float = 300.0,
        failure_pause: float = 60.0,
    ) -> None:
        self.name = name
        self._fetch = fetch
        self._store = store
        self._clock = clock or SystemClock()
        self._margin = margin
        self._failure_pause = failure_pause
        self._turn = Lock()
        self._token: StoredToken | None = None
        self._seen: tuple[StoredToken, ...] = ()
        self._failure: tuple[HubError, float] | None = None

    def current(self) -> StoredToken:
        """Return a token that is believed good, fetching one if there is none.

        Raises:
            HubError: whatever ``fetch`` raised; a refusal is remembered for ``failure_pause`` seconds.
        """
        token = self._token
        return token if token is not None and self._is_fresh(token) else self._obtain(rejected=None)

    def renew(self, rejected: StoredToken) -> bool:
        """Replace a token that the platform refused, unless somebody has done so already. Always ``True``."""
        self._obtain(rejected=rejected.version)
        return True

    def secrets(self) -> tuple[str, ...]:
        """Return the values of the tokens used here: this one, and the one before it that may still be named."""
        return tuple(secret for token in self._seen for secret in token.secrets())

    def _obtain(self, rejected: int | None) -> StoredToken:
        with self._turn:
            if self._token is not None and self._is_good(self._token, rejected):
                return self._token
            stored = self._store.get(self.name)
            if stored is None or not self._is_good(stored, rejected):
                self._raise_remembered_failure()
                with self._store.exclusive(self.name):
                    stored = self._renew_unless_done(rejected)
            self._token = stored
            self._seen = (*self._seen[-1:], stored)
            return stored

    def _renew_unless_done(self, rejected: int | None) -> StoredToken:
        stored = self._store.get(self.name)
        if stored is not None and self._is_good(stored, rejected):
            return stored
        fresh = self._ask(stored)
        if self._store.put(self.name, fresh, replaces=stored.version if stored else 0):
            return fresh
        # Our turn ended before we stored (a lease ran out): the version that is there is the one everybody uses.
        return self._store.get(self.name) or fresh

    def _ask(self, stored: StoredToken | None) -> StoredToken:
        asked_at = self._clock.time()
        try:
            new = self._fetch(stored)
        except (AuthError, StopError) as error:
            self._failure = (error, self._clock.time() + self._failure_pause)
            raise
        return StoredToken(
            value=new.value,
            issued_at=asked_at,
            expires_at=None if new.expires_in is None else asked_at + new.expires_in,
            refresh_token=new.refresh_token or (stored.refresh_token if stored else None),
            extra=new.extra,
            version=(stored.version if stored else 0) + 1,
        )

    def _raise_remembered_failure(self) -> None:
        if self._failure is None:
            return
        error, until = self._failure
        if self._clock.time() < until:
            raise copy.copy(error)
        self._failure = None

    def _is_good(self, token: StoredToken, rejected: int | None) -> bool:
        return token.version != rejected and self._is_fresh(token)

    def _is_fresh(self, token: StoredToken) -> bool:
        if token.expires_at is None:
            return True
        margin = min(self._margin, (token.expires_at - token.issued_at) / 2)
        return self._clock.time() < token.expires_at - margin
