"""Records as columns: the schemas stand in the documentation, and every value comes back as it went in."""

from __future__ import annotations

import datetime as dt
import re
import typing
from decimal import Decimal, localcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_origin

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from effort import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from record_strategies import batches
from toy import MORNING, member, ticket

from hub.columns import AMOUNT, INSTANT, ColumnBuilder, Table, _strip, record_tables, tables_of, to_arrow
from hub.records import RECORD_TYPES, Customer, Identifier, IdentifierKind, Money, Order, OrderLine, Record, Store
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.schema import prepare

PAGE = Path(__file__).parents[2] / "docs" / "records.md"
NAMES = {
    AMOUNT: "decimal(18, 4)",
    INSTANT: "timestamp[us, UTC]",
    pa.string(): "string",
    pa.bool_(): "bool",
    pa.int32(): "int32",
    pa.float64(): "double",
    pa.date32(): "date",
    pa.time64("us"): "time[us]",
    pa.list_(pa.string()): "list<string>",
}


def _documented() -> dict[str, list[tuple[str, str, bool]]]:
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"#{2,3} `(\w+)`", line):
            rows = found.setdefault(heading[1], [])
        elif row := re.fullmatch(r"\| (\*\*)?`(\w+)`(?:\*\*)? \| (.+?) \| .+ \|", line):
            rows.append((row[2], row[3], bool(row[1])))
    return found


def _never_null(table: Table, name: str) -> bool:
    if table.field is not None and name in {"source_id", "position"}:
        return True
    field = table.model.model_fields[name]
    if field.default is None or field.default_factory is not None:
        return False
    return _strip(field.annotation) is not str or bool(field.metadata)


def test_the_documentation_lists_every_table_column_and_type() -> None:
    code = {
        name: [(field.name, NAMES[field.type], _never_null(table, field.name)) for field in table.schema]
        for name, table in record_tables().items()
    }
    assert _documented() == code


def test_every_column_has_a_meaning_in_the_documentation() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(("| `", "| **`"))]
    assert len(rows) == sum(len(table.schema) for table in record_tables().values())
    assert all(row.rsplit("|", 2)[1].strip() for row in rows)


def test_the_warehouse_has_every_column(tmp_path: Path) -> None:
    engine = DuckDBEngine(None, tmp_path)
    prepare(engine)
    for name, table in record_tables().items():
        assert set(table.schema.names) <= set(engine.columns(name)), name
    engine.close()


def _back(record: type[Record], tables: dict[str, pa.Table]) -> list[dict[str, Any]]:
    """Read records back from their tables, by way of nothing but the documented layout; NULLs are left out."""
    rows = {row["source_id"]: _unpacked(record, row) for row in tables[record.table].to_pylist()}
    for table in tables_of(record)[1:]:
        field = typing.cast("str", table.field)
        for row in rows.values():
            row[field] = []
        for part in sorted(tables[table.name].to_pylist(), key=lambda part: part["position"]):
            owner = rows[part.pop("source_id")]
            del part["position"]
            owner[field].append(_unpacked(table.model, part))
    return list(rows.values())


def _unpacked(model: type[BaseModel], row: dict[str, Any]) -> dict[str, Any]:
    mappings = {name for name, field in model.model_fields.items() if get_origin(_strip(field.annotation)) is dict}
    return {
        name: orjson.loads(value) if name in mappings else value for name, value in row.items() if value is not None
    }


def _plain(model: BaseModel) -> dict[str, Any]:
    """A record as the documentation says it is stored: empty texts and objects left out, instants in UTC."""
    return {name: _plain_value(value) for name, value in model if value not in (None, "", {})}


def _plain_value(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    if isinstance(value, dict):
        # JSON readers give whole numbers beyond 64 bits as floats.
        return {k: float(v) if isinstance(v, int) and v >= 2**64 else v for k, v in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) if isinstance(item, BaseModel) else item for item in value]
    return value


@pytest.mark.parametrize("record", RECORD_TYPES.values(), ids=RECORD_TYPES.keys())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_every_field_comes_back_as_it_went_in(record: type[Record], data: st.DataObject) -> None:
    rows = data.draw(batches(record))
    tables = to_arrow(record, rows)
    assert _back(record, tables) == [_plain(row) for row in rows]
    for table in tables_of(record):
        assert tables[table.name].schema == table.schema
        for field in table.schema:
            if _never_null(table, field.name):
                assert tables[table.name][field.name].null_count == 0


def test_a_parquet_file_and_duckdb_keep_every_value(tmp_path: Path) -> None:
    orders = [ticket("t1", "0.0001", "-99999999999999.9999", minutes=1, note="繁體 ’😀'", coupons=("a", ""))]
    for name, table in to_arrow(Order, orders).items():
        pq.write_table(table, tmp_path / f"{name}.parquet", compression="zstd")
    engine = DuckDBEngine(None, tmp_path / "scratch")
    lines = engine.rows(f"SELECT net_amount FROM read_parquet('{tmp_path}/orders_lines.parquet') ORDER BY position")
    assert lines == [(Decimal("0.0001"),), (Decimal("-99999999999999.9999"),)]
    order = engine.rows(f"SELECT note, coupons, updated_at FROM read_parquet('{tmp_path}/orders.parquet')")
    assert order == [("繁體 ’😀'", ["a", ""], orders[0].updated_at)]
    engine.close()


@pytest.mark.parametrize("amount", ["0.00001", "123456789012345", "NaN", "Infinity", "1e-5", "1e15"])
def test_an_amount_that_would_not_fit_its_column_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError):
        OrderLine(net_amount=Decimal(amount))


@pytest.mark.parametrize("amount", ["0.0001", "99999999999999.9999", "1e3", "1.50000000", "-0"])
def test_an_amount_that_fits_is_taken(amount: str) -> None:
    order = Order(source_id="1", ordered_at=MORNING, total_amount=Decimal(amount))
    assert to_arrow(Order, [order])["orders"]["total_amount"].to_pylist() == [Decimal(amount)]


_MONEY = TypeAdapter(Money)
_BY_PYDANTIC = TypeAdapter(Annotated[Decimal, Field(max_digits=18, decimal_places=4)])


def _verdict(adapter: TypeAdapter[Decimal], value: object) -> object:
    try:
        return str(adapter.validate_python(value))
    except ValidationError as error:
        return [(fault["type"], fault["msg"], fault["loc"]) for fault in error.errors()]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.one_of(
        st.builds(
            lambda digits, exponent: Decimal(digits).scaleb(exponent),
            st.integers(-(10**19), 10**19),
            st.integers(-9, 5),
        ),
        st.decimals(),
        st.floats(),
        st.text("0123456789.-e ", max_size=9),
    )
)
@example(Decimal("1e-2000000"))
@example(Decimal("0e-2000000"))
@example(Decimal("0e99"))
@example(Decimal("99999999999999.9999"))
@example(Decimal("1.00000"))
def test_amounts_are_taken_and_refused_just_as_pydantic_would(value: object) -> None:
    with localcontext(prec=3):
        assert _verdict(_MONEY, value) == _verdict(_BY_PYDANTIC, value)


def test_empty_texts_are_stored_as_unknown() -> None:
    [row] = to_arrow(Customer, [member("1", nickname="  ", city="")])["profiles"].to_pylist()
    assert (row["nickname"], row["city"]) == (None, None)


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({}, None),
        ({"b": 1, "a": {"d": 1, "c": [Decimal("1.5")]}}, '{"a":{"c":["1.5"],"d":1},"b":1}'),
        ({"at": dt.date(2026, 3, 1), "n": {1: "x"}}, '{"at":"2026-03-01","n":{"1":"x"}}'),
        ({"big": 2**80}, f'{{"big": {2**80}}}'),
        ({"half": "\ud83d"}, '{"half": "\\ud83d"}'),
    ],
)
def test_unknown_fields_are_kept_as_text_whatever_they_hold(extra: dict[str, Any], text: str | None) -> None:
    assert to_arrow(Customer, [member("1", extra=extra)])["profiles"]["extra"].to_pylist() == [text]


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_id": ""},
        {"source_id": "1", "birthday": "17.05.1990"},
        {"source_id": "1", "registered_at": dt.datetime(2026, 1, 1)},  # noqa: DTZ001 - the missing zone is the point
        {"source_id": "1", "colour": "red"},
        {"source_id": "1", "identifiers": [{"kind": "telepathy", "value": "x"}]},
        {"source_id": "1", "identifiers": [{"kind": "phone", "value": ""}]},
    ],
)
def test_what_is_no_record_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Customer(**wrong)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        member("1").name = "other"  # type: ignore[misc]


def test_child_rows_know_their_record_and_their_place() -> None:
    ids = [Identifier(kind=IdentifierKind.PHONE, value=f"1540000000{n}") for n in range(3)]
    tables = to_arrow(Customer, [Customer(source_id="a", identifiers=tuple(ids)), Customer(source_id="b")])
    assert tables["profiles_identifiers"].select(["source_id", "position", "value"]).to_pydict() == {
        "source_id": ["a"] * 3,
        "position": [0, 1, 2],
        "value": ["15400000000", "15400000001", "15400000002"],
    }
    assert tables["profiles_cards"].num_rows == 0


def test_no_rows_still_have_the_schema() -> None:
    assert to_arrow(Store, [])["stores"].schema == record_tables()["stores"].schema


def test_every_annotation_of_a_model_has_a_column_type() -> None:
    class Odd(Record):
        table = "odd"
        what: complex = 0j

    with pytest.raises(TypeError, match=r"Odd\.what has type <class 'complex'>"):
        tables_of(Odd)


def test_a_record_that_is_dropped_takes_its_child_rows_along_wherever_it_stands() -> None:
    """More records than are turned into columns at a time, each with as many phones as its number says."""
    builder = ColumnBuilder(Customer)
    phone = Identifier(kind=IdentifierKind.PHONE, value="15400000000")
    records = [Customer(source_id=str(place), identifiers=(phone,) * (place % 3)) for place in range(4_100)]
    builder.add(records[:2_500])
    builder.add(records[2_500:])
    gone = (1, 2_000, 4_098)
    for place in gone:
        builder.drop(place)
    tables = builder.tables()
    kept = [record for place, record in enumerate(records) if place not in gone]
    assert tables["profiles"]["source_id"].to_pylist() == [record.source_id for record in kept]
    assert tables["profiles_identifiers"].select(["source_id", "position"]).to_pylist() == [
        {"source_id": record.source_id, "position": position}
        for record in kept
        for position in range(len(record.identifiers))
    ]
