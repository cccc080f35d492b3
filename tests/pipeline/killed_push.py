"""The syncs that are pushed by processes that get killed: to a webhook, to a platform, into a file; in two generations."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

from crm import Crm, Person, desk, publish_people
from toy import MORNING

from hub.context import Hub
from hub.pipeline.push import push
from hub.plugins import Plugins
from plugins import files, webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()

GENERATIONS = (
    [Person(f"c{number}", "gold") for number in range(5)],
    [Person("c0", "gold"), *(Person(f"c{number}", "silver") for number in range(2, 7))],
)
TARGETS = {
    "webhook": {"to": "hook", "target": "batch"},
    "points": {"to": "crm", "target": "points"},
    "audience": {"to": "drop", "target": "vip"},
}


def plugins_of(crm: Crm) -> Plugins:
    """The platform of the tests, and the two general destinations."""
    plugins = crm.plugins
    plugins.manager.register(files, name="files")
    plugins.manager.register(webhook, name="webhook")
    return plugins


def instant(step: int) -> dt.datetime:
    """A time of its own for each step: by then the lease of a killed process has run out."""
    return MORNING + dt.timedelta(seconds=100 * step)


def open_desk(home: Path, crm: Crm, kind: str, step: int, url: str) -> Hub:
    """Open the hub with the one sync of this kind."""
    connections = {
        "crm": 'plugin = "crm"',
        "hook": f'plugin = "webhook"\nurl = "{url}"\nsecrets = "{SECRET}"\nbatch_size = 2\n'
        'allow_http = true\nallow = ["127.0.0.1"]',
        "drop": f'plugin = "files"\nurl = "{home / "drop"}"\nwrite = {{ audiences = ["vip"], key_column = "id" }}',
    }
    lines = [f'{name} = "{value}"' for name, value in TARGETS[kind].items()]
    sync = "\n".join([*lines, 'fields = { level = "level" }', "max_failed_share = 1.0"])
    return desk(home, crm, sync, clock=lambda: instant(step), plugins=plugins_of(crm), connections=connections)


def publish(home: Path, kind: str, generation: int, step: int, url: str) -> None:
    """Publish a generation's people."""
    crm = Crm(home / "crm.db")
    with open_desk(home, crm, kind, step, url) as hub:
        publish_people(hub, GENERATIONS[generation])
    crm.close()


def work(home: Path, kind: str, step: int, url: str) -> None:
    """Push what is published; fails if the sync ends with an error."""
    crm = Crm(home / "crm.db")
    with open_desk(home, crm, kind, step, url) as hub:
        report = push(hub)
    crm.close()
    assert report.syncs[0].error is None, report.syncs[0].error
