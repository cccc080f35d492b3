"""The chain itself: shops that open and close, and shop guides (导购) who come and go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from hub.simulation.world.arrays import NEVER, NOBODY, Bools, Columns, Floats, Ints
from hub.simulation.world.names import draw_names
from hub.simulation.world.seeds import Part, stream
from hub.simulation.world.setting import Setting

__all__ = ["CITIES", "DISTRICTS", "Chain", "Shops", "Staff"]

#: Province, city, district, district. Shops stand in either district.
CITIES: Final = (
    ("上海市", "上海市", "徐汇区", "浦东新区"),
    ("浙江省", "杭州市", "西湖区", "余杭区"),
    ("江苏省", "南京市", "鼓楼区", "江宁区"),
    ("广东省", "深圳市", "南山区", "福田区"),
    ("四川省", "成都市", "锦江区", "武侯区"),
    ("湖北省", "武汉市", "洪山区", "江岸区"),
    ("北京市", "北京市", "朝阳区", "海淀区"),
    ("陕西省", "西安市", "雁塔区", "莲湖区"),
)
#: All districts; those of city ``n`` are at ``2 n`` and ``2 n + 1``.
DISTRICTS: Final = tuple(district for city in CITIES for district in city[2:])
_PLACES: Final = 5
_TENURES: Final = 14


@dataclass(frozen=True)
class Shops(Columns):
    """One row per shop. ``draw`` is its share of the customers; days are world days."""

    city: Ints
    district: Ints
    opened_day: Ints
    closed_day: Ints
    night: Bools
    draw: Floats
    stand_in: Ints


@dataclass(frozen=True)
class Staff(Columns):
    """One row per tenure of a guide; a place in a shop is held by one guide after another."""

    shop: Ints
    place: Ints
    hired_day: Ints
    left_day: Ints
    gender: Ints
    surname: Ints
    given: Ints
    second: Ints


@dataclass(frozen=True)
class Chain:
    """Shops and staff of a world. Both are drawn for the whole life of the world at once; ``at`` hides the future."""

    setting: Setting

    @cached_property
    def shops(self) -> Shops:
        """All shops, those not yet opened included."""
        count = self.setting.shops
        random = stream(self.setting.seed, Part.CHAIN, 0)
        opens_later = random.random(count) < 0.16
        closes = random.random(count) < 0.05
        opened = np.where(opens_later, random.integers(40, 600, count), -random.integers(60, 2_000, count))
        closed = np.where(closes, np.maximum(opened, 0) + random.integers(200, 1_500, count), NEVER)
        opened[:2], closed[:2] = -1_000, NEVER
        lasting = np.flatnonzero((opened < 0) & (closed == NEVER))
        draw = random.gamma(3.0, 1.0, count)
        return Shops(
            city=np.arange(count) % len(CITIES),
            district=random.integers(0, 2, count),
            opened_day=opened,
            closed_day=closed,
            night=random.random(count) < 0.12,
            draw=draw / draw.sum(),
            stand_in=lasting[np.arange(count) % len(lasting)],
        )

    @cached_property
    def staff(self) -> Staff:
        """All tenures of all guides, those not yet hired included. Each shop has five places; place 0 is the manager."""
        random = stream(self.setting.seed, Part.CHAIN, 1)
        shop = np.repeat(np.arange(self.setting.shops), _PLACES)
        hired, left = self._tenures(random, shop)
        rows = shop.size * _TENURES
        gender = np.where(random.random(rows) < 0.35, 1, 2)
        surname, given, second = draw_names(random, gender)
        return Staff(
            shop=np.repeat(shop, _TENURES),
            place=np.repeat(np.tile(np.arange(_PLACES), self.setting.shops), _TENURES),
            hired_day=hired.ravel(),
            left_day=left.ravel(),
            gender=gender,
            surname=surname,
            given=given,
            second=second,
        )

    def _tenures(self, random: np.random.Generator, shop: Ints) -> tuple[Ints, Ints]:
        """Days of coming and leaving, shape (places, tenures), within the life of the shop."""
        manager = np.arange(len(shop)) % _PLACES == 0
        mean = np.where(manager, 900.0, 280.0)[:, None]
        stays = 30 + random.exponential(1.0, (len(shop), _TENURES)) * (mean - 30)
        gaps = random.exponential(10.0, stays.shape)
        first = np.maximum(-random.exponential(1.0, len(shop)) * mean[:, 0] / 2, -900)
        begin = np.where(self.shops.opened_day[shop] > 0, self.shops.opened_day[shop] - 7, first)
        hired = begin[:, None] + np.cumsum(stays + gaps, axis=1) - (stays + gaps)
        closed = self.shops.closed_day[shop][:, None]
        left = np.minimum(np.rint(hired + stays).astype(np.int64), closed)
        return np.rint(hired).astype(np.int64), left

    def open_shop(self, shop: Ints, day: Ints) -> Ints:
        """The shop itself where it is open on that day, else the one that stands in for it."""
        is_open = (self.shops.opened_day[shop] <= day) & (day < self.shops.closed_day[shop])
        return np.where(is_open, shop, self.shops.stand_in[shop])

    def guide_on(self, shop: Ints, day: Ints, draw: Floats) -> Ints:
        """A guide (row of :attr:`staff`) who works in the shop that day; ``NOBODY`` where the place is vacant.

        Args:
            shop: shop rows.
            day: world days.
            draw: uniform numbers in [0, 1) that pick the place.
        """
        place = shop * _PLACES + (draw * _PLACES).astype(np.int64)
        hired, left = self._by_place
        tenure = (hired[place] <= day[:, None]).sum(axis=1) - 1
        row = place * _TENURES + tenure
        present = (tenure >= 0) & (day < left.ravel()[np.maximum(row, 0)])
        return np.where(present, row, NOBODY)

    def manager_on(self, shop: Ints, day: Ints) -> tuple[Ints, Ints]:
        """Who holds each shop's first place on that day, or held it last, and the world day since when."""
        hired, _ = self._by_place
        tenure = np.maximum((hired[shop * _PLACES] <= day[:, None]).sum(axis=1) - 1, 0)
        row = shop * _PLACES * _TENURES + tenure
        return row, self.staff.hired_day[row]

    def first_manager(self, shop: Ints) -> Ints:
        """The first guide who ever held the first place of each shop."""
        return shop * _PLACES * _TENURES

    @cached_property
    def _by_place(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        return self.staff.hired_day.reshape(-1, _TENURES), self.staff.left_day.reshape(-1, _TENURES)
