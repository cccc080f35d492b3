"""Signatures: the published test values, an independent library both ways, rotation, and every way to be refused."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from plugins.webhook.receiver import SignatureError, verify
from plugins.webhook.signing import Signer, public_key, read_signing_key

# Test values published with the Standard Webhooks reference libraries.
PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLISHED_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
PUBLISHED_AT = dt.datetime.fromtimestamp(1614265330, dt.UTC)
PUBLISHED_BODY = b'{"test": 2432232314}'
PUBLISHED_V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PUBLISHED_PRIVATE = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
PUBLISHED_V1A = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
SPEC_SEED = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
SPEC_V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

NOW = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)
OLD, NEW = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))


@pytest.mark.parametrize(
    ("secret", "signature"),
    [(PUBLISHED_SECRET, PUBLISHED_V1), (PUBLISHED_PRIVATE, PUBLISHED_V1A), (SPEC_SEED, SPEC_V1A)],
)
def test_published_test_values_are_reproduced(secret: str, signature: str) -> None:
    headers = Signer([secret]).headers(PUBLISHED_ID, PUBLISHED_AT, PUBLISHED_BODY)
    assert headers == {"webhook-id": PUBLISHED_ID, "webhook-timestamp": "1614265330", "webhook-signature": signature}


@pytest.mark.parametrize(
    ("key", "signature"), [(PUBLISHED_SECRET, PUBLISHED_V1), (public_key(PUBLISHED_PRIVATE), PUBLISHED_V1A)]
)
def test_published_test_values_are_accepted(key: str, signature: str) -> None:
    headers = {"webhook-id": PUBLISHED_ID, "webhook-timestamp": "1614265330", "webhook-signature": signature}
    assert verify(headers, PUBLISHED_BODY, [key], PUBLISHED_AT) == (PUBLISHED_ID, PUBLISHED_AT)


def test_the_reference_library_verifies_what_we_sign() -> None:
    body = '{"门店": "徐家汇"}'.encode()
    headers = Signer([OLD]).headers("op-1", dt.datetime.now(dt.UTC), body)
    assert Webhook(OLD).verify(body, headers) == {"门店": "徐家汇"}
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body, headers)


def test_we_verify_what_the_reference_library_signs() -> None:
    headers = {
        "Webhook-Id": "op-1",
        "Webhook-Timestamp": str(int(NOW.timestamp())),
        "Webhook-Signature": Webhook(OLD).sign("op-1", NOW, "{}"),
    }
    assert verify(headers, b"{}", [OLD], NOW) == ("op-1", NOW)


def test_a_time_in_another_zone_is_signed_as_the_same_instant() -> None:
    in_china = NOW.astimezone(dt.timezone(dt.timedelta(hours=8)))
    assert Signer([OLD]).headers("op-1", in_china, b"{}") == Signer([OLD]).headers("op-1", NOW, b"{}")


def test_during_a_rotation_a_receiver_may_know_either_key() -> None:
    private = PUBLISHED_PRIVATE
    headers = Signer([NEW, OLD, private]).headers("op-1", NOW, b"{}")
    assert len(headers["webhook-signature"].split()) == 3
    for known in ([OLD], [NEW], [public_key(private)], [PUBLISHED_SECRET, OLD]):
        assert verify(headers, b"{}", known, NOW)[0] == "op-1"


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0), st.integers(1, 255))
def test_one_changed_byte_is_noticed(body: bytes, position: int, change: int) -> None:
    signer = Signer([PUBLISHED_PRIVATE])
    headers = signer.headers("op-1", NOW, body)
    changed = bytearray(body)
    changed[position % len(body)] ^= change
    with pytest.raises(SignatureError, match="No signature"):
        verify(headers, bytes(changed), [public_key(PUBLISHED_PRIVATE)], NOW)


@pytest.mark.parametrize(("seconds", "accepted"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_timestamp_may_be_five_minutes_off_either_way(seconds: int, accepted: bool) -> None:
    headers = Signer([OLD]).headers("op-1", NOW + dt.timedelta(seconds=seconds), b"{}")
    if accepted:
        assert verify(headers, b"{}", [OLD], NOW)[0] == "op-1"
    else:
        with pytest.raises(SignatureError) as caught:
            verify(headers, b"{}", [OLD], NOW)
        assert caught.value.code == "timestamp_outside_tolerance"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"webhook-id": ""}, "signature_missing"),
        ({"webhook-signature": ""}, "signature_missing"),
        ({"webhook-timestamp": "1e9"}, "timestamp_invalid"),
        ({"webhook-timestamp": "-5"}, "timestamp_invalid"),
        ({"webhook-id": "op-2"}, "signature_mismatch"),
        ({"webhook-signature": "v1,"}, "signature_mismatch"),
        ({"webhook-signature": "v1,not base64 at all"}, "signature_mismatch"),
        ({"webhook-signature": "v2,AAAA v1"}, "signature_mismatch"),
    ],
)
def test_a_bad_header_is_refused_by_name(change: dict[str, str], code: str) -> None:
    headers = Signer([OLD]).headers("op-1", NOW, b"{}") | change
    with pytest.raises(SignatureError) as caught:
        verify(headers, b"{}", [OLD], NOW)
    assert caught.value.code == code


def test_a_shared_secret_does_not_verify_a_key_pairs_signature() -> None:
    headers = Signer([PUBLISHED_PRIVATE]).headers("op-1", NOW, b"{}")
    with pytest.raises(SignatureError):
        verify(headers, b"{}", [OLD], NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_%%%%",
        base64.b64encode(bytes(32)).decode(),
        "whsk_" + base64.b64encode(bytes(31)).decode(),
        "whsk_" + base64.b64encode(bytes(64)).decode(),
    ],
)
def test_a_key_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|secret") as caught:
        read_signing_key(text)
    assert len(text) < 8 or text[8:] not in str(caught.value)


def test_a_private_key_may_carry_its_public_half() -> None:
    public = base64.b64decode(public_key(SPEC_SEED).removeprefix("whpk_"))
    both = "whsk_" + base64.b64encode(base64.b64decode(SPEC_SEED.removeprefix("whsk_")) + public).decode()
    assert Signer([both]).headers(PUBLISHED_ID, PUBLISHED_AT, PUBLISHED_BODY)["webhook-signature"] == SPEC_V1A
