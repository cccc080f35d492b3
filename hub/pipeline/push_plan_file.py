"""A plan's file: the rows to be worked off, in the order of batches and keys, and how they become operations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hub.destination import Operation, OperationKind, Target

__all__ = ["INVALID", "INVALID_BATCHES", "PLAN_SCHEMA", "SUPPRESSED", "PlannedRow", "read_plan"]

INVALID = "invalid"
"""Kind of a planned row that cannot be sent: its customer has no key, or shares it with another customer."""

INVALID_BATCHES = 1_000_000_000
"""Batches from this number on hold rows that are told, not sent."""

SUPPRESSED = "suppressed"
"""Kind of a planned row that is held back: consent, exclusion, holdout, frequency cap."""

PLAN_SCHEMA = pa.schema(
    [
        ("batch", pa.int64()),
        ("kind", pa.string()),
        ("key", pa.string()),
        ("customer_id", pa.string()),
        ("values", pa.string()),
        ("hash", pa.string()),
        ("remote_id", pa.string()),
        ("version", pa.int64()),
        ("code", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row of a plan: the operation, the hash of its values, and why it is not sent, if it is not."""

    operation: Operation
    hash: str
    code: str = ""
    held_back: bool = False


def read_plan(
    path: str, plan_id: str, connection: str, target: Target, filesystem: object = None
) -> Iterator[tuple[int, Iterable[PlannedRow]]]:
    """Yield a plan's batches in order: the number, and its rows.

    The rows of a target that takes the whole set are streamed and must be used up before the next batch is asked for; those
    of other targets are a list of at most the batch size.
    """
    for number, rows in groupby(_rows(path, filesystem), key=itemgetter("batch")):
        namer = _Namer(f"{connection}\n{target.name}\n")
        if target.batch_size is None and number < INVALID_BATCHES:
            yield number, (namer.planned(row, f"b{plan_id}") for row in rows)
        else:
            held = list(rows)
            digest = hashlib.sha256("\n".join(map(namer.operation_id, held)).encode())
            yield number, [namer.planned(row, f"b{digest.hexdigest()[:32]}") for row in held]


def _rows(path: str, filesystem: object) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path, filesystem=filesystem) as file:
        for batch in file.iter_batches(batch_size=10_000):
            yield from batch.to_pylist()


@dataclass(frozen=True)
class _Namer:
    """Names operations so that the same change of the same row has the same id, however often it is planned or sent."""

    where: str

    def operation_id(self, row: Mapping[str, Any]) -> str:
        parts = [str(row[name]) for name in ("kind", "key", "hash", "version")]
        return hashlib.sha256((self.where + "\n".join(parts)).encode()).hexdigest()[:32]

    def planned(self, row: Mapping[str, Any], batch_id: str) -> PlannedRow:
        values = json.loads(row["values"], parse_float=Decimal) if row["values"] else {}
        kind = OperationKind.CREATE if row["kind"] in {INVALID, SUPPRESSED} else OperationKind(row["kind"])
        operation = Operation(
            id=self.operation_id(row),
            batch_id=batch_id,
            kind=kind,
            key=row["key"],
            values=values,
            customer_id=row["customer_id"],
            remote_id=row["remote_id"],
        )
        return PlannedRow(operation, row["hash"], row["code"] or "", held_back=row["kind"] == SUPPRESSED)
