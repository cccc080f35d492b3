"""The secret values of one connection, in every spelling in which they could turn up in a text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

from hub.http.auth import Auth
from hub.redaction import redact

__all__ = ["SecretValues"]


class SecretValues:
    """Knows the configured secrets and asks the auth strategy for those of the moment."""

    def __init__(self, configured: Iterable[str], auth: Auth) -> None:
        self._configured = tuple(configured)
        self._auth = auth

    def known(self, auth: Auth | None = None) -> tuple[str, ...]:
        """Return every known secret as it is, percent-encoded and form-encoded; the longest first."""
        current = (auth.secrets() if auth else ()) + self._auth.secrets()
        return _spellings(self._configured + current)

    def redact(self, text: str, auth: Auth | None = None) -> str:
        """Return ``text`` without secrets and personal data."""
        return redact(text, self.known(auth))


@lru_cache(maxsize=256)
def _spellings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}
    # A long secret may contain a short one; replacing the short one first would leave the rest of the long one.
    return tuple(sorted((form for form in forms if form), key=len, reverse=True))
