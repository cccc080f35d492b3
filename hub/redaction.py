"""Keep secrets and personal data out of logs, exception texts and URLs.

Two kinds of guard work together: *names* (a field called ``access_token`` is secret whatever it holds) and *shapes*
(eleven digits that look like a Chinese mobile number are personal wherever they stand). :class:`RedactingFilter` puts
both in front of every log handler.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr

__all__ = ["RedactingFilter", "is_secret_name", "mask_phone", "redact", "redact_mapping", "redact_url", "secrets_in"]

MASK: Final = "***"

_SECRET_NAME = re.compile(
    r"(secret|token|password|passwd|api_?key|app_?key|authorization|signature|^sign$|credential|aes_?key|session_?key|^code$|^ticket$)",
    re.IGNORECASE,
)
# A mainland mobile: optional +86/0086, then 1[3-9] and nine digits, not inside a longer number. A letter may stand right before
# or after it (tel154…), and so may a percent escape of a URL, whose digits are none of its own.
_MOBILE = re.compile(
    r"(?:(?<!\d)(?<!\d\.)|(?<=%[\dA-Fa-f]{2}))(?:(?:(?:\+|%2[Bb])?86|0086)(?:[ -]|%20)?)?"
    r"(1[3-9]\d)(?:[ -]|%20)?(\d{4})(?:[ -]|%20)?(\d{4})(?!\d)"
)
_EMAIL = re.compile(r"\b([A-Za-z0-9._%+-])[A-Za-z0-9._%+-]*@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_ID_CARD = re.compile(r"(?<!\d)(\d{6})(?:19|20)\d{9}[\dXx](?!\d)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_KEY_VALUE = re.compile(
    r"(?i)([\"']?\b[\w-]*(?:secret|token|password|passwd|api_?key|app_?key|authorization|signature|aes_?key|session_?key)[\"']?\s*[=:]\s*[\"']?)"
    r"([^\s\"'&,;}]+)"
)
_WEBHOOK_SECRET = re.compile(r"\bwhs[ekp][ck]?_[A-Za-z0-9+/=]+")


def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds a secret, whatever its value is."""
    return _SECRET_NAME.search(name) is not None


def mask_phone(text: str) -> str:
    """Return ``text`` with every mainland mobile number shown as ``138****0000``."""
    return _MOBILE.sub(lambda match: f"{match[1]}****{match[3]}", text)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without secrets and personal data.

    Args:
        text: anything that may end up before a person's eyes.
        secrets: known secret values (the connection's own), removed wherever they stand.
    """
    # The longest first: one secret may be the beginning of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    text = _WEBHOOK_SECRET.sub(MASK, text)
    text = _BEARER.sub(lambda match: f"{match[1]} {MASK}", text)
    text = _KEY_VALUE.sub(lambda match: f"{match[1]}{MASK}", text)
    text = _EMAIL.sub(lambda match: f"{match[1]}{MASK}@{match[2]}", text)
    text = _ID_CARD.sub(lambda match: f"{match[1]}********{MASK}", text)
    return mask_phone(text)


def secrets_in(value: object) -> tuple[str, ...]:
    """Return every secret value held by a model's ``SecretStr`` and ``SecretBytes`` fields, nested ones too."""
    if isinstance(value, SecretStr):
        return (value.get_secret_value(),)
    if isinstance(value, SecretBytes):
        return (value.get_secret_value().decode(errors="replace"),)
    if isinstance(value, BaseModel):
        return tuple(secret for _, item in value for secret in secrets_in(item))
    if isinstance(value, Mapping):
        return tuple(secret for item in value.values() for secret in secrets_in(item))
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(secret for item in value for secret in secrets_in(item))
    return ()


def redact_mapping(values: Mapping[str, object], secrets: Iterable[str] = ()) -> dict[str, object]:
    """Return a copy of ``values`` fit for a log: secret names masked, texts redacted, nested mappings too."""
    known = tuple(secrets)
    return {key: MASK if is_secret_name(key) else _redact_value(value, known) for key, value in values.items()}


def _redact_value(value: object, secrets: tuple[str, ...]) -> object:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return redact_mapping(value, secrets)
    if isinstance(value, list | tuple):
        return [_redact_value(item, secrets) for item in value]
    return value


def redact_url(url: str, secrets: Iterable[str] = ()) -> str:
    """Return ``url`` with user info dropped, secret parameters masked and personal data masked in the rest."""
    parts = urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    query = urlencode(
        [
            (key, MASK if is_secret_name(key) else value)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        safe="*",
    )
    # Not urlunsplit: it drops a slash of sqlite:////absolute/path.
    place = f"{parts.scheme}://{host}{parts.path}" if parts.scheme else f"{host}{parts.path}"
    return redact(f"{place}?{query}" if query else place, secrets)


class RedactingFilter(logging.Filter):
    """A logging filter that redacts the finished message and the exception text of every record."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self.secrets = tuple(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; never drops one."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong number of arguments must not stop the work that logs
            message = f"{record.msg} {record.args}"
        record.msg = redact(message, self.secrets)
        record.args = ()
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = redact(text, self.secrets)
            record.exc_info = None
        return True
