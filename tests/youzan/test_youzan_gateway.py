"""The gateway's rules: tokens, order of checks, the four shapes of an answer; and what the client makes of them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from youzan_rig import Rig

from hub.errors import AuthError, ConfigError, DeferError, RowError, StreamError
from hub.http import Unit
from hub.simulation.server import Limit
from hub.store.store import Store
from plugins.youzan.answers import read_error
from plugins.youzan.api import Api, Method

DAY = 86_400.0
NewRig = Callable[..., Rig]


def code_of(answer: Any) -> int:
    return int((answer.get("gw_err_resp") or {}).get("err_code") or answer.get("code"))


# ---- the platform's side ------------------------------------------------------------------------------------------


def test_token_is_the_same_until_it_is_forced_and_the_old_one_lives_an_hour(rig: Rig) -> None:
    http = rig.http()
    first = rig.token(http)
    assert rig.token(http) == first
    second = rig.token(http, refresh=True)
    assert second != first
    path = "/api/youzan.shop.get/3.0.0"
    assert http.post(path, params={"access_token": first}, json={}).json()["success"] is True
    rig.clock.advance(3601)
    assert code_of(http.post(path, params={"access_token": first}, json={}).json()) == 4202
    assert http.post(path, params={"access_token": second}, json={}).json()["success"] is True


def test_token_expires_as_a_moment_in_milliseconds_seven_days_ahead(rig: Rig) -> None:
    known = rig.sim.credentials
    asked = {
        **{k: known[k] for k in ("client_id", "client_secret")},
        "authorize_type": "silent",
        "grant_id": known["kdt_id"],
    }
    answer = rig.http().post("/auth/token", json=asked).json()
    assert (answer["success"], answer["code"]) == (True, 200)
    assert answer["data"]["expires"] == int((rig.clock.time() + 7 * DAY) * 1000)
    assert answer["data"]["authority_id"] == known["kdt_id"]
    assert "refresh_token" not in answer["data"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_secret": "wrong"}, 1000),
        ({"client_id": "nobody"}, 1103),
        ({"grant_id": "1"}, 1103),
        ({"authorize_type": "certificate"}, 1105),
        ({"authorize_type": "authorization_code"}, 1105),
    ],
)
def test_token_refusals(rig: Rig, change: dict[str, str], code: int) -> None:
    known = rig.sim.credentials
    asked = {
        **{k: known[k] for k in ("client_id", "client_secret")},
        "authorize_type": "silent",
        "grant_id": known["kdt_id"],
        **change,
    }
    response = rig.http().post("/auth/token", json=asked)
    assert response.status_code == 200
    assert (response.json()["success"], response.json()["code"]) == (False, code)


def test_token_method_takes_json_only(rig: Rig) -> None:
    answer = rig.http().post("/auth/token", data={"client_id": "x"}).json()
    assert answer["code"] == 1000
    assert "not supported" in answer["message"]


def test_checks_come_in_the_platforms_order(rig: Rig) -> None:
    http = rig.http()
    good = "/api/youzan.shop.get/3.0.0"
    assert code_of(http.post("/api/youzan.shop.get", json={}).json()) == 4001
    # The version is unknown and there is no token: the version is told first.
    assert code_of(http.post("/api/youzan.shop.get/9.9.9", json={}).json()) == 4005
    assert code_of(http.post(good, content=b"{", headers={"content-type": "text/plain"}).json()) == 4007
    assert code_of(http.post(good, content=b"{", headers={"content-type": "application/json"}).json()) == 4004
    assert code_of(http.post(good, json={}).json()) == 4201
    assert code_of(http.post(good, json={}, headers={"authorization": f"Bearer {rig.token(http)}"}).json()) == 4201
    assert code_of(http.post(good, json={"access_token": rig.token(http)}).json()) == 4201
    assert code_of(http.post(good, params={"access_token": "x"}, json={}).json()) == 4203
    rig.sim.act("deny", method="shop.get")
    assert code_of(rig.call(http, "shop.get", "3.0.0")) == 4204
    assert http.get(good, params={"access_token": "x"}).json()["gw_err_resp"]["err_code"] == 4203


def test_throttling_shows_in_three_forms(new_rig: NewRig) -> None:
    rig = new_rig(qps=1)
    http = rig.http()
    seen = set()
    for _ in range(4):
        answer = rig.call(http, "shop.get", "3.0.0")
        if answer.get("success") is not True:
            seen.add(code_of(answer))
    assert seen == {4101, 500100004, 123000042}


def test_old_methods_answer_in_the_old_shape(rig: Rig) -> None:
    http = rig.http()
    tid = rig.sim.db.value("SELECT tid FROM trades")
    assert rig.call(http, "trade.memo.update", "3.0.0", {"tid": tid, "memo": "送礼"}) == {
        "response": {"is_success": True}
    }
    refused = rig.call(http, "trade.memo.update", "3.0.0", {"tid": "E1", "memo": ""})
    assert refused == {"error_response": {"code": 50000, "msg": "订单不存在"}}


def test_objects_may_come_as_json_text(rig: Rig) -> None:
    http = rig.http()
    found = rig.call(
        http, "ump.manage.activity.find", "1.0.0", {"request": '{"ump_type":105,"page_no":1,"page_size":5}'}
    )
    assert len(found["data"]) == 4


# ---- what the client makes of it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"code": 200, "success": True, "message": "successful", "data": {}}, None),
        ({"code": "200", "success": True, "data": []}, None),
        ({"response": {"is_success": True}}, None),
        ({"code": 142400105, "success": False, "message": "客户不存在", "data": None}, "142400105"),
        ({"code": 106000001, "success": False, "data": {"full_order_info_list": []}}, "106000001"),
        ({"gw_err_resp": {"err_code": 4203, "err_msg": "Token 不存在"}}, "4203"),
        ({"error_response": {"code": 50000, "msg": "订单不存在"}}, "50000"),
        ([], ""),
    ],
)
def test_four_shapes_are_told_apart(answer: Any, code: str | None) -> None:
    error = read_error(answer)
    assert (error.code if error else None) == code


def test_missing_package_names_the_method_and_what_to_apply_for(new_rig: NewRig) -> None:
    client = new_rig(denied=["trades.sold.get"]).client()
    with pytest.raises(StreamError) as caught:
        client.ask(Api.TRADES, {})
    assert caught.value.code == "youzan_permission_missing"
    assert "youzan.trades.sold.get" in str(caught.value.context["call"])
    assert caught.value.context["package"] == "交易管理"


def test_wrong_secret_stops_the_connection_and_shows_no_secret(rig: Rig) -> None:
    client = rig.client(client_secret="not-the-secret-at-all")
    with pytest.raises(ConfigError) as caught:
        client.ask(Api.SHOP)
    assert caught.value.code == "youzan_credentials"
    assert "not-the-secret-at-all" not in str(caught.value)


def test_withdrawn_authorisation_is_told_as_such(rig: Rig) -> None:
    client = rig.client()
    client.ask(Api.SHOP)
    rig.sim.act("withdraw")
    with pytest.raises(AuthError) as caught:
        client.ask(Api.SHOP)
    assert caught.value.code == "youzan_authorisation_lost"


def test_unknown_version_asks_for_an_update(rig: Rig) -> None:
    with pytest.raises(StreamError) as caught:
        rig.client().ask(Method("shop.get", "9.9.9", ""))
    assert caught.value.code == "youzan_method_unknown"


def test_throttling_is_waited_out(new_rig: NewRig) -> None:
    rig = new_rig(qps=2)
    client = rig.client()
    begin = rig.clock.time()
    for _ in range(6):
        client.ask(Api.SHOP)
    assert rig.clock.time() > begin
    assert rig.sim.journal.counts()["shop.get"].accepted == 6


def test_throttling_that_does_not_end_defers_the_work(new_rig: NewRig) -> None:
    rig = new_rig()
    client = rig.client()
    client.ask(Api.SHOP)
    rig.sim.limits = [Limit(1, "day")]
    client.ask(Api.SHOP)
    with pytest.raises(DeferError):
        client.ask(Api.SHOP)


def test_refused_detail_is_a_row_not_a_stream(rig: Rig) -> None:
    with pytest.raises(RowError) as caught:
        rig.client().ask(Api.CUSTOMER_DETAIL, {"yz_open_id": "nobody"}, unit=Unit.ROW)
    assert caught.value.context["code"] == "141001107"


def test_decryption_is_batched_and_remembered(rig: Rig) -> None:
    client = rig.client()
    ciphers = [rig.sim.hide(f"154{number:08d}", rig.sim.root) for number in range(5)]
    plain = client.decrypt([*ciphers, "15400000001", "", None, "154****0001"])
    assert sorted(plain.values()) == [f"154{number:08d}" for number in range(5)]
    client.decrypt(ciphers)
    assert rig.sim.journal.counts()["cloud.secret.decrypt.batch"].calls == 1


def test_another_shops_cipher_text_cannot_be_read(rig: Rig) -> None:
    node = rig.sim.node_of("S001")
    with pytest.raises(StreamError) as caught:
        rig.client().decrypt([rig.sim.hide("15400000001", str(node))])
    assert caught.value.context["code"] == "10500"


# ---- tokens that are shared, lost and renewed ---------------------------------------------------------------------


def test_two_processes_share_one_token_and_renew_a_revoked_one_once(rig: Rig, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with (
        Store.open(database, tmp_path, now=rig.clock.now) as one,
        Store.open(database, tmp_path, now=rig.clock.now) as two,
    ):
        clients = [rig.client(runtime={"tokens": store.tokens}) for store in (one, two) for _ in range(2)]
        for client in clients:
            client.ask(Api.SHOP)
        assert rig.sim.journal.counts()["token"].calls == 1
        rig.sim.act("revoke_token")
        threads = [threading.Thread(target=client.ask, args=(Api.SHOP,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rig.sim.journal.counts()["token"].calls == 2
    assert rig.sim.journal.counts()["shop.get"].accepted == 8


def test_token_is_replaced_a_day_before_it_ends(rig: Rig) -> None:
    client = rig.client()
    client.ask(Api.SHOP)
    first = rig.tokens.get(f"youzan/{rig.sim.credentials['client_id']}/{rig.sim.root}")
    rig.clock.advance(6 * DAY + 60)
    client.ask(Api.SHOP)
    second = rig.tokens.get(f"youzan/{rig.sim.credentials['client_id']}/{rig.sim.root}")
    assert first is not None
    assert second is not None
    assert first.value != second.value
    # Asked once without force, which gave the same token, then once with it.
    assert rig.sim.journal.counts()["token"].calls == 3


def test_token_is_good_although_our_clock_says_it_has_run_out(rig: Rig) -> None:
    later = rig.clock.now().timestamp() + 9 * DAY
    ahead = lambda: type(rig.clock.now()).fromtimestamp(later, rig.clock.now().tzinfo)  # noqa: E731
    client = rig.client(runtime={"now": ahead})
    client.ask(Api.SHOP)
    client.ask(Api.SHOP)
    assert rig.sim.journal.counts()["token"].calls == 1


def test_tool_application_lives_by_rotating_refresh_tokens(new_rig: NewRig) -> None:
    rig = new_rig(tool=True)
    code = rig.sim.act("authorise_tool")["code"]  # type: ignore[index]
    client = rig.client(authorisation="code", code=code, redirect_uri="https://hub.example.com/callback")
    client.ask(Api.SHOP)
    for _ in range(3):
        rig.clock.advance(6 * DAY + 60)
        client.ask(Api.SHOP)
    assert rig.sim.journal.counts()["token"].accepted == 4


def test_rotated_refresh_token_survives_the_death_of_whoever_rotated_it(new_rig: NewRig, tmp_path: Path) -> None:
    rig = new_rig(tool=True)
    code = rig.sim.act("authorise_tool")["code"]  # type: ignore[index]
    settings = {"authorisation": "code", "code": code}
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(database, tmp_path, now=rig.clock.now) as store:
        rig.client(runtime={"tokens": _DiesAfterStoring(store.tokens)}, **settings)
        with pytest.raises(_KilledError):
            rig.client(runtime={"tokens": _DiesAfterStoring(store.tokens)}, **settings).ask(Api.SHOP)
    # The code is spent; only what was stored before the death can go on.
    with Store.open(database, tmp_path, now=rig.clock.now) as store:
        client = rig.client(runtime={"tokens": store.tokens}, **settings)
        client.ask(Api.SHOP)
        rig.clock.advance(6 * DAY + 60)
        client.ask(Api.SHOP)
    assert rig.sim.journal.counts()["token"].refused == 0


def test_new_code_helps_when_the_refresh_token_is_dead(new_rig: NewRig) -> None:
    rig = new_rig(tool=True)
    first = rig.sim.act("authorise_tool")["code"]  # type: ignore[index]
    rig.client(authorisation="code", code=first).ask(Api.SHOP)
    rig.clock.advance(40 * DAY)
    with pytest.raises(AuthError):
        rig.client(authorisation="code", code=first).ask(Api.SHOP)
    second = rig.sim.act("authorise_tool")["code"]  # type: ignore[index]
    assert rig.client(authorisation="code", code=second).ask(Api.SHOP)["success"] is True


class _KilledError(BaseException):
    """Stands for SIGKILL: nothing of the plugin may catch it."""


class _DiesAfterStoring:
    """A token store whose process dies right after the token was made durable."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, *args: Any, **more: Any) -> bool:
        self._store.put(*args, **more)
        raise _KilledError


def test_token_is_not_written_in_the_clear(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(f"sqlite:///{path}", tmp_path, now=rig.clock.now) as store:
        rig.client(runtime={"tokens": store.tokens}).ask(Api.SHOP)
        token = store.tokens.get(f"youzan/{rig.sim.credentials['client_id']}/{rig.sim.root}")
    assert token is not None
    with sqlite3.connect(path) as database:
        dump = "\n".join(database.iterdump())
    assert token.value not in dump
