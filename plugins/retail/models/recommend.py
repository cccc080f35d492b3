"""The scorer ``recommend``: products to buy again and products to try, by :mod:`plugins.retail.models.ranking`.

The hub's scorer takes like customers, and what sells best, as they were at the beginning of the week: what is recommended to somebody
changes within a day with that customer's own purchases only. Where like customers buy too little that a customer does not know, the
list is filled up from best-sellers (:mod:`plugins.retail.models.sellers`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title
from plugins.retail.lines import CODES
from plugins.retail.models import sellers
from plugins.retail.models.config import RecommendConfig
from plugins.retail.models.daily import evenly, read_buyers, read_ids
from plugins.retail.models.kept_out import KeptOut, Pairs, read_kept_out, read_sold_out
from plugins.retail.models.ranking import Bought, Likes, Ranked, likes_given, ranked
from plugins.retail.models.sellers import CHAIN, SHOP, STAGE, Candidates, Sellers, Standing, fill_up, reasons
from plugins.retail.models.sizes import RightSize, known_sizes, read_sizes
from plugins.retail.models.threads import in_threads
from plugins.retail.origins import with_origins
from plugins.retail.rules import RuleSet

__all__ = ["Recommend"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CHUNK = 100_000


def _trait(name: str, zh: str, en: str, description: str, null_rule: str = "nothing to recommend") -> Trait:
    return Trait(name, TraitType.TEXT, Title(zh, en), "", description, null_rule)


_NEVER = "never bought, or nothing to recommend"


class Recommend(Scorer):
    """Products a customer is likely to buy next: again, and for the first time."""

    name = "recommend"
    needs = ("retail", "taste")
    Config = RecommendConfig
    traits = with_origins(
        _trait("reco_repeat", "推荐复购商品", "Products to buy again", "Names, the likeliest first; on sale, in stock at the customer's shop, never given back, and of no need group that is not used up yet.", _NEVER),
        _trait("reco_repeat_ids", "推荐复购商品编号", "Products to buy again, ids", "The same as product ids, separated by commas.", _NEVER),
        _trait("reco_repeat_reason", "复购推荐理由", "Why to buy again (Chinese)", "The favourite among them.", _NEVER),
        _trait("reco_repeat_reason_en", "复购推荐理由(英文)", "Why to buy again (English)", "The same in English.", _NEVER),
        _trait("reco_new", "推荐新商品", "Products to try", "Names of products not bought in the look-back, the likeliest first, filled up with best-sellers of the stage, the shop, the chain; on sale, in stock, of the right size and left out as above."),
        _trait("reco_new_ids", "推荐新商品编号", "Products to try, ids", "The same as product ids, separated by commas."),
        _trait("reco_new_reason", "新品推荐理由", "Why to try (Chinese)", "Like customers, or best-sellers of whom; with the number of products of each, in the list's order, where there are several."),
        _trait("reco_new_reason_en", "新品推荐理由(英文)", "Why to try (English)", "The same in English."),
    )  # fmt: skip

    def per_customer(self, config: RecommendConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Like customers and best-sellers are those of the week's beginning."""
        return True

    def population(self, inputs: Inputs) -> Mapping[str, str | pa.Table]:
        """Return what was sold before the week of as_of, to whom and in which sizes, and the customers that others are compared with."""
        config: RecommendConfig = inputs.config
        rules: RuleSet = inputs.settings["retail"]
        monday = inputs.business_date - dt.timedelta(days=inputs.business_date.weekday())
        first = inputs.arrow("SELECT min(business_date) AS day FROM purchases")["day"][0].as_py()
        until = f"DATE '{monday}'" if first and first < monday else inputs.today
        bought = _bought(until, config)
        several = f"SELECT customer FROM ({bought}) GROUP BY customer HAVING min(code) < max(code) ORDER BY customer"
        who = evenly(inputs.arrow(several)["customer"].to_numpy(), config.likes)
        chosen = f"customer IN (SELECT unnest({who.tolist()}::INTEGER[]))"
        within = f"quantity > 0 AND {_looked_back(until, config)}"
        return {
            "recommend_stage_sold": sellers.sold_by_stage(rules.stages, until, config.lookback_days),
            "recommend_sold": f"""
                SELECT code, max(name) AS name, any_value(buyers) AS buyers
                FROM (SELECT code, sum(buyers)::BIGINT AS buyers FROM recommend_stage_sold GROUP BY code) JOIN articles USING (code)
                SEMI JOIN (SELECT DISTINCT article FROM customer_lines WHERE {within}) USING (article) WHERE goods GROUP BY code""",
            "recommend_shop_sold": sellers.sold_by_shop(until),
            "recommend_sizes": known_sizes(rules.preference, within),
            "recommend_likes": inputs.arrow(f"""
                SELECT customer_id, code, {_decayed(until, config)} AS weight
                FROM (SELECT DISTINCT customer, code, business_date FROM ({bought}) WHERE {chosen}) JOIN people USING (customer)
                GROUP BY customer_id, code"""),
        }

    def score(self, inputs: Inputs) -> pa.Table:
        """Rank the products of every buyer, some at a time; prospects have the best-sellers of their shops."""
        config: RecommendConfig = inputs.config
        goods = _goods(inputs, config)
        best = sellers.read_sellers(inputs, goods.codes, goods.buyers)
        prospects = _of_prospects(inputs, config, goods, best)
        buyers, ids = read_buyers(inputs), read_ids(inputs)
        if not len(goods.codes) or not len(buyers):
            nothing = pa.nulls(len(ids), pa.string())
            of_buyers = pa.table({"customer_id": ids, **{trait.name: nothing for trait in self.traits}})
        else:
            parts = in_threads(
                lambda part: _listed(part, config, goods, best), _parts(inputs, goods, best, buyers, ids)
            )
            of_buyers = pa.concat_tables(parts).add_column(0, "customer_id", ids)
        return pa.concat_tables([of_buyers, prospects], promote_options="default")


@dataclass(frozen=True)
class _Part:
    """Some customers and what is known of them."""

    bought: Bought
    likes: Likes
    kept_out: KeptOut
    sizes: RightSize
    standing: Standing


def _parts(inputs: Inputs, goods: Goods, best: Sellers, buyers: NDArray[np.int32], ids: pa.Array) -> Iterator[_Part]:
    """All buyers, some at a time."""
    likes = _likes(inputs, goods, ids)
    sizes = read_sizes(inputs, goods.codes, len(buyers))
    standing = sellers.read_standing(inputs, best)
    for begin in range(0, len(buyers), _CHUNK):
        some = buyers[begin : begin + _CHUNK]
        end = begin + len(some)
        who = np.where(likes.who >= begin, likes.who - begin, -1)
        who = np.where(who < len(some), who, -1)
        kept_out = read_kept_out(inputs, goods.codes, some)
        bought = _purchases(inputs, inputs.config, goods, some)
        yield _Part(bought, replace(likes, who=who), kept_out, sizes.of(begin, end), standing.of(begin, end))


def _listed(part: _Part, config: RecommendConfig, goods: Goods, best: Sellers) -> pa.Table:
    """The traits of some customers."""
    tables: list[pa.Table] = []
    for some in ranked(part.bought, config, 4 * config.listed, part.likes):
        again = some.had & goods.on_sale[np.maximum(some.best, 0)] & ~part.kept_out.among(some.begin, some.best)
        listed = again & (np.cumsum(again, axis=1) <= config.listed)
        zh, en = _reasons_to_repeat(some.best, again, goods.names)
        columns = _columns("reco_repeat", some.best, listed, goods, zh, en)
        new, why = _new(some, part, config, goods, best)
        tables.append(pa.table({**columns, **_columns("reco_new", new, new >= 0, goods, *reasons(why))}))
    return pa.concat_tables(tables)


def _new(
    some: Ranked, part: _Part, config: RecommendConfig, goods: Goods, best: Sellers
) -> tuple[Ints, NDArray[np.int8]]:
    """Products to try, and why each is listed: what like customers buy, then best-sellers."""
    had = Pairs(part.bought.customer * part.bought.products + part.bought.product, part.bought.products)
    rows = np.arange(len(some.new))

    def may(row: Ints, product: Ints) -> Bools:
        customer = some.begin + row
        offered = goods.on_sale[np.maximum(product, 0)] & part.sizes.fits(customer, product)
        return np.asarray(offered & ~part.kept_out.holds(customer, product))

    def fresh(row: Ints, product: Ints) -> Bools:
        return may(row, product) & ~had.holds(some.begin + row, product)

    offered = some.liked & may(rows[:, None], some.new)
    place = np.cumsum(offered, axis=1) - 1
    row, column = np.nonzero(offered & (place < config.listed))
    new = np.full((len(rows), config.listed), -1, np.int64)
    new[row, place[row, column]] = some.new[row, column]
    own = part.standing.of(some.begin, some.begin + len(rows))
    candidates = (
        Candidates(STAGE, best.by_stage, own.stage),
        Candidates(SHOP, best.by_store, own.store),
        Candidates(CHAIN, np.where(some.liked, -1, some.new), rows),
    )
    return new, fill_up(new, candidates, fresh)


def _of_prospects(inputs: Inputs, config: RecommendConfig, goods: Goods, best: Sellers) -> pa.Table:
    """Products to try of those who never bought: best-sellers of their shops, then of the chain."""
    ids, store = sellers.read_prospects(inputs, best)
    new = np.full((len(ids), config.listed), -1, np.int64)
    if not len(ids) or not len(goods.codes):
        return pa.table({"customer_id": ids})
    kept_out = read_sold_out(inputs, goods.codes)
    candidates = (Candidates(SHOP, best.by_store, store), Candidates(CHAIN, best.of_all, np.zeros(len(ids), np.int64)))
    why = fill_up(new, candidates, lambda row, product: goods.on_sale[product] & ~kept_out.holds(row, product))
    return pa.table({"customer_id": ids, **_columns("reco_new", new, new >= 0, goods, *reasons(why))})


def _columns(name: str, products: Ints, listed: Bools, goods: Goods, zh: pa.Array, en: pa.Array) -> dict[str, pa.Array]:
    """The traits of one list."""
    return {
        name: _joined(products, listed, goods.names, "、"),
        f"{name}_ids": _joined(products, listed, goods.codes, ","),
        f"{name}_reason": zh,
        f"{name}_reason_en": en,
    }


def _joined(best: Ints, listed: Bools, words: pa.Array, between: str) -> pa.Array:
    """The words of the products listed, as one text per customer; null for none."""
    ends = np.cumsum(np.count_nonzero(listed, axis=1))
    lists = pa.ListArray.from_arrays(np.concatenate([[0], ends]).astype(np.int32), words.take(pa.array(best[listed])))
    return pc.if_else(
        pc.greater(pc.list_value_length(lists), 0), pc.binary_join(lists, between), pa.scalar(None, pa.string())
    )


_Reasons = tuple[pa.Array, pa.Array]
"""In Chinese and in English, one per customer."""


def _reasons_to_repeat(best: Ints, again: Bools, names: pa.Array) -> _Reasons:
    """The favourite of those listed."""
    first = best[np.arange(len(best)), again.argmax(axis=1)]
    favourite = names.take(pa.array(first, mask=~again.any(axis=1)))
    return pc.binary_join_element_wise("常买", favourite, ""), pc.binary_join_element_wise("often buys", favourite, " ")


@dataclass(frozen=True)
class Goods:
    """Products by number, in the order of their codes; ``buyers`` are those of the week's beginning."""

    codes: pa.Array
    names: pa.Array
    on_sale: Bools
    buyers: Floats


def _bought(until: str, config: RecommendConfig) -> str:
    """Lines of the look-back before a day."""
    return f"""SELECT customer, business_date, code, name FROM customer_lines JOIN articles USING (article)
        WHERE goods AND quantity > 0 AND code IS NOT NULL AND {_looked_back(until, config)}"""


def _looked_back(until: str, config: RecommendConfig) -> str:
    return f"business_date < {until} AND business_date >= {until} - {config.lookback_days}"


def _decayed(until: str, config: RecommendConfig) -> str:
    return f"round(sum(pow(0.5, ({until} - business_date)::DOUBLE / {config.half_life_days})), 6)::FLOAT"


def _goods(inputs: Inputs, config: RecommendConfig) -> Goods:
    """All products that were sold before the week, or to those who are scored."""
    rows = inputs.arrow(f"""
        WITH offered AS (SELECT source_id AS code, max(name) AS name, bool_or(on_sale) AS on_sale FROM products GROUP BY ALL),
        known AS (SELECT DISTINCT code FROM ({_bought(inputs.today, config)}) UNION SELECT code FROM recommend_sold)
        SELECT k.code, coalesce(o.name, s.name, k.code) AS name, coalesce(o.on_sale, true) AS on_sale, coalesce(s.buyers, 0)::FLOAT AS buyers
        FROM known AS k LEFT JOIN recommend_sold AS s USING (code) LEFT JOIN offered AS o USING (code) ORDER BY k.code""")
    on_sale, buyers = (rows[name].to_numpy() for name in ("on_sale", "buyers"))
    return Goods(
        rows["code"].combine_chunks(),
        rows["name"].combine_chunks(),
        np.asarray(on_sale, np.bool_),
        np.asarray(buyers, np.float32),
    )


def _likes(inputs: Inputs, goods: Goods, ids: pa.Array) -> Likes:
    """The kept customers, with their places among those who are scored."""
    rows = inputs.arrow("SELECT customer_id, code, weight FROM recommend_likes ORDER BY ALL")
    likes = rows["customer_id"].combine_chunks().unique()
    customer = pc.index_in(rows["customer_id"], likes).to_numpy().astype(np.int64)
    product = pc.index_in(rows["code"], goods.codes).to_numpy().astype(np.int64)
    table = Bought(customer, product, rows["weight"].to_numpy(), len(likes), len(goods.codes))
    who = np.asarray(pc.fill_null(pc.index_in(likes, ids), -1).to_numpy(zero_copy_only=False), np.int64)
    return likes_given(table, who, goods.buyers)


def _purchases(inputs: Inputs, config: RecommendConfig, goods: Goods, buyers: NDArray[np.int32]) -> Bought:
    """What some customers bought in the look-back."""
    codes = inputs.arrow(f"SELECT DISTINCT no, code FROM ({CODES}) ORDER BY no")["code"]
    rows = inputs.arrow(f"""
        SELECT customer, no, {_decayed(inputs.today, config)} AS weight
        FROM (SELECT DISTINCT customer, no, business_date FROM customer_lines JOIN ({CODES}) USING (article)
              WHERE quantity > 0 AND {_looked_back(inputs.today, config)} AND customer BETWEEN {buyers[0]} AND {buyers[-1]})
        GROUP BY customer, no ORDER BY customer, no""")
    place = pc.fill_null(pc.index_in(codes, goods.codes), -1).to_numpy().astype(np.int64)
    product = place[rows["no"].to_numpy() - 1]
    # Who has lines only that are no purchases (free of charge, say) is among the buyers all the same.
    customer = np.searchsorted(buyers, rows["customer"].to_numpy()).astype(np.int64)
    return Bought(customer, product, rows["weight"].to_numpy(), len(buyers), len(goods.codes))
