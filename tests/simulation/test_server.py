"""What a platform's caller sees: endpoints, parameters, envelopes, and what the log keeps of it."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import httpx
import pytest
from tiny_client import TinyClient, client_for, http_for
from tiny_shop import START, TinyShop, names

from hub.errors import PluginError
from hub.simulation.server import (
    Call,
    Code,
    Params,
    Reply,
    Simulator,
    Trouble,
    TroubleError,
    VirtualClock,
    derive,
    endpoint,
)
from hub.titles import Title

BOTH_WAYS = pytest.mark.parametrize("over", ["socket", "in-process"])


def tiny_shop(**options: Any) -> TinyShop:
    return TinyShop(names(25), seed=7, clock=VirtualClock(START), **options)


@pytest.fixture
def shop() -> Iterator[TinyShop]:
    with tiny_shop() as shop:
        yield shop


@pytest.fixture
def client(shop: TinyShop) -> Iterator[TinyClient]:
    with client_for(shop, "in-process") as client:
        yield client


@BOTH_WAYS
def test_pages_are_read_to_their_end(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        assert [member["id"] for member in client.members()] == list(range(1, 26))
        assert shop.journal.calls("members") == 3


@BOTH_WAYS
def test_a_write_can_be_read_back_and_counted(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        client.add_points(3, 40, request_id="a")
        client.add_points(3, 2, request_id="b")
        answer = client.http.get("/api/members/3", params={"access_token": client.token()}).json()

        assert answer["data"]["points"] == 42
        assert shop.journal.writes("points") == 2


def test_a_repeated_request_id_changes_nothing_and_gets_the_first_answer(client: TinyClient) -> None:
    assert client.add_points(1, 10, request_id="once") == 10
    assert client.add_points(1, 10, request_id="once") == 10
    assert client.add_points(1, 10, request_id="twice") == 20


def test_a_refused_write_is_undone(shop: TinyShop, client: TinyClient) -> None:
    answer = client.http.post(
        "/api/points/add",
        params={"access_token": client.token()},
        json={"id": 2, "points": -5, "request_id": "a"},
    ).json()

    assert answer["errcode"] == 40097
    assert shop.db.value("SELECT points FROM members WHERE number = 2") == 0
    assert shop.journal.writes("points") == 0


def test_a_returned_refusal_keeps_what_was_written(shop: TinyShop, client: TinyClient) -> None:
    codes = [client.http.get("/api/token", params={"app": "a", "secret": "bad"}).json()["errcode"] for _ in range(4)]

    assert codes == [40001, 40001, 40001, 45009]


def test_unknown_request_keys_are_ignored(client: TinyClient) -> None:
    page = client.post("/api/members/list", {"ShopId": 1, "Scheme": "https", "cursor": ""})

    assert len(page["items"]) == 10


@pytest.mark.parametrize(
    ("method", "path", "content", "code"),
    [
        ("POST", "/api/nothing", b"{}", 4005),
        ("POST", "/members/list", b"{}", 4005),
        ("GET", "/api/members/list", b"", 4007),
        ("POST", "/api/members/list", b"{broken", 4004),
        ("POST", "/api/members/list", "不是".encode("gbk"), 4004),
        ("POST", "/api/members/list", b"[1]", 4004),
        ("POST", "/api/points/add", b"{}", 4100),
        ("POST", "/api/points/add", b'{"request_id":"a","id":"one","points":1}', 4101),
        ("GET", "/api/members/999", b"", 40096),
    ],
)
def test_malformed_calls_are_refused_in_the_platforms_envelope(
    client: TinyClient, method: str, path: str, content: bytes, code: int
) -> None:
    answer = client.http.request(method, path, params={"access_token": client.token()}, content=content)

    assert answer.status_code == 200
    assert answer.json()["errcode"] == code
    assert set(answer.json()) == {"errcode", "errmsg", "data"}


def test_the_body_is_read_whatever_its_content_type(client: TinyClient) -> None:
    answer = client.http.post(
        "/api/members/list",
        params={"access_token": client.token()},
        content=b'{"name": "member 7"}',
        headers={"content-type": "text/plain"},
    )

    assert [item["id"] for item in answer.json()["data"]["items"]] == [7]


def test_lists_sent_as_text_are_accepted_where_the_platform_does(shop: TinyShop, client: TinyClient) -> None:
    client.post("/api/tags/set", {"id": 1, "tags": '["高频"]'})
    client.post("/api/tags/set", {"id": 2, "tags": ["尝鲜", "沉睡"]})

    rows = shop.db.rows("SELECT tags FROM members WHERE number IN (1, 2) ORDER BY number")
    assert [row["tags"] for row in rows] == ['["高频"]', '["尝鲜","沉睡"]']


@BOTH_WAYS
def test_files_are_received_byte_for_byte(over: str) -> None:
    content = random.Random(1).randbytes(5000) + b"\r\n--\r\n\n"
    with tiny_shop() as shop, client_for(shop, over) as client:
        answer = client.http.post(
            "/api/media/upload",
            params={"access_token": client.token()},
            data={"type": "image"},
            files={"media": ("图.png", content, "image/png")},
        ).json()

        assert answer["data"] == [
            {"name": "type", "file": "", "bytes": 5},
            {"name": "media", "file": "图.png", "bytes": len(content)},
        ]


@BOTH_WAYS
def test_an_answer_may_be_compressed(over: str) -> None:
    with tiny_shop() as shop, http_for(shop, over) as http:
        answer = http.get("/api/nothing", headers={"x-want": "gzip"})

        assert answer.headers["content-encoding"] == "gzip"
        assert answer.json()["errcode"] == 4005


def test_every_answer_passes_the_last_hook(client: TinyClient) -> None:
    assert client.http.get("/api/nothing").headers["x-trace"] == f"t-{int(VirtualClock(START).time())}"


def test_the_log_tells_who_called_what_and_what_came_of_it(shop: TinyShop, client: TinyClient) -> None:
    client.add_points(1, 5, request_id="a")
    shop.clock.sleep(60)
    client.http.post("/api/points/add", params={"access_token": client.token()}, json={"id": 1})

    first, second = shop.journal.entries(endpoint="points", account="shop-1")
    assert (first.status, first.code, first.accepted, first.write, first.group) == (200, "", True, True, "points")
    assert (second.code, second.accepted, second.at - first.at) == ("4100", False, 60.0)
    assert shop.journal.entries(code="4100") == shop.journal.entries(since=second.at, accepted=False) == [second]
    assert shop.journal.entries(endpoint="points", until=second.at) == [first]
    counts = shop.journal.counts()["points"]
    assert (counts.calls, counts.accepted, counts.refused) == (2, 1, 1)


def test_the_log_holds_no_secret_and_no_personal_data(shop: TinyShop, client: TinyClient) -> None:
    client.post("/api/members/list", {"name": "15400001234", "password": "hunter2"})

    kept = "".join(entry.url + entry.params for entry in shop.journal.entries())
    assert "154****1234" in kept
    for secret in ("15400001234", "hunter2", client.token(), shop.credentials["app_secret"]):
        assert secret not in kept


def test_the_log_can_be_read_on_from_an_entry_and_cleared(shop: TinyShop, client: TinyClient) -> None:
    list(client.members())
    everything = shop.journal.entries()

    assert shop.journal.entries(after=everything[0].number, limit=2) == everything[1:3]
    shop.journal.clear()
    assert shop.journal.counts() == {}


def test_the_description_is_a_ready_table_for_hub_toml(shop: TinyShop) -> None:
    described = shop.describe()

    table = tomllib.loads(described.hub_toml("我的店"))["connections"]["我的店"]
    assert table == {"plugin": "tinyshop", "base_url": "http://tinyshop.localhost", **shop.credentials}
    assert all(text in str(described) for text in ["小店", "Tiny shop", *shop.credentials.values()])


def test_descriptions_write_every_kind_of_value() -> None:
    class Wide(Simulator):
        name = "wide"
        title = Title("宽", "Wide")

        def connection(self, base_url: str) -> dict[str, object]:
            return {"shops": [{"id": 1, "url": f'{base_url}/a\x7f"b'}], "strict": True, "rate": 1.5, "全 部": "是"}

    with Wide() as wide:
        table = tomllib.loads(wide.describe().hub_toml())["connections"]["wide"]

    assert table == {
        "plugin": "wide",
        "shops": [{"id": 1, "url": 'http://wide.localhost/a\x7f"b'}],
        "strict": True,
        "rate": 1.5,
        "全 部": "是",
    }


def test_credentials_depend_on_the_seed_and_nothing_else() -> None:
    with TinyShop([], seed=1) as one, TinyShop(["x"], seed=1) as same, TinyShop([], seed=2) as other:
        assert one.credentials == same.credentials != other.credentials
    assert derive("a", length=5) != derive("b", length=5)
    assert derive("a", length=100)[:5] == derive("a", length=5)


def test_a_bug_in_a_simulator_reaches_the_in_process_caller_and_nothing_is_kept(
    shop: TinyShop, client: TinyClient
) -> None:
    with pytest.raises(ZeroDivisionError):
        client.http.get("/api/broken", params={"access_token": client.token()})

    assert len(list(client.members())) == 25


def test_a_bug_behind_a_socket_is_answered_with_500_and_raised_at_the_end() -> None:
    shop = tiny_shop()
    with ExitStack() as until_closed:
        until_closed.enter_context(pytest.raises(ZeroDivisionError))
        until_closed.enter_context(shop)
        client = until_closed.enter_context(client_for(shop, "socket"))
        answer = client.http.get("/api/broken", params={"access_token": client.token()})
        assert answer.status_code == 500
        assert len(list(client.members())) == 25


class Base(Simulator):
    name = "base"
    title = Title("底", "Base")
    codes: ClassVar = {Trouble.NOT_PERMITTED: Code("NO", "not yours: {detail}", 403)}

    @endpoint("GET", "/v1/thing", "/v2/thing", public=True)
    def thing(self, call: Call) -> object:
        return "base"

    @endpoint("DELETE", "/v1/thing")
    def forbidden(self, call: Call) -> object:
        raise TroubleError(Trouble.NOT_PERMITTED, "thing")


class Derived(Base):
    name = "derived"

    def thing(self, call: Call) -> object:
        return f"derived from {super().thing(call)}"


def ask(simulator: Simulator, method: str, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(base_url=simulator.base_url, transport=simulator.transport()) as http:
        return http.request(method, path, headers=headers)


def test_an_override_serves_the_endpoints_of_what_it_overrides() -> None:
    with Derived() as derived:
        assert [ask(derived, "GET", f"/{version}/thing").json() for version in ("v1", "v2")] == [
            "derived from base"
        ] * 2


def test_default_refusals_use_http_statuses() -> None:
    with Derived() as derived:
        token = derived.tokens.issue("a", TinyShop.token_rule).value
        answers = [
            ask(derived, "GET", "/nowhere"),
            ask(derived, "PUT", "/v1/thing"),
            ask(derived, "DELETE", "/v1/thing"),
            ask(derived, "DELETE", "/v1/thing", authorization="Bearer made-up"),
            ask(derived, "DELETE", "/v1/thing", authorization=f"Bearer {token}"),
        ]

    assert [answer.status_code for answer in answers] == [404, 405, 401, 401, 403]
    assert answers[1].json()["message"] == "use DELETE, GET"
    assert answers[4].json() == {"error": "NO", "message": "not yours: thing"}


def test_the_order_of_checks_is_the_platforms() -> None:
    class BodyLast(TinyShop):
        checks: ClassVar = ("token", "body", "limit")

    with BodyLast([]) as shop, http_for(shop, "in-process") as http:
        assert http.post("/api/members/list", content=b"{broken").json()["errcode"] == 4201
    with tiny_shop() as shop, http_for(shop, "in-process") as http:
        assert http.post("/api/members/list", content=b"{broken").json()["errcode"] == 4004


def test_two_handlers_for_one_endpoint_are_a_mistake() -> None:
    class Twice(Derived):
        @endpoint("GET", "/v1/thing")
        def again(self, call: Call) -> object:
            return ""

    with pytest.raises(PluginError, match="GET /v1/thing is served by two methods"):
        Twice()


def test_a_simulator_needs_a_name_and_a_title() -> None:
    class Nameless(Simulator):
        title = Title("无", "None")

    with pytest.raises(PluginError, match="Nameless needs a name and a title"):
        Nameless()


def test_parameters_are_read_leniently_but_not_wrongly() -> None:
    params = Params({"n": "12", "big": 2**60, "t": 5, "yes": "TRUE", "no": 0, "none": None, "o": '{"a":1}', "bad": "{"})

    assert params.integer("n", least=12, most=12) == 12
    assert params.text("big") == str(2**60)
    assert (params.flag("yes"), params.flag("no"), params.flag("gone", None)) == (True, False, None)
    assert (params.number("n"), params.number("t", least=5.0), params.number("gone", None)) == (12.0, 5.0, None)
    assert params.mapping("o", encoded=True).integer("a") == 1
    assert params.array("none", []) == []
    for read in (
        lambda: params.integer("yes"),
        lambda: params.integer("n", least=13),
        lambda: params.integer("n", most=11),
        lambda: params.text("yes", longest=3),
        lambda: params.number("yes"),
        lambda: params.number("t", least=5.5),
        lambda: Params({"x": "nan"}).number("x"),
        lambda: Params({"x": True}).number("x"),
        lambda: params.flag("n"),
        lambda: params.array("t"),
        lambda: params.mapping("o"),
        lambda: params.mapping("bad", encoded=True),
    ):
        with pytest.raises(TroubleError, match="parameter_invalid"):
            read()
    with pytest.raises(TroubleError, match="parameter_missing: none"):
        params.text("none")


def test_replies_can_be_text() -> None:
    assert Reply.text("好", status=201).body == "好".encode()
