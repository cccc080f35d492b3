"""How a request proves who sends it. A strategy is applied anew at each attempt, so signatures carry the right time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from hub.errors import ConfigError
from hub.http.message import Draft
from hub.http.tokens import StaticToken, StoredToken, TokenSource

__all__ = ["Auth", "BodyToken", "HeaderToken", "NoAuth", "QueryToken", "SignedRequest"]


class Auth(Protocol):
    """A way to authenticate; write your own where the four below do not fit."""

    def current(self) -> StoredToken | None:
        """Return the token that the next attempt uses; ``None`` for a scheme without one."""

    def apply(self, draft: Draft, token: StoredToken | None) -> Draft:
        """Return the request with its proof. Called once per attempt, with what :meth:`current` gave."""

    def renew(self, rejected: StoredToken | None) -> bool:
        """Replace a refused token; say whether repeating the call makes sense."""

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be shown."""


class NoAuth:
    """No authentication."""

    def current(self) -> StoredToken | None:
        """Return ``None``."""
        return None

    def apply(self, draft: Draft, token: StoredToken | None) -> Draft:  # noqa: ARG002
        """Return the request as it is."""
        return draft

    def renew(self, rejected: StoredToken | None) -> bool:  # noqa: ARG002
        """Return ``False``."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()


class _TokenAuth:
    """Common part of the strategies that carry a token."""

    def __init__(self, token: TokenSource | str) -> None:
        self._source = StaticToken(token) if isinstance(token, str) else token

    def current(self) -> StoredToken:
        """Return the token to use now."""
        return self._source.current()

    def renew(self, rejected: StoredToken | None) -> bool:
        """Replace a refused token, if its source can."""
        return rejected is not None and self._source.renew(rejected)

    def secrets(self) -> tuple[str, ...]:
        """Return the token's values."""
        return self._source.secrets()


class HeaderToken(_TokenAuth):
    """The token in a header: ``Authorization: Bearer …`` unless told otherwise.

    Args:
        token: a source of tokens, or a fixed one.
        header: name of the header.
        prefix: what stands before the token, its blank included.
    """

    def __init__(self, token: TokenSource | str, *, header: str = "Authorization", prefix: str = "Bearer ") -> None:
        super().__init__(token)
        self._header = header
        self._prefix = prefix

    def apply(self, draft: Draft, token: StoredToken | None) -> Draft:
        """Return the request with the header."""
        return draft.with_header(self._header, f"{self._prefix}{_value(token)}")


class QueryToken(_TokenAuth):
    """The token as a query parameter, ``access_token`` unless told otherwise."""

    def __init__(self, token: TokenSource | str, *, param: str = "access_token") -> None:
        super().__init__(token)
        self._param = param

    def apply(self, draft: Draft, token: StoredToken | None) -> Draft:
        """Return the request with the parameter."""
        return draft.with_param(self._param, _value(token))


class BodyToken(_TokenAuth):
    """The token as a member of the JSON body, ``access_token`` unless told otherwise."""

    def __init__(self, token: TokenSource | str, *, key: str = "access_token") -> None:
        super().__init__(token)
        self._key = key

    def apply(self, draft: Draft, token: StoredToken | None) -> Draft:
        """Return the request with the member; a call without a body gets one."""
        body = draft.json if draft.has_json else {}
        if not isinstance(body, Mapping) or draft.content:
            raise ConfigError(
                "A token in the JSON body needs a body that is a JSON object.",
                hint="Send a mapping as json=, or use another Auth strategy.",
                context={"path": draft.path},
            )
        return draft.with_json({**body, self._key: _value(token)})


class SignedRequest:
    """A signature over the request, computed anew at each attempt.

    Args:
        sign: gets the request and the token (``""`` without a source), returns the signed request. The exact bytes to
            sign are ``draft.body``; time comes from a clock that ``sign`` closes over.
        token: a source of tokens, or a fixed one, if the scheme has one.
        secrets: the signing keys, so that they can be kept out of logs.
    """

    def __init__(
        self,
        sign: Callable[[Draft, str], Draft],
        *,
        token: TokenSource | str | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self._sign = sign
        self._source = StaticToken(token) if isinstance(token, str) else token
        self._secrets = tuple(secrets)

    def current(self) -> StoredToken | None:
        """Return the token to use now, if the scheme has one."""
        return self._source.current() if self._source else None

    def apply(self, draft: Draft, token: StoredToken | None) -> Draft:
        """Return the signed request."""
        return self._sign(draft, token.value if token else "")

    def renew(self, rejected: StoredToken | None) -> bool:
        """Replace a refused token, if there is one and its source can."""
        return self._source is not None and rejected is not None and self._source.renew(rejected)

    def secrets(self) -> tuple[str, ...]:
        """Return the signing keys and the token's values."""
        return (*self._secrets, *(self._source.secrets() if self._source else ()))


def _value(token: StoredToken | None) -> str:
    return token.value if token else ""
