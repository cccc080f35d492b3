"""``hub status``: everything that runs, waits or is broken, on one screen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.show.screen import Screen
    from hub.store.tables import Cursor, Run

__all__ = ["status"]

_STAGES = ("load", "resolve", "score", "segment", "publish")


@verb(LOOK, "hub status", "hub status --json")
def status(session: Session) -> Answer:
    """Show streams, stages, syncs, the current snapshot and who is at work, on one screen.

    Works while the pipeline runs.
    """
    with session.hub() as hub:
        document = {
            "config": hub.settings.path,
            "home": hub.settings.home,
            "now": hub.now(),
            "snapshot": _snapshot(hub),
            "streams": _streams(hub),
            "stages": _stages(hub),
            "syncs": _syncs(hub),
            "leases": [
                {"name": lease.name, "holder": lease.holder, "since": lease.acquired_at}
                for lease in hub.store.leases.holders()
            ],
            "open_erasures": [{"id": erasure.id, "at": erasure.at} for erasure in hub.store.forgotten.open()],
            "broken_plugins": [p.name for p in hub.plugins.loaded if p.state == "broken"],
        }
    return Answer(document, lambda screen: _show(screen, document))


def _snapshot(hub: Hub) -> dict[str, Any] | None:
    current = hub.store.snapshots.current()
    if current is None:
        return None
    return {"id": current.id, "as_of": current.as_of, "published_at": current.published_at, "counts": current.counts}


def _streams(hub: Hub) -> list[dict[str, Any]]:
    """One entry per stream that was ever read, and one per source connection of which nothing was."""
    latest = hub.store.runs.latest()
    counts = hub.store.packages.counts()
    cursors = _newest_cursors(hub.store.packages.cursors())
    runs = _newest_runs(run for (stage, _), run in latest.items() if stage == "ingest")
    found = [
        _stream(key, runs.get(key), counts.get(key, {}), cursors.get(key)) for key in sorted({*counts, *cursors, *runs})
    ]
    read = {entry["connection"] for entry in found}
    # A plugin may be both source and destination; a connection that syncs write to is not expected to be read.
    written = {sync.to for sync in hub.settings.syncs.values()}
    unread = (c.name for c in hub.settings.connections.values() if c.is_source and c.name not in read | written)
    return [*found, *(_stream((name, "*"), None, {}, None) for name in unread)]


def _stream(
    key: tuple[str, str], run: Run | None, counts: Mapping[str, int], cursor: dt.datetime | None
) -> dict[str, Any]:
    return {
        "connection": key[0],
        "stream": key[1],
        "state": run.state if run is not None else "never read",
        "last_run_at": run.started_at if run is not None else None,
        "error": run.error_message if run is not None else None,
        "notes": run.notes if run is not None else [],
        "cursor_moved_at": cursor,
        "rows": counts.get("rows", 0),
        "packages_waiting": counts.get("waiting", 0),
        "rejects": counts.get("rejects", 0),
    }


def _newest_cursors(cursors: Iterable[Cursor]) -> dict[tuple[str, str], dt.datetime]:
    found: dict[tuple[str, str], dt.datetime] = {}
    for cursor in cursors:
        key = (cursor.connection, cursor.stream)
        found[key] = max(cursor.moved_at, found.get(key, cursor.moved_at))
    return found


def _newest_runs(runs: Iterable[Run]) -> dict[tuple[str, str], Run]:
    """The newest run of each stream; of a stream in parts, the newest of any part that failed, else of any."""
    found: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=lambda run: (run.state == "failed", run.started_at)):
        parts = run.subject.split("/", 2)
        found[parts[0], parts[1] if len(parts) > 1 else "*"] = run
    return found


def _stages(hub: Hub) -> list[dict[str, Any]]:
    latest = hub.store.runs.latest()
    runs = [latest[stage, ""] for stage in _STAGES if (stage, "") in latest]
    return [
        {
            "stage": run.stage, "state": run.state, "last_run_at": run.started_at, "counts": run.counts,
            "notes": run.notes, "error": run.error_message,
        }
        for run in runs
    ]  # fmt: skip


def _syncs(hub: Hub) -> list[dict[str, Any]]:
    latest = hub.store.runs.latest()
    failing = hub.store.ledger.failing()
    alerts = hub.store.alerts.standing()
    off = {(state.connection, state.target): state for state in hub.store.deliveries.switched_off()}
    found = []
    for name, sync in hub.settings.syncs.items():
        run = latest.get(("push", name))
        state = off.get((sync.to, sync.target))
        found.append(
            {
                "sync": name,
                "target": f"{sync.to}/{sync.target}",
                "enabled": sync.enabled,
                "state": run.state if run is not None else "never pushed",
                "last_run_at": run.started_at if run is not None else None,
                "counts": run.counts if run is not None else {},
                "error": run.error_message if run is not None else None,
                "failing": {**failing.get(name, {}), **_put_off(run)},
                "alerts": [
                    {"kind": alert.kind, "since": alert.raised_at, "message": alert.message, "told_at": alert.told_at}
                    for alert in alerts
                    if alert.sync == name
                ],
                "switched_off": None
                if state is None
                else {"since": state.since, "code": state.code, "reason": state.reason},
            }
        )
    return found


def _put_off(run: Run | None) -> dict[str, int]:
    """Rows that the last push did not get to; the next one sends them."""
    left = run.counts.get("deferred", 0) if run is not None else 0
    return {"deferred": left} if left else {}


def _show(screen: Screen, document: Mapping[str, Any]) -> None:
    now: dt.datetime = document["now"]
    snapshot = document["snapshot"]
    told: dict[str, Any] = {"Snapshot": "none yet: hub run"}
    if snapshot is not None:
        told = {
            "Snapshot": f"{snapshot['id']}, {_ago(now, snapshot['published_at'])}",
            "As of": snapshot["as_of"],
            "Rows": snapshot["counts"],
        }
    screen.facts({"Configuration": document["config"], "Home": document["home"], **told})
    _show_streams(screen, document["streams"], now)
    _show_stages(screen, document["stages"], now)
    _show_syncs(screen, document["syncs"], now)
    _show_work(screen, document, now)


def _show_streams(screen: Screen, streams: list[dict[str, Any]], now: dt.datetime) -> None:
    screen.heading("Streams")
    rows = [
        (f"{s['connection']}/{s['stream']}", s["state"], _ago(now, s["last_run_at"]), _ago(now, s["cursor_moved_at"]),
         s["rows"], s["packages_waiting"] or None, s["rejects"] or None)
        for s in streams
    ]  # fmt: skip
    columns = ("Stream", "Last run", "When", "Cursor moved", ">Rows", ">Waiting", ">Rejected")
    screen.table(columns, rows, empty="No connection reads anything: add one to hub.toml.")
    _show_errors(screen, ((f"{s['connection']}/{s['stream']}", s["error"]) for s in streams))
    screen.notes(f"{s['connection']}/{s['stream']}: {note}" for s in streams for note in s["notes"])


def _show_stages(screen: Screen, stages: list[dict[str, Any]], now: dt.datetime) -> None:
    from hub.cli.history import counts_text

    if stages:
        screen.heading("Stages")
        rows = [(s["stage"], s["state"], _ago(now, s["last_run_at"]), counts_text(s["counts"])) for s in stages]
        screen.table(("Stage", "Last run", "When", "Counts"), rows)
        _show_errors(screen, ((s["stage"], s["error"]) for s in stages))
        screen.notes(f"{s['stage']}: {note}" for s in stages for note in s["notes"])


def _show_syncs(screen: Screen, syncs: list[dict[str, Any]], now: dt.datetime) -> None:
    from hub.cli.history import counts_text

    if not syncs:
        return
    screen.heading("Syncs")
    rows = [
        (s["sync"], s["target"], "off" if s["switched_off"] else s["state"] if s["enabled"] else "disabled",
         _ago(now, s["last_run_at"]), counts_text(s["counts"]), counts_text(s["failing"]))
        for s in syncs
    ]  # fmt: skip
    screen.table(("Sync", "Target", "Last run", "When", "Counts", "Not there yet"), rows)
    for sync in syncs:
        for alert in sync["alerts"]:
            screen.line(
                f"{sync['sync']} needs somebody since {screen.instant(alert['since'])}: {alert['message']}", "red"
            )
        off = sync["switched_off"]
        if off:
            since = screen.instant(off["since"])
            screen.line(
                f"{sync['target']} is off since {since}: {off['reason']} When mended: hub sync on {sync['sync']}", "red"
            )
        if sync["failing"]:
            screen.line(f"Why rows of {sync['sync']} are not there: hub deliveries --sync {sync['sync']}", "dim")
    # What an alert has said, and what is off, need not be said again.
    _show_errors(screen, ((s["sync"], s["error"]) for s in syncs if not s["switched_off"] and not s["alerts"]))


def _show_work(screen: Screen, document: Mapping[str, Any], now: dt.datetime) -> None:
    if document["leases"]:
        screen.heading("At work now")
        rows = [(lease["name"], lease["holder"], _ago(now, lease["since"])) for lease in document["leases"]]
        screen.table(("Work", "By", "For"), rows)
    if document["open_erasures"]:
        screen.line()
        screen.line(
            f"Begun, and not ended: forgetting {len(document['open_erasures'])}. See: hub forget --finish", "red"
        )
    if document["broken_plugins"]:
        screen.line()
        screen.line(f"Broken plugins: {', '.join(document['broken_plugins'])}. See: hub plugins -v", "red")


def _show_errors(screen: Screen, errors: Iterable[tuple[str, str | None]]) -> None:
    for subject, error in errors:
        if error:
            screen.line(f"{subject}: {error}", "red")


def _ago(now: dt.datetime, then: dt.datetime | None) -> str:
    from hub.show.screen import age

    return f"{age((now - then).total_seconds())} ago" if then is not None else ""
