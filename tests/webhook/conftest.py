"""Fixtures of the webhook tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from webhook_rig import SECRET, Rig

from plugins.webhook.inbox import Inbox, LocalReceiver


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[LocalReceiver]:
    inbox = Inbox(tmp_path / "inbox.sqlite")
    with LocalReceiver(inbox, [SECRET]) as running:
        yield running
    inbox.close()
