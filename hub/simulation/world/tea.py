"""The tea-drink chain: 样板茶. Cheap, frequent, hot summers, an afternoon peak, and one green tea that nobody buys twice."""

from __future__ import annotations

from hub.simulation.world.profile import (
    Behaviour,
    Campaign,
    Category,
    ChainProfile,
    CouponTemplate,
    Festival,
    Level,
    OptionGroup,
    Product,
    Promotion,
    Rhythm,
)

__all__ = ["TEA"]

_DRINKS = ("milk_tea", "fruit_tea", "pure_tea", "coffee")
_SUMMER = (0.6, 0.6, 0.8, 1.0, 1.2, 1.5, 1.7, 1.7, 1.3, 1.0, 0.8, 0.6)
_WINTER = (1.4, 1.3, 1.1, 1.0, 0.9, 0.7, 0.6, 0.6, 0.9, 1.1, 1.3, 1.4)

_CATEGORIES = (
    Category("milk_tea", "奶茶", "Milk tea", _WINTER),
    Category("fruit_tea", "果茶", "Fruit tea", _SUMMER),
    Category("pure_tea", "纯茶", "Pure tea"),
    Category("coffee", "咖啡", "Coffee", goes_with="bakery"),
    Category("bakery", "烘焙", "Bakery"),
    Category("snack", "小食", "Snacks"),
    Category("merchandise", "周边", "Merchandise"),
    Category("gift", "礼盒", "Gift boxes"),
)

_PRODUCTS = (
    Product("T101", "珍珠奶茶", "milk_tea", 1400, 9.0),
    Product("T102", "芋泥波波奶茶", "milk_tea", 1700, 8.0, 0.8),
    Product("T103", "黑糖鲜奶", "milk_tea", 1800, 5.0),
    Product("T104", "茉莉奶绿", "milk_tea", 1300, 6.0),
    Product("T105", "桂花乌龙奶茶", "milk_tea", 1600, 4.0),
    Product("T106", "伯爵奶茶", "milk_tea", 1500, 3.0),
    Product("T107", "燕麦奶茶", "milk_tea", 1700, 2.5),
    Product("T108", "姜汁红糖奶茶", "milk_tea", 1600, 3.0, months=(11, 12, 1, 2)),
    Product("T109", "芋泥波波热饮", "milk_tea", 1800, 3.5, from_day=150, months=(10, 11, 12, 1, 2, 3)),
    Product("T110", "双拼奶茶", "milk_tea", 1500, 3.5, 0.7),
    Product("T111", "抹茶拿铁奶茶", "milk_tea", 1900, 2.0, from_day=60),
    Product("T201", "杨枝甘露", "fruit_tea", 1900, 8.0),
    Product("T202", "多肉葡萄", "fruit_tea", 2000, 7.0),
    Product("T203", "满杯百香果", "fruit_tea", 1600, 5.0),
    Product("T204", "暴打柠檬茶", "fruit_tea", 1400, 7.0),
    Product("T205", "西瓜啵啵", "fruit_tea", 1700, 6.0, months=(6, 7, 8, 9)),
    Product("T206", "蜜桃乌龙", "fruit_tea", 1800, 4.0, months=(5, 6, 7, 8, 9)),
    Product("T207", "草莓摇摇", "fruit_tea", 2100, 4.0, months=(12, 1, 2, 3, 4)),
    Product("T208", "油柑柠檬", "fruit_tea", 1700, 1.5, 1.6, favourite=False),
    Product("T209", "羽衣甘蓝果蔬茶", "fruit_tea", 1900, 2.5, 1.4, from_day=120),
    Product("T301", "低糖绿茶", "pure_tea", 1200, 0.9, 2.2, favourite=False),
    Product("T302", "凤凰单丛", "pure_tea", 1300, 2.0, 0.7),
    Product("T303", "金观音", "pure_tea", 1200, 1.5),
    Product("T304", "茉莉冷泡", "pure_tea", 1200, 2.0, months=(4, 5, 6, 7, 8, 9, 10)),
    Product("T305", "陈皮普洱", "pure_tea", 1400, 0.4, 1.5, favourite=False),
    Product("T401", "生椰拿铁", "coffee", 1600, 5.0, 0.8),
    Product("T402", "美式咖啡", "coffee", 1100, 4.0, 0.7),
    Product("T403", "拿铁", "coffee", 1500, 3.0, 0.8),
    Product("T404", "桂花拿铁", "coffee", 1700, 2.0, months=(9, 10, 11)),
    Product("T405", "气泡美式", "coffee", 1500, 0.5, 1.6, favourite=False),
    Product("T501", "原味可颂", "bakery", 1000, 2.5),
    Product("T502", "巧克力麦芬", "bakery", 1200, 1.8),
    Product("T503", "芝士蛋挞", "bakery", 900, 2.2),
    Product("T504", "全麦贝果", "bakery", 1300, 0.5, favourite=False),
    Product("T601", "鸡米花", "snack", 1200, 1.4),
    Product("T602", "红豆麻薯", "snack", 800, 1.6),
    Product("T603", "海苔脆片", "snack", 700, 0.3, favourite=False),
    Product("T701", "随行杯", "merchandise", 5900, 0.12, favourite=False),
    Product("T702", "帆布袋", "merchandise", 3900, 0.10, favourite=False, until_day=400),
    Product("T801", "七夕限定玫瑰奶茶", "milk_tea", 2200, 7.0, favourite=False, festival="七夕"),
    Product("T802", "七夕巧克力礼盒", "gift", 6800, 2.0, favourite=False, festival="七夕"),
    Product("T803", "中秋茶礼盒", "gift", 12800, 1.5, favourite=False, festival="中秋"),
    Product("T804", "新年茶礼盒", "gift", 13800, 1.5, favourite=False, festival="春节"),
    Product("T805", "情人节双杯套餐", "milk_tea", 3200, 4.0, favourite=False, festival="情人节"),
)

_OPTIONS = (
    OptionGroup("规格", ("中杯", "大杯"), (0.55, 0.45), _DRINKS, (0, 300), sku=True, loyalty=0.85),
    OptionGroup(
        "甜度",
        ("全糖", "七分糖", "五分糖", "三分糖", "不另外加糖"),
        (0.12, 0.28, 0.28, 0.2, 0.12),
        _DRINKS,
        loyalty=0.8,
    ),
    OptionGroup("温度", ("正常冰", "少冰", "去冰", "温", "热"), (0.25, 0.3, 0.2, 0.1, 0.15), _DRINKS, loyalty=0.65),
    OptionGroup(
        "加料",
        ("不加料", "珍珠", "椰果", "芋圆", "奶盖"),
        (0.62, 0.16, 0.08, 0.08, 0.06),
        ("milk_tea", "fruit_tea"),
        (0, 200, 200, 300, 400),
        loyalty=0.6,
    ),
)

# Hours of the shop's day from 09:00; the last three are after 23:00 and only exist in night shops.
_RHYTHMS = (
    Rhythm(
        "office",
        0.38,
        (1.15, 1.15, 1.15, 1.15, 1.25, 0.6, 0.55),
        (3, 4, 3, 6, 9, 10, 8, 6, 4, 4, 4, 3, 2, 1, 0.3, 0.1, 0.1),
    ),
    Rhythm(
        "student",
        0.27,
        (0.9, 0.9, 0.95, 0.95, 1.2, 1.1, 1.0),
        (1, 1, 2, 6, 4, 3, 4, 7, 8, 7, 6, 7, 8, 6, 2, 1, 0.5),
    ),
    Rhythm(
        "weekend",
        0.22,
        (0.55, 0.55, 0.55, 0.6, 0.95, 1.95, 1.85),
        (1, 2, 3, 4, 6, 9, 9, 8, 6, 5, 6, 7, 5, 3, 0.8, 0.3, 0.2),
    ),
    Rhythm(
        "evening",
        0.13,
        (0.85, 0.85, 0.9, 0.95, 1.25, 1.25, 0.95),
        (0.5, 0.5, 1, 2, 2, 2, 2, 3, 4, 6, 9, 10, 10, 8, 5, 3, 2),
    ),
)

TEA = ChainProfile(
    name="tea",
    title_zh="茶饮连锁",
    title_en="Tea-drink chain",
    brand="样板茶",
    product_noun="饮品",
    opens=9,
    closes=23,
    night_closes=26,
    cut_over_hour=4,
    month_factors=(0.85, 0.8, 0.92, 1.0, 1.08, 1.15, 1.22, 1.2, 1.05, 1.0, 0.9, 0.85),
    categories=_CATEGORIES,
    products=_PRODUCTS,
    options=_OPTIONS,
    rhythms=_RHYTHMS,
    festivals=(
        Festival("春节", 1, 1, lunar=True, boost=0.6, days_before=4),
        Festival("情人节", 2, 14, lunar=False, boost=1.5, days_before=3),
        Festival("劳动节", 5, 1, lunar=False, boost=1.3, days_before=2),
        Festival("端午", 5, 5, lunar=True, boost=1.15, days_before=2),
        Festival("七夕", 7, 7, lunar=True, boost=1.7, days_before=5),
        Festival("中秋", 8, 15, lunar=True, boost=1.25, days_before=10),
        Festival("国庆", 10, 1, lunar=False, boost=1.35, days_before=2),
        Festival("圣诞", 12, 25, lunar=False, boost=1.3, days_before=2),
    ),
    promotion=Promotion("工作日下午第二杯半价", (0, 1, 2, 3, 4), 14, 17, min_units=2, percent_off_last=50),
    coupons=(
        CouponTemplate("C01", "新人立减5元", "cash", 30, min_fen=1500, off_fen=500),
        CouponTemplate("C02", "满30减6", "cash", 14, min_fen=3000, off_fen=600),
        CouponTemplate("C03", "全场八折", "percent", 14, percent_off=20),
        CouponTemplate("C04", "回归赠饮券", "cash", 14, off_fen=1400),
    ),
    campaigns=(
        Campaign("M1", "每月新品尝鲜", day=1, hour=15, template="C03"),
        Campaign("M2", "下午茶满减", day=14, hour=10, template="C02"),
    ),
    levels=(
        Level("L1", "普通会员", 0),
        Level("L2", "银卡会员", 30_000),
        Level("L3", "金卡会员", 100_000),
        Level("L4", "黑卡会员", 250_000),
    ),
    behaviour=Behaviour(),
    top_up_fen=10_000,
    top_up_bonus_fen=3_000,
    reach=(0.62, 0.30, 0.24, 0.34, 0.30, 0.58),
    channel_weights=(0.42, 0.20, 0.16, 0.22),
    delivery_share=0.3,
    delivery_fee_fen=300,
    delivery_days=0.04,
    tags=("少冰党", "奶茶爱好者", "学生", "上班族", "爱拼单", "不吃甜", "带小朋友", "常点外卖"),
    complaint_topics=("排队太久", "太甜了", "配送慢", "少料", "店员态度一般"),
    praise_topics=("味道很好", "出杯快", "店员热情", "环境干净", "每次都点这款"),
    search_words=("奶茶", "少糖", "葡萄", "新品", "优惠券", "低糖绿茶", "咖啡", "附近门店", "芋泥", "柠檬"),
)
