"""A task's counts in OpenLineage's form."""

from __future__ import annotations

import attr
from openlineage.client.facet_v2 import RunFacet

__all__ = ["CountsFacet"]


@attr.define
class CountsFacet(RunFacet):
    """Numbers that one of the hub's tasks returned: records, customers, changes.

    Attributes:
        counts: numbers by name.
    """

    counts: dict[str, int] = attr.field(factory=dict)
