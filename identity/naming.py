"""Give decided groups their customer ids, so that an id goes on meaning the person it meant before.

The rule: a customer continues in the group that holds most of its profiles with asserted evidence, then most of its
profiles; where several customers meet in one group, the one with the better claim by the same measure continues, then
the oldest. The others are *merged into* it. Where a customer is split, the parts that do not continue it get back an id
their profiles held before, else a new one. Ids are random, never made from members, and never used for anybody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.carried import Carried
from identity.errors import InvalidInputError
from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks, Wide
from identity.rules import Tier

__all__ = ["KEPT", "NEW", "REGAINED", "IdSource", "Names", "Past", "name_groups", "random_ids", "sequential_ids"]

IdSource = Callable[[int], Sequence[str]]
"""Gives so many ids that it never gave before."""


def random_ids(wanted: int) -> Sequence[str]:
    """Fresh random ids: "c" and 20 characters of 80 random bits."""
    digits = secrets.token_hex(10 * wanted)
    return [f"c{digits[start : start + 20]}" for start in range(0, len(digits), 20)]


def sequential_ids(prefix: str = "c", start: int = 1) -> IdSource:
    """An id source that counts, for tests and reproducible runs."""
    numbers = count(start)
    return lambda wanted: [f"{prefix}{next(numbers)}" for _ in range(wanted)]


KEPT, REGAINED, NEW = 0, 1, 2
"""How a customer came to be one now: it goes on, it is an id that its profiles had before, or it is a new one."""


@dataclass(frozen=True, slots=True)
class Past:
    """Who the profiles were, by number.

    Attributes:
        customers: rows of :data:`identity.SCHEMAS` ``customers``, in the order of their ids; their rows are their numbers.
        profiles: keys: the profiles there are, by number, then those that are gone, in order.
        was: for each the number of its customer, ``NOTHING`` for none.
        history_profile, history_customer: who else some profiles once were.
    """

    customers: pa.Table
    profiles: pa.Array
    was: Numbers
    history_profile: Numbers
    history_customer: Numbers

    @classmethod
    def of(cls, profiles: pa.Array, customers: pa.Table, members: pa.Table, history: pa.Table) -> Past:
        """From rows of the state.

        Args:
            profiles: the keys there are, rising.
            customers: the customers that ``members`` and ``history`` name.
            members, history: what the state knows of these profiles, and of those that are gone.
        """
        customers = customers.take(pc.array_sort_indices(customers["customer"].combine_chunks())).combine_chunks()
        ids = customers["customer"].combine_chunks()
        home = _numbers(members["customer"], ids)
        place = _numbers(members["profile"], profiles)
        gone = np.flatnonzero(place == NOTHING)
        lost = members["profile"].take(pa.array(gone)).combine_chunks()
        order = pc.array_sort_indices(lost)
        was = np.full(len(profiles), NOTHING, np.int32)
        was[place[place != NOTHING]] = home[place != NOTHING]
        return cls(
            customers=customers,
            profiles=pa.concat_arrays([profiles, lost.take(order)]),
            was=np.concatenate([was, home[gone[np.asarray(order)]]]),
            history_profile=_numbers(history["profile"], profiles),
            history_customer=_numbers(history["customer"], ids),
        )


def _numbers(texts: pa.ChunkedArray, known: pa.Array) -> Numbers:
    if not (len(texts) and len(known)):
        return np.full(len(texts), NOTHING, np.int32)
    return np.asarray(pc.index_in(texts, known).fill_null(NOTHING), np.int32)


@dataclass(frozen=True, slots=True)
class Names:
    """Who the profiles are now.

    Attributes:
        past: who they were.
        ids: the customers' ids by number: those of the past, then the new ones in the order of their groups.
        origin: how each came to be a customer now; ``NOTHING`` for those that none of the profiles is.
        now: for each of ``past.profiles`` the number of its customer; ``NOTHING`` for those that are gone.
        ranks: the place of each id in their order.
    """

    past: Past
    ids: pa.Array
    origin: Numbers
    now: Numbers
    ranks: Wide

    @property
    def there(self) -> Numbers:
        """The customers of the profiles there are."""
        return np.asarray(self.now[self.now != NOTHING])


def name_groups(past: Past, groups: Numbers, carried: Carried, new_ids: IdSource) -> Names:
    """Give every group its customer.

    Args:
        past: who the profiles were.
        groups: for each profile there is its group, named by the smallest profile.
        carried: who carries what.
        new_ids: asked once, for as many ids as are needed; given out in the order of the groups' numbers.

    Raises:
        InvalidInputError: an id was given before.
    """
    customer = np.full(len(groups), NOTHING, np.int32)  # of each group, by its number
    kept, regained = _claims(past, groups, carried), _former(past, groups)
    won = _contest(kept, np.ones(len(kept.group), np.bool_), past.customers)
    customer[kept.group[won]] = kept.customer[won]
    won = _contest(regained, customer[regained.group] == NOTHING, past.customers)
    customer[regained.group[won]] = regained.customer[won]
    heads = np.flatnonzero(groups == np.arange(len(groups)))
    fresh = heads[customer[heads] == NOTHING]
    known = past.customers["customer"].combine_chunks()
    ids = pa.concat_arrays([known, _new(new_ids, len(fresh), known)])
    customer[fresh] = np.arange(len(known), len(ids))
    origin = np.full(len(ids), NOTHING, np.int32)
    origin[customer[heads]] = KEPT
    origin[regained.customer[won]] = REGAINED
    origin[len(known) :] = NEW
    now = np.concatenate([customer[groups], np.full(len(past.profiles) - len(groups), NOTHING, np.int32)])
    ranks = np.empty(len(ids), np.int64)
    ranks[np.asarray(pc.array_sort_indices(ids))] = np.arange(len(ids))
    return Names(past, ids, origin, now, ranks)


@dataclass(frozen=True, slots=True)
class _Claims:
    """Customers that groups could be, with how many profiles speak for it, and how many of these carry asserted evidence."""

    group: Numbers
    customer: Numbers
    profiles: Wide
    anchors: Wide


def _claims(past: Past, groups: Numbers, carried: Carried) -> _Claims:
    """The customers that the profiles of groups are."""
    was = past.was[: len(groups)]
    rows = np.flatnonzero(was != NOTHING)
    both = Grouped(groups[rows], was[rows])
    anchored = np.zeros(len(groups), np.int64)
    anchored[carried.profile[carried.tier <= Tier.ASSERTED]] = 1
    heads = rows[both.heads]
    return _Claims(groups[heads], was[heads], both.sizes(), both.total(anchored[rows]))


def _former(past: Past, groups: Numbers) -> _Claims:
    """The dead customers that the profiles of groups once were."""
    dead = np.asarray(pc.is_in(past.customers["state"], pa.array(["merged", "retired"])), np.bool_)
    known = np.flatnonzero((past.history_profile != NOTHING) & (past.history_customer != NOTHING))
    profile, customer = past.history_profile[known], past.history_customer[known]
    profile, customer = profile[dead[customer]], customer[dead[customer]]
    group = groups[profile]
    both = Grouped(group, customer)
    heads, none = both.heads, np.zeros(len(both), np.int64)
    return _Claims(group[heads], customer[heads], both.distinct(profile), none)


def _contest(claims: _Claims, free: Marks, customers: pa.Table) -> Wide:
    """Match groups and customers one to one, best claim first: the claims that win, of those that are free."""
    rows = np.flatnonzero(free)
    alone = (_often(claims.group[rows]) == 1) & (_often(claims.customer[rows]) == 1)
    simple, rows = rows[alone], rows[~alone]
    customer, group = claims.customer[rows], claims.group[rows]
    born = np.asarray(customers["born"], np.int64)[customer]
    rank = np.lexsort((group, customer, born, -claims.profiles[rows], -claims.anchors[rows]))
    groups_taken: set[int] = set()
    customers_taken: set[int] = set()
    won = []
    for place, one, other in zip(rank.tolist(), group[rank].tolist(), customer[rank].tolist(), strict=True):
        if one not in groups_taken and other not in customers_taken:
            groups_taken.add(one)
            customers_taken.add(other)
            won.append(place)
    return np.concatenate([simple, rows[np.array(won, np.int64)]])


def _often(numbers: Numbers) -> Wide:
    """How often each number stands among them."""
    return np.asarray(np.bincount(numbers, minlength=1)[numbers])


def _new(new_ids: IdSource, wanted: int, known: pa.Array) -> pa.Array:
    ids = pa.array(new_ids(wanted) if wanted else [], pa.string())
    if len(pc.unique(ids)) < len(ids) or pc.any(pc.is_in(ids, known)).as_py():
        raise InvalidInputError("The id source gave an id that was given before.", hint="Ids must never repeat.")
    return ids
