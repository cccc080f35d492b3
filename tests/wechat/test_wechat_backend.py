"""What a mini-program's own backend asks: log-ins, phone numbers, encrypted data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wechat_rig import Rig, phone, rig, unionid, user

from hub.errors import ConfigError, RowError
from plugins.wechat.backend import MiniProgram, identifiers_in

KEEP = "miniprogram"


@pytest.fixture
def shop(accounts: Rig) -> Iterator[MiniProgram]:
    with MiniProgram(accounts.config("miniprogram"), accounts.runtime(KEEP)) as found:
        yield found


def test_a_log_in_gives_openid_and_unionid_and_hides_the_session_key(accounts: Rig, shop: MiniProgram) -> None:
    login = shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
    assert [(each.kind, each.value, each.scope) for each in login.identifiers] == [
        ("openid", user(1), accounts.sim.miniprogram), ("unionid", unionid(1), "")
    ]  # fmt: skip
    assert login.session_key not in repr(login)
    # No token is needed for it.
    assert accounts.calls("/cgi-bin/stable_token") == 0


def test_a_code_works_once_and_for_five_minutes(accounts: Rig, shop: MiniProgram) -> None:
    code = str(accounts.sim.act("logs_in", openid=user(1)))
    shop.log_in(code)
    for wrong, said in ((code, "40163"), ("made-up", "40029")):
        with pytest.raises(RowError) as caught:
            shop.log_in(wrong)
        assert (caught.value.code, caught.value.context["code"]) == ("wechat_code_refused", said)
    late = str(accounts.sim.act("logs_in", openid=user(1)))
    accounts.clock.advance(301)
    with pytest.raises(RowError, match=r"wx\.login"):
        shop.log_in(late)


def test_a_risky_user_is_refused(accounts: Rig, shop: MiniProgram) -> None:
    accounts.sim.act("is_risky", openid=user(1))
    with pytest.raises(RowError) as caught:
        shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
    assert caught.value.code == "wechat_user_risky"


def test_the_phone_button_gives_a_number_that_the_person_has_authorised(accounts: Rig, shop: MiniProgram) -> None:
    found = shop.phone(str(accounts.sim.act("taps_phone", openid=user(2))), user(2))
    assert [(each.kind, each.value, each.assurance) for each in found.identifiers] == [
        ("phone", phone(2), "authorised")
    ]
    assert phone(2) not in repr(found)
    with pytest.raises(RowError) as caught:
        shop.phone(str(accounts.sim.act("logs_in", openid=user(2))))
    assert caught.value.code == "wechat_code_refused"


def test_foreign_numbers_keep_their_country(accounts: Rig, shop: MiniProgram) -> None:
    accounts.sim.db.execute("UPDATE users SET phone = '+85215400001' WHERE openid = ?", user(2))
    found = shop.phone(str(accounts.sim.act("taps_phone", openid=user(2))))
    assert (found.number, found.country_code) == ("+85215400001", "852")


def test_encrypted_data_of_the_last_log_in_is_decrypted(accounts: Rig, shop: MiniProgram) -> None:
    login = shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
    sent = accounts.sim.act("sends_encrypted", openid=user(1))
    assert isinstance(sent, dict)
    data = shop.decrypt(login, sent["encryptedData"], sent["iv"])
    assert [each.value for each in identifiers_in(data, accounts.sim.miniprogram)] == [phone(1)]
    shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
    newer = accounts.sim.act("sends_encrypted", openid=user(1))
    assert isinstance(newer, dict)
    with pytest.raises(RowError) as caught:
        shop.decrypt(login, newer["encryptedData"], newer["iv"])
    assert caught.value.code == "user_data_unreadable"


def test_who_logs_in_is_given_to_the_hub(accounts: Rig, shop: MiniProgram) -> None:
    login = shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
    shop.log_in(str(accounts.sim.act("logs_in", openid=user(2))))
    shop.phone(str(accounts.sim.act("taps_phone", openid=user(2))), user(2))
    sent = accounts.sim.act("sends_encrypted", openid=user(1))
    assert isinstance(sent, dict)
    shop.decrypt(login, sent["encryptedData"], sent["iv"])
    found = {each.source_id: [i.value for i in each.identifiers] for each in accounts.records("users", "miniprogram")}
    assert found == {user(n): [user(n), unionid(n), phone(n)] for n in (1, 2)}


def test_a_wrong_secret_is_told_without_being_shown(tmp_path: Path) -> None:
    with rig(tmp_path) as accounts:
        config = accounts.config("miniprogram", secret="not-the-secret")
        with MiniProgram(config, accounts.runtime(KEEP), remember=False) as shop, pytest.raises(ConfigError) as caught:
            shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
    assert caught.value.code == "wechat_credentials"
    assert "not-the-secret" not in str(caught.value)
    assert not (tmp_path / ".hub").exists()
