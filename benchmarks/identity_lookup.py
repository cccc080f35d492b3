"""From anything that names a customer to the customer: the snapshot's look-up, and the one in memory.

    python benchmarks/identity_lookup.py [customers]

Customers with a phone, an openid and a profile each are put into a hub's warehouse and published. Then phones as people
write them, openids, profile keys and customer ids are looked up in process, each once: in the snapshot (what
``hub customer`` does) and with :class:`identity.Finder`. The reference is the same look-up in a table that is not in the order
of the keys. Fails (exit code 1) when a 99th percentile is above 10 ms of CPU time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

import identity
from hub.cli.people import find_customers
from hub.context import Hub, open_hub
from hub.pipeline.publish import publish, snapshot_views
from hub.plugins import load_plugins
from hub.warehouse.engine import Engine

ASKED = 400
LIMIT_MS = 10.0
FAILED: list[str] = []


def fill(engine: Engine, customers: int) -> None:
    """Customers whose phones have the prefix 154, which is nobody's."""
    engine.execute(
        f"""CREATE TEMP TABLE made AS SELECT 'c' || lpad(to_hex(hash(i)), 16, '0') AS customer_id, 'pos:M' || i AS profile,
                   'M' || i AS source_id, '+86154' || lpad((i * 7919 % 100000000)::VARCHAR, 8, '0') AS phone,
                   'o' || md5(i::VARCHAR) AS openid FROM range({customers}) AS t(i)"""
    )
    engine.execute("INSERT INTO customers BY NAME SELECT customer_id, phone, 1 AS profiles FROM made")
    engine.execute("INSERT INTO links BY NAME SELECT profile, 'pos' AS connection, source_id, customer_id FROM made")
    for kind, scope in (("phone", ""), ("openid", "wxapp")):
        engine.execute(
            f"""INSERT INTO customer_identifiers BY NAME SELECT customer_id, '{kind}' AS kind, '{scope}' AS scope, {kind} AS value,
                       1 AS profiles, 1 AS rank FROM made"""
        )


def questions(engine: Engine) -> list[tuple[str, str]]:
    """What people ask, with the customer that is meant."""
    rows = engine.rows(
        f"SELECT customer_id, profile, phone, openid FROM made ORDER BY hash(customer_id) LIMIT {ASKED // 4}"
    )
    asked = []
    for customer, profile, phone, openid in rows:
        asked += [(f"{phone[3:6]} {phone[6:10]} {phone[10:]}", customer), (openid, customer), (profile, customer)]
        asked.append((customer, customer))
    return asked


def measure(name: str, find: Callable[[str], Sequence[str]], asked: Sequence[tuple[str, str]], *, gate: bool) -> None:
    cpu, wall = [], []
    find(asked[0][0])
    for text, customer in asked:
        began, ticked = time.perf_counter(), time.process_time()
        found = find(text)
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - ticked) * 1000)
        assert customer in found, name
    p99 = float(np.quantile(cpu, 0.99))
    print(
        f"{name:44} CPU median {np.median(cpu):7.3f} ms, p99 {p99:7.3f} ms; on the clock median {np.median(wall):7.3f} ms, "
        f"p99 {np.quantile(wall, 0.99):7.3f} ms"
    )
    if gate and p99 > LIMIT_MS:
        FAILED.append(name)


def compare(hub: Hub, asked: Sequence[tuple[str, str]]) -> None:
    snapshot = hub.store.snapshots.current()
    assert snapshot is not None
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        measure("snapshot, sorted (hub customer)", lambda text: find_customers(engine, text, 20), asked, gate=True)
        links = engine.arrow(
            """SELECT l.profile, i.kind, i.scope, i.value, 'key' AS status, 5::TINYINT AS assurance,
                      NULL::TIMESTAMPTZ AS first_seen, NULL::TIMESTAMPTZ AS last_seen
               FROM customer_identifiers AS i JOIN links AS l USING (customer_id)"""
        )
        members = engine.arrow("SELECT profile, customer_id AS customer, profile AS component FROM links")
        engine.execute("CREATE OR REPLACE VIEW lookup AS SELECT value AS key, customer_id FROM customer_identifiers")
        known = [(text, customer) for text, customer in asked if not text.startswith(("pos:", "c"))]
        measure("reference: identifiers by customer", lambda text: find_customers(engine, text, 20), known, gate=False)
    finder = identity.Finder(identity.State.of({"links": links, "memberships": members}, ""))
    measure("identity.Finder, in memory", finder.customers, known, gate=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("customers", type=int, nargs="?", default=200_000)
    options = parser.parse_args()
    pa.set_cpu_count(psutil.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "hub.toml"
        config.write_text("")
        with open_hub(config, plugins=load_plugins([])) as hub:
            with hub.warehouse() as engine:
                fill(engine, options.customers)
                asked = questions(engine)
            began = time.perf_counter()
            publish(hub)
            print(
                f"{options.customers:,} customers published in {time.perf_counter() - began:.1f} s, load {psutil.getloadavg()[0]:.1f}"
            )
            compare(hub, asked)
    print(f"FAILED: {', '.join(FAILED)}" if FAILED else "All look-ups within the limit.")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
