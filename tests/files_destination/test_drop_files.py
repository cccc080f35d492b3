"""What the files hold: columns, values, formats, names and manifests."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drop_rig import NOW, Rig, operation, operations, push
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.destination import Mode, Operation, OperationKind, OutcomeStatus
from hub.errors import StreamError
from plugins.files.cells import csv_text, guarded
from plugins.files.config import FilesConfig
from plugins.files.destination import FilesDestination
from plugins.files.output import WriteSettings, file_name, safe_name
from plugins.files.spool import Spool

CREATE, UPDATE, DELETE, KEEP = OperationKind.CREATE, OperationKind.UPDATE, OperationKind.DELETE, OperationKind.KEEP
CHINA = ZoneInfo("Asia/Shanghai")


# Audiences.


def test_an_audience_is_the_whole_set_without_those_who_left(rig: Rig) -> None:
    outcomes = rig.push("audience", [operation(1), operation(2, UPDATE), operation(3, KEEP), operation(4, DELETE)])
    assert rig.rows() == [{"key": f"c{n}", "phone": f"1540000000{n}", "level": "gold"} for n in (1, 2, 3)]
    assert [(outcome.operation_id, outcome.status.value) for outcome in outcomes] == [
        ("op-batch-1-1", "accepted"),
        ("op-batch-1-2", "accepted"),
        ("op-batch-1-3", "unchanged"),
        ("op-batch-1-4", "accepted"),
    ]
    assert rig.names() == ["audience.csv", "audience.csv.manifest.json"]


def test_the_manifest_says_what_the_file_is(rig: Rig) -> None:
    rig.push("audience", [operation(1), operation(2, KEEP), operation(3, DELETE)])
    assert rig.manifest() == {
        "file": "audience.csv",
        "kind": "audience",
        "target": "audience",
        "connection": "drop",
        "batch_id": "batch-1",
        "created_at": "2026-03-01T17:30:00Z",
        "rows": 2,
        "columns": ["key", "phone", "level"],
        "operations": {"create": 1, "update": 0, "delete": 1, "keep": 1},
        "format": "csv",
        "bytes": (rig.out / "audience.csv").stat().st_size,
        "sha256": rig.digest(),
    }


def test_an_audience_that_everybody_left_is_a_header(rig: Rig) -> None:
    rig.push("audience", operations(2), columns=["phone"])
    rig.push("audience", operations(2, DELETE, batch="batch-2"), columns=["phone"])
    assert (rig.out / "audience.csv").read_bytes() == b"key,phone\r\n"
    assert rig.manifest()["rows"] == 0


def test_a_file_that_would_be_the_same_is_left_alone(rig: Rig) -> None:
    rig.push("audience", operations(3))
    before = (rig.out / "audience.csv").stat()
    later = rig.connect(now=lambda: NOW + dt.timedelta(hours=1))
    outcomes = push(later, "audience", operations(3, KEEP, batch="batch-2"))
    after = (rig.out / "audience.csv").stat()
    assert {outcome.status for outcome in outcomes} == {OutcomeStatus.UNCHANGED}
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert rig.manifest()["created_at"] == "2026-03-01T17:30:00Z"


def test_a_file_that_somebody_removed_or_cut_is_written_again(rig: Rig) -> None:
    rig.push("audience", operations(3))
    (rig.out / "audience.csv").unlink()
    rig.push("audience", operations(3, KEEP, batch="batch-2"))
    assert len(rig.rows()) == 3
    (rig.out / "audience.csv").write_text("cut")
    rig.push("audience", operations(3, KEEP, batch="batch-3"))
    assert len(rig.rows()) == 3


def test_a_broken_manifest_does_not_stand_in_the_way(rig: Rig) -> None:
    rig.push("audience", operations(3))
    (rig.out / "audience.csv.manifest.json").write_text("{")
    rig.push("audience", operations(3, KEEP, batch="batch-2"))
    assert rig.manifest()["sha256"] == rig.digest()


def test_a_finished_push_that_is_repeated_leaves_everything_as_it_is(rig: Rig) -> None:
    rig.push("audience", operations(5))
    before = {name: (rig.out / name).read_bytes() for name in rig.names()}
    # The hub may repeat only those rows whose outcome it does not know.
    outcomes = push(rig.connect(now=lambda: NOW + dt.timedelta(days=2)), "audience", operations(5)[3:])
    assert {outcome.status for outcome in outcomes} == {OutcomeStatus.ACCEPTED}
    assert {name: (rig.out / name).read_bytes() for name in rig.names()} == before


def test_nothing_handed_over_writes_nothing(rig: Rig) -> None:
    assert rig.push("audience", []) == []
    assert rig.names() == []


def test_several_audiences_have_a_file_each(rig: Rig) -> None:
    settings: dict[str, Any] = {"audiences": ["vip", "sleeping"], "changes": []}
    rig.push("vip", operations(1), **settings)
    rig.push("sleeping", operations(2), **settings)
    assert (len(rig.rows("vip.csv")), len(rig.rows("sleeping.csv"))) == (1, 2)


# Changes.


def test_a_file_of_changes_names_the_operation(rig: Rig) -> None:
    rig.push("changes", [operation(1), operation(2, UPDATE), operation(3, DELETE)])
    assert rig.rows("changes-batch-1.csv") == [
        {"operation": "create", "key": "c1", "phone": "15400000001", "level": "gold"},
        {"operation": "update", "key": "c2", "phone": "15400000002", "level": "gold"},
        {"operation": "delete", "key": "c3", "phone": "", "level": ""},
    ]
    assert rig.manifest("changes-batch-1.csv")["kind"] == "changes"


def test_each_push_of_changes_has_its_own_file(rig: Rig) -> None:
    rig.push("changes", operations(1))
    rig.push("changes", operations(2, batch="batch-2"))
    assert [name for name in rig.names() if name.endswith(".csv")] == ["changes-batch-1.csv", "changes-batch-2.csv"]


def test_a_repeat_after_midnight_finds_the_file_of_the_day_before(rig: Rig) -> None:
    template = "{target}-{date}-{batch_id}"
    rig.push("changes", operations(2), changes_file=template)
    push(rig.connect(now=lambda: NOW + dt.timedelta(days=1), changes_file=template), "changes", operations(2))
    assert [name for name in rig.names() if name.endswith(".csv")] == ["changes-2026-03-02-batch-1.csv"]


def test_a_value_named_like_the_operation_column_is_refused_before_anything_is_written(rig: Rig) -> None:
    with pytest.raises(StreamError) as caught:
        rig.push("changes", [operation(1, operation="x")])
    assert caught.value.code == "column_conflict"
    assert rig.names() == []
    rig.push("changes", [operation(1, operation="x")], operation_column="change")
    assert rig.rows("changes-batch-1.csv") == [{"change": "create", "key": "c1", "operation": "x"}]


# Columns and values.


def test_a_column_that_comes_late_is_empty_before(rig: Rig) -> None:
    rows = [operation(1, a="1"), operation(2, b="2"), operation(3, a="3", b="3")]
    rig.push("audience", rows)
    assert rig.rows() == [
        {"key": "c1", "a": "1", "b": ""},
        {"key": "c2", "a": "", "b": "2"},
        {"key": "c3", "a": "3", "b": "3"},
    ]


def test_configured_columns_are_just_these_in_this_order(rig: Rig) -> None:
    rig.push("audience", [operation(1, a="1", b="2", c="3")], columns=["c", "missing", "a"], key_column="")
    assert (rig.out / "audience.csv").read_text(encoding="utf-8").splitlines() == ["c,missing,a", "3,,1"]


def test_a_mapped_value_takes_the_place_of_the_key_column(rig: Rig) -> None:
    rig.push("audience", [operation(1, phone="15400000001")], key_column="phone")
    assert rig.rows() == [{"phone": "15400000001"}]


def test_values_of_every_kind_are_written_in_the_chains_zone(rig: Rig) -> None:
    values = {
        "none": None,
        "yes": True,
        "count": 7,
        "big": 2**70,
        "share": 0.25,
        "spent": Decimal("1280.50"),
        "day": dt.date(2026, 3, 1),
        "at": NOW,
        "tags": ["a", None],
        "more": {"k": "值"},
        "text": 'a "b", c\nd',
    }
    rig.push("audience", [operation(1, **values)])
    assert rig.rows()[0] == {
        "key": "c1",
        "none": "",
        "yes": "true",
        "count": "7",
        "big": str(2**70),
        "share": "0.25",
        "spent": "1280.50",
        "day": "2026-03-01",
        "at": "2026-03-02T01:30:00+08:00",
        "tags": '["a",null]',
        "more": '{"k":"值"}',
        "text": 'a "b", c\nd',
    }


def test_excel_gets_a_byte_order_mark_on_request(rig: Rig) -> None:
    rig.push("audience", [operation(1, 姓名="测试")], bom=True)
    assert (rig.out / "audience.csv").read_bytes().startswith(b"\xef\xbb\xbfkey,")
    rig.push("audience", [operation(1, 姓名="测试", batch="batch-2")])
    assert (rig.out / "audience.csv").read_bytes().startswith("key,姓名".encode())


def test_packed_files_are_the_same_bytes_for_the_same_rows(rig: Rig) -> None:
    rig.push("audience", operations(50), gzip=True)
    first = rig.digest("audience.csv.gz")
    for name in rig.names():
        (rig.out / name).unlink()
    push(rig.connect(now=lambda: NOW + dt.timedelta(days=1), gzip=True), "audience", operations(50))
    assert rig.digest("audience.csv.gz") == first
    assert len(rig.rows("audience.csv.gz")) == 50


def test_another_delimiter(rig: Rig) -> None:
    rig.push("audience", [operation(1, a="x;y")], delimiter=";")
    assert (rig.out / "audience.csv").read_text(encoding="utf-8").splitlines() == ["key;a", 'c1;"x;y"']


# Formulas.


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "+", "-", "+1+cmd"]
)
def test_text_that_a_spreadsheet_would_run_is_guarded(rig: Rig, text: str) -> None:
    rig.push("audience", [operation(1, note=text)])
    assert rig.rows()[0]["note"] == f"'{text}"


@pytest.mark.parametrize("text", ["+8615400000001", "-12.5", "-1,280.50", "1=1", "a@example.com", " =1", "值", ""])
def test_text_that_is_harmless_is_left_alone(text: str) -> None:
    assert guarded(text) == text


def test_negative_numbers_stay_numbers() -> None:
    assert [csv_text(value, CHINA, guard=True) for value in (-5, Decimal("-5.10"), -0.5)] == ["-5", "-5.10", "-0.5"]


def test_the_guard_covers_headers_and_keys(rig: Rig) -> None:
    row = Operation("op", "b", CREATE, "=key", {"=name": "x"}, "c1")
    rig.push("audience", [row])
    assert rig.rows() == [{"key": "'=key", "'=name": "x"}]


def test_the_guard_can_be_switched_off(rig: Rig) -> None:
    rig.push("audience", [operation(1, note="=1+1")], formula_guard=False)
    assert rig.rows()[0]["note"] == "=1+1"


@given(st.text())
def test_no_guarded_text_begins_like_a_formula_unless_it_is_a_number(text: str) -> None:
    shown = guarded(text)
    assert shown.removeprefix("'") == text or shown == text
    if shown.startswith(("=", "+", "-", "@", "\t", "\r")):
        float(shown.replace(",", "").replace(".", "", max(shown.count(".") - 1, 0)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c"]),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
            min_size=1,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_csv_can_be_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]) -> None:
    rig = Rig(tmp_path_factory.mktemp("roundtrip"))
    rig.push("audience", [operation(n, **row) for n, row in enumerate(rows)], formula_guard=False)
    columns = ["a", "b", "c"]
    found = [tuple(row.get(name, "") for name in columns) for row in rig.rows()]
    assert found == [tuple(row.get(name, "") for name in columns) for row in rows]


# Parquet.


def test_parquet_keeps_the_types(rig: Rig) -> None:
    rows = [
        operation(1, count=1, spent=Decimal("1.5"), day=dt.date(2026, 3, 1), at=NOW, yes=True, none=None, tags=["a"]),
        operation(2, count=None, spent=Decimal("1000.255"), at=NOW, yes=False, none=None, late="x"),
    ]
    rig.push("audience", rows, format="parquet")
    table = pq.read_table(rig.out / "audience.parquet")
    assert table.schema.types == [
        pa.string(),
        pa.int64(),
        pa.decimal128(7, 3),
        pa.date32(),
        pa.timestamp("us", tz="Asia/Shanghai"),
        pa.bool_(),
        pa.string(),
        pa.string(),
        pa.string(),
    ]
    assert table.column("at").to_pylist() == [NOW, NOW]
    assert table.column("spent").to_pylist() == [Decimal("1.500"), Decimal("1000.255")]
    assert table.column("tags").to_pylist() == ['["a"]', None]
    assert rig.manifest("audience.parquet")["columns"] == table.column_names


def test_parquet_finds_types_that_fit_all_parts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.files.destination.Spool", partial(Spool, part_rows=2))
    values: list[Any] = [None, None, 1, 2, 2.5, None, Decimal("3.25"), 4]
    mixed: list[Any] = [1, 2, "x", None, Decimal("1.50"), 2**70, True, None]
    rows = [operation(n, v=value, m=other) for n, (value, other) in enumerate(zip(values, mixed, strict=True))]
    rig.push("audience", rows, format="parquet")
    table = pq.read_table(rig.out / "audience.parquet")
    assert [None if v is None else float(v) for v in table.column("v").to_pylist()] == [
        None, None, 1.0, 2.0, 2.5, None, 3.25, 4.0,
    ]  # fmt: skip
    assert table.column("m").to_pylist() == ["1", "2", "x", None, "1.50", str(2**70), "True", None]


def test_parquet_is_the_same_bytes_for_the_same_rows(rig: Rig) -> None:
    rig.push("audience", operations(50), format="parquet")
    inode = (rig.out / "audience.parquet").stat().st_ino
    rig.push("audience", operations(50, KEEP, batch="batch-2"), format="parquet")
    assert (rig.out / "audience.parquet").stat().st_ino == inode


# Names.


@pytest.mark.parametrize("text", ["../../etc/passwd", "a/b", "..", ".hidden", "a\\b", "nul\0", "x" * 300, "", "a b?*"])
def test_a_file_name_cannot_leave_the_folder(text: str) -> None:
    name = safe_name(text)
    assert Path(name).name == name
    assert not name.startswith(".")
    assert len(name.encode()) < 200
    assert not set(name) & set('?*[]/\\\0 "')


@given(st.lists(st.text(max_size=100), unique=True, max_size=5))
def test_different_texts_have_different_file_names(texts: list[str]) -> None:
    assert len({safe_name(text) for text in texts}) == len(texts)


def test_a_batch_id_with_odd_characters_gives_one_safe_file(rig: Rig) -> None:
    rig.push("changes", operations(1, batch="../x/1"))
    (name,) = [name for name in rig.names() if name.endswith(".csv")]
    assert name.startswith("changes-_x_1-")


def test_the_date_is_that_of_the_chains_zone(rig: Rig) -> None:
    rig.push("audience", operations(1), audience_file="人群 {target}_{date}")
    assert rig.names()[0] == "人群 audience_2026-03-02.csv"


@pytest.mark.parametrize(
    "wrong",
    [
        {"audience_file": "{batch_id}"},
        {"audience_file": "{nothing}"},
        {"audience_file": "{target.__class__}"},
        {"audience_file": "{target!r}"},
        {"audience_file": "{target"},
        {"audience_file": "sub/{target}"},
        {"audience_file": ".{target}"},
        {"audience_file": "audience", "audiences": ["a", "b"]},
        {"changes_file": "{target}"},
        {"audiences": ["a", "a"]},
        {"audiences": ["a"], "changes": ["a"]},
        {"audiences": [], "changes": []},
        {"audiences": ["A b"]},
        {"format": "parquet", "gzip": True},
        {"format": "xlsx"},
        {"delimiter": "a"},
        {"delimiter": '"'},
        {"columns": []},
        {"columns": ["a", "a"]},
        {"unknown": 1},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WriteSettings.model_validate(wrong)


def test_the_name_of_any_day_is_a_pattern() -> None:
    settings = WriteSettings(changes_file="{date}_{batch_id}")
    assert file_name(settings, "changes", batch_id="b1") == "????-??-??_b1.csv"


# The contract.


def test_targets_take_any_identifier_as_key(rig: Rig) -> None:
    audience, changes = rig.connect().targets()
    assert (audience.whole_set, audience.batch_size, audience.modes) == (True, None, frozenset({Mode.MIRROR}))
    assert (changes.whole_set, changes.batch_size, changes.modes) == (False, None, frozenset(Mode))
    assert {"customer_id", "phone"} <= set(audience.keys) == set(changes.keys)


def test_a_connection_that_only_reads_offers_nothing_to_write(rig: Rig) -> None:
    destination = FilesDestination(FilesConfig(url="drops"), rig.connect().runtime)
    assert (list(destination.targets()), list(destination.check())) == ([], [])


def test_the_check_writes_and_removes_a_file(rig: Rig) -> None:
    (check,) = rig.connect().check()
    assert check.ok
    assert rig.names() == []


def test_a_folder_whose_name_looks_like_a_pattern(rig: Rig) -> None:
    for _ in range(2):
        rig.push("changes", operations(1), url="out[1]*", changes_file="{date}-{batch_id}")
    assert len(list((rig.base / "out[1]*").iterdir())) == 2


def test_any_file_system_of_fsspec(rig: Rig) -> None:
    memory = fsspec.filesystem("memory")
    destination = rig.connect(url="memory://bucket/drop", gzip=True)
    assert destination.check()[0].ok
    push(destination, "audience", operations(3))
    push(destination, "audience", operations(2, batch="batch-2"))
    names = sorted(path.rsplit("/", 1)[-1] for path in memory.ls("/bucket/drop", detail=False))
    assert names == ["audience.csv.gz", "audience.csv.gz.manifest.json"]
    assert json.loads(memory.cat_file("/bucket/drop/audience.csv.gz.manifest.json"))["rows"] == 2
    assert list(rig.scratch.iterdir()) == []
    memory.rm("/bucket", recursive=True)


def test_a_spreadsheet_reader_sees_the_rows(rig: Rig) -> None:
    rig.push("audience", operations(3), bom=True)
    rows = list(csv.reader(io.StringIO((rig.out / "audience.csv").read_text(encoding="utf-8-sig"), newline="")))
    assert len(rows) == 4
    assert all(len(row) == 3 for row in rows)
