"""A chain that one person has left traces all over, and everything its hub keeps, in clear."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from people import Street, card, member, phone, ticket
from toy import MORNING, at

from hub.context import Hub
from hub.pipeline.forget import finish_erasures, forget
from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.records import Assurance, Event, Identifier, IdentifierKind, Record
from hub.source import Page, Reject
from hub.store.tables import Delivery, LedgerEntry

PHONE, NAME, CARD, OWN_ID = "15400000001", "欧阳若曦", "VIP-77001234", "M0000001"
TRACES = (PHONE, NAME, CARD, OWN_ID, "1540 000 0001")
NOW = MORNING + dt.timedelta(days=200)


def records() -> list[Record]:
    """Ou, whose mother Lan has the same office phone as she has, and a stranger."""
    office = phone(500)
    return [
        member(OWN_ID, phone(1), card(CARD), office, name=NAME, address="梧桐路1号", registered_at=MORNING),
        member("M0000002", phone(2), office, name="欧阳兰", registered_at=MORNING),
        member("M0000003", phone(3), name="慕容复", registered_at=MORNING),
        member("M0000009", phone(1), name=NAME),
        ticket("T1", buyer=OWN_ID, note=f"给{NAME}送货"),
        ticket("T2", Identifier(kind=IdentifierKind.PHONE, value="1540 000 0001", assurance=Assurance.TYPED_BY_STAFF)),
        ticket("T3", buyer="M0000003"),
        Event(source_id="E1", type="page.viewed", occurred_at=at(1), customer_id=OWN_ID, properties={"phone": PHONE}),
        Event(source_id="E2", type="page.viewed", occurred_at=at(1), customer_id="M0000003"),
    ]


def settled(folder: Path, now: dt.datetime = NOW) -> Street:
    """The chain with everything read, resolved, published twice, and half pushed."""
    street = Street.open(folder, services={"now": lambda: now})
    street.tell(*records())
    street.tell(gone=["M0000009"])
    refused = Reject(f"m.csv:7 {PHONE}", "row_invalid", "No.", source_id=OWN_ID, raw=f'{{"name": "{NAME}"}}')
    other = Reject("m.csv:8", "row_invalid", "No.", source_id="M0000003", raw="{}")
    street.toy.feeds["pos"]["members"].pages.append(Page(rejects=[refused, other]))  # type: ignore[attr-defined]
    ingest(street.hub)
    street.resolve()
    publish(street.hub)
    street.tell(member("M0000004", name="端木磊", minutes=3))
    street.resolve()
    publish(street.hub)
    push_half(street.hub)
    return street


def push_half(hub: Hub) -> None:
    """What a push leaves: deliveries, the ledger with its copy, an open plan; and what people said and decided."""
    customer, stranger = (_customer(hub, own) for own in (OWN_ID, "M0000003"))
    with hub.store.database.write() as session:
        for one, key in ((customer, PHONE), (stranger, "15400000003")):
            where = {"sync": "best", "connection": "pos", "target": "tags", "key": key, "customer_id": one}
            session.add(LedgerEntry(**where, accepted_hash="h", outcome="accepted", changed_at=hub.now()))
            more = {"plan_id": "p", "batch": 0, "run_id": "r", "operation": "create", "payload_hash": "h"}
            session.add(Delivery(id=f"d-{one}", **where, **more, intended_at=hub.now(), request=f"to {key}"))
    rows = pa.table({"key": [PHONE, "15400000003"], "customer_id": [customer, stranger]})
    for place in ("plans/best", "ledgers"):
        (hub.settings.home / place).mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, hub.settings.home / place / "one.parquet")
    hub.store.audience.say([f"pos:{OWN_ID}"], granted=False)
    hub.store.decisions.add(
        [("cannot_link", f"pos:{OWN_ID}", "pos:M0000002")], command="unmerge", reason=f"{NAME} says"
    )
    hub.store.audit("identity_unmerge", "", {"reason": f"{NAME}, {PHONE}"})


def _customer(hub: Hub, source_id: str) -> str:
    with hub.warehouse() as engine:
        return str(engine.value("SELECT customer_id FROM links WHERE source_id = ?", [source_id]))


def work(folder: Path, step: int) -> None:
    """Forget Ou, in a process of its own, at a time at which a killed one's lease has run out."""
    later = NOW + dt.timedelta(seconds=1000 * step)
    with Street.open(folder, services={"now": lambda: later}).hub as hub:
        forget(hub, PHONE, reason="request 7", actor="li")


def finish(folder: Path, step: int) -> None:
    """End what killed processes left open, in a process of its own."""
    later = NOW + dt.timedelta(seconds=1000 * step)
    with Street.open(folder, services={"now": lambda: later}).hub as hub:
        finish_erasures(hub)
        assert hub.store.forgotten.open() == []
        assert finish_erasures(hub) == {}


def clear_texts(home: Path) -> Iterator[tuple[str, str]]:
    """Everything a hub keeps: each file's bytes, and the rows of what is compressed; with the place."""
    for file in sorted(path for path in home.rglob("*") if path.is_file()):
        yield str(file.relative_to(home)), file.read_bytes().decode("utf-8", "ignore")
        if file.suffix == ".parquet":
            yield f"{file.relative_to(home)} rows", str(pq.read_table(file).to_pylist())
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for table in tables:
            yield f"warehouse {table}", str(connection.execute(f'FROM "{table}"').to_arrow_table().to_pylist())
    connection = sqlite3.connect(home / "store.db")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        yield f"store {table}", str(connection.execute(f'SELECT * FROM "{table}"').fetchall())
    connection.close()


def traces(home: Path) -> set[tuple[str, str]]:
    """Where anything that names Ou is left."""
    return {(place, needle) for place, text in clear_texts(home) for needle in TRACES if needle in text}


def outcome(street: Street) -> dict[str, object]:
    """What must be the same however often forgetting was killed."""
    facts = {
        table: street.rows(f"SELECT * EXCLUDE (changed_seq, first_seen_at, row_hash) FROM {table} ORDER BY ALL")
        for table in ("profiles", "orders", "events")
    }
    with street.hub.store.database.read() as session:
        kept = [sorted(one.customer_id for one in session.query(model)) for model in (Delivery, LedgerEntry)]
    audit = [(one.actor, one.action, one.detail.get("reason")) for one in street.hub.store.audit_log()]
    return {
        "facts": facts,
        "groups": street.groups(),
        "kept": kept,
        "audit": [one for one in audit if one[1] == "forget"],
    }
