"""What somebody will buy: own favourites, and what customers with like favourites buy.

Own frequency and the purchases of the most similar customers (cosine), blended. On real baskets this equals or beats matrix
factorisation except for new products of some chains. Everybody is compared with at most ``likes`` customers, evenly spaced over all
of those with two products or more, so that the work grows with the number of customers and not with its square. The hub's scorer
takes them, and what sells best, as they were at the beginning of the week: what is recommended to somebody changes within a day
with that customer's own purchases only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title
from plugins.retail.models.config import RecommendConfig
from plugins.retail.models.daily import evenly, read_buyers, read_ids
from plugins.retail.models.kept_out import KeptOut, read_kept_out
from plugins.retail.models.threads import in_threads
from plugins.retail.origins import with_origins

__all__ = ["Bought", "Likes", "Ranked", "Recommend", "likes_of", "ranked"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_CHUNK = 50_000
_CELLS = 4_000_000
"""Numbers in one block's table of customers by products or by like customers: bounds memory."""
_FEW = 1_000
"""Products up to which a table with a place for each is faster than one of those that were bought."""


@dataclass(frozen=True)
class Bought:
    """Who bought what: one entry per customer and product.

    Attributes:
        customer: rising.
        product: rising within a customer.
        weight: purchase days, older ones counting less.
        customers, products: how many there are.
    """

    customer: Ints
    product: Ints
    weight: Floats
    customers: int
    products: int


@dataclass(frozen=True)
class Likes:
    """Whom customers are compared with.

    Attributes:
        tastes: a sparse row per like customer, a column per product.
        who: that customer's number among those who are ranked; -1 for somebody else.
        popular: how many customers buy each product.
    """

    tastes: Any
    who: Ints
    popular: Floats


def likes_of(bought: Bought, most: int) -> Likes:
    """Return at most so many of the customers with two products or more, evenly spaced over them."""
    rows = _matrix(bought)
    who = evenly(np.flatnonzero(np.diff(rows.indptr) >= 2), most)
    return Likes(_normalised(rows[who]), who, np.bincount(bought.product, minlength=bought.products).astype(np.float32))


class Ranked(NamedTuple):
    """The best products of some customers, best first; -1 stands where there are fewer.

    Attributes:
        begin: number of the first of these customers.
        best: of all products.
        had: which of these they had bought.
        new: of those they had not bought.
    """

    begin: int
    best: Ints
    had: NDArray[np.bool_]
    new: Ints


def ranked(bought: Bought, config: RecommendConfig, count: int, likes: Likes | None = None) -> Iterator[Ranked]:
    """Yield the best products, some customers at a time.

    Equal scores are ordered by how many customers buy the product. Customers without purchases get the best-sellers.

    Args:
        bought: purchases.
        config: weights and sizes.
        count: products per customer, of all and of new ones.
        likes: whom they are compared with; some of themselves if not given.
    """
    if not bought.products:
        nothing = np.full((bought.customers, count), -1, np.int64)
        yield Ranked(0, nothing, nothing >= 0, nothing)
        return
    likes = likes or likes_of(bought, config.likes)
    rows = _matrix(bought)
    tastes = likes.tastes.toarray() if bought.products <= _FEW else likes.tastes
    fallback = 1e-3 * likes.popular / max(float(likes.popular.max(initial=0)), 1.0)
    step = max(_CELLS // max(len(likes.who), bought.products, 1), 1)
    for begin in range(0, bought.customers, step):
        some = rows[begin : begin + step]
        best = np.repeat(_best(fallback[None], count), some.shape[0], axis=0)
        had, new = np.zeros(best.shape, np.bool_), best.copy()
        busy = np.flatnonzero(np.diff(some.indptr))
        if len(busy):
            own = some[busy].toarray()
            score = config.own_share * _by_largest(own) + fallback
            if len(likes.who):
                who = _places(likes.who - begin, busy)
                score += (1 - config.own_share) * _liked(some[busy], tastes, who, config.neighbours)
            best[busy] = _best(score, count)
            had[busy] = np.take_along_axis(own > 0, np.maximum(best[busy], 0), axis=1) & (best[busy] >= 0)
            score[own > 0] = 0
            new[busy] = _best(score, count)
        yield Ranked(begin, best, had, new)


def _matrix(bought: Bought) -> Any:
    from scipy import sparse

    shape = (bought.customers, bought.products)
    return sparse.csr_matrix((bought.weight, (bought.customer, bought.product)), shape)


def _normalised(rows: Any) -> Any:
    from scipy import sparse

    logs = rows.log1p()
    lengths = np.sqrt(np.asarray(logs.multiply(logs).sum(axis=1)).ravel())
    return (sparse.diags((1 / np.maximum(lengths, 1e-9)).astype(np.float32)) @ logs).tocsr()


def _liked(some: Any, tastes: Any, who: Ints, neighbours: int) -> Floats:
    """What the customers most alike buy, each by their likeness; the most bought counts 1."""
    near = _nearest(_plain(_normalised(some) @ tastes.T), who, neighbours)
    return _by_largest(_plain(near @ tastes))


def _plain(table: Any) -> Floats:
    """A table as NumPy's, whichever kind it is."""
    return np.asarray(table.toarray() if hasattr(table, "toarray") else table, np.float32)


def _places(who: Ints, among: Ints) -> Ints:
    """Where each number stands among rising ones; -1 for one that does not."""
    place = np.minimum(np.searchsorted(among, who), len(among) - 1)
    return np.where(among[place] == who, place, -1)


def _nearest(similar: Floats, who: Ints, neighbours: int) -> Any:
    """Keep the largest similarities of each customer, that to himself (a row's own number in ``who``) left out."""
    from scipy import sparse

    own = np.flatnonzero(who >= 0)
    similar[who[own], own] = 0
    least = np.full((len(similar), 1), np.finfo(np.float32).tiny)
    if neighbours < similar.shape[1]:
        # The largest stand first: among the many zeros at the other end, partition takes several times as long.
        nth = -np.partition(-similar, neighbours - 1, axis=1)[:, neighbours - 1, None]
        least = np.maximum(least, nth)
    kept = similar >= least
    place = np.flatnonzero(kept)
    begins = np.concatenate([[0], np.cumsum(np.count_nonzero(kept, axis=1))])
    return sparse.csr_matrix((similar.ravel()[place], place % similar.shape[1], begins), similar.shape)


def _by_largest(scores: Floats) -> Floats:
    return np.asarray(scores / np.maximum(scores.max(axis=1, keepdims=True, initial=0), 1e-9), np.float32)


def _best(scores: Floats, count: int) -> Ints:
    """The best products per row, best first; equal ones by their number, and none that nothing speaks for."""
    found = np.full((len(scores), count), -1, np.int64)
    products = scores.shape[1]
    width = min(count, products)
    if not width:
        return found
    # One whole number for score and place, so that no two are equal and other columns change nothing.
    rank = np.rint(scores * 1e5).astype(np.int64) * products + np.arange(products - 1, -1, -1)
    part = np.argpartition(-rank, width - 1, axis=1)[:, :width]
    chosen = np.take_along_axis(rank, part, axis=1)
    order = np.argsort(-chosen, axis=1, kind="stable")
    best = np.take_along_axis(part, order, axis=1)
    found[:, :width] = np.where(np.take_along_axis(chosen, order, axis=1) >= products, best, -1)
    return found


def _trait(name: str, zh: str, en: str, description: str) -> Trait:
    return Trait(name, TraitType.TEXT, Title(zh, en), "", description, "never bought, or nothing to recommend")


class Recommend(Scorer):
    """Products a customer is likely to buy next: again, and for the first time."""

    name = "recommend"
    needs = ("retail",)
    Config = RecommendConfig
    traits = with_origins(
        _trait("reco_repeat", "推荐复购商品", "Products to buy again", "Names, the likeliest first; on sale, in stock at the customer's shop, never given back, and of no need group that is not used up yet."),
        _trait("reco_repeat_ids", "推荐复购商品编号", "Products to buy again, ids", "The same as product ids, separated by commas."),
        _trait("reco_repeat_reason", "复购推荐理由", "Why to buy again (Chinese)", "The favourite among them."),
        _trait("reco_repeat_reason_en", "复购推荐理由(英文)", "Why to buy again (English)", "The same in English."),
        _trait("reco_new", "推荐新商品", "Products to try", "Names of products not bought in the look-back, the likeliest first; on sale, in stock and left out as above."),
        _trait("reco_new_ids", "推荐新商品编号", "Products to try, ids", "The same as product ids, separated by commas."),
        _trait("reco_new_reason", "新品推荐理由", "Why to try (Chinese)", "Like customers, or best-sellers of the chain."),
        _trait("reco_new_reason_en", "新品推荐理由(英文)", "Why to try (English)", "The same in English."),
    )  # fmt: skip

    def per_customer(self, config: RecommendConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Like customers and best-sellers are those of the week's beginning."""
        return True

    def population(self, inputs: Inputs) -> Mapping[str, str | pa.Table]:
        """Return what was sold before the week of as_of, and the customers that others are compared with."""
        config: RecommendConfig = inputs.config
        monday = inputs.business_date - dt.timedelta(days=inputs.business_date.weekday())
        first = inputs.arrow("SELECT min(business_date) AS day FROM purchases")["day"][0].as_py()
        until = f"DATE '{monday}'" if first and first < monday else inputs.today
        bought = _bought(until, config)
        several = (
            f"SELECT customer FROM ({bought}) GROUP BY customer HAVING count(DISTINCT code) >= 2 ORDER BY customer"
        )
        who = evenly(inputs.arrow(several)["customer"].to_numpy(), config.likes)
        chosen = f"customer IN (SELECT unnest({who.tolist()}::INTEGER[]))"
        return {
            "recommend_sold": f"""SELECT code, max(name) AS name, count(DISTINCT customer) AS buyers FROM ({bought}) GROUP BY code""",
            "recommend_likes": inputs.arrow(f"""
                SELECT customer_id, code, {_decayed(until, config)} AS weight
                FROM (SELECT DISTINCT customer, code, business_date FROM ({bought}) WHERE {chosen}) JOIN people USING (customer)
                GROUP BY customer_id, code"""),
        }

    def score(self, inputs: Inputs) -> pa.Table:
        """Rank the products of every buyer, some at a time."""
        config: RecommendConfig = inputs.config
        goods = _goods(inputs, config)
        buyers, ids = read_buyers(inputs), read_ids(inputs)
        if not len(goods.codes) or not len(buyers):
            nothing = pa.nulls(len(ids), pa.string())
            return pa.table({"customer_id": ids, **{trait.name: nothing for trait in self.traits}})
        likes = _likes(inputs, goods, ids)

        def read() -> Iterator[tuple[Bought, Likes, KeptOut]]:
            for begin in range(0, len(buyers), _CHUNK):
                some = buyers[begin : begin + _CHUNK]
                who = np.where(likes.who >= begin, likes.who - begin, -1)
                who = np.where(who < len(some), who, -1)
                kept_out = read_kept_out(inputs, goods.codes, some)
                yield _purchases(inputs, config, goods, some), replace(likes, who=who), kept_out

        parts = in_threads(lambda part: _listed(part[0], config, goods, *part[1:]), read())
        return pa.concat_tables(parts).add_column(0, "customer_id", ids)


def _listed(bought: Bought, config: RecommendConfig, goods: Goods, likes: Likes, kept_out: KeptOut) -> pa.Table:
    """The traits of some customers."""
    parts: list[pa.Table] = []
    known = _most_bought(bought)
    for begin, best, had, new in ranked(bought, config, 4 * config.listed, likes):
        again, first = (_offered(begin, one, goods, kept_out) for one in (best, new))
        again &= had
        columns: dict[str, pa.Array] = {}
        for name, products, offered, (zh, en) in (
            ("reco_repeat", best, again, _reasons_to_repeat(best, again, goods.names)),
            ("reco_new", new, first, _reasons_to_try(np.asarray(first.any(axis=1)), known[begin : begin + len(new)])),
        ):
            listed = offered & (np.cumsum(offered, axis=1) <= config.listed)
            columns[name] = _joined(products, listed, goods.names, "、")
            columns[f"{name}_ids"] = _joined(products, listed, goods.codes, ",")
            columns[f"{name}_reason"] = zh
            columns[f"{name}_reason_en"] = en
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def _offered(begin: int, best: Ints, goods: Goods, kept_out: KeptOut) -> NDArray[np.bool_]:
    """Which of the products may be listed: on sale, and not left out for the customer."""
    return np.asarray((best >= 0) & goods.on_sale[np.maximum(best, 0)] & ~kept_out.among(begin, best))


def _most_bought(bought: Bought) -> NDArray[np.bool_]:
    """Who has bought anything in the look-back."""
    return np.asarray(np.bincount(bought.customer, minlength=bought.customers) > 0)


def _joined(best: Ints, listed: NDArray[np.bool_], words: pa.Array, between: str) -> pa.Array:
    """The words of the products listed, as one text per customer; null for none."""
    ends = np.cumsum(np.count_nonzero(listed, axis=1))
    lists = pa.ListArray.from_arrays(np.concatenate([[0], ends]).astype(np.int32), words.take(pa.array(best[listed])))
    return pc.if_else(
        pc.greater(pc.list_value_length(lists), 0), pc.binary_join(lists, between), pa.scalar(None, pa.string())
    )


_Reasons = tuple[pa.Array, pa.Array]
"""In Chinese and in English, one per customer."""


def _reasons_to_repeat(best: Ints, again: NDArray[np.bool_], names: pa.Array) -> _Reasons:
    """The favourite of those listed."""
    first = best[np.arange(len(best)), again.argmax(axis=1)]
    favourite = names.take(pa.array(first, mask=~again.any(axis=1)))
    return pc.binary_join_element_wise("常买", favourite, ""), pc.binary_join_element_wise("often buys", favourite, " ")


def _reasons_to_try(listed: NDArray[np.bool_], known: NDArray[np.bool_]) -> _Reasons:
    """Where new products come from: like customers; best-sellers for whom nothing is known lately."""
    kinds = pa.array(np.where(listed, np.where(known, 1, 2), 0))
    zh = pa.array([None, "口味相近的顾客也买", "全店热销"], pa.string())
    en = pa.array([None, "customers of like taste buy these", "best-sellers of the chain"], pa.string())
    return zh.take(kinds), en.take(kinds)


@dataclass(frozen=True)
class Goods:
    """Products by number, in the order of their codes; ``buyers`` are those of the week's beginning."""

    codes: pa.Array
    names: pa.Array
    on_sale: NDArray[np.bool_]
    buyers: Floats


def _bought(until: str, config: RecommendConfig) -> str:
    """Lines of the look-back before a day."""
    return f"""SELECT customer, business_date, code, name FROM customer_lines JOIN articles USING (article)
        WHERE goods AND quantity > 0 AND code IS NOT NULL AND business_date < {until} AND business_date >= {until} - {config.lookback_days}"""


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
    table = _matrix(Bought(customer, product, rows["weight"].to_numpy(), len(likes), len(goods.codes)))
    who = np.asarray(pc.fill_null(pc.index_in(likes, ids), -1).to_numpy(zero_copy_only=False), np.int64)
    return Likes(_normalised(table), who, goods.buyers)


def _purchases(inputs: Inputs, config: RecommendConfig, goods: Goods, buyers: NDArray[np.int32]) -> Bought:
    """What some customers bought in the look-back."""
    rows = inputs.arrow(f"""
        SELECT customer, code, {_decayed(inputs.today, config)} AS weight
        FROM (SELECT DISTINCT customer, code, business_date FROM ({_bought(inputs.today, config)})
              WHERE customer BETWEEN {buyers[0]} AND {buyers[-1]})
        GROUP BY customer, code ORDER BY customer, code""")
    product = pc.index_in(rows["code"], goods.codes).to_numpy().astype(np.int64)
    # Who has lines only that are no purchases (free of charge, say) is among the buyers all the same.
    customer = np.searchsorted(buyers, rows["customer"].to_numpy()).astype(np.int64)
    return Bought(customer, product, rows["weight"].to_numpy(), len(buyers), len(goods.codes))
