"""Secrets and personal data never reach a log, an exception text or a URL in a message."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr

from hub.redaction import RedactingFilter, is_secret_name, mask_phone, redact, redact_mapping, redact_url, secrets_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call 15400001234 now", "call 154****1234 now"),
        ("+86 154 0000 1234", "154****1234"),
        ("buyer: 15400001234", "buyer: 154****1234"),
        ("手机15400001234。", "手机154****1234。"),
        ("phone=008615400001234", "phone=154****1234"),
        ("tel15400001234", "tel154****1234"),
        ("tel.15400001234x", "tel.154****1234x"),
        ("to=%2B8615400001234&n=1", "to=154****1234&n=1"),
        ("to=%2B86%20154%200000%201234", "to=154****1234"),
        ("q=%2215400001234%22", "q=%22154****1234%22"),
        ("ticket 2026030115400001234", "ticket 2026030115400001234"),
        ("12.15400001234", "12.15400001234"),
        ("mail ada@example.com", "mail a***@example.com"),
        ("id 11010119900307123X", "id 110101***********"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: *** ***"),
        ('{"access_token": "abc123", "n": 1}', '{"access_token": "***", "n": 1}'),
        ("app_secret=s3cr3t&page=2", "app_secret=***&page=2"),
        ("key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "key ***"),
    ],
)
def test_secrets_and_personal_data_are_masked_by_their_shape(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_known_secrets_are_removed_wherever_they_stand() -> None:
    assert redact("xopen-sesamex", ["open-sesame"]) == "x***x"


def test_a_secret_that_begins_with_another_leaves_nothing_behind() -> None:
    assert redact("key abcd-efgh", ["abcd", "abcd-efgh"]) == "key ***"


@given(st.text(), st.text(alphabet="abcdefgh0123456789", min_size=12, max_size=20), st.text())
def test_no_known_secret_survives(before: str, secret: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret])


@given(
    st.integers(0, 99_999_999),
    st.sampled_from(["", "+86", "0086", "86", "+86 ", "tel", "no.", "%2B86", "%22", "%3D86"]),
)
def test_no_mobile_number_survives_in_a_sentence(digits: int, prefix: str) -> None:
    number = f"154{digits:08d}"
    assert number not in redact(f"顾客 {prefix}{number} 已退款")
    assert number not in mask_phone(f"tel:{prefix}{number},")


@given(st.text(max_size=60))
def test_what_is_redacted_stays_as_it_is(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("access_token", True),
        ("appSecret", True),
        ("sign", True),
        ("code", True),
        ("design", False),
        ("zip_code", False),
    ],
)
def test_secret_names_are_known(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://user:pw@api.example.com:8443/v1?access_token=abc&page=2",
            "https://api.example.com:8443/v1?access_token=***&page=2",
        ),
        ("https://api.example.com/u/15400001234#frag", "https://api.example.com/u/154****1234"),
        ("postgresql+psycopg://hub:pw@db/hub", "postgresql+psycopg://db/hub"),
        ("sqlite:////var/lib/hub/store.db", "sqlite:////var/lib/hub/store.db"),
        ("/v1/orders?code=abc", "/v1/orders?code=***"),
    ],
)
def test_urls_keep_their_place_and_lose_their_secrets(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_mappings_are_redacted_by_name_and_by_shape_at_every_depth() -> None:
    given_values = {"app_key": "k", "buyer": {"phone": "15400001234"}, "notes": ["mail ada@example.com", 7]}
    assert redact_mapping(given_values) == {
        "app_key": "***",
        "buyer": {"phone": "154****1234"},
        "notes": ["mail a***@example.com", 7],
    }


def test_the_secrets_of_a_configuration_are_found_at_every_depth() -> None:
    class Inner(BaseModel):
        key: SecretBytes

    class Outer(BaseModel):
        password: SecretStr
        inner: Inner
        more: dict[str, list[SecretStr]]
        name: str = "plain"

    config = Outer(password="one", inner={"key": b"two"}, more={"x": ["three"]})
    assert secrets_in(config) == ("one", "two", "three")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    logger = logging.getLogger("test.redaction")
    caplog.handler.addFilter(filter_ := RedactingFilter(["open-sesame"]))
    yield logger
    caplog.handler.removeFilter(filter_)


def test_messages_arguments_and_tracebacks_are_redacted(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.warning("customer %s with %s", "15400001234", "open-sesame")
    try:
        raise ValueError("15400009999 open-sesame")
    except ValueError:
        log.exception("failed")
    shown = [logging.Formatter().format(record) for record in caplog.records]
    assert shown[0] == "customer 154****1234 with ***"
    assert "ValueError: 154****9999 ***" in shown[1]
    assert "15400009999" not in shown[1]


def test_a_message_with_a_wrong_number_of_arguments_stops_nothing(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    log.warning("one %s two %s", "15400001234")  # noqa: PLE1206 - the mistake is the point
    assert "154****1234" in caplog.records[0].getMessage()
    assert "15400001234" not in caplog.records[0].getMessage()
