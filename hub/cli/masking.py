"""Personal data on a screen: shown masked unless a person asks for it, which is then written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub.redaction import MASK, redact

if TYPE_CHECKING:
    from hub.context import Hub

__all__ = ["mask_identifier", "mask_profile", "mask_row", "note_reveal"]

_PERSONAL: Mapping[str, frozenset[str]] = {
    "profiles": frozenset({"name", "nickname", "birthday", "address", "avatar_url"}),
    "profiles_cards": frozenset({"card_no"}),
    "profiles_relations": frozenset({"remark", "description"}),
    "orders": frozenset({"note"}),
    "orders_tenders": frozenset({"reference"}),
    "staff": frozenset({"name"}),
    "feedback": frozenset({"text"}),
    "customers": frozenset({"name", "birthday"}),
}
"""Columns that name or describe a person, by table; phones, e-mails and ID numbers are masked wherever they stand."""
_OPEN_ENDED = frozenset({"extra", "properties"})
"""Columns of whatever a platform sends: their names are shown, their values are not."""


def mask_row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a canonical table fit for a screen."""
    return {name: _mask(table, name, value) for name, value in row.items()}


def _mask(table: str, column: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_mask(table, column, item) for item in value]
    if not isinstance(value, str) or not value:
        return value
    if column in _PERSONAL.get(table, ()):
        return mask_name(value)
    if column in _OPEN_ENDED:
        return _mask_json(value)
    if column == "value" and table.endswith("identifiers"):
        return mask_identifier(value)
    return redact(value)


def mask_name(text: str) -> str:
    """Return the first character and stars: ``王小明`` as ``王**``; its length is not told."""
    return f"{text[0]}**"


def mask_identifier(text: str) -> str:
    """Return an identifier of which only as much is left as tells two apart: a phone as usual, else both ends."""
    masked = redact(text)
    if masked != text:
        return masked
    return f"{text[:2]}{MASK}{text[-2:]}" if len(text) >= 8 else f"{text[:1]}{MASK}"


def mask_profile(key: str) -> str:
    """Return a profile's key with the platform's own id masked: ``pos:M0***01``."""
    place, _, own = key.rpartition(":")
    return f"{place}:{mask_identifier(own)}"


def _mask_json(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return MASK
    return json.dumps(dict.fromkeys(found, MASK), ensure_ascii=False) if isinstance(found, dict) else MASK


def note_reveal(hub: Hub, what: str, subject: str) -> None:
    """Write down that personal data was shown in full, by whom, and of what."""
    hub.store.audit("reveal", subject, {"command": what})
