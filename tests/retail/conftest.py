"""Fixtures of the retail tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from till import Till

from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.people import create_views
from hub.warehouse.schema import prepare


@pytest.fixture(scope="module")
def opened_till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """A till for all tests of a module."""
    engine = DuckDBEngine(None, tmp_path_factory.mktemp("till"))
    engine.execute("SET threads = 1")  # the work is small: more threads only wait for each other
    prepare(engine)
    create_views(engine, {})
    yield Till(engine)
    engine.close()


@pytest.fixture
def till(opened_till: Till) -> Till:
    """An empty till."""
    opened_till.empty()
    return opened_till
