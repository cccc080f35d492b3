"""The work of processes that are killed: messages and tags to accounts whose state is a file."""

from __future__ import annotations

from pathlib import Path

from wechat_rig import NOTICE, Rig, TinyChain, openid, rig, user

from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import SyncReport, push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from plugins.wechat.logins import Logins
from plugins.wechat.simulator.messages import ARRIVAL

PEOPLE = 60
SYNCS = """
[segments.all]
where = "true"
[segments.early]
where = "registered_at < '2026-02-10 09:30:30+08:00'"

[syncs.tags]
to = "wechat"
target = "tag"
key = "profile"
segments = ["all", "early"]
fields = { segments = "segments" }

[syncs.notices]
to = "miniprogram"
target = "subscribe_message"
key = "profile"
mode = "upsert"
segments = ["all"]
"""
TEXTS = f"""
[connections.miniprogram.message]
template_id = "{ARRIVAL}"
fields = {{ thing1 = "{NOTICE["thing1"]}", time2 = "{NOTICE["time2"]}" }}
"""

READ = {"tags": (["wechat"], ["followers"]), "notices": (["miniprogram"], ["users"])}


def world() -> TinyChain:
    return TinyChain(followers=PEOPLE, users=PEOPLE, days_of_visits=1)


def prepare(accounts: Rig) -> None:
    """Everybody has logged in and agreed to five messages: a second sending would arrive."""
    logins = Logins(accounts.folder / ".hub/wechat/miniprogram")
    for number in range(1, PEOPLE + 1):
        logins.note(user(number), 1_767_196_800)
        accounts.sim.put_consent(accounts.sim.miniprogram, user(number), ARRIVAL, 5)
    logins.close()


def flow(accounts: Rig, sync: str) -> SyncReport:
    """Read, resolve, segment, publish and push one sync."""
    with accounts.hub(SYNCS, miniprogram=TEXTS) as hub:
        assert ingest(hub, *READ[sync]).failed == []
        resolve(hub)
        score(hub)
        segment(hub)
        publish(hub)
        return push(hub, [sync]).syncs[0]


def work(folder: Path, hours: float, sync: str) -> None:
    """Do it all, that many hours later than the first time."""
    with rig(folder, world(), state=folder / "accounts.db", hours=hours) as accounts:
        if accounts.sim.db.fact("prepared") is None:
            prepare(accounts)
            accounts.sim.db.remember("prepared", 1)
        report = flow(accounts, sync)
        assert report.error is None, report.error


def everybody() -> dict[str, list[str]]:
    """The tags that the sync asks for."""
    return {openid(n): ["CDP·all", "CDP·early"] if n <= 30 else ["CDP·all"] for n in range(1, PEOPLE + 1)}
