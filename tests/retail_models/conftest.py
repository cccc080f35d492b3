"""Fixtures of the tests of learning scorers: one chain for all of them, and its traits."""

from __future__ import annotations

import pyarrow as pa
import pytest
from learning_chain import TODAY, Purchases, purchases, traits_of

from hub.models import MemoryModels
from plugins.retail.models.forecast import Forecast


@pytest.fixture(scope="session")
def chain() -> Purchases:
    """1,800 customers over 510 days; tests look from day 420."""
    return purchases(1800, 510)


@pytest.fixture(scope="session")
def fitted() -> MemoryModels:
    """The models of the chain's forecast."""
    return MemoryModels()


@pytest.fixture(scope="session")
def forecast(chain: Purchases, fitted: MemoryModels) -> pa.Table:
    """The chain's forecast on day 420."""
    return traits_of(Forecast(), chain, TODAY, fitted)
