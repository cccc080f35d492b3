"""Read JSON bodies the way chain-store platforms really send them.

Ids of 19 digits and more stay exact integers; money can become :class:`~decimal.Decimal`; a GB18030 body, a byte-order
mark, a raw control character, half an emoji at the end of a clipped nickname do not stop the page.
"""

from __future__ import annotations

import codecs
import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

import orjson

__all__ = ["BodyError", "decode_json", "decode_text", "encode_json"]

# orjson turns integers beyond 64 bits into floats; twenty digits in a row are the first sign of one.
_MAY_OVERFLOW: Final = re.compile(rb"\d{20}")
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
# Declared, or set by a server that does not know better, where the body is UTF-8. Whoever names GBK means it: two of its bytes may be
# sound UTF-8 of something else (猫 would be è).
_MAYBE_UTF8: Final = (None, "utf-8", "ascii", "iso8859-1")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Above this share of broken sequences among the non-ASCII bytes, a text that claims no charset is not UTF-8 at all.
_BROKEN_SHARE: Final = 0.2


class BodyError(ValueError):
    """A body is not the JSON it should be (truncated, a web page, nested beyond reason)."""


def decode_json(body: bytes, content_type: str = "", *, decimals: bool = False) -> Any:
    """Decode a JSON body; an empty body is ``None``.

    Integers are exact whatever their length.

    Args:
        body: the bytes as received, already decompressed.
        content_type: the header's value; its ``charset`` is believed if Python knows it, but ASCII and ISO-8859-1, which servers name
            without meaning it, only where the body is not sound UTF-8 (or is read with ``decimals``).
        decimals: give every number with a point or exponent as ``Decimal`` (for money) instead of ``float``.

    Raises:
        BodyError: the body is not JSON.
    """
    if not body.strip():
        return None
    if not decimals and not _MAY_OVERFLOW.search(body) and _declared_codec(content_type) in _MAYBE_UTF8:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # A byte-order mark, another charset or a raw control character: the patient reader decides.
    return _decode_patiently(decode_text(body, content_type), decimals=decimals)


def _decode_patiently(text: str, *, decimals: bool) -> Any:
    decoder = json.JSONDecoder(
        parse_float=Decimal if decimals else float, parse_constant=_refuse_constant, strict=False
    )
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        reason = (
            f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else "not plain JSON"
        )
    else:
        return _without_surrogates(value) if "\\u" in text else value
    raise BodyError(f"The body of {len(text)} characters is not JSON: {reason}.")


def _refuse_constant(name: str) -> NoReturn:
    raise BodyError(f"{name} is not JSON")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def decode_text(body: bytes, content_type: str = "") -> str:
    """Decode text by its declared charset, else as UTF-8, else as GB18030 if that clearly fits better.

    Never fails: bytes that fit nothing become U+FFFD, so one clipped nickname does not cost the page.
    """
    declared = _declared_codec(content_type)
    if declared:
        return body.decode(declared, "replace").removeprefix("\ufeff")
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_undeclared(body)


def _decode_undeclared(body: bytes) -> str:
    as_utf8 = body.decode("utf-8", "replace")
    foreign = sum(byte >= 0x80 for byte in body)
    if as_utf8.count("\ufffd") <= foreign * _BROKEN_SHARE:
        return as_utf8
    try:
        return body.decode("gb18030")
    except UnicodeDecodeError:
        return as_utf8


def _declared_codec(content_type: str) -> str | None:
    match = _CHARSET.search(content_type)
    if match is None:
        return None
    try:
        codec = codecs.lookup(match[1]).name
    except LookupError:
        return None
    # GB2312 and GBK are subsets of GB18030, and senders name the small one while using the big one.
    return "gb18030" if codec in {"gb2312", "gbk"} else codec


def encode_json(value: object) -> bytes:
    """Encode a request body as compact UTF-8 JSON without ``\\uXXXX`` escapes; key order is kept, so it can be signed.

    ``Decimal`` is written as a JSON number, digit for digit.
    """
    try:
        return orjson.dumps(value, default=_encode_decimal)
    except orjson.JSONEncodeError as error:
        reason = str(error)
    try:  # Integers beyond 64 bits, which the fast encoder refuses.
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_plain_json
        ).encode()
    except (TypeError, ValueError):
        pass  # The fast encoder's reason names a type; this one's would hold parts of the body.
    raise BodyError(f"A body of type {type(value).__name__} cannot be written as JSON: {reason}.")


def _encode_decimal(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f").encode())
    raise TypeError(type(value).__name__)


def _as_plain_json(value: object) -> Any:
    if isinstance(value, Decimal):
        raise TypeError("a Decimal beside an integer of more than 64 bits")
    return orjson.loads(orjson.dumps(value))
