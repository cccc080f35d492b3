"""Forget a person: take everything the hub keeps of him away, for good (删除权: PIPL art. 47, GDPR art. 17).

First the wish and its tombstones are written down, so that nothing of the person comes in any more; then place after place is
cleared, each step such that doing it again does no harm. A process that dies half-way leaves an open erasure, and the next
call carries it to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from hub.columns import record_tables
from hub.context import Hub
from hub.crashpoints import crash_point
from hub.errors import ConfigError
from hub.pipeline.forget_connections import cut_connections, left_over
from hub.pipeline.forget_files import (
    OTHERS,
    cut_plans,
    cut_snapshots,
    found_in_plans,
    found_in_snapshots,
    mine,
)
from hub.pipeline.forget_packages import rewrite_package, tidy_packages
from hub.pipeline.forget_person import clear_marks, find_person, people_tables
from hub.pipeline.identity_state import PREFIX
from hub.pipeline.resolve import resolve
from hub.storage import make_durable
from hub.store.erasing import erase_person, pushed_of
from hub.store.erasing import find_person as find_in_store
from hub.store.forgotten import Person
from hub.store.tables import Erasure
from hub.warehouse.engine import DuckDBEngine, Engine, literal, quoted
from hub.warehouse.forgotten import PERSONAL_RECORDS, Package, cut_facts, facts_found, forgotten, package_found

__all__ = ["ForgetReport", "finish_erasures", "forget"]

_IDS_STAY = f"{PREFIX}customers"
"""Every customer id ever issued, so that none is issued again: random, and no longer anybody's."""


@dataclass
class ForgetReport:
    """What was found of a person and is gone; or would be.

    Attributes:
        customer: the customer's id; empty when only an erasure that was open before was finished.
        counts: rows by place (``warehouse.orders``, ``packages.profiles``, ``store.deliveries`` …).
        at_destinations: rows that destinations hold, by ``connection/target``: they are not taken back from there.
        left: sentences about places where the person is still named, or that could not be looked into.
        finished: erasures that an earlier process had left open and that are done now: by id, sentences as in ``left``.
        done: whether it is gone; False for a trial.
    """

    customer: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    at_destinations: Mapping[str, int] = field(default_factory=dict)
    left: Sequence[str] = ()
    finished: Mapping[str, Sequence[str]] = field(default_factory=dict)
    done: bool = False


def forget(hub: Hub, query: str, *, reason: str, actor: str = "", dry_run: bool = False) -> ForgetReport:
    """Take everything that tells of one person out of the hub.

    Args:
        hub: the opened hub.
        query: what :func:`hub.pipeline.decisions.profiles_named` takes.
        reason: why; kept in the audit log, so it must not name the person.
        actor: who does it; the user of this machine unless given.
        dry_run: only look.

    Raises:
        ConfigError: nobody has it, or several customers do.
        LeaseHeldError: another process pushes or has the warehouse open; nothing of this call was done.
        StoreError: a package or snapshot cannot be read.
    """
    with _undisturbed(hub):
        finished = {} if dry_run else _finish(hub)
        try:
            with hub.warehouse() as engine:
                person, counts, left = _look(hub, engine, query)
        except ConfigError as error:
            if error.code == "profile_unknown" and finished:
                return ForgetReport(finished=finished, done=True)
            raise
        report = ForgetReport(
            customer=person.customers[0] if person.customers else "",
            counts=counts,
            at_destinations=pushed_of(hub.store.database, person),
            left=left,
            finished=finished,
        )
        if not dry_run:
            erasure = hub.store.forgotten.begin(person, counts, reason=reason, actor=actor)
            crash_point("forget.noted")
            report.left = _carry_out(hub, erasure)
            report.done = True
        return report


def finish_erasures(hub: Hub) -> dict[str, list[str]]:
    """Carry erasures to their end that a killed process left open.

    Returns:
        By the id of each, sentences about places where the person is still named, or that could not be looked into.

    Raises:
        LeaseHeldError: another process pushes or has the warehouse open; nothing of this call was done.
    """
    if not hub.store.forgotten.open():
        return {}
    with _undisturbed(hub):
        return _finish(hub)


def _finish(hub: Hub) -> dict[str, list[str]]:
    return {erasure.id: _carry_out(hub, erasure) for erasure in hub.store.forgotten.open()}


@contextmanager
def _undisturbed(hub: Hub) -> Iterator[None]:
    """Keep pushes out: they would send rows that are going away, and read snapshots that are written anew."""
    targets = sorted({(sync.to, sync.target) for sync in hub.settings.syncs.values()})
    with ExitStack() as stack:
        for connection, target in targets:
            stack.enter_context(hub.store.leases.hold(f"push {connection}/{target}"))
        yield


def _look(hub: Hub, engine: Engine, query: str) -> tuple[Person, dict[str, int], list[str]]:
    """Whom it is about, how many rows there are by place, and what will be left."""
    person = find_person(hub, engine, query)
    counts, packages = _in_warehouse(engine, person), []
    with forgotten(engine, clear_marks(person)):
        for package in hub.store.packages.all():
            if package.state != "pruned" and package.record in PERSONAL_RECORDS:
                files = Package(hub.packages.files(package.location, package.bytes), package.connection, package.record)
                if found := package_found(engine, files):
                    packages.append(package.id)
                    place = f"packages.{package.record}"
                    counts[place] = counts.get(place, 0) + found
    kept = cut_connections(hub, person, trial=True)
    for where, found_there in (
        ("snapshots.", found_in_snapshots(hub, person)),
        ("store.", find_in_store(hub.store.database, person)),
        ("", found_in_plans(hub, person)),
        ("connections.", kept.counts),
    ):
        counts |= {f"{where}{name}": count for name, count in found_there.items()}
    return replace(person, packages=packages), counts, kept.failed + left_over(hub, person, kept.folders)


def _in_warehouse(engine: Engine, person: Person) -> dict[str, int]:
    people_tables(engine, person.customers, person.profiles)
    with forgotten(engine, clear_marks(person)):
        counts = {record: facts_found(engine, record) for record in PERSONAL_RECORDS}
    counts |= {
        table: int(engine.value(f"SELECT count(*) FROM {quoted(table)} WHERE {where}"))
        for table, where in _derived(engine)
    }
    return {f"warehouse.{table}": count for table, count in counts.items() if count}


def _derived(engine: Engine) -> Iterator[tuple[str, str]]:
    """Tables that later stages made and that name people, with the condition of the person's rows."""
    names = engine.rows("SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL")
    for (table,) in names:
        if table not in record_tables() and table != _IDS_STAY and (where := mine(list(engine.columns(table)))):
            yield table, where


def _carry_out(hub: Hub, erasure: Erasure) -> list[str]:
    """Clear place after place; return what is left."""
    person = hub.store.forgotten.person(erasure)
    # First of all, so that no read of now takes a message that waits.
    kept = cut_connections(hub, person)
    crash_point("forget.connections")
    with hub.warehouse() as engine:
        _cut_packages(hub, engine, person)
        crash_point("forget.packages")
        # Decisions first: what people decided would bring the profiles' keys back.
        erase_person(hub.store.database, person)
        _cut_facts(engine, person)
    crash_point("forget.facts")
    resolve(hub)
    crash_point("forget.resolved")
    with hub.warehouse() as engine:
        _cut_derived(engine, person)
        _rewrite_warehouse(hub, engine)
    crash_point("forget.warehouse")
    cut_snapshots(hub, person)
    crash_point("forget.snapshots")
    cut_plans(hub, person)
    # Once more: what was pushed or refused since then.
    erase_person(hub.store.database, person)
    crash_point("forget.store")
    hub.store.database.compact()
    left = kept.failed + left_over(hub, person, kept.folders)
    hub.store.forgotten.finish(erasure, person.customers[0] if person.customers else "", left)
    return left


def _cut_packages(hub: Hub, engine: Engine, person: Person) -> None:
    tidy_packages(hub)
    wanted = set(person.packages)
    with forgotten(engine, clear_marks(person)):
        for package in hub.store.packages.all():
            if package.id in wanted:
                rewrite_package(hub, engine, package)


def _cut_facts(engine: Engine, person: Person) -> None:
    with forgotten(engine, clear_marks(person)), engine.transaction():
        for record in PERSONAL_RECORDS:
            if facts_found(engine, record):
                cut_facts(engine, record)
        # Deleted rows have no number of change: the next resolution must look all the same.
        engine.execute("UPDATE _progress SET seq = seq - 1 WHERE stage = 'resolve'")


def _cut_derived(engine: Engine, person: Person) -> None:
    people_tables(engine, person.customers, person.profiles)
    with forgotten(engine, clear_marks(person)), engine.transaction():
        for table, where in list(_derived(engine)):
            engine.execute(f"DELETE FROM {quoted(table)} WHERE {where}")
        theirs = "list_has_any(t.profiles, getvariable('person_profiles'))"
        engine.execute(f"UPDATE {PREFIX}events AS t SET profiles = {OTHERS} WHERE {theirs}")
        engine.execute(
            f"""DELETE FROM {PREFIX}value_states
                WHERE digest_of(identifier_mark(kind, scope, value, '')) IN (SELECT mark FROM forgotten)"""
        )


def _rewrite_warehouse(hub: Hub, engine: DuckDBEngine) -> None:
    """Write the warehouse anew and put it in place, so that no bytes of deleted rows are left in its file; closes the engine."""
    path = hub.settings.warehouse
    aside = path.with_name(f"{path.name}.rewritten")
    for left in (aside, aside.with_name(f"{aside.name}.wal")):
        left.unlink(missing_ok=True)
    name = quoted(str(engine.value("SELECT current_database()")))
    engine.execute(f"ATTACH {literal(str(aside))} AS rewritten")
    engine.execute(f"COPY FROM DATABASE {name} TO rewritten")
    engine.execute("DETACH rewritten")
    engine.close()
    make_durable(aside)
    aside.replace(path)
    make_durable(path.parent)
