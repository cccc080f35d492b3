"""The documented vectors of signatures and encryption, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import RowError
from plugins.wechat.backend import identifiers_in, phone_in
from plugins.wechat.crypto import (
    MessageCrypto,
    MessageError,
    decrypt_user_data,
    encrypt_user_data,
    raw_data_signature,
)

TOKEN, APPID, TIMESTAMP, NONCE = "demo_token", "wx0000000000000000", "1767196800", "728133"
AES_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
ENCRYPTED = (
    "4j/AuRx71kQlxVlzbpsMWNbIbpogqWk4lDtCwiIisE5JEeOpXZAW+2MYXiKZm9ETKRqrcBC3/ghq2rFJ6lTHiLG5dyJbaW9/AiiVm+XwYT1/vsqAXlOPSQvn"
    "gdVG0NUY3XU/ZsN7yVLmbtd5J1iQqqjDm57jV+BaXRxsQeRx/Xp8HimtNXV/htzfutSNuu5kAUIHkELcEAKzUwLUwIDHvpwft0C/6KdesRpGPI10TEoUG2be"
    "y542okyOqWsRb18SVbhvTWMzk6PF1RVRN0RT0on6CS5mpcje5q5Wpd3Kvwm1zJhetoKIk6Z72Dlivdihfw11ddXdQLLKAFE02cRCWA=="
)
SESSION_KEY, IV = "AAECAwQFBgcICQoLDA0ODw==", "EBESExQVFhcYGRobHB0eHw=="
USER_DATA = (
    "aLhedzo+Z6es5zW+YHo9susiHnaEYeAkbZXA6vB3xXwsEHApbzM53NsvIVPS8sbzE9Tu3cKoosCIaJ9ReH9c7q8xI4AFlJ8HTHrrdVC0WzSLdXzkOhhuUA9b"
    "Ejg99D6yaCSfVZsw9gpDVuKdWXHgfQzVToNQqH5G8b76ZrKN6Eag2K6xVjoPnpz78RSdz2m3JMNKtathzGrNtFxxOfOn4w=="
)


def crypto(**changed: str) -> MessageCrypto:
    return MessageCrypto(**{"token": TOKEN, "aes_key": AES_KEY, "appid": APPID, **changed})


def test_the_signature_of_an_address_check_is_as_documented() -> None:
    assert crypto().sign(TIMESTAMP, NONCE) == "5c45b3312c7b477a05a60432817e71f21dc9a7bd"


def test_the_documented_message_is_opened() -> None:
    signature = "70455446b169bfb395636a1643f1a765c0d353d7"
    assert crypto().sign(TIMESTAMP, NONCE, ENCRYPTED) == signature
    root = ET.fromstring(crypto().open(signature, TIMESTAMP, NONCE, ENCRYPTED))
    found = {child.tag: child.text for child in root}
    assert (found["Event"], found["FromUserName"], found["ToUserName"]) == ("subscribe", "oDEMO", "gh_demo")


def test_the_documented_user_data_is_decrypted_and_its_watermark_checked() -> None:
    data = decrypt_user_data(SESSION_KEY, USER_DATA, IV, APPID)
    assert data["watermark"] == {"appid": APPID, "timestamp": 1767196800}
    # The platform's sample holds a number that is not of this project's range: it is compared by its digest.
    digest = hashlib.sha256(data["purePhoneNumber"].encode()).hexdigest()
    assert digest == "a6942f9771d67f34034d2f1926988ed3fad3bf1b4e7cedb9a31f31398dea43bc"
    assert phone_in(data, APPID).number == data["phoneNumber"]
    assert [each.kind for each in identifiers_in(data, APPID)] == ["phone"]


def test_the_documented_signature_of_raw_data() -> None:
    found = raw_data_signature('{"nickName":"Band"}', "c2Vzc2lvbl9rZXlfZGVtbw==")
    assert found == "69f459c413791c6dc919b934a14c07c951cf01dd"


def test_data_of_another_mini_program_is_not_believed() -> None:
    with pytest.raises(RowError) as caught:
        decrypt_user_data(SESSION_KEY, USER_DATA, IV, "wx1111111111111111")
    assert caught.value.code == "watermark_mismatch"
    with pytest.raises(RowError) as caught:
        phone_in({"purePhoneNumber": "15400000001", "countryCode": "86"}, APPID)
    assert caught.value.code == "watermark_mismatch"


@pytest.mark.parametrize(
    ("session_key", "data", "iv"),
    [
        ("AAAAAAAAAAAAAAAAAAAAAA==", USER_DATA, IV),
        (SESSION_KEY, USER_DATA[:-4], IV),
        (SESSION_KEY, "not base64!", IV),
        (SESSION_KEY, USER_DATA, "c2hvcnQ="),
        ("c2hvcnQ=", USER_DATA, IV),
        (SESSION_KEY, "", IV),
        (SESSION_KEY, encrypt_user_data(SESSION_KEY, IV, {})[:0] + "AAAAAAAAAAAAAAAAAAAAAA==", IV),
    ],
)
def test_what_cannot_be_decrypted_is_refused_without_repeating_it(session_key: str, data: str, iv: str) -> None:
    with pytest.raises(RowError) as caught:
        decrypt_user_data(session_key, data, iv, APPID)
    assert caught.value.code == "user_data_unreadable"
    assert session_key not in str(caught.value)


@given(st.dictionaries(st.text(max_size=8), st.text() | st.integers(0, 2**53)), st.binary(min_size=16, max_size=16))
@settings(max_examples=40, deadline=None)
def test_user_data_of_any_content_is_read_back(content: dict[str, object], key: bytes) -> None:
    session_key = base64.b64encode(key).decode()
    data = {**content, "watermark": {"appid": APPID, "timestamp": 1}}
    assert decrypt_user_data(session_key, encrypt_user_data(session_key, IV, data), IV, APPID) == data


@given(st.text(min_size=1))
@settings(max_examples=40, deadline=None)
def test_a_message_of_any_text_is_read_back_and_no_bit_may_change(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    sealed = crypto().encrypt(text)
    signature = crypto().sign(TIMESTAMP, NONCE, sealed)
    assert crypto().open(signature, TIMESTAMP, NONCE, sealed) == text
    with pytest.raises(MessageError) as caught:
        crypto().open(signature, TIMESTAMP, NONCE, sealed[:-6] + "AAAAA=")
    assert caught.value.code == "signature_mismatch"


def test_a_message_for_another_account_or_key_is_refused() -> None:
    sealed = crypto(appid="wx1111111111111111").encrypt("<xml></xml>")
    for own, code in ((crypto(), "receiver_mismatch"), (crypto(aes_key="B" * 42 + "A"), "ciphertext_invalid"),
                      (crypto(aes_key=""), "ciphertext_invalid")):  # fmt: skip
        with pytest.raises(MessageError) as caught:
            own.open(own.sign(TIMESTAMP, NONCE, sealed), TIMESTAMP, NONCE, sealed)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "changed", [{"token": "a"}, {"token": "with blank"}, {"aes_key": "short"}, {"aes_key": "+" * 43}]
)
def test_settings_that_no_console_gives_out_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        crypto(**changed)


def test_foreign_numbers_keep_their_country() -> None:
    data = {
        "phoneNumber": "85215400001",
        "purePhoneNumber": "15400001",
        "countryCode": "852",
        "watermark": {"appid": APPID},
    }
    assert phone_in(data, APPID).number == "+85215400001"
    assert json.dumps(repr(phone_in(data, APPID))).count("15400001") == 0


def test_an_answer_without_a_number_says_so() -> None:
    with pytest.raises(RowError) as caught:
        phone_in({"watermark": {"appid": APPID}}, APPID)
    assert caught.value.code == "phone_missing"


def test_user_info_gives_openid_and_unionid() -> None:
    found = identifiers_in({"openId": "oM1", "unionId": "oU1", "watermark": {"appid": APPID}}, APPID)
    assert [(each.kind, each.value, each.scope) for each in found] == [("openid", "oM1", APPID), ("unionid", "oU1", "")]
