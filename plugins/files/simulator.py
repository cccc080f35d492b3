"""The simulated chain's tills as a folder of daily exports, the way a Chinese POS drops them.

One member list (会员资料) and one sales file (销售流水) per day with news: GB18030, refunds as 退货 rows, late tickets in the file
of the day they arrived. Real exports are as untidy; the connector must cope.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from hub.simulation.server.clock import Clock
from hub.simulation.world import ZONE, World, WorldState
from hub.titles import Title

__all__ = ["DropSimulator"]

_WORLD: Final = "pos"
_MEMBER_HEADER: Final = (
    "会员卡号", "姓名", "手机号", "性别", "生日", "会员等级", "积分", "余额", "归属门店编码", "开卡时间", "unionid", "更新时间"
)  # fmt: skip
_SALES_HEADER: Final = (
    "流水号", "行号", "门店编码", "营业日期", "销售时间", "单据类型", "商品编码", "商品名称", "规格",
    "数量", "单价", "优惠金额", "小计", "会员卡号", "支付方式", "原始单号",
)  # fmt: skip
_GENDERS: Final = {1: "男", 2: "女"}
_TENDERS: Final = {
    "wechat_pay": "微信",
    "alipay": "支付宝",
    "cash": "现金",
    "bank_card": "银行卡",
    "stored_value": "储值卡",
    "third_party_voucher": "团购券",
}
_KINDS: Final = {"sale": "销售", "wholesale": "批发", "staff_purchase": "员工", "test": "作废"}


class DropSimulator:
    """Writes the tills' exports into a folder.

    Args:
        world: the simulated chain.
        state: the folder the files are dropped into.
        seed: not used; the files follow from the world alone.
        programme: not used; a folder has no network to fail.
        clock: not used; :meth:`move_to` says how late it is.
    """

    name: ClassVar[str] = "files"
    title: ClassVar[Title] = Title("收银机日结文件", "Till exports")

    def __init__(
        self,
        world: World,
        *,
        state: Path | None = None,
        seed: int = 0,
        programme: str = "none",
        clock: Clock | None = None,
    ) -> None:
        if state is None:
            raise ValueError("the folder for the drops is needed: state=Path(...)")
        del seed, programme, clock
        self.world = world
        self.folder = state
        self._until: dt.datetime | None = None

    def start(self, address: str = "127.0.0.1", port: int = 0) -> Self:
        """Write the files up to the end of the world's days, if none are there."""
        del address, port
        if self._until is None:
            self.move_to(self.world.end)
        return self

    def hub_toml(self) -> str:
        """Return the connections for tickets and members, and one for an audience file with its sync."""
        return f"""
[connections.till]
plugin = "files"
url = "{self.folder}/sales_*.csv"
mapping = "zh_pos"
settle_seconds = 0
scope = "till"

[connections.members]
plugin = "files"
url = "{self.folder}/members_*.csv"
mapping = "zh_members"
settle_seconds = 0
scope = "till"

[connections.audience]
plugin = "files"
url = "{self.folder}/audience"
write = {{ bom = true }}

[syncs.vip_file]
to = "audience"
target = "audience"
segments = ["rfm_champions", "rfm_at_risk"]
fields = {{ name = "name", phone = "phone", segments = "segments", rfm = "rfm_code", last_order = "last_order_date" }}
"""

    def move_to(self, moment: dt.datetime) -> None:
        """Drop what the tills sent since the last drop."""
        if self._until is not None and moment <= self._until:
            return
        view = self.world.at(moment).view(_WORLD)
        since, self._until = self._until, moment
        stamp = moment.astimezone(ZONE).strftime("%Y%m%d")
        members = _since(view.table("members"), since)
        self._drop(f"members_{stamp}.csv", _MEMBER_HEADER, map(_member_row, members.to_pylist()))
        cards = dict(zip(*(view.table("members")[name].to_pylist() for name in ("member_id", "card_no")), strict=True))
        orders = _since(view.table("orders"), since)
        refunds = _since(view.table("refunds"), since)
        rows = _sales_rows(view, orders, refunds, cards)
        self._drop(f"sales_{stamp}.csv", _SALES_HEADER, rows)

    def _drop(self, name: str, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Write aside and rename, as a careful exporter does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".{name}.tmp"
        with aside.open("w", encoding="gb18030", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        aside.replace(self.folder / name)

    def people(self, state: WorldState) -> Mapping[str, pa.Table]:
        """Return ``source_id`` (the card number) and ``person_id`` of every member."""
        members = state.view(_WORLD).table("members").select(["member_id", "card_no"])
        truth = state.truth.profiles.filter(pc.equal(state.truth.profiles["platform"], _WORLD))
        joined = members.join(truth.select(["member_id", "person_id"]), "member_id", join_type="inner")
        return {"members": joined.select(["card_no", "person_id"]).rename_columns(["source_id", "person_id"])}

    def received(self) -> Mapping[str, int]:
        """Return the number of rows of the audience file."""
        manifest = self.folder / "audience" / "audience.csv.manifest.json"
        return {"rows in audience.csv": orjson.loads(manifest.read_bytes())["rows"]} if manifest.exists() else {}

    def close(self) -> None:
        """Nothing is held open."""


def _since(table: pa.Table, since: dt.datetime | None) -> pa.Table:
    if since is None:
        return table
    return table.filter(pc.greater(table["updated_at"], pa.scalar(since, table["updated_at"].type)))


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}" if fen >= 0 else f"-{_yuan(-fen)}"


def _time(moment: dt.datetime | None) -> str:
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _member_row(member: dict[str, Any]) -> tuple[Any, ...]:
    return (
        member["card_no"],
        member["name"],
        member["phone"],
        _GENDERS.get(member["gender"], ""),
        member["birthday"],
        member["level_code"],
        member["points"],
        _yuan(member["balance_fen"]),
        member["home_shop_id"],
        _time(member["created_at"]),
        member["unionid"],
        _time(member["updated_at"]),
    )


def _sales_rows(view: Any, orders: pa.Table, refunds: pa.Table, cards: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    """Rows of the sales file: every line of every ticket, then the goods that came back."""
    wanted = pa.chunked_array([*orders["order_id"].chunks, *refunds["order_id"].chunks], pa.string()).unique()
    lines = _by_order(view.table("order_lines"), wanted)
    tenders = _by_order(view.table("tenders"), wanted)
    every = view.table("orders")
    known = {row["order_id"]: row for row in every.filter(pc.is_in(every["order_id"], wanted)).to_pylist()}
    for order in orders.to_pylist():
        if order["status"] == "closed":
            continue
        yield from _ticket_rows(order, lines[order["order_id"]], tenders.get(order["order_id"], []), cards)
    for refund in refunds.to_pylist():
        if refund["status"] == "success":
            yield from _refund_rows(refund, known[refund["order_id"]], lines[refund["order_id"]], cards)


def _by_order(table: pa.Table, wanted: pa.Array) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.filter(pc.is_in(table["order_id"], wanted)).to_pylist():
        found.setdefault(row["order_id"], []).append(row)
    return found


def _ticket_rows(
    order: dict[str, Any], lines: list[dict[str, Any]], tenders: list[dict[str, Any]], cards: dict[str, str]
) -> Iterator[tuple[Any, ...]]:
    kind = "作废" if order["status"] == "void" else _KINDS[order["kind"]]
    paid_with = "+".join(_TENDERS[tender["tender"]] for tender in tenders)
    for line in lines:
        yield (
            order["order_no"],
            line["line_no"],
            order["shop_id"],
            order["business_date"].isoformat(),
            _time(order["ordered_at"]),
            kind,
            line["product_id"],
            line["product_name"],
            "/".join(option["value"] for option in line["options"] or ()),
            line["quantity"],
            _yuan(line["unit_fen"]),
            _yuan(line["discount_fen"]),
            _yuan(line["net_fen"]),
            cards.get(order["member_id"] or "", ""),
            paid_with,
            "",
        )


def _refund_rows(
    refund: dict[str, Any], order: dict[str, Any], lines: list[dict[str, Any]], cards: dict[str, str]
) -> Iterator[tuple[Any, ...]]:
    """A return ticket: the lines that came back, its amount spread over them, the last cent on the last line."""
    back = [line for line in lines if line["refunded_quantity"] > 0] or lines
    total = sum(line["net_fen"] for line in back) or 1
    left = refund["amount_fen"]
    for number, line in enumerate(back, start=1):
        amount = left if number == len(back) else refund["amount_fen"] * line["net_fen"] // total
        left -= amount
        quantity = line["refunded_quantity"] or line["quantity"]
        yield (
            refund["refund_id"],
            number,
            order["shop_id"],
            refund["refunded_at"].astimezone(ZONE).date().isoformat(),
            _time(refund["refunded_at"]),
            "退货",
            line["product_id"],
            line["product_name"],
            "",
            -quantity,
            _yuan(line["unit_fen"]),
            "0.00",
            _yuan(-amount),
            cards.get(order["member_id"] or "", ""),
            _TENDERS[refund["tender"]],
            order["order_no"],
        )
