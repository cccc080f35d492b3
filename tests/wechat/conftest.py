"""Small accounts: five followers, three users of the mini-program, three days of visits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wechat_rig import Rig, rig


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found
