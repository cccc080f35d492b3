"""How hard the property tests try: few examples by default, more with ``HUB_TEST_EFFORT=10 make test``."""

from __future__ import annotations

import os

_EFFORT = int(os.environ.get("HUB_TEST_EFFORT", "1"))


def examples(few: int) -> int:
    """Return how many examples a property is tried on, times the effort asked for."""
    return few * _EFFORT
