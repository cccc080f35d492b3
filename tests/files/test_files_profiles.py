"""Mapping profiles: shipped ones, changes to them, and every mistake told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from files_rig import Drops, csv

from hub.errors import ConfigError
from plugins.files.mapping.headers import normal_header
from plugins.files.mapping.loading import shipped_profiles


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_shipped_profile_is_whole(drops: Drops, name: str) -> None:
    (stream,) = drops.source(name).streams()
    assert stream.name in {"orders", "customers", "products", "stores"}


def test_shipped_profiles_are_these() -> None:
    assert shipped_profiles() == ["uci_online_retail", "zh_members", "zh_pos", "zh_products", "zh_stores"]


def test_a_profile_may_be_a_file_beside_hub_toml(drops: Drops) -> None:
    (drops.folder.parent / "our.toml").write_text(
        'extends = "zh_pos"\n[columns]\nnumber = ["我的号"]\n', encoding="utf-8"
    )
    assert drops.read_one(csv("1,2026-03-01,5", header="我的号,销售时间,实收总额"), "our.toml").ids == ["1"]


def test_a_profile_may_stand_wholly_in_the_connection(drops: Drops) -> None:
    mapping = {
        "stream": "orders",
        "key": ["number"],
        "required": ["number", "ordered_at"],
        "columns": {"number": ["no"], "ordered_at": ["at"], "total_amount": ["total"]},
    }
    assert drops.read_one(csv("1,2026-03-01,5", header="no,at,total"), mapping).only.total_amount == 5


def test_a_header_that_gets_a_new_meaning_loses_its_old_one(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "columns": {"product_id": ["条码"]}}
    order = drops.read_one(csv("1,2026-03-01,690,5", header="单号,销售时间,条码,小计"), mapping).only
    assert (order.lines[0].product_id, order.lines[0].barcode) == ("690", None)


def test_an_empty_list_takes_a_field_away(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "columns": {"phone": []}}
    order = drops.read_one(csv("1,2026-03-01,5,15400000001", header="单号,销售时间,实收总额,手机号"), mapping).only
    assert (order.identifiers, order.extra) == ((), {"手机号": "15400000001"})


def test_all_problems_of_a_profile_are_told_at_once(drops: Drops) -> None:
    mapping: dict[str, Any] = {
        "extends": "zh_pos",
        "amount": "line",
        "decimals": 7,
        "timezone": "Asia/Shanghia",
        "key": ["store", "number"],
        "columns": {"quantiy": ["件数"], "note": ["流水号X"], "channel": ["流水号X"]},
        "kinds": {"退货": "return"},
        "patterns": {"path": "(?P<store>"},
    }
    with pytest.raises(ConfigError) as caught:
        drops.source(mapping)
    assert [f"{problem.key}: {problem.message} {problem.hint}".strip() for problem in caught.value.problems] == [
        "decimals: Input should be less than or equal to 4.",
        "kinds.退货: Input should be 'sale', 'refund', 'exchange', 'deposit', 'adjustment', 'wholesale', 'staff', 'gift' or 'void'.",
        "amount: there is no such key. Did you mean 'amounts'?",
        "columns.quantiy: there is no field 'quantiy' in stream orders. Did you mean 'quantity'?",
        "key: there is no field 'store' in stream orders. Did you mean 'store_id'?",
        "columns.note: header '流水号X' stands for columns.channel too. Keep it in one of them.",
        "patterns.path: is not a regular expression: missing ), unterminated subpattern at position 0.",
        "timezone: there is no time zone 'Asia/Shanghia'. Use a name such as 'Asia/Shanghai'.",
    ]


def test_an_unknown_profile_names_the_shipped_ones(drops: Drops) -> None:
    with pytest.raises(ConfigError, match="There is no mapping profile 'zh_poss'") as caught:
        drops.source("zh_poss")
    assert "Shipped: uci_online_retail, zh_members, zh_pos" in str(caught.value)


def test_a_profile_that_is_no_toml_is_told(drops: Drops) -> None:
    (drops.folder.parent / "our.toml").write_text("columns = [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"our\.toml is not TOML"):
        drops.source("our.toml")


def test_profiles_that_extend_each_other_are_told(drops: Drops) -> None:
    for name, base in (("a", "b"), ("b", "a")):
        (drops.folder.parent / f"{name}.toml").write_text(f'extends = "{base}.toml"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="in a circle"):
        drops.source("a.toml")


@pytest.mark.parametrize(
    ("header", "plain"),
    [
        ("实收金额（元）", "实收金额"),
        ("实收金额(元)", "实收金额"),
        ("单价/元", "单价"),
        (" 手机号： ", "手机号"),
        ("\ufeff流水号", "流水号"),
        ("Unit Price", "unitprice"),
        ("【门店】", "门店"),
        ("会员 卡号", "会员卡号"),
        ("ＰＯＳ号", "pos号"),
    ],
)
def test_headers_are_compared_without_their_dress(header: str, plain: str) -> None:
    assert normal_header(header) == plain


def test_the_readme_names_every_setting_of_the_profile() -> None:
    from plugins.files.mapping.profile import Profile

    readme = (Path(__file__).parents[2] / "plugins" / "files" / "README.md").read_text(encoding="utf-8")
    assert [name for name in Profile.model_fields if f"`{name}`" not in readme] == []


def test_the_readme_names_every_field() -> None:
    from plugins.files.mapping.fields import FIELDS

    readme = (Path(__file__).parents[2] / "plugins" / "files" / "README.md").read_text(encoding="utf-8")
    names = {name for fields in FIELDS.values() for name in fields}
    assert sorted(name for name in names if f"`{name}`" not in readme) == []


def test_the_readme_names_every_setting_of_the_connection() -> None:
    from plugins.files.config import FilesConfig

    readme = (Path(__file__).parents[2] / "plugins" / "files" / "README.md").read_text(encoding="utf-8")
    assert [name for name in FilesConfig.model_fields if f"`{name}`" not in readme] == []
