"""Opaque paging cursors: bound to the query they belong to, optionally short-lived, impossible to make up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from hub.simulation.server.clock import Clock
from hub.simulation.server.database import to_json
from hub.simulation.server.trouble import Trouble, TroubleError

__all__ = ["Cursors"]

_TAG_BYTES = 12


class Cursors:
    """Seals a position into a text and reads it back. Nothing is stored, so cursors survive a restart."""

    def __init__(self, clock: Clock, seed: object) -> None:
        self._clock = clock
        self._key = hashlib.sha256(f"cursor\x1f{seed}".encode()).digest()

    def seal(self, position: object, *, query: object = None, lifetime: float | None = None) -> str:
        """Return a cursor.

        Args:
            position: where the next page begins; JSON-able.
            query: what the cursor belongs to; the same must be given to :meth:`open`. JSON-able.
            lifetime: seconds it can be used; None for ever.
        """
        expires = None if lifetime is None else self._clock.time() + lifetime
        body = to_json([position, expires]).encode()
        return base64.urlsafe_b64encode(self._tag(body, query) + body).decode().rstrip("=")

    def open(self, cursor: str, *, query: object = None) -> Any:
        """Return the position.

        Raises:
            TroubleError: ``CURSOR_INVALID`` for a made-up or expired cursor, or one of another query.
        """
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError) as error:
            raise TroubleError(Trouble.CURSOR_INVALID, "unreadable") from error
        tag, body = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, query)):
            raise TroubleError(Trouble.CURSOR_INVALID, "not of this query")
        position, expires = json.loads(body)
        if expires is not None and expires <= self._clock.time():
            raise TroubleError(Trouble.CURSOR_INVALID, "expired")
        return position

    def _tag(self, body: bytes, query: object) -> bytes:
        bound = json.dumps(query, sort_keys=True, ensure_ascii=False).encode()
        return hmac.new(self._key, bound + b"\x00" + body, hashlib.sha256).digest()[:_TAG_BYTES]
