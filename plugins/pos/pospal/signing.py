"""Signatures of requests and of pushed messages. Pure.

V1: upper-case hex MD5 of key and body (pospal.cn/openplatform/interactiveformatdescription.html). V2: of appId, key, time stamp
in milliseconds and body, in a header of its own (public client code).
"""

from __future__ import annotations

import hashlib
import hmac

from hub.http import Draft

__all__ = ["is_authentic", "sign_v1", "sign_v2", "signature_v1", "signature_v2"]


def signature_v1(app_key: str, body: bytes) -> str:
    """Return the V1 signature of a body."""
    return _md5(app_key.strip().encode() + body.strip())


def signature_v2(app_id: str, app_key: str, milliseconds: int, body: bytes) -> str:
    """Return the V2 signature of a body."""
    return _md5(f"{app_id}{app_key.strip()}{milliseconds}".encode() + body.strip())


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()


def sign_v1(draft: Draft, app_key: str, milliseconds: int) -> Draft:
    """Return a request with its V1 headers."""
    return draft.with_header("time-stamp", str(milliseconds)).with_header(
        "data-signature", signature_v1(app_key, draft.body)
    )


def sign_v2(draft: Draft, app_id: str, app_key: str, milliseconds: int) -> Draft:
    """Return a request with its V2 headers."""
    signed = draft.with_header("time-stamp", str(milliseconds)).with_header("appId", app_id)
    return signed.with_header("data-signature-v3", signature_v2(app_id, app_key, milliseconds, draft.body))


def is_authentic(app_key: str, body: bytes, signature: str) -> bool:
    """Say whether a pushed message was signed with the shop's key."""
    return hmac.compare_digest(
        signature_v1(app_key, body).encode(), signature.strip().upper().encode("utf-8", "replace")
    )
