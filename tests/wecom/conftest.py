"""A small corp: three guides, six customers of whom two have two guides, two groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wecom_rig import FOLLOWS, GROUPS, Rig, chain, rig


@pytest.fixture
def corp(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, chain(staff=3, follows=FOLLOWS, groups=GROUPS)) as found:
        yield found
