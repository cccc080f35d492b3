"""What somebody will buy: own favourites, and what customers with like favourites buy.

Own frequency and the purchases of the most similar customers (cosine), blended. On real baskets this equals or beats matrix
factorisation except for new products of some chains. Everybody is compared with at most ``likes`` customers, evenly spaced over all
of those with two products or more, so that the work grows with the number of customers and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plugins.retail.models.config import RecommendConfig
from plugins.retail.models.daily import evenly

__all__ = ["Bought", "Likes", "Ranked", "likes_given", "likes_of", "ranked"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

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


def likes_given(bought: Bought, who: Ints, popular: Floats) -> Likes:
    """Return all of some customers.

    Args:
        bought: what they bought.
        who: their numbers among those who are ranked, see :class:`Likes`.
        popular: how many customers of the chain buy each product.
    """
    return Likes(_normalised(_matrix(bought)), who, popular)


class Ranked(NamedTuple):
    """The best products of some customers, best first; -1 stands where there are fewer.

    Attributes:
        begin: number of the first of these customers.
        best: of all products.
        had: which of these they had bought.
        new: of those they had not bought.
        liked: which of these the customers most alike buy; the others are best-sellers of the chain.
    """

    begin: int
    best: Ints
    had: NDArray[np.bool_]
    new: Ints
    liked: NDArray[np.bool_]


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
        yield Ranked(0, nothing, nothing >= 0, nothing, nothing >= 0)
        return
    likes = likes or likes_of(bought, config.likes)
    rows = _matrix(bought)
    tastes = likes.tastes.toarray() if bought.products <= _FEW else likes.tastes
    fallback = 1e-3 * likes.popular / max(float(likes.popular.max(initial=0)), 1.0)
    step = max(_CELLS // max(len(likes.who), bought.products, 1), 1)
    for begin in range(0, bought.customers, step):
        some = rows[begin : begin + step]
        best = np.repeat(_best(fallback[None], count), some.shape[0], axis=0)
        had, new, liked = np.zeros(best.shape, np.bool_), best.copy(), np.zeros(best.shape, np.bool_)
        busy = np.flatnonzero(np.diff(some.indptr))
        if len(busy):
            own = some[busy].toarray()
            score = config.own_share * _by_largest(own) + fallback
            near = np.zeros((0, 0), np.float32)
            if len(likes.who):
                who = _places(likes.who - begin, busy)
                near = _liked(some[busy], tastes, who, config.neighbours)
                score += (1 - config.own_share) * near
            best[busy] = _best(score, count)
            had[busy] = _where(own, best[busy])
            score[own > 0] = 0
            new[busy] = _best(score, count)
            if near.size:
                liked[busy] = _where(near, new[busy])
        yield Ranked(begin, best, had, new, liked)


def _where(scores: Floats, best: Ints) -> NDArray[np.bool_]:
    """Which of the products listed per row have a score above 0."""
    return np.asarray((np.take_along_axis(scores, np.maximum(best, 0), axis=1) > 0) & (best >= 0))


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
