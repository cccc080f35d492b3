"""The clothing chain: 样板衣橱. Dear, seldom, two seasons a year, many returns, sizes and colours."""

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

__all__ = ["FASHION"]

_WORN = ("tops", "trousers", "skirts", "coats")
_SUMMER = (0.3, 0.5, 0.9, 1.4, 1.7, 1.7, 1.5, 1.2, 0.9, 0.6, 0.4, 0.3)
_WINTER = (1.4, 1.0, 0.6, 0.4, 0.3, 0.2, 0.3, 0.6, 1.2, 1.7, 2.0, 1.8)

_CATEGORIES = (
    Category("tops", "上装", "Tops", goes_with="trousers"),
    Category("trousers", "裤装", "Trousers"),
    Category("skirts", "裙装", "Skirts and dresses", _SUMMER, goes_with="accessories"),
    Category("coats", "外套", "Coats", _WINTER),
    Category("accessories", "配饰", "Accessories"),
)

_PRODUCTS = (
    Product("F101", "纯棉圆领T恤", "tops", 9900, 8.0, months=(3, 4, 5, 6, 7, 8, 9)),
    Product("F102", "亚麻衬衫", "tops", 25900, 5.0, months=(3, 4, 5, 6, 7, 8, 9)),
    Product("F103", "修身针织衫", "tops", 29900, 5.0, months=(9, 10, 11, 12, 1, 2, 3)),
    Product("F104", "牛津纺衬衫", "tops", 27900, 4.0, 0.8),
    Product("F105", "高领打底衫", "tops", 15900, 4.0, months=(10, 11, 12, 1, 2)),
    Product("F106", "卫衣", "tops", 22900, 5.0),
    Product("F107", "雪纺上衣", "tops", 21900, 1.0, 1.6, favourite=False),
    Product("F201", "直筒牛仔裤", "trousers", 32900, 6.0),
    Product("F202", "休闲西裤", "trousers", 35900, 3.5, 0.8),
    Product("F203", "阔腿裤", "trousers", 29900, 4.0),
    Product("F204", "运动束脚裤", "trousers", 23900, 3.0),
    Product("F205", "灯芯绒长裤", "trousers", 30900, 0.7, 1.5, favourite=False),
    Product("F301", "碎花连衣裙", "skirts", 45900, 5.0, months=(4, 5, 6, 7, 8, 9)),
    Product("F302", "针织半身裙", "skirts", 31900, 3.0),
    Product("F303", "百褶裙", "skirts", 26900, 3.0),
    Product("F304", "七夕限定礼服裙", "skirts", 69900, 2.0, favourite=False, festival="七夕"),
    Product("F401", "羊毛大衣", "coats", 129900, 3.0, months=(10, 11, 12, 1, 2)),
    Product("F402", "轻薄羽绒服", "coats", 79900, 5.0, months=(10, 11, 12, 1, 2)),
    Product("F403", "风衣", "coats", 69900, 3.0, months=(3, 4, 9, 10, 11)),
    Product("F404", "牛仔外套", "coats", 45900, 2.5),
    Product("F405", "皮衣", "coats", 159900, 0.3, 1.4, favourite=False),
    Product("F501", "真皮腰带", "accessories", 19900, 2.5),
    Product("F502", "羊绒围巾", "accessories", 39900, 2.0, months=(10, 11, 12, 1, 2)),
    Product("F503", "棉袜三双装", "accessories", 4900, 4.0),
    Product("F504", "遮阳帽", "accessories", 12900, 1.5, months=(4, 5, 6, 7, 8, 9)),
    Product("F505", "丝巾礼盒", "accessories", 36900, 1.2, favourite=False, festival="春节"),
)

_RHYTHMS = (
    Rhythm("office", 0.4, (0.75, 0.75, 0.75, 0.8, 1.1, 1.5, 1.35), (1, 2, 4, 4, 3, 3, 3, 4, 7, 9, 8, 3)),
    Rhythm("weekend", 0.4, (0.45, 0.45, 0.45, 0.5, 0.85, 2.2, 2.1), (1, 3, 4, 5, 8, 9, 9, 7, 6, 6, 4, 2)),
    Rhythm("daytime", 0.2, (1.1, 1.1, 1.1, 1.1, 1.0, 0.8, 0.8), (4, 7, 6, 4, 6, 7, 6, 4, 3, 2, 2, 1)),
)

FASHION = ChainProfile(
    name="fashion",
    title_zh="服装连锁",
    title_en="Clothing chain",
    brand="样板衣橱",
    product_noun="单品",
    opens=10,
    closes=22,
    night_closes=22,
    cut_over_hour=0,
    month_factors=(1.25, 0.7, 0.85, 1.0, 1.1, 1.05, 0.75, 0.75, 1.0, 1.15, 1.25, 1.15),
    categories=_CATEGORIES,
    products=_PRODUCTS,
    options=(
        OptionGroup(
            "尺码",
            ("XS", "S", "M", "L", "XL", "XXL"),
            (0.08, 0.22, 0.3, 0.22, 0.13, 0.05),
            _WORN,
            sku=True,
            loyalty=0.92,
        ),
        OptionGroup(
            "颜色",
            ("黑色", "白色", "灰色", "藏青", "卡其", "酒红"),
            (0.3, 0.22, 0.16, 0.14, 0.12, 0.06),
            (*_WORN, "accessories"),
            sku=True,
            loyalty=0.45,
        ),
    ),
    rhythms=_RHYTHMS,
    festivals=(
        Festival("春节", 1, 1, lunar=True, boost=1.6, days_before=20),
        Festival("妇女节", 3, 8, lunar=False, boost=1.5, days_before=5),
        Festival("劳动节", 5, 1, lunar=False, boost=1.5, days_before=3),
        Festival("年中大促", 6, 18, lunar=False, boost=2.2, days_before=6),
        Festival("七夕", 7, 7, lunar=True, boost=1.4, days_before=7),
        Festival("国庆", 10, 1, lunar=False, boost=1.6, days_before=3),
        Festival("双十一", 11, 11, lunar=False, boost=2.8, days_before=7),
    ),
    promotion=Promotion("两件起末件七折", (0, 1, 2, 3, 4, 5, 6), 0, 24, min_units=2, percent_off_last=30),
    coupons=(
        CouponTemplate("C01", "新会员立减50元", "cash", 30, min_fen=30_000, off_fen=5_000),
        CouponTemplate("C02", "满500减80", "cash", 14, min_fen=50_000, off_fen=8_000),
        CouponTemplate("C03", "当季新品九折", "percent", 14, percent_off=10),
        CouponTemplate("C04", "回归礼券100元", "cash", 14, min_fen=20_000, off_fen=10_000),
    ),
    campaigns=(
        Campaign("M1", "新品预告", day=3, hour=11, template="C03"),
        Campaign("M2", "会员日", day=15, hour=10, template="C02"),
    ),
    levels=(
        Level("L1", "会员", 0),
        Level("L2", "银卡会员", 200_000),
        Level("L3", "金卡会员", 600_000),
        Level("L4", "黑卡会员", 1_500_000),
    ),
    behaviour=Behaviour(
        weekly_visits=0.10,
        rate_shape=0.7,
        lifetime_days=800.0,
        one_time_share=0.25,
        extra_lines=0.7,
        loyalty=0.35,
        stored_value_share=0.04,
        refund_share=0.09,
    ),
    top_up_fen=100_000,
    top_up_bonus_fen=8_000,
    reach=(0.66, 0.32, 0.26, 0.40, 0.30, 0.42),
    channel_weights=(0.50, 0.21, 0.17, 0.12),
    delivery_share=0.85,
    delivery_fee_fen=0,
    delivery_days=3.0,
    tags=("通勤风", "休闲风", "大码", "爱收藏", "只买打折", "VIP体验官", "送礼", "搭配顾问"),
    complaint_topics=("尺码偏小", "发货慢", "起球", "色差", "试衣间排队"),
    praise_topics=("版型好", "面料舒服", "导购搭配专业", "物流快", "值得回购"),
    search_words=("连衣裙", "大衣", "牛仔裤", "新品", "优惠券", "通勤", "羽绒服", "衬衫", "围巾", "尺码表"),
)
