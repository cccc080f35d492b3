"""JSON as platforms send it: every digit kept, odd encodings read, nonsense refused."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.http import BodyError, decode_json, decode_text, encode_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None)
@given(values)
def test_what_is_written_is_read_back_exactly(value: object) -> None:
    assert decode_json(encode_json(value)) == value


@settings(deadline=None)
@given(st.integers(-(10**40), 10**40))
def test_integers_are_exact_whatever_their_length(number: int) -> None:
    decoded = decode_json(b'{"id":%d}' % number)["id"]
    assert (type(decoded), decoded) == (int, number)


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**15), max_value=10**15))
def test_money_as_decimal_keeps_every_digit_both_ways(amount: Decimal) -> None:
    body = encode_json({"paid": amount})
    decoded = decode_json(body, decimals=True)["paid"]
    assert (type(decoded), str(decoded)) == (Decimal, str(amount))


def test_money_is_a_float_unless_asked_for() -> None:
    assert decode_json(b"[19.9]") == [19.9]


@settings(deadline=None)
@given(st.text(st.characters(codec="gb18030"), min_size=1, max_size=40))
@example("猫")  # its two bytes are sound UTF-8 too
def test_a_declared_gb_charset_is_believed_by_whatever_name(text: str) -> None:
    body = json.dumps({"name": text}, ensure_ascii=False).encode("gb18030")
    for name in ("GB18030", "gbk", '"gb2312"'):
        assert decode_json(body, f"application/json; charset={name}") == {"name": text}


def test_gb18030_is_recognised_without_declaration() -> None:
    body = '{"门店":"上海南京东路店","店长":"张三","备注":"会员日全场八折"}'.encode("gb18030")
    assert decode_json(body) == {"门店": "上海南京东路店", "店长": "张三", "备注": "会员日全场八折"}


def test_one_clipped_character_does_not_turn_utf8_into_something_else() -> None:
    body = '{"a":"微信昵称很长很长'.encode() + "店".encode()[:2] + '","b":"正常"}'.encode()
    assert decode_json(body) == {"a": "微信昵称很长很长\ufffd", "b": "正常"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", None),
        (b" \r\n ", None),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        ('\ufeff{"a":1}'.encode("utf-16-le"), None),
        (b'{"note":"line one\nline two\t"}', {"note": "line one\nline two\t"}),
        (rb'{"nick":"\ud83d"}', {"nick": "\ufffd"}),
        (rb'{"nick":"\ud83d\ude00"}', {"nick": "😀"}),
    ],
)
def test_odd_but_readable_bodies_are_read(body: bytes, expected: object) -> None:
    content_type = "application/json; charset=utf-16-le" if expected is None and body.strip() else ""
    assert decode_json(body, content_type) == ({"a": 1} if content_type else expected)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":',
        b"<html></html>",
        b'{"a":NaN}',
        b"[Infinity]",
        b"{} trailing",
        b"[" * 100_000,
        b'{"a":1}{"b":2}',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_json_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        decode_json(body)
    assert caught.value.__cause__ is None
    assert "html" not in str(caught.value)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_body_error(body: bytes) -> None:
    found = None
    with contextlib.suppress(BodyError):  # anything else would fail the test
        found = decode_json(body)
    assert found is None or isinstance(found, dict | list | str | int | float)


@settings(deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from(["", "text/html; charset=gbk", "x; charset=nonsense", "x; charset=utf-8"])
)
def test_text_never_fails(body: bytes, content_type: str) -> None:
    assert isinstance(decode_text(body, content_type), str)


@pytest.mark.parametrize("value", [{1, 2}, object(), {"amount": Decimal("NaN")}, float])
def test_what_cannot_be_written_is_refused_by_type_not_by_value(value: object) -> None:
    with pytest.raises(BodyError, match="cannot be written as JSON"):
        encode_json({"value": value})


def test_dates_are_written_as_iso_text_and_key_order_is_kept() -> None:
    assert encode_json({"b": date(2026, 3, 1), "a": 10**25}) == b'{"b":"2026-03-01","a":10000000000000000000000000}'
