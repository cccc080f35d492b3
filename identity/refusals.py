"""Joins that evidence asks for and a rule refuses, between profiles by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

__all__ = ["REFUSALS", "refusals"]

REFUSALS = pa.schema(
    [
        ("left", pa.int32()),
        ("right", pa.int32()),
        ("value", pa.int32()),
        ("rule", pa.string()),
        ("review", pa.bool_()),
    ]
)
"""``value`` is the number of the value that asked, -1 for none; ``review``: a person should look at it."""


def refusals(
    left: ArrayLike, right: ArrayLike, value: ArrayLike, rule: Any, review: ArrayLike | None = None
) -> pa.Table:
    """Rows of :data:`REFUSALS`; nothing to look at unless ``review`` says so."""
    rows = len(np.asarray(left))
    parts = [left, right, value, rule, np.zeros(rows, np.bool_) if review is None else review]
    return pa.table(
        [pa.array(part).cast(field.type) for part, field in zip(parts, REFUSALS, strict=True)], schema=REFUSALS
    )
