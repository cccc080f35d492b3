"""Signature and encryption of callbacks, against documented vectors and an independent implementation."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.work.crypto import WeChatCrypto

from plugins.wecom.callbacks import parse_message
from plugins.wecom.crypto import CallbackCrypto, CallbackError

CORP = "wwdemo0123456789ab"
TOKEN = "HubDemoToken2025"
KEY = "Q2RwSHViRGVtb0tleTAxMjM0NTY3ODlBQkNERUZHSEk"
WHEN, NONCE = "1735660800", "n0nce88"
ECHO = "9dmEZcI6eWJJc+Bit4krC78C14LTIsuQAVdcTYXsfS4cAxuSPR3g0nGc8bacgQ6aeChQWgA5r6JxoKAbCiZN4g=="
ECHO_SIGNATURE = "aea996c4ab37bf639ad73c8d89a3b0cc867bd268"
EVENT_SIGNATURE = "c96dbe2e889cccdcd9de4d4473a1129dba9c4d96"
EVENT = (
    "<xml><ToUserName><![CDATA[wwdemo0123456789ab]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>1735660800</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
    "<UserID><![CDATA[guide01]]></UserID><ExternalUserID><![CDATA[wmDemoCustomer000000000000000001]]></ExternalUserID>"
    "<State><![CDATA[store_sh_01]]></State><WelcomeCode><![CDATA[WC_DEMO_1]]></WelcomeCode></xml>"
)
ENCRYPTED = (
    "9dmEZcI6eWJJc+Bit4krCwgL+TtU8NDxVCqnGi9O6mlJ6FeUpXoZRxD7QHNVO+Jj31YhMZK14orm5lZTkdTr0dCaQoMxAfjGa6lLZJ38rcxzc6j05BM8H9"
    "B8kGLCeR6qkaIypbW9pFIFEXnzRUv5N50wo/DGds+UFUcC3hOSM6E531YltYV3ce9cyAifbyaR5tLOGUhdG8kZNiPdHQQh/cNT3EwejU7Mg+pwFxyhfYtl"
    "fUremYSsuFRpgDdAceJXCAhpa+JmXLkT9/06vrEgNTPkYyurkmlJlKuYSUaS1CazRgm3g6rXunaSsPMla1zbaRPI1q8rT3kGJ1a+dv3Jwgspshbbeufn7k"
    "lqJVrmgvLoTDaalUrv5TGnPkvDrgUkvuQ1BZSVA4KNEHmcp9UsL1lD7C7Vp16c5WmCXOzBfUVs3DC8MzdNKUAD4WeYRnwco+kxl2BVcjSBYz7O8nXVgyyC"
    "BjHB9Gtvh4fmB4jhHzpQ8EFDd0LovJyYFycbrxzO1pzx+hlq1V5cnoTChqdRAeYlHutn4xq4JN6tVVP29tW9t6xW7V999PJuQmxshTtWE5tEFrV2CBWxkP"
    "I1yZh/5shfnBI9GsTZMipaK8/nF9yhxo4wmUXrrqLzStSJioWO8oj3Thfl6LtzV5mqj4PUgfMXrjPRKATjQHBti6lzxPnuUJcXj9MWNebibXz/zVa5nZ27"
    "gk0fAu8yrO40v35uHg=="
)


def ours(
    random: bytes = b"abcdefghijklmnop", *, token: str = TOKEN, key: str = KEY, corp: str = CORP
) -> CallbackCrypto:
    return CallbackCrypto(token, key, corp, lambda _: random)


@pytest.mark.parametrize(
    ("message", "encrypted", "signature"),
    [("8675309001122334455", ECHO, ECHO_SIGNATURE), (EVENT, ENCRYPTED, EVENT_SIGNATURE)],
    ids=["address check", "event"],
)
def test_documented_vectors_hold_in_both_directions(message: str, encrypted: str, signature: str) -> None:
    assert ours().encrypt(message) == encrypted
    assert ours().sign(WHEN, NONCE, encrypted) == signature
    assert ours().open(signature, WHEN, NONCE, encrypted) == message


@given(message=st.text(min_size=1, max_size=300))
def test_what_we_encrypt_an_independent_client_reads(message: str) -> None:
    encrypted = ours().encrypt(message)
    theirs = WeChatCrypto(TOKEN, KEY, CORP)
    body = f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    read = theirs.decrypt_message(body, ours().sign(WHEN, NONCE, encrypted), WHEN, NONCE)
    assert (read if isinstance(read, str) else read.decode()) == message


def test_what_an_independent_client_encrypts_we_read() -> None:
    sealed = parse_message(WeChatCrypto(TOKEN, KEY, CORP).encrypt_message(EVENT, NONCE, WHEN))
    assert ours().open(sealed["MsgSignature"], WHEN, NONCE, sealed["Encrypt"]) == EVENT


@given(message=st.text(max_size=200), random=st.binary(min_size=16, max_size=16))
def test_every_message_comes_back(message: str, random: bytes) -> None:
    encrypted = ours(random).encrypt(message)
    assert ours().open(ours().sign(WHEN, NONCE, encrypted), WHEN, NONCE, encrypted) == message


@pytest.mark.parametrize(
    ("reader", "code"),
    [
        (ours(token="OtherToken"), "signature_mismatch"),
        (ours(corp="wwsomebodyelse0000"), "receiver_mismatch"),
        (ours(key="A" * 43), "ciphertext_invalid"),
    ],
    ids=["another token", "another corp", "another key"],
)
def test_a_message_that_is_not_for_us_is_refused(reader: CallbackCrypto, code: str) -> None:
    signature = reader.sign(WHEN, NONCE, ENCRYPTED) if code != "signature_mismatch" else EVENT_SIGNATURE
    with pytest.raises(CallbackError) as caught:
        reader.open(signature, WHEN, NONCE, ENCRYPTED)
    assert caught.value.code == code


@given(encrypted=st.one_of(st.text(max_size=100), st.binary(max_size=96).map(lambda b: base64.b64encode(b).decode())))
def test_garbage_with_a_good_signature_is_refused_without_a_crash(encrypted: str) -> None:
    with pytest.raises(CallbackError):
        ours().open(ours().sign(WHEN, NONCE, encrypted), WHEN, NONCE, encrypted)


@pytest.mark.parametrize(("token", "key"), [("", KEY), ("has blank", KEY), (TOKEN, KEY[:-1]), (TOKEN, KEY[:-1] + "=")])
def test_settings_that_the_console_never_gives_out_are_refused(token: str, key: str) -> None:
    with pytest.raises(ValueError, match=r"token|EncodingAESKey"):
        CallbackCrypto(token, key, CORP)
