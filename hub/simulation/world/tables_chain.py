"""Tables about the chain itself, the same on every platform: shops, staff, articles, coupons, levels."""

from __future__ import annotations

from functools import lru_cache
from itertools import product as combinations
from typing import Any

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import DAY, NEVER, NOBODY, Ints, first_of_group
from hub.simulation.world.assortment import Assortment
from hub.simulation.world.baskets import NO_OPTION, unpack_options
from hub.simulation.world.chain import CITIES, Chain
from hub.simulation.world.names import full_names
from hub.simulation.world.phones import phone_text, shop_phone, staff_phone
from hub.simulation.world.profile import ChainProfile
from hub.simulation.world.schemas import OPTIONS, TIME
from hub.simulation.world.seeds import key_of
from hub.simulation.world.setting import Setting
from hub.simulation.world.text import base62, fixed, label, numbers

__all__ = ["chain_table", "coupon_codes", "option_lists", "shop_ids", "sku_ids", "staff_ids"]


@lru_cache(maxsize=16)
def shop_ids(setting: Setting) -> tuple[str, ...]:
    """The chain's own number of every shop: S001, S002 …"""
    return tuple(f"S{number + 1:03d}" for number in range(setting.shops))


@lru_cache(maxsize=16)
def staff_ids(chain: Chain) -> tuple[str, ...]:
    """The userid of every guide, past and future: guide_s001_0 …"""
    shop = chain.staff.shop
    first = first_of_group(shop)
    number = np.arange(len(shop)) - np.repeat(np.flatnonzero(first), np.bincount(shop))
    return tuple(
        f"guide_s{place + 1:03d}_{count:02d}" for place, count in zip(shop.tolist(), number.tolist(), strict=True)
    )


def coupon_codes(setting: Setting, key: Ints) -> pa.StringArray:
    """The code of each coupon: four letters or digits and its number; null for ``NOBODY``."""
    words = (key.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(key_of(setting.seed, "coupon"))
    return fixed(base62([words], 4), numbers(np.maximum(key, 0), 14), valid=key != NOBODY)


def option_lists(profile: ChainProfile, packed: Ints) -> pa.ListArray:
    """Options as lists of name and value, without the choices an article does not have."""
    groups = profile.options
    values = np.stack([unpack_options(packed, place) for place in range(len(groups))], axis=1)
    has = values != NO_OPTION
    offsets = np.r_[0, np.cumsum(has.sum(axis=1))].astype(np.int32)
    first = np.cumsum([0, *(len(group.values) for group in groups)])[:-1]
    names = np.broadcast_to(np.arange(len(groups)), values.shape)[has]
    labels = [value for group in groups for value in group.values]
    pairs = pa.StructArray.from_arrays(
        [label([group.name for group in groups], names), label(labels, (values + first)[has])],
        fields=list(OPTIONS.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), pairs, type=OPTIONS)


@lru_cache(maxsize=16)
def _sku_table(profile: ChainProfile) -> tuple[list[str], dict[str, int], list[tuple[int, tuple[int, ...]]]]:
    """Every article number: its code, where each article's numbers begin, and its article and values."""
    codes: list[str] = []
    begins: dict[str, int] = {}
    meaning: list[tuple[int, tuple[int, ...]]] = []
    for number, product in enumerate(profile.products):
        begins[product.code] = len(codes)
        groups = [range(len(group.values)) for group in _sku_groups(profile, product.category)]
        for values in combinations(*groups):
            codes.append("-".join([product.code, *(str(value + 1) for value in values)]))
            meaning.append((number, values))
    return codes, begins, meaning


def _sku_groups(profile: ChainProfile, category: str) -> list[Any]:
    return [group for group in profile.options if group.sku and category in group.categories]


def sku_ids(assortment: Assortment, product: Ints, packed: Ints) -> tuple[Ints, list[str]]:
    """Row of each line's article number, and all article numbers (T101-1, T101-2 …)."""
    profile = assortment.profile
    codes, begins, _ = _sku_table(profile)
    row = np.array([begins[entry.code] for entry in profile.products], np.int64)[product]
    offset = np.zeros(len(product), np.int64)
    for place, group in enumerate(profile.options):
        if group.sku:
            value = unpack_options(packed, place)
            offset = np.where(value == NO_OPTION, offset, offset * len(group.values) + value)
    return row + offset, codes


def chain_table(name: str, chain: Chain, assortment: Assortment, now: int) -> dict[str, Any]:
    """One of the tables about the chain, as of world second ``now``."""
    makers = {"shops": _shops, "staff": _staff, "products": _products, "skus": _skus}
    if name in makers:
        return makers[name](chain, assortment, now)
    profile = chain.setting.profile
    if name == "levels":
        rows = [(level.code, level.name, rank, level.from_fen) for rank, level in enumerate(profile.levels, 1)]
        return _columns(("level_code", "name", "rank", "from_fen"), rows)
    if name == "categories":
        return _columns(
            ("category_code", "title_zh", "title_en"), [(c.code, c.title_zh, c.title_en) for c in profile.categories]
        )
    rows_of = [(c.code, c.name, c.kind, c.valid_days, c.min_fen, c.off_fen, c.percent_off) for c in profile.coupons]
    return _columns(("template_code", "name", "kind", "valid_days", "min_fen", "off_fen", "percent_off"), rows_of)


def _columns(names: tuple[str, ...], rows: list[Any]) -> dict[str, Any]:
    return dict(zip(names, ([row[place] for row in rows] for place in range(len(names))), strict=True))


def _times(setting: Setting, seconds: Ints, now: int) -> pa.Array:
    missing = seconds > now
    return pa.array(setting.epoch_seconds(np.where(missing, 0, seconds)) * 1000, mask=missing).cast(TIME)


def _days(setting: Setting, days: Ints, today: int) -> pa.Array:
    missing = days > today
    return pa.array((np.where(missing, 0, days) + setting.epoch_day).astype(np.int32), mask=missing).cast(pa.date32())


def _shops(chain: Chain, _: Assortment, now: int) -> dict[str, Any]:
    setting, shops = chain.setting, chain.shops
    today = now // DAY
    row = np.flatnonzero(shops.opened_day <= today)
    shops = shops.take(row)
    cities = [CITIES[number] for number in shops.city.tolist()]
    districts = [
        CITIES[city][2 + place] for city, place in zip(shops.city.tolist(), shops.district.tolist(), strict=True)
    ]
    closed = shops.closed_day <= today
    plain = np.zeros(len(row), np.int64)
    changed = np.where(closed, shops.closed_day, shops.opened_day)
    profile = setting.profile
    return {
        "shop_id": [shop_ids(setting)[number] for number in row.tolist()],
        "name": [
            f"{profile.brand}{city[1][:-1]}{number + 1}店" for number, city in zip(row.tolist(), cities, strict=True)
        ],
        "province": [city[0] for city in cities],
        "city": [city[1] for city in cities],
        "district": districts,
        "address": [f"样板商业街{number + 1}号" for number in row.tolist()],
        "phone": phone_text(shop_phone(setting, row), plain, plain > 0),
        "opens_hour": plain + profile.opens,
        "closes_hour": np.where(shops.night, profile.night_closes, profile.closes),
        "cut_over_hour": plain + profile.cut_over_hour,
        "status": np.where(closed, "closed", "open").tolist(),
        "opened_on": _days(setting, shops.opened_day, today),
        "closed_on": _days(setting, shops.closed_day, today),
        "updated_at": _times(setting, changed * DAY, now),
    }


def _staff(chain: Chain, _: Assortment, now: int) -> dict[str, Any]:
    setting, staff = chain.setting, chain.staff
    hired, left = staff.hired_day * DAY, np.where(staff.left_day < NEVER // DAY, staff.left_day, NEVER // DAY) * DAY
    row = np.flatnonzero((hired <= now) & (hired < left))
    staff, hired, left = staff.take(row), hired[row], left[row]
    plain = np.zeros(len(row), np.int64)
    ids = staff_ids(chain)
    return {
        "staff_id": [ids[number] for number in row.tolist()],
        "name": full_names(staff.surname, staff.given, staff.second),
        "gender": staff.gender,
        "phone": phone_text(staff_phone(setting, row), plain, plain > 0),
        "shop_id": [shop_ids(setting)[number] for number in staff.shop.tolist()],
        "is_manager": staff.place == 0,
        "job_number": fixed(numbers(row + 1001, 6)),
        "status": np.where(left <= now, "left", "active").tolist(),
        "hired_at": _times(setting, hired, now),
        "left_at": _times(setting, left, now),
        "updated_at": _times(setting, np.where(left <= now, left, hired), now),
    }


def _products(chain: Chain, assortment: Assortment, now: int) -> dict[str, Any]:
    setting, profile = chain.setting, chain.setting.profile
    today = now // DAY
    row = np.flatnonzero(assortment.from_day <= today)
    on_sale = assortment.on_sale(np.arange(today + 1))[:, row]
    same = on_sale[1:] == on_sale[:-1]
    switched = (
        np.where(same.all(axis=0), assortment.from_day[row], today - np.argmin(same[::-1], axis=0))
        if today
        else assortment.from_day[row]
    )
    rises = np.arange(today + 1)[np.r_[False, np.diff(assortment.rises(np.arange(today + 1))) > 0]]
    repriced = np.where(row % 3 == 0, rises[-1] if len(rises) else NOBODY, NOBODY)
    changed = np.where(repriced > switched, repriced, switched)
    goods = [profile.products[number] for number in row.tolist()]
    price = assortment.price_fen(row, np.full(len(row), today))
    return {
        "product_id": [product.code for product in goods],
        "name": [product.name for product in goods],
        "category_code": [product.category for product in goods],
        "price_fen": price,
        "cost_fen": [int(product.price_fen * product.cost_share) for product in goods],
        "status": np.where(on_sale[-1], "on_sale", "off_sale").tolist(),
        "listed_at": _times(setting, assortment.from_day[row] * DAY, now),
        "updated_at": _times(setting, changed * DAY, now),
    }


def _skus(chain: Chain, assortment: Assortment, now: int) -> dict[str, Any]:
    profile = chain.setting.profile
    codes, _, meaning = _sku_table(profile)
    today = np.full(len(profile.products), now // DAY)
    prices = assortment.price_fen(np.arange(len(profile.products)), today)
    known = assortment.from_day <= now // DAY
    rows: list[Any] = []
    for number, (code, (product, values)) in enumerate(zip(codes, meaning, strict=True)):
        if not known[product]:
            continue
        groups = _sku_groups(profile, profile.products[product].category)
        options = [
            {"name": group.name, "value": group.values[value]} for group, value in zip(groups, values, strict=True)
        ]
        extra = sum(group.extra_fen[value] for group, value in zip(groups, values, strict=True) if group.extra_fen)
        name = " ".join([profile.products[product].name, *(entry["value"] for entry in options)])
        rows.append(
            (code, profile.products[product].code, name, options, int(prices[product]) + extra, f"69{number + 1:011d}")
        )
    return _columns(("sku_id", "product_id", "name", "options", "price_fen", "barcode"), rows)
