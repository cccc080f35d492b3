"""Rule packs by trade: the limits, windows and cut points that a chain starts from, every one of them a parameter.

``retail`` is for a chain of no particular trade. Days unless said otherwise; money in the chain's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["PACKS"]


def _stages(new: int, active: int, slipping: int, sleeping: int, basis: str = "silence") -> dict[str, Any]:
    return {"new": new, "active": active, "slipping": slipping, "sleeping": sleeping, "basis": basis}


def _needs(*needs: tuple[str, float, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Need groups by key, days that a unit lasts, and words in categories or names."""
    return [{"name": name, "days_per_unit": days, "words": words} for name, days, words in needs]


_COFFEE: Final = ("coffee_beans", 20.0, ("咖啡豆", "咖啡粉", "挂耳", "coffee bean"))
_PET: Final = (
    ("cat_food", 30.0, ("猫粮", "cat food")),
    ("dog_food", 30.0, ("狗粮", "犬粮", "dog food")),
    ("cat_litter", 20.0, ("猫砂", "cat litter")),
)
_STYLES: Final = ("通勤", "休闲", "商务", "运动", "街头", "复古", "甜美", "简约", "国风")
_TEA_SLOTS: Final = {
    "breakfast": [6, 10],
    "noon": [10, 14],
    "afternoon": [14, 17],
    "evening": [17, 21],
    "night": [21, 6],
}

PACKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "retail": {"stages": _stages(30, 60, 120, 240)},
    # 茶饮、咖啡: the week is the rhythm; two months of silence are sleep.
    "tea": {
        "stages": _stages(30, 30, 59, 180),
        "rfm": {
            "window_days": 90,
            "recency_days": [7, 14, 30, 60],
            "frequency": [2, 4, 8, 16],
            "monetary": [40, 100, 200, 400],
        },
        "preference": {"half_life_days": 30},
        "care": {"needs": _needs(_COFFEE)},
        "slots": _TEA_SLOTS,
    },
    # 餐饮: guests come back within a week or a month.
    "restaurant": {
        "stages": _stages(30, 30, 60, 180),
        "rfm": {
            "window_days": 180,
            "recency_days": [7, 14, 30, 60],
            "frequency": [2, 4, 8, 16],
            "monetary": [150, 400, 1000, 2500],
        },
        "preference": {"half_life_days": 60},
        "slots": {"breakfast": [6, 10], "lunch": [10, 14], "tea": [14, 17], "dinner": [17, 21], "night": [21, 6]},
    },
    # 便利店、生鲜
    "convenience": {
        "stages": _stages(21, 21, 45, 120),
        "rfm": {
            "window_days": 90,
            "recency_days": [5, 10, 21, 45],
            "frequency": [3, 8, 16, 32],
            "monetary": [60, 200, 500, 1200],
        },
        "care": {"needs": _needs(_COFFEE, *_PET)},
    },
    # 服装: two seasons a year; who never buys in the other one does not slip in it.
    "apparel": {
        "stages": _stages(60, 120, 210, 400, "season"),
        "rfm": {
            "window_days": 730,
            "recency_days": [60, 120, 210, 400],
            "frequency": [2, 3, 5, 8],
            "monetary": [500, 1500, 4000, 10000],
        },
        "preference": {"half_life_days": 180, "styles": _STYLES},
        "care": {"season_days": 14},
    },
    # 母婴: the baby's month; a child that has outgrown the range is a natural exit.
    "mother_baby": {
        "stages": _stages(30, 45, 75, 180),
        "rfm": {
            "window_days": 365,
            "recency_days": [20, 45, 75, 180],
            "frequency": [2, 4, 8, 14],
            "monetary": [300, 1000, 3000, 8000],
        },
        "exit": {"child_months": 72},
        "care": {
            "needs": _needs(
                ("milk_powder", 10.0, ("奶粉", "milk powder")),
                ("nappies", 12.0, ("纸尿裤", "尿不湿", "拉拉裤", "nappies", "diapers")),
                ("wipes", 15.0, ("湿巾", "wipes")),
            )
        },
    },
    # 美妆、个护: until the bottle is empty.
    "beauty": {
        "stages": _stages(30, 90, 150, 365),
        "rfm": {
            "window_days": 365,
            "recency_days": [45, 90, 150, 365],
            "frequency": [2, 3, 5, 8],
            "monetary": [200, 600, 1500, 4000],
        },
        "care": {
            "needs": _needs(
                ("shampoo", 60.0, ("洗发", "shampoo")),
                ("body_wash", 60.0, ("沐浴", "body wash")),
                ("cleanser", 60.0, ("洁面", "洗面奶", "cleanser")),
                ("sunscreen", 60.0, ("防晒", "sunscreen")),
                ("serum", 60.0, ("精华", "serum")),
                ("cream", 90.0, ("面霜", "乳液", "cream", "lotion")),
            ),
            "season_days": 14,
        },
    },
    # 鲜花、礼品: bought for occasions; active until 30 days after the next one's own, at the latest that of next year.
    "flowers": {
        "stages": _stages(60, 395, 485, 730, "occasion"),
        "rfm": {
            "window_days": 730,
            "recency_days": [60, 180, 395, 485],
            "frequency": [2, 3, 4, 6],
            "monetary": [150, 400, 900, 2000],
        },
        "preference": {"half_life_days": 365},
    },
    # 健身、服务: visits, and the card's last day.
    "gym": {
        "stages": _stages(30, 14, 30, 90),
        "rfm": {
            "window_days": 180,
            "recency_days": [4, 7, 14, 30],
            "frequency": [4, 12, 24, 48],
            "monetary": [200, 600, 1500, 4000],
        },
        "exit": {"card_expired_days": 60},
        "care": {"training_weeks": 12},
    },
}
"""Trade to settings, laid under what the chain's own rule set says."""
