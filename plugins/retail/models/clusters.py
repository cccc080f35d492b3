"""Groups of customers that are alike, found by K-means, with names that stay.

Features are logarithms and shares drawn towards the chain's average, standardised and held within three standard deviations: on raw
amounts K-means puts nearly everybody into one group and calls it a good fit. The number of groups is the one for which two halves of
the customers agree best on who belongs together, with no group too large or too small. A refit keeps the names of groups whose
centres it finds again; new customers are assigned without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.models import Model
from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title
from plugins.retail.models.card import card_of, days_text
from plugins.retail.models.config import ClustersConfig
from plugins.retail.models.daily import day_number, evenly, read_buyers
from plugins.retail.models.keeping import (
    Fitted,
    Refused,
    fit_day,
    held_model,
    on_one_thread,
    read_usable,
    usable,
)
from plugins.retail.models.silence import FEWEST_CUSTOMERS
from plugins.retail.origins import with_origins

__all__ = ["Clusters", "Groups", "find_groups"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WORDS = {
    "recency": (("近期到店", "seen lately"), ("久未到店", "long unseen")),
    "frequency": (("低频", "seldom"), ("高频", "frequent")),
    "value": (("低客单", "small baskets"), ("高客单", "large baskets")),
    "discount": (("少用优惠", "full price"), ("偏好优惠", "discounts")),
    "online": (("门店", "in the shop"), ("线上", "online")),
    "evening": (("日间", "daytime"), ("晚间", "evening")),
    "weekend": (("工作日", "weekdays"), ("周末", "weekends")),
}
"""Features, and what a group is called that is low or high in one."""

FEATURES = tuple(_WORDS)
_WIDEST = 3.0
_STABLE, _LARGEST, _SMALLEST = 0.75, 0.50, 0.05
_AS_STABLE = 0.05
"""Of numbers of groups that are as stable as the best within this, the largest is chosen: it tells more."""
_TRIED = 10_000
"""Customers by whom the number of groups is chosen at most: 18 fits, one by all that are learnt from follows."""
_SAME_CENTRE = 1.5
"""Distance, in standard deviations, within which a new centre is an old one."""
_PRIOR = 5.0
_METHOD = "3"
_PURPOSE = {
    "title_zh": "客户聚类",
    "title_en": "Groups of customers that are alike",
    "purpose": "Research, audiences, and how to talk to whom.",
    "not_for": "Decisions about one person; a group says what its members have in common, not what each is like.",
}


@dataclass(frozen=True)
class Groups:
    """Found groups.

    Attributes:
        mean, scale: of the features where they were found.
        centres: standardised, one per group.
        ids: number of each group, kept over refits.
        names: Chinese and English name of each group.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    ids: tuple[int, ...]
    names: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, Any]:
        """Return the numbers for a model file."""
        return {
            "mean": list(self.mean),
            "scale": list(self.scale),
            "centres": [list(one) for one in self.centres],
            "ids": list(self.ids),
            "names": [list(one) for one in self.names],
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Groups:
        """Read back what :meth:`document` gave."""
        names = tuple((one[0], one[1]) for one in document["names"])
        centres = tuple(tuple(one) for one in document["centres"])
        return cls(tuple(document["mean"]), tuple(document["scale"]), centres, tuple(document["ids"]), names)

    def assigned(self, features: Floats) -> Ints:
        """Return the place of each customer's group among :attr:`ids`; each row's follows from that row alone."""
        squares = np.zeros((len(features), len(self.centres)))
        for j in range(len(self.mean)):
            held = np.clip((features[:, j] - self.mean[j]) / self.scale[j], -_WIDEST, _WIDEST)
            squares += (held[:, None] - np.array(self.centres)[:, j]) ** 2
        return np.asarray(np.argmin(squares, axis=1), np.int64)


@on_one_thread
def find_groups(
    features: Floats, numbers: Sequence[int], before: Groups | None
) -> tuple[Groups, dict[str, Any]] | Refused:
    """Find groups; return them with how stable and how large they are, or why there are none.

    Args:
        features: one row per customer, columns :data:`FEATURES`.
        numbers: numbers of groups to try.
        before: the groups in use, whose names are kept where they are found again.
    """
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    held = np.clip((features - mean) / scale, -_WIDEST, _WIDEST)
    few = held[:: max(-(-len(held) // _TRIED), 1)]
    tried = [_tried(few, k) for k in numbers]
    fitting = [one for one in tried if one["largest"] <= _LARGEST and one["smallest"] >= _SMALLEST]
    stable = [one for one in fitting if one["agreement"] >= _STABLE]
    if not stable:
        best = max((one["agreement"] for one in fitting), default=0.0)
        return Refused(f"no stable groups: two halves of the customers agree by {best:.2f}, {_STABLE} needed")
    best = max(float(one["agreement"]) for one in stable)
    chosen = max((one for one in stable if one["agreement"] >= best - _AS_STABLE), key=lambda one: int(one["groups"]))
    centres = chosen.pop("centres")
    if len(few) < len(held):
        centres = _fitted_groups(held, int(chosen["groups"]))[0]
    ids, names = _named(centres, mean, scale, before)
    groups = Groups(tuple(map(float, mean)), tuple(map(float, scale)), tuple(tuple(map(float, one)) for one in centres), ids, names)  # fmt: skip
    figures = [{key: value for key, value in one.items() if key != "centres"} for one in tried]
    return groups, {"chosen": chosen["groups"], "tried": figures}


def _tried(held: Floats, k: int) -> dict[str, Any]:
    """Groups of all customers, and how far two halves agree (adjusted Rand index)."""
    from sklearn.metrics import adjusted_rand_score

    centres, sizes, _ = _fitted_groups(held, k)
    agreement = adjusted_rand_score(*(_fitted_groups(held[i::2], k)[2].predict(held) for i in range(2)))
    return {
        "groups": k,
        "agreement": float(agreement),
        "largest": float(sizes.max()),
        "smallest": float(sizes.min()),
        "centres": centres,
    }


def _fitted_groups(held: Floats, k: int) -> tuple[Floats, Floats, Any]:
    """Centres and shares of the groups, the largest first, and the fit."""
    from sklearn.cluster import KMeans

    fit = KMeans(k, n_init=4, random_state=0).fit(held)
    sizes = np.bincount(fit.labels_, minlength=k) / len(held)
    order = np.argsort(-sizes, kind="stable")
    return fit.cluster_centers_[order], sizes, fit


def _named(
    centres: Floats, mean: Floats, scale: Floats, before: Groups | None
) -> tuple[tuple[int, ...], tuple[tuple[str, str], ...]]:
    """Numbers and names: those of the group before whose centre is near, else new ones."""
    ids: list[int | None] = [None] * len(centres)
    names: list[tuple[str, str] | None] = [None] * len(centres)
    following = 1
    if before is not None:
        following = max(before.ids) + 1
        for new, old in _matched(centres * scale + mean, before):
            ids[new], names[new] = before.ids[old], before.names[old]
    for i, centre in enumerate(centres):
        if ids[i] is None:
            ids[i], following = following, following + 1
            names[i] = _name(centre, {one for one in names if one})
    return tuple(one for one in ids if one is not None), tuple(one for one in names if one is not None)


def _matched(raw: Floats, before: Groups) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    old = np.array(before.centres)
    now = (raw - np.array(before.mean)) / np.array(before.scale)
    distance = np.sqrt(((now[:, None] - old[None]) ** 2).sum(axis=2))
    pairs = zip(*linear_sum_assignment(distance), strict=True)
    return [(int(i), int(j)) for i, j in pairs if distance[i, j] <= _SAME_CENTRE]


def _name(centre: Floats, taken: set[tuple[str, str]]) -> tuple[str, str]:
    """Say what a group differs in most; as many words as it takes to tell it from the others."""
    order = np.argsort(-np.abs(centre), kind="stable")
    words = [_WORDS[FEATURES[j]][int(centre[j] > 0)] for j in order]
    for count in range(2, len(words) + 1):
        name = ("·".join(zh for zh, _ in words[:count]), ", ".join(en for _, en in words[:count]))
        if name not in taken:
            return name
    return f"{name[0]}·{len(taken)}", f"{name[1]}, {len(taken)}"


class Clusters(Scorer):
    """Which group of like customers somebody belongs to."""

    name = "clusters"
    needs = ("retail",)
    Config = ClustersConfig
    traits = with_origins(
        Trait("cluster_id", TraitType.INTEGER, Title("聚类编号", "Cluster"), "", "Number of the group; kept over refits.", "never bought, or no stable groups (the method says why)"),
        Trait("cluster_name", TraitType.TEXT, Title("聚类名称", "Cluster name (Chinese)"), "", "What the group differs in most from all buyers.", "as cluster_id"),
        Trait("cluster_name_en", TraitType.TEXT, Title("聚类名称(英文)", "Cluster name (English)"), "", "The same in English.", "as cluster_id"),
        Trait("cluster_method", TraitType.TEXT, Title("聚类方法", "Method of clusters"), "", "How the groups were found, or why there are none.", "never bought"),
    )  # fmt: skip

    def per_customer(self, config: ClustersConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Groups, and the averages that shares are drawn towards, are those of the last fit."""
        return True

    def population(self, inputs: Inputs) -> Mapping[str, pa.Table]:
        """Find groups where that is due; return those that hold for today."""
        first = inputs.arrow("SELECT min(business_date) AS day FROM customer_days WHERE orders > 0")["day"][0].as_py()
        today = day_number(inputs.business_date)
        day = fit_day(day_number(first) if first else today, today)
        config: ClustersConfig = inputs.config
        recipe = f"method {_METHOD}, sample {config.sample}, {config.fewest} to {config.most} groups"
        held = held_model(inputs.models, "clusters", day, recipe, lambda day, used: _fitted(inputs, day, used))
        return {"clusters_models": usable({"clusters": held})}

    def score(self, inputs: Inputs) -> pa.Table:
        """Assign every buyer to a group."""
        ids, habits = _read(inputs, inputs.today)
        count = len(ids)
        held = read_usable(inputs, "clusters_models")["clusters"]
        if isinstance(held, Refused):
            nothing = {name: pa.nulls(count, pa.string()) for name in ("cluster_name", "cluster_name_en")}
            return pa.table({"customer_id": ids, "cluster_id": pa.nulls(count, pa.int64()), **nothing, "cluster_method": _same(held.reason, count)})  # fmt: skip
        groups = Groups.of(dict(held))
        place = pa.array(groups.assigned(_features(habits, Averages(**held["averages"]))))
        columns = {
            "cluster_id": pa.array(groups.ids, pa.int64()).take(place),
            "cluster_name": pa.array([zh for zh, _ in groups.names]).take(place),
            "cluster_name_en": pa.array([en for _, en in groups.names]).take(place),
        }
        return pa.table({"customer_id": ids, **columns, "cluster_method": _same("k-means", count)})


def _same(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, np.int64)))


def _fitted(inputs: Inputs, day: int, used: Model | None) -> Fitted | Refused:
    config: ClustersConfig = inputs.config
    today = f"DATE '{days_text(day)}'"
    buyers = read_buyers(inputs, before=today)
    if len(buyers) < FEWEST_CUSTOMERS:
        return Refused(f"too little data: {len(buyers)} buyers, {FEWEST_CUSTOMERS} needed")
    _, habits = _read(inputs, today, evenly(buyers, config.sample))
    averages = Averages.of(habits)
    features = _features(habits, averages)
    before = Groups.of(dict(used.payload)) if used else None
    found = find_groups(features, range(config.fewest, config.most + 1), before)
    if isinstance(found, Refused):
        return found
    groups, figures = found
    place = groups.assigned(features)
    profile = [
        {"id": groups.ids[g], "name_zh": groups.names[g][0], "name_en": groups.names[g][1],
         "share": float(np.mean(place == g)), **dict(zip(FEATURES, map(float, groups.centres[g]), strict=True))}
        for g in range(len(groups.ids))
    ]  # fmt: skip
    rows = {"customers": len(buyers), "customers_learnt": len(features)}
    card = card_of(
        _PURPOSE, "in use: stable groups", {"fitted_for": days_text(day)}, rows, figures, {"profile": profile}
    )
    return Fitted({**groups.document(), "averages": asdict(averages)}, card, good=True)


@dataclass(frozen=True)
class Averages:
    """What all customers are like: mean value of a purchase day, and shares that one customer's are drawn towards."""

    value: float
    discount: float
    online: float
    evening: float
    weekend: float

    @classmethod
    def of(cls, habits: dict[str, Floats]) -> Averages:
        """Averages of some customers."""
        orders = max(float(habits["n"].sum()), 1.0)
        shares = {name: float(habits[name].sum()) / orders for name in _SHARES}
        return cls(max(float(np.mean(habits["value"])), 1e-9), **shares)


_SHARES = ("discount", "online", "evening", "weekend")


def _read(inputs: Inputs, today: str, chosen: NDArray[np.int32] | None = None) -> tuple[pa.Array, dict[str, Floats]]:
    """Return the ids of all who had bought before a day (or of some of them), sorted, and what they were like."""
    some = "" if chosen is None else f"AND customer IN (SELECT unnest({chosen.tolist()}::INTEGER[]))"
    rows = inputs.arrow(f"""
        WITH bought AS (
            SELECT customer, {today} - max(business_date) AS recency, count(*) AS days,
                   count(*) FILTER (business_date >= {today} - 365) AS days_365, sum(net_value) AS net,
                   sum(greatest(discount_value, 0)) AS discount, sum(orders) AS n, sum(orders) FILTER (isodow(business_date) >= 6) AS weekend,
                   sum(evening_orders) AS evening, sum(online_orders) AS online
            FROM customer_days WHERE orders > 0 AND business_date < {today} {some} GROUP BY customer
        )
        SELECT customer_id, recency::DOUBLE AS recency, days_365::DOUBLE AS frequency, (net / days)::DOUBLE AS value,
               discount::DOUBLE AS discount, net::DOUBLE AS net, n::DOUBLE AS n, coalesce(weekend, 0)::DOUBLE AS weekend,
               evening::DOUBLE AS evening, online::DOUBLE AS online
        FROM bought JOIN people USING (customer) ORDER BY customer""")
    column = {name: np.asarray(rows[name].to_numpy(), np.float64) for name in rows.column_names[1:]}
    price = np.maximum(column["net"], 0) + column["discount"]
    share = np.divide(column["discount"], price, out=np.zeros(len(price)), where=price > 0)
    return rows["customer_id"].combine_chunks(), {**column, "discount": share * column["n"]}


def _features(habits: dict[str, Floats], averages: Averages) -> Floats:
    """One row per customer, columns :data:`FEATURES`; each row follows from that customer and the averages alone."""
    columns = {
        "recency": np.log1p(habits["recency"]),
        "frequency": np.log1p(habits["frequency"]),
        "value": np.log(np.maximum(habits["value"] / averages.value, 0.01)),
        # As if five more orders had been average.
        **{name: (habits[name] + _PRIOR * getattr(averages, name)) / (habits["n"] + _PRIOR) for name in _SHARES},
    }
    return np.column_stack([columns[name] for name in FEATURES])
