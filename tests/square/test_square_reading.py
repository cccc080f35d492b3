"""Orders, customers and webhooks; groups written; and the same tables whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from square_rig import SquareRig, cents, operation, order, read, sold
from toy import facts

from hub.destination import OperationKind, OutcomeStatus
from hub.errors import AuthError, StreamError
from hub.pipeline.ingest import ingest
from hub.records import IdentifierKind, OrderKind, OrderStatus, TenderMethod
from hub.simulation import faults
from plugins.pos.square.api import Api, Endpoint
from plugins.pos.square.config import InboxSettings, SquareConfig
from plugins.pos.square.events import read_event
from plugins.pos.square.receiver import Receiver, inbox_of

NewSeller = Callable[..., SquareRig]
AT = "2026-03-02T02:00:00Z"


def one(rig: SquareRig, body: Mapping[str, Any]) -> Any:
    rig.sim.put("order", body)
    [found] = read(rig.source(), "orders")[0]
    return found


# ---- orders -----------------------------------------------------------------------------------------------------------


def test_discount_tip_tax_and_rounding_make_the_total(seller: SquareRig) -> None:
    line = sold("a", 10.0, "2", total=18.0)
    found = one(
        seller,
        order("O1", AT, line, total_money=cents(20.45), total_tip_money=cents(2.5), rounding_adjustment={"amount_money": cents(-0.05)},
              tenders=[{"id": "T", "type": "CARD", "amount_money": cents(20.45)}]),
    )  # fmt: skip
    assert (found.total_amount, found.service_amount, found.rounding_amount) == (
        Decimal("20.45"),
        Decimal("2.5"),
        Decimal("-0.05"),
    )
    assert (found.discount_amount, found.flags, found.currency) == (Decimal("2"), (), "CNY")


def test_paid_modifier_is_a_line_of_its_own_and_a_free_one_an_option(seller: SquareRig) -> None:
    extras = [
        {"uid": "m1", "name": "加珍珠", "total_price_money": cents(2.0), "base_price_money": cents(2.0)},
        {"uid": "m2", "name": "少糖", "total_price_money": cents(0)},
    ]
    found = one(seller, order("O1", AT, sold("tea", 16.0, total=18.0, total_discount_money=cents(0), modifiers=extras)))
    assert [(line.kind, line.net_amount, line.parent_line_id) for line in found.lines] == [
        ("item", Decimal("16"), None), ("modifier", Decimal("2"), "L-tea"),
    ]  # fmt: skip
    assert found.lines[0].options == ("少糖",)
    assert found.flags == ()


def test_return_is_an_order_of_its_own_even_if_its_refund_names_no_tender(seller: SquareRig) -> None:
    back = order(
        "R1", AT, total_money=cents(0), line_items=[], tenders=[], return_amounts={"total_money": cents(9.0)},
        returns=[{"source_order_id": "O1", "return_line_items": [sold("a", 9.0)]}],
        refunds=[{"id": "F1", "amount_money": cents(9.0), "reason": "坏了"}],
    )  # fmt: skip
    found = one(seller, back)
    assert (found.kind, found.original_id, found.total_amount) == (OrderKind.REFUND, "O1", -9)
    assert [(tender.method, tender.amount) for tender in found.tenders] == [(TenderMethod.OTHER, Decimal(-9))]
    assert found.flags == ()


def test_walk_in_whose_card_is_known_is_told_by_the_payment(seller: SquareRig) -> None:
    tender = {"id": "T", "type": "CARD", "amount_money": cents(1.0), "customer_id": "C9"}
    assert one(seller, order("O1", AT, sold("a", 1.0), tenders=[tender])).customer_id == "C9"


def test_amounts_that_do_not_agree_are_flagged(seller: SquareRig) -> None:
    found = one(seller, order("O1", AT, sold("a", 9.0), total_money=cents(8.0)))
    assert (found.flags, found.extra["balance_difference"]) == (("balance_off",), "1.00")


def test_yen_have_no_minor_unit(seller: SquareRig) -> None:
    yen = {"amount": 500, "currency": "JPY"}
    line = sold("a", 5.0, base_price_money=yen, total_money=yen, total_discount_money={"amount": 0, "currency": "JPY"})
    found = one(
        seller, {**order("O1", AT, line), "total_money": yen, "tenders": [{"type": "CASH", "amount_money": yen}]}
    )
    assert (found.total_amount, found.currency) == (Decimal(500), "JPY")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"created_at": "yesterday"}, "time_invalid"),
        ({"total_money": {"amount": "1", "currency": "CNY"}}, "amount_invalid"),
    ],
)
def test_unusable_order_is_put_aside(seller: SquareRig, change: dict[str, Any], code: str) -> None:
    body = {**order("O1", AT, sold("a", 1.0)), **change}
    seller.sim.put("order", order("O2", AT, sold("a", 1.0)))
    seller.sim.db.execute("INSERT INTO things VALUES ('order', 'O1', ?, ?, 'LOC1', ?)", AT, AT, body)
    found, _, pages = read(seller.source(), "orders")
    assert [record.source_id for record in found] == ["O2"]
    assert [reject.code for page in pages for reject in page.rejects] == [code]


def test_late_offline_sale_is_found_although_it_carries_its_old_time(seller: SquareRig) -> None:
    seller.sim.put("order", order("O1", AT, sold("a", 1.0)))
    source = seller.source()
    _, state, _ = read(source, "orders")
    seller.clock.advance(3600)
    seller.sim.put("order", order("O2", "2026-03-01T06:00:00Z", sold("a", 1.0)))  # 71 hours ago, and so says updated_at
    assert "O2" in {record.source_id for record in read(source, "orders", state)[0]}


def test_history_is_walked_in_windows_that_can_be_taken_up(new_seller: NewSeller) -> None:
    rig = new_seller(page_size=3)
    for day in range(1, 28):
        rig.sim.put("order", order(f"O{day}", f"2026-02-{day:02}T02:00:00Z", sold("a", 1.0)))
    _, _, pages = read(rig.source(window_days=5), "orders")
    seen: set[str] = set()
    for page in pages:
        seen |= {record.source_id for record in page.records}
        if page.cursor is not None:
            rest = read(rig.source(window_days=5), "orders", page.cursor)[0]
            assert seen | {record.source_id for record in rest} == {f"O{day}" for day in range(1, 28)}


def test_more_than_ten_locations_are_asked_for_in_parts(seller: SquareRig) -> None:
    for place in range(3, 14):
        seller.sim.put("location", {"id": f"LOC{place}", "name": "x", "created_at": "2026-01-05T00:00:00Z"})
    seller.sim.put("order", order("O1", AT, sold("a", 1.0), location_id="LOC13"))
    found, _, _ = read(seller.source(), "orders")
    assert [record.store_id for record in found] == ["LOC13"]


def test_chain_is_read_completely_and_adds_up(chain_seller: SquareRig) -> None:
    found = read(chain_seller.source(), "orders")[0]
    view = chain_seller.sim.world.now.view("pos")
    sales = {record.source_id: record for record in found if record.kind is not OrderKind.REFUND}
    assert set(sales) == set(view.table("orders")["order_id"].to_pylist())
    assert sum(record.total_amount for record in sales.values()) * 100 == sum(
        view.table("orders")["paid_fen"].to_pylist()
    )
    assert [record.source_id for record in found if record.flags] == []
    assert {record.status for record in found} <= {OrderStatus.PAID, OrderStatus.VOID}
    profiles = read(chain_seller.source(), "loyalty")[0]
    assert all(
        {each.kind for each in one.identifiers} == {IdentifierKind.PHONE, IdentifierKind.CUSTOM} for one in profiles
    )
    points = read(chain_seller.source(), "points")[0]
    assert len(points) == view.table("points").num_rows
    assert len(read(chain_seller.source(), "stores")[0]) == view.table("shops").num_rows


def test_cursor_that_has_run_out_begins_the_walk_anew(new_seller: NewSeller) -> None:
    rig = new_seller(page_size=2)
    for number in range(5):
        rig.sim.put("customer", {"id": f"C{number}", "created_at": AT, "updated_at": AT})
    source = rig.source()
    _, _, pages = read(source, "customers")
    half = next(page.cursor for page in pages if page.cursor and page.cursor.get("page"))
    rig.clock.advance(301)
    assert len(read(source, "customers", half)[0]) == 5


# ---- webhooks ---------------------------------------------------------------------------------------------------------


class _Post(httpx.BaseTransport):
    """Brings events to the receiver, as a server would."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def post() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.receiver)) as client:
                headers = {name: value for name, value in request.headers.items() if name != "content-length"}
                return await client.request(request.method, request.url, content=request.read(), headers=headers)

        answer = asyncio.run(post())
        return httpx.Response(answer.status_code, content=answer.content)


def test_events_tell_of_late_orders_deletions_and_merges(seller: SquareRig) -> None:
    url = "https://hub.example.com/square"
    inbox = {"folder": "inbox", "url": url, "signature_key": seller.sim.webhook_key}
    config = seller.config(inbox=inbox)
    kept = inbox_of(config, seller.folder)
    assert kept is not None
    assert config.inbox is not None
    seller.sim.pushes._transport = _Post(Receiver(config.inbox, kept, seller.clock.now))
    seller.sim.act("subscribe", url=url)
    source = seller.source(inbox=inbox)
    states = {name: read(source, name)[1] for name in ("orders", "customers")}
    old = order("OLD", "2026-01-05T02:00:00Z", sold("a", 1.0))
    seller.sim.put("order", old)
    seller.sim.tell_order("order.updated", old)
    seller.sim.tell("customer.deleted", "C1", {"customer": {"id": "C1"}})
    merge = {
        "customer": {"id": "C3"},
        "event_context": {"merge": {"from_customer_ids": ["C2"], "to_customer_id": "C3"}},
    }
    seller.sim.tell("customer.created", "C3", merge)
    seller.sim.use_faults("duplicate_push+out_of_order_push", rate=1.0)
    seller.sim.pushes.drain()
    assert [record.source_id for record in read(source, "orders", states["orders"])[0]] == ["OLD"]
    gone = {
        record.source_id: (record.deleted, record.merged_into)
        for record in read(source, "customers", states["customers"])[0]
    }
    assert gone == {"C1": (True, None), "C2": (True, "C3")}


def test_event_with_another_signature_is_refused(seller: SquareRig) -> None:
    settings = InboxSettings(folder="inbox", url="https://hub.example.com/s", signature_key="k")  # type: ignore[arg-type]
    config = seller.config(inbox=settings.model_dump() | {"signature_key": "k"})
    kept = inbox_of(config, seller.folder)
    assert kept is not None
    request = httpx.Request("POST", "https://hub.example.com/s", content=b'{"event_id": "1", "type": "order.updated"}')
    assert _Post(Receiver(settings, kept, seller.clock.now)).handle_request(request).status_code == 403
    assert kept.read({})[0] == []


def test_stub_of_an_order_event_names_the_order() -> None:
    stub = {"object": {"order_updated": {"order_id": "O7"}}}
    body = {"event_id": "e", "type": "order.updated", "created_at": AT, "data": stub}
    assert read_event(json.dumps(body).encode())["thing"] == "O7"


# ---- groups -----------------------------------------------------------------------------------------------------------


def test_groups_are_made_filled_and_emptied_and_others_left_alone(seller: SquareRig) -> None:
    for uid in ("C1", "C2"):
        seller.sim.put("customer", {"id": uid, "created_at": AT})
    seller.sim.put("group", {"id": "G0", "name": "常客", "created_at": AT})
    seller.sim.db.execute("INSERT INTO customer_groups VALUES ('C1', 'G0')")
    destination = seller.destination(groups={"names": {"vip": "高价值"}})
    [target] = destination.targets()
    first = list(
        destination.write(
            target,
            [operation(1, "C1", groups=["vip", "new"]), operation(2, "C2", vip=True), operation(3, "C9", vip=True)],
        )
    )
    assert [(o.status, o.code) for o in first] == [
        (OutcomeStatus.ACCEPTED, ""), (OutcomeStatus.ACCEPTED, ""), (OutcomeStatus.REJECTED, "NOT_FOUND"),
    ]  # fmt: skip
    assert (first[2].http_status, '"code": "NOT_FOUND"' in first[2].response) == (404, True)
    assert {(row.key, row.values["group"]) for row in destination.read_back(target)} == {
        ("C1", "CDP 高价值"), ("C1", "CDP new"), ("C2", "CDP 高价值"),
    }  # fmt: skip
    again = list(seller.destination(groups={"names": {"vip": "高价值"}}).write(target, [operation(2, "C2", vip=True)]))
    assert again[0].status is OutcomeStatus.UNCHANGED
    list(destination.write(target, [operation(1, "C1", OperationKind.DELETE), operation(2, "C2", groups=["new"])]))
    assert {(row.key, row.values["group"]) for row in destination.read_back(target)} == {("C2", "CDP new")}
    assert seller.sim.db.value("SELECT count(*) FROM customer_groups WHERE grp = 'G0'") == 1


def test_loyalty_account_is_left_to_its_customer(seller: SquareRig) -> None:
    destination = seller.destination()
    [outcome] = destination.write(destination.targets()[0], [operation(1, "loyalty-LA1", vip=True)])
    assert (outcome.status, outcome.code) == (OutcomeStatus.UNCHANGED, "loyalty_account")


# ---- what goes wrong --------------------------------------------------------------------------------------------------


def test_missing_scope_fails_its_stream_alone_and_a_wrong_token_everything(new_seller: NewSeller) -> None:
    rig = new_seller(denied=["loyalty.accounts"])
    checks = {check.name: check.ok for check in rig.source().check()}
    assert checks["loyalty may be read"] is False
    assert checks["customers may be read"] is True
    with pytest.raises(StreamError) as caught:
        read(rig.source(), "loyalty")
    assert caught.value.code == "square_scope_missing"
    with pytest.raises(AuthError) as refused:
        read(rig.source(access_token="EAAAwrong"), "customers")
    assert refused.value.code == "square_token_refused"
    assert "EAAAwrong" not in str(refused.value)


def test_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        SquareConfig.model_validate({"window_days": 0, "calls_per_second": 0, "inbox": {"folder": "x", "url": "y"}})
    fields = {".".join(map(str, error["loc"])) for error in caught.value.errors()}
    assert fields == {"access_token", "window_days", "calls_per_second", "inbox.signature_key", "inbox.url"}


def _filled(rig: SquareRig) -> SquareRig:
    for number in range(25):
        at = f"2026-03-02T{number % 24:02}:00:00Z"
        rig.sim.put("order", order(f"O{number:02}", at, sold("a", 1.5, str(number + 1)), customer_id=f"C{number % 4}"))
        rig.sim.put(
            "payment", {"id": f"P{number}", "created_at": at, "amount_money": cents(1.0), "location_id": "LOC1"}
        )
    for number in range(8):
        rig.sim.put(
            "customer",
            {"id": f"C{number}", "created_at": AT, "given_name": "小满", "phone_number": f"1540001000{number}"},
        )
    return rig


def _tables(rig: SquareRig, programme: str) -> dict[str, Any]:
    hub = rig.hub()
    rig.sim.use_faults(programme, seed=2)
    for _attempt in range(5):  # as a scheduler would: a run that was cut short is started again
        report = ingest(hub, streams=["customers", "orders", "payments"])
        if not report.failed:
            break
        rig.clock.advance(600)
    assert [(stream.stream, str(stream.error)) for stream in report.failed] == []
    found = facts(hub)
    with hub.warehouse() as engine:
        names = [n for n in engine.columns("orders") if n not in {"row_hash", "first_seen_at", "changed_seq"}]
    cut = names.index("updated_at")
    # An order that was touched while it was read is the same otherwise.
    found["orders"] = [row[:cut] + row[cut + 1 :] for row in found["orders"]]
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    rig = _filled(SquareRig(tmp_path_factory.mktemp("undisturbed"), page_size=4))
    yield _tables(rig, "none")
    rig.close()


PUSHES = {"duplicate_push", "out_of_order_push", "lost_push"}
CALL_FAULTS = sorted(set(faults.PROGRAMMES) - PUSHES - {"none", "token_expiry"})
"""A personal token does not expire, and webhooks have tests of their own."""


@pytest.mark.parametrize("programme", CALL_FAULTS)
def test_faults_end_in_the_same_tables(new_seller: NewSeller, undisturbed: dict[str, Any], programme: str) -> None:
    rig = _filled(new_seller(page_size=4))
    found = _tables(rig, programme)
    assert len(undisturbed["orders"]) == 25
    assert found == undisturbed
    assert programme == "dropped_after_write" or any(entry.fault for entry in rig.sim.journal.entries())


# ---- contracts --------------------------------------------------------------------------------------------------------

SPAN = {"start_at": "2026-01-01T00:00:00Z", "end_at": "2026-04-01T00:00:00Z"}
SORT = {"sort_field": "UPDATED_AT", "sort_order": "ASC"}
CONTRACTS: dict[Endpoint, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    Api.LOCATIONS: ({}, ("locations.0.id", "locations.0.timezone")),
    Api.CUSTOMERS: ({"query": {"filter": {"updated_at": SPAN}}, "limit": 100}, ("customers.0.id", "customers.0.phone_number")),
    Api.CUSTOMER: ({}, ("customer.id",)),
    Api.GROUPS: ({"limit": 50}, ("groups.0.name",)),
    Api.GROUP_CREATE: ({"idempotency_key": "k", "group": {"name": "x"}}, ("group.id",)),
    Api.GROUP_ADD: ({}, ()),
    Api.GROUP_REMOVE: ({}, ()),
    Api.ORDERS: (
        {"location_ids": ["LOC1"], "query": {"filter": {"date_time_filter": {"updated_at": SPAN}}, "sort": SORT}},
        ("orders.0.id", "orders.0.line_items.0.quantity", "orders.0.tenders.0.type", "orders.0.total_money.currency"),
    ),
    Api.ORDERS_BY_ID: ({"order_ids": ["O00"]}, ("orders.0.id",)),
    Api.PAYMENTS: ({"location_id": "LOC1", "sort_field": "UPDATED_AT"}, ("payments.0.id", "payments.0.amount_money.amount")),
    Api.REFUNDS: ({"limit": 100}, ("refunds.0.id",)),
    Api.LOYALTY_ACCOUNTS: ({"limit": 200}, ("loyalty_accounts.0.mapping.phone_number",)),
    Api.LOYALTY_EVENTS: ({"query": {"filter": {"date_time_filter": {"created_at": SPAN}}}}, ("events.0.type",)),
}  # fmt: skip


def test_every_endpoint_in_use_has_a_contract() -> None:
    assert set(CONTRACTS) == set(Api.endpoints())


@pytest.mark.parametrize("endpoint", CONTRACTS, ids=lambda each: f"{each.method} {each.path}")
def test_request_and_answer(seller: SquareRig, endpoint: Endpoint) -> None:
    _filled(seller)
    for kind, body in (
        ("group", {"id": "G1", "name": "g"}),
        ("refund", {"id": "F1"}),
        ("loyalty_account", {"id": "A1", "mapping": {"phone_number": "+8615400010001"}}),
        ("event", {"id": "E1", "type": "ACCUMULATE_POINTS"}),
    ):
        seller.sim.put(kind, {**body, "created_at": AT})
    given, paths = CONTRACTS[endpoint]
    url = endpoint.url(customer_id="C1", group_id="G1")
    where = {"params": given} if endpoint.method == "GET" else {"json": given} if given else {}
    answer = seller.http().request(endpoint.method, url, **where)
    assert answer.status_code == 200
    for path in paths:
        value = answer.json()
        for key in path.split("."):
            value = value[int(key)] if key.isdigit() else value[key]


def test_refusals_are_square_s(seller: SquareRig) -> None:
    http = seller.http()

    def code(method: str, url: str, **more: Any) -> tuple[int, str]:
        answer = http.request(method, url, **more)
        return answer.status_code, answer.json()["errors"][0]["code"]

    mismatch = {
        "location_ids": ["LOC1"],
        "query": {"filter": {"date_time_filter": {"updated_at": SPAN}}, "sort": {"sort_field": "CREATED_AT"}},
    }
    assert code("POST", "/v2/orders/search", json=mismatch) == (400, "BAD_REQUEST")
    assert code("POST", "/v2/orders/search", json={"location_ids": ["x"] * 11})[0] == 400
    assert code("GET", "/v2/customers", params={"limit": 101}) == (400, "INVALID_VALUE")
    assert code("GET", "/v2/customers", params={"cursor": "made-up"}) == (400, "INVALID_CURSOR")
    assert code("GET", "/v2/customers/nobody") == (404, "NOT_FOUND")
    assert code("GET", "/v2/locations", headers={"Square-Version": "soon"}) == (400, "INVALID_SQUARE_VERSION_FORMAT")
