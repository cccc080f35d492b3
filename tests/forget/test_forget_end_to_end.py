"""One person of a simulated chain is forgotten; then the whole home of the hub is searched for them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from home_texts import places_naming

from hub.demo import Demo, open_demo
from hub.pipeline.forget import ForgetReport, forget
from plugins.wechat.logins import Logins
from plugins.wecom.inbox import Inbox

pytestmark = pytest.mark.xdist_group("forget")
MOMENT = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Someone:
    """Whom it is about.

    Attributes:
        customer: their id.
        contact: their id in WeCom.
        texts: name, phone, card, account ids.
    """

    customer: str
    contact: str
    texts: tuple[str, ...]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A day of business: tills, members' lists, WeCom, the official account and the mini-program."""
    folder = tmp_path_factory.mktemp("forget") / "chain"
    with open_demo(folder, people=200, days=30, seed=7, only=("files", "wecom", "wechat")) as running:
        report = running.run_day()
        assert report.run.error is None
        yield running


def someone(demo: Demo) -> Someone:
    """The customer known on most platforms."""
    with demo.hub() as hub, hub.warehouse() as engine:
        ((customer, contact),) = engine.rows(
            """SELECT customer_id, max(source_id) FILTER (WHERE connection = 'wecom') FROM links GROUP BY 1
               HAVING count(*) FILTER (WHERE connection = 'wecom') = 1
               ORDER BY count(DISTINCT connection) DESC, 1 LIMIT 1"""
        )
        theirs = "connection || ':' || source_id IN (SELECT profile FROM links WHERE customer_id = $1)"
        rows = engine.rows(
            f"""SELECT value FROM profiles_identifiers WHERE {theirs} UNION SELECT source_id FROM profiles WHERE {theirs}
                UNION SELECT name FROM profiles WHERE length(name) >= 3 AND {theirs}""",
            [customer],
        )
    return Someone(customer, contact, tuple(sorted(str(row[0]) for row in rows)))


def leave_more_traces(demo: Demo, one: Someone) -> None:
    """What lies beside the warehouse: a callback that waits, a log-in, a cursor, a file nobody owns, and those of a stranger."""
    home = demo.config.parent / ".hub"
    inbox = Inbox(home / "wecom" / "wecom")
    for contact in (one.contact, "wmStrangerStrangerStranger"):
        inbox.add({"Event": "change_external_contact", "ExternalUserID": contact, "UserID": "guide"}, MOMENT)
    inbox.note_given("digests", [one.contact])
    inbox.close()
    phone = next(text for text in one.texts if text.startswith("154"))
    logins = Logins(home / "wechat" / "miniprogram")
    logins.note("oStranger", 1_750_000_000, phone="15400000009")
    logins.note("oOfTheirs", 1_750_000_001, phone=phone)
    logins.close()
    (home / "old").mkdir()
    (home / "old" / "notes.txt").write_text(f"call {phone}", encoding="utf-8")
    with demo.config.open("a", encoding="utf-8") as settings:
        settings.write(f'\n[identity]\ntrusted = {{ phone = ["{phone}"] }}\n')
    with demo.hub() as hub, hub.store.database.write() as session:
        cursor = next(one for one in hub.store.packages.cursors() if one.stream == "customers")
        cursor.state = {**cursor.state, "kept": {"last": one.contact}}
        session.merge(cursor)


def test_nothing_of_the_person_is_left_but_what_the_report_names(chain: Demo) -> None:
    one, home = someone(chain), chain.config.parent / ".hub"
    leave_more_traces(chain, one)
    before = places_naming(home, one.texts)
    assert len(one.texts) >= 5
    assert {place.split("/")[0].split()[0] for place in before} >= {
        "packages", "snapshots", "store.db", "warehouse.duckdb", "wechat", "wecom", "old",
    }  # fmt: skip

    done = forgotten(chain, one)

    left = places_naming(home, one.texts)
    assert {place.split()[0] for place in left} == {"old/notes.txt", "store.db"}
    assert [place for place in left if place.startswith("store.db ")] == ["store.db cursors"]
    cursor, config, file = done.left
    assert cursor.startswith("cursor of ")
    assert config == "file hub.toml: take the value out of it"
    assert file.startswith(f"file {Path('old/notes.txt')}: ")
    assert done.counts["connections.wecom"] >= 2
    assert done.counts["connections.miniprogram"] == 1
    # Of the customer there is a number, so that it is never given out again, and who forgot whom when.
    numbers = {place for place in places_naming(home, [one.customer]) if " " in place}
    assert numbers == {"store.db audit", "warehouse.duckdb identity_customers"}
    strangers = places_naming(home, ["wmStrangerStrangerStranger", "15400000009"])
    assert {place.split()[0] for place in strangers if " " in place} >= {
        "wecom/wecom/callbacks.db", "wechat/miniprogram/logins.db",
    }  # fmt: skip


def forgotten(chain: Demo, one: Someone) -> ForgetReport:
    """Look, then forget."""
    with chain.hub() as hub:
        trial = forget(hub, one.customer, reason="request 7", dry_run=True)
        done = forget(hub, one.customer, reason="request 7", actor="li")
        (entry,) = [entry for entry in hub.store.audit_log() if entry.action == "forget"]
    assert trial.counts == done.counts
    assert not any(text in json.dumps(entry.detail, ensure_ascii=False) for text in one.texts)
    return done
