"""What a customer likes and how: products, tastes, times of day, channels, ways to pay, and the lists made from it."""

from __future__ import annotations

from collections.abc import Mapping

from hub.scorer import Inputs, Scorer, ScorerConfig, Trait, TraitType
from hub.titles import Title
from plugins.retail import lists, preferences
from plugins.retail.origins import with_origins
from plugins.retail.rules import RuleSet

__all__ = ["Taste"]

_FEW = "no preference stands out, or too few purchases"
_NONE = "nothing to tell"


def _trait(name: str, zh: str, en: str, description: str, null_rule: str = _FEW) -> Trait:
    return Trait(name, TraitType.TEXT, Title(zh, en), "", description, null_rule)


def _confidence(kind: str, zh: str, en: str) -> Trait:
    title = Title(f"{zh}偏好指数", f"Index of the {en}")
    name = "pref_category_1" if kind == "category" else f"pref_{kind}"
    words = f"Share of the customer / share of the chain × 100, for {name}."
    return Trait(f"pref_{kind}_index", TraitType.NUMBER, title, "100 = chain", words, _FEW)


class Taste(Scorer):
    """Preferences against the chain's average, habits, reminders and lists of products."""

    name = "taste"
    Config = ScorerConfig
    needs = ("retail",)
    traits = with_origins(
        _trait("pref_category_1", "偏好品类", "Preferred category", "Category with the highest index among those bought often enough."),
        _trait("pref_category_2", "偏好品类(二)", "Second category", "The next one."),
        _trait("pref_category_3", "偏好品类(三)", "Third category", "The next one."),
        _trait("pref_brand", "偏好品牌", "Preferred brand", "Brand with the highest index."),
        _trait("pref_taste", "偏好口味", "Preferred taste", "Choice on the order line (sugar, ice, topping, colour …) with the highest index; sizes apart."),
        _trait("pref_taste_2", "偏好口味(二)", "Second taste", "The next one."),
        _trait("pref_size", "偏好尺码", "Preferred size", "Choice that is a size (大杯, XL, 38 …) with the highest index."),
        _trait("pref_style", "偏好风格", "Preferred style", "Style of the rule set's words with the highest index, by tags, category and name of the product."),
        _trait("pref_price_band", "偏好价格带", "Preferred price band", "low, middle or high list price within the category (or by the rule set's amounts), with the highest index.", _FEW + ", or list prices are not known"),
        *(_confidence(kind, zh, en) for kind, zh, en in (("category", "品类", "category"), ("brand", "品牌", "brand"), ("taste", "口味", "taste"), ("size", "尺码", "size"), ("style", "风格", "style"), ("price_band", "价格带", "price band"))),
        _trait("favourite_product", "最爱商品", "Favourite product", "Product with the most recency-weighted units.", "never bought a product"),
        _trait("pref_daypart", "偏好时段", "Preferred part of the day", "Slot of the rule set with at least half of the visits."),
        _trait("pref_weekpart", "偏好工作日/周末", "Weekday or weekend", "weekday or weekend, with at least half of the visits."),
        _trait("pref_channel", "偏好渠道", "Preferred channel", "Channel with at least half of the visits."),
        Trait("omni", TraitType.BOOLEAN, Title("全渠道客户", "Omnichannel"), "", "Bought through two channels or more lately.", "never bought"),
        _trait("pref_tender", "偏好支付方式", "Preferred way to pay", "Way with the largest share of what was paid.", "nothing known of payments"),
        Trait("stored_value_share", TraitType.NUMBER, Title("储值支付占比", "Share paid with stored value"), "1", "Share of what was paid, lifetime.", "nothing known of payments"),
        _trait("best_send_channel", "最佳触达渠道", "Best channel to send", "Channel whose messages of a year have the highest rate of being opened or clicked, (answered + 1) / (sent + 4).", "fewer than three messages answered through channels that are told"),
        Trait("best_send_hour", TraitType.INTEGER, Title("最佳触达时刻", "Best hour to send"), "h", "Hour whose messages have the highest such rate: those of the best channel if three of them were answered, else all.", "fewer than three messages answered in a year"),
        _trait("replenish_due", "待补货商品", "To be replenished", "Product that should be used up soonest, by own and the product's pace.", "nothing is used up at a known pace"),
        Trait("replenish_date", TraitType.DATE, Title("补货提醒日", "Reminder date"), "", "Last purchase + the reminder share of the usage time.", "nothing is used up at a known pace"),
        _trait("personal_menu", "专属菜单", "Personal menu", "Favourite with its usual choices, and one pairing not tried yet.", "never bought a product"),
        _trait("bundle", "搭配推荐", "Add-on", "What goes best with the product bought last.", _NONE),
        _trait("recall_product", "召回商品", "Product to win back with", "Favourite that was not complained about; sleeping and lost customers only.", "not sleeping or lost, or nothing liked"),
        _trait("browsed_not_bought", "浏览未购", "Browsed, not bought", "Up to five products viewed or put into the cart lately and not bought since.", _NONE),
    )  # fmt: skip

    def per_customer(self, config: ScorerConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """The chain's shares and pairs are the month's."""
        return True

    def population(self, inputs: Inputs) -> Mapping[str, str]:
        """Return the chain's shares, the pace of products and pairs bought together, before as_of's month."""
        first = f"DATE '{inputs.business_date.replace(day=1).isoformat()}'"
        return {
            "taste_until": f"SELECT CASE WHEN min(business_date) < {first} THEN {first} ELSE {inputs.today} END AS day FROM purchases",
            "taste_shares": preferences.shares(inputs.settings["retail"].preference),
            "taste_pace": lists.pace(),
            "taste_pairs": lists.pairs(),
        }

    def tables(self, inputs: Inputs) -> Mapping[str, str]:
        """Return recency-weighted units of each customer and thing, and what is counted over all orders: one at a time, to spare memory."""
        rules: RuleSet = inputs.settings["retail"]
        return {
            **{f"taste_{kind}": preferences.numbered(kind, rules.preference) for kind in preferences.KINDS},
            **{
                f"taste_units_{kind}": preferences.units(rules.preference, inputs.today, kind)
                for kind in preferences.KINDS
            },
            "taste_goods": preferences.goods(rules.preference, inputs.today),
            "taste_products": preferences.products(),
            "taste_habits": preferences.habits(rules, inputs.today),
            "taste_payments": preferences.payments(),
        }

    def parts(self, inputs: Inputs) -> Mapping[str, str]:
        """Return what is liked, and the lists."""
        rules: RuleSet = inputs.settings["retail"]
        return {
            "taste_preferred": preferences.preferred(rules.preference),
            "taste_replenishing": lists.replenishing(rules.engagement),
            "taste_recommended": lists.recommended(),
        }

    def score(self, inputs: Inputs) -> str:
        """Join what is liked, how it is bought and the lists."""
        rules: RuleSet = inputs.settings["retail"]
        parts = {
            "customer": (
                "FROM taste_preferred",
                "FROM taste_habits",
                "FROM taste_payments",
                "FROM taste_replenishing",
                "FROM taste_recommended",
            ),
            "customer_id": (
                preferences.sending(inputs.zone, inputs.today),
                lists.browsed(rules.engagement, inputs.today),
            ),
        }
        joins = " ".join(
            f"LEFT JOIN ({part}) AS {key}_{n} USING ({key})"
            for key, some in parts.items()
            for n, part in enumerate(some)
        )
        return f"SELECT * FROM people {joins}"
