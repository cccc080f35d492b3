"""The parts that commands are made of: masking, settings as people read them, tables, JSON, the facade."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr
from rich.cells import cell_len

import hub
from hub.cli.config_help import settings_of, type_name
from hub.cli.document import plain, to_json
from hub.cli.masking import mask_identifier, mask_row
from hub.cli.moment import moment
from hub.columns import record_tables
from hub.errors import ConfigError, Problem
from hub.show.screen import Screen, age, decimal_text, text_of
from hub.titles import Title

SHANGHAI = dt.timezone(dt.timedelta(hours=8))


@given(st.text(min_size=1))
def test_a_masked_name_keeps_one_character_and_tells_no_length(name: str) -> None:
    assert mask_row("profiles", {"name": name}) == {"name": f"{name[0]}**"}


@given(st.text(alphabet="abcdefgh0123456789_-", min_size=8, max_size=40))
def test_a_masked_identifier_keeps_four_characters_at_most(value: str) -> None:
    masked = mask_identifier(value)

    assert masked != value
    assert len(masked.replace("*", "")) <= 7


def test_phones_are_masked_as_everywhere_else() -> None:
    assert mask_identifier("+8615400000001") == "154****0001"


def test_a_row_keeps_what_is_not_personal() -> None:
    row = {
        "source_id": "15400000001",
        "note": "送到家",
        "total_amount": Decimal(5),
        "extra": '{"备注": "怕辣"}',
        "channel": "store",
    }

    assert mask_row("orders", row) == {
        "source_id": "154****0001",
        "note": "送**",
        "total_amount": Decimal(5),
        "extra": '{"备注": "***"}',
        "channel": "store",
    }


def test_phones_are_masked_in_lists_too() -> None:
    assert mask_row("profiles", {"tags": ["VIP", "15400000001"]}) == {"tags": ["VIP", "154****0001"]}


def test_a_shop_s_name_is_not_personal() -> None:
    assert mask_row("stores", {"name": "南京西路店"}) == {"name": "南京西路店"}


NOT_PERSONAL = {
    "acquired_through", "add_way", "assurance", "belonging_guide_id", "belonging_store_id", "birthday_calendar",
    "cashier_id", "channel", "city", "country", "currency", "customer_id", "district", "gender", "guide_id", "kind",
    "level", "level_id", "merged_into", "method", "method_text", "number", "order_id", "original_id", "phone",
    "product_id", "province", "question", "register_id", "role", "scheme", "scope", "source_id", "staff_id", "state",
    "status", "store_id", "subject_id", "subject_kind", "time_text", "topic", "type",
}  # fmt: skip
"""Text columns of records about people that are shown (phones and e-mails in them are masked by their shape)."""
ABOUT_THINGS = {"products", "stores", "orders_lines"}


@pytest.mark.parametrize("table", sorted(record_tables().keys() - ABOUT_THINGS))
def test_every_text_about_people_is_masked_or_was_judged_harmless(table: str) -> None:
    texts = [column.name for column in record_tables()[table].schema if pa.types.is_string(column.type)]

    masked = mask_row(table, dict.fromkeys(texts, "甲乙丙丁"))

    assert [name for name in texts if masked[name] == "甲乙丙丁" and name not in NOT_PERSONAL] == []


class Inner(BaseModel):
    """A table.

    Attributes:
        depth: how deep.
    """

    depth: int = 3


class Example(BaseModel):
    """Settings.

    Attributes:
        mode: one way
            or the other.
        inner: a table of its own.
    """

    mode: Literal["fast", "slow"] = "fast"
    keys: tuple[SecretStr, ...]
    days: list[int] = Field(default_factory=lambda: [1, 2], description="Days.")
    inner: Inner = Inner()
    started: dt.date | None = None
    rate: float | str = 1.5


def test_settings_are_told_in_the_words_of_toml() -> None:
    found = {setting.name: setting for setting in settings_of(Example)}

    assert list(found) == ["mode", "keys", "days", "inner", "inner.depth", "started", "rate"]
    assert found["mode"].type == "one of fast, slow"
    assert found["mode"].default == '"fast"'
    assert found["mode"].description == "One way or the other."
    assert found["keys"].required
    assert found["keys"].secret
    assert found["keys"].type == "list of text"
    assert (found["days"].default, found["days"].description) == ("[1, 2]", "Days.")
    assert (found["inner"].type, found["inner"].default) == ("table", "")
    assert (found["inner.depth"].default, found["inner.depth"].description) == ("3", "How deep.")
    assert (found["started"].type, found["started"].default) == ("date", "")
    assert found["rate"].type == "number or text"


def test_a_type_nobody_thought_of_is_told_by_its_name() -> None:
    assert type_name(complex) == "complex"


def screen(width: int = 80) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    made = Screen(file, SHANGHAI)
    made.console.width = width
    return made, file


cells = st.one_of(
    st.none(), st.integers(), st.text(max_size=60), st.text(alphabet="会员高消费忠诚店铺", max_size=60), st.booleans()
)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5))
def test_a_table_never_grows_wider_than_the_terminal(rows: list[tuple[Any, ...]]) -> None:
    made, file = screen(80)

    made.table(("Name", "Title 标题", "Rest"), rows)

    assert all(cell_len(line) <= 80 for line in file.getvalue().splitlines())


def test_a_table_shows_values_for_people() -> None:
    made, file = screen()
    instant = dt.datetime(2026, 3, 1, 16, 30, tzinfo=dt.UTC)

    made.table(("What", ">Number", "When"), [("[red]红", 1_234_567, instant)])

    assert file.getvalue().splitlines()[-1].split() == ["[red]红", "1,234,567", "2026-03-02", "00:30:00"]


def test_a_listing_aligns_chinese_and_latin() -> None:
    made, file = screen()

    made.listing([(("会员", "a"), "details"), (("abc", "b"), "")])

    assert file.getvalue().splitlines() == ["会员  a", "    details", "abc   b"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (True, "yes"), (1234, "1,234"), (0.25, "0.25"), (Decimal("12.5000"), "12.5"), (["a", "b"], "a, b"),
     ({"rows": 1200}, "rows 1,200"), (Title("忠诚", "Loyal"), "忠诚 Loyal")],
)  # fmt: skip
def test_values_for_people(value: object, shown: str) -> None:
    assert text_of(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ages_are_told_in_their_largest_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**13), max_value=10**13))
def test_an_amount_loses_no_digit(amount: Decimal) -> None:
    assert Decimal(decimal_text(amount)) == amount
    assert "E" not in decimal_text(amount)


def test_a_document_is_made_of_json_types() -> None:
    error = ConfigError("Wrong.", problems=[Problem("hub.toml", "hub.home", "is wrong.", "Mend it.", 3)])

    assert plain({"title": Title("标题", "Title"), "set": {"b", "a"}, "error": error, "path": Path("a/b")}) == {
        "title": {"zh": "标题", "en": "Title"},
        "set": ["a", "b"],
        "error": {
            "code": "config_invalid",
            "message": "Wrong.",
            "hint": "",
            "context": {},
            "problems": [
                {"file": "hub.toml", "key": "hub.home", "message": "is wrong.", "hint": "Mend it.", "line": 3}
            ],
        },
        "path": "a/b",
    }
    assert "标题" in to_json({"title": "标题"})


def test_times_without_a_zone_are_the_hub_s_own() -> None:
    assert moment("2026-04-01", SHANGHAI) == dt.datetime(2026, 4, 1, tzinfo=SHANGHAI)
    assert moment("2026-04-01T00:00Z", SHANGHAI) == dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    assert moment(None, SHANGHAI) is None


def test_the_facade_offers_the_stages_of_the_command() -> None:
    from hub.pipeline.run import STAGES

    assert hub.__all__ == sorted(hub.__all__)
    assert {*STAGES, "run", "open_hub"} <= set(hub.__all__)
    for name in hub.__all__:
        assert getattr(hub, name) is not None
        assert name in dir(hub)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hub.nothing


def test_importing_the_hub_costs_nothing() -> None:
    program = "import sys, hub; print(sorted(name for name in sys.modules if name.startswith('hub')))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "['hub']\n"


def test_names_in_the_config_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.cli import complete

    (tmp_path / "hub.toml").write_text("[connections.pos]\n[connections.post]\n[connections.crm]\n[syncs.best]\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    monkeypatch.delenv("HUB_CONFIG", raising=False)

    assert complete.connections("po") == ["pos", "post"]
    assert complete.syncs("") == ["best"]
    (tmp_path / "hub.toml").write_text("not toml")
    assert complete.connections("po") == []
