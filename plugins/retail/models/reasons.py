"""Why somebody may stay away, in words: the model's own reasons, each said only where it is true of that customer.

What a feature adds to the line is summed over features that say the same thing; the three largest sums above a limit are told with
the customer's own numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plugins.retail.models.features import Snapshot
from plugins.retail.models.layer import GROWING
from plugins.retail.models.silence import Silence

__all__ = ["SIGNALS", "reasons"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_TOLD = 3
_LEAST = 0.1
"""Added logit below which a signal is no reason."""


@dataclass(frozen=True)
class Signal:
    """Features that say the same thing.

    Attributes:
        name: what it is called on the card.
        columns: the features.
        true: of whom the sentence is true.
        numbers: the customer's numbers in the sentence, in its order.
        zh, en: the sentence, with ``{}`` for each number.
    """

    name: str
    columns: tuple[str, ...]
    true: Callable[[Snapshot], Bools]
    numbers: Callable[[Snapshot], tuple[Floats, ...]]
    zh: str
    en: str


SIGNALS = (
    Signal(
        "pace", ("recency", "overdue", "usual_gap", "layer_sleeping", "model_silence", "model_alive"),
        lambda known: known.recency > known.usual_gap, lambda known: (known.recency, known.usual_gap),
        "已 {} 天未到店，平时约 {} 天一次", "{} days since the last visit, usually every {}",
    ),
    Signal(
        "seldom", ("recency", "overdue", "usual_gap", "layer_sleeping", "model_silence", "model_alive", "days_30", "days_90", "days_180", "days_365"),
        lambda known: (known.recency <= known.usual_gap) & (known.days_30 <= 2), lambda known: (known.days_30,),
        "近 30 天仅到店 {} 天", "only {} visit days in the last 30",
    ),
    Signal(
        "lengthening", ("gaps_lengthened", "has_gap_trend"),
        lambda known: np.nan_to_num(known.last_gaps) > 1.2 * np.nan_to_num(known.earlier_gaps, nan=np.inf),
        lambda known: (known.last_gaps, known.earlier_gaps),
        "消费间隔延长：近三次平均 {} 天，此前 {} 天", "visits are getting rarer: last three gaps {} days, {} before",
    ),
    Signal(
        "new", ("purchases", "tenure", "layer_new"),
        lambda known: known.count <= 3, lambda known: (known.count,),
        "累计仅消费 {} 天，尚未养成习惯", "only {} purchase days so far, no habit yet",
    ),
    Signal(
        "value", ("value", "value_trend"),
        lambda known: known.value_ratio < 0.85, lambda known: (100 * (1 - known.value_ratio),),
        "近三次消费额比此前低 {}%", "the last three visits were worth {} % less than before",
    ),
    Signal(
        "uneven", ("gap_spread", "value_spread"),
        lambda known: known.count >= 4, lambda _: (),
        "消费节奏或金额波动大", "irregular visits or baskets",
    ),
    Signal(
        "discounts", ("discount_share",),
        lambda known: known.discount > 0.2, lambda known: (100 * known.discount,),
        "消费依赖优惠：平均优惠 {}%", "comes for discounts: {} % on average",
    ),
    Signal(
        "online", ("online_share",),
        lambda known: known.online >= 0.5, lambda known: (100 * known.online,),
        "多在线上下单：占 {}%", "orders online mostly: {} %",
    ),
    Signal(
        "offline", ("online_share",),
        lambda known: known.online == 0, lambda _: (),
        "只在门店消费，从未线上下单", "buys in shops alone, never online",
    ),
    Signal(
        "narrow", ("category_mix",),
        lambda known: (known.count >= 4) & (known.categories >= 1) & (known.categories <= 2), lambda known: (known.categories,),
        "品类单一：只买过 {} 个品类", "buys from few categories: {}",
    ),
    Signal(
        "layer", ("layer_loyal",),
        lambda known: known.layer == GROWING, lambda _: (),
        "客户分层为成长，尚非忠诚", "in the layer growing, not loyal",
    ),
)  # fmt: skip
"""What can be told, in the order in which ties are told."""


def reasons(model: Silence, horizon: int, known: Snapshot) -> tuple[pa.Array, pa.Array]:
    """Return the reasons of each customer in Chinese and English, up to three, the strongest first; null where there is none."""
    line = model.lines[horizon]
    if line is None or not len(known):
        nothing = pa.nulls(len(known), pa.string())
        return nothing, nothing
    features = model.features(known, horizon)
    weights = np.zeros((len(SIGNALS), len(known)))
    for i, signal in enumerate(SIGNALS):
        for name in signal.columns:
            j = line.columns.index(name)
            weights[i] += line.contribution(features[:, j], j)
        weights[i] = np.where(signal.true(known), weights[i], -np.inf)
    order = np.argsort(-weights, axis=0, kind="stable")[:_TOLD]
    chosen = np.where(np.take_along_axis(weights, order, axis=0) > _LEAST, order, -1)
    zh, en = (_joined(chosen, known, language, mark) for language, mark in (("zh", "；"), ("en", "; ")))
    return zh, en


def _joined(chosen: NDArray[np.int64], known: Snapshot, language: str, mark: str) -> pa.Array:
    """Join the chosen sentences of each customer."""
    sentences = [_sentences(getattr(signal, language), signal.numbers(known), len(known)) for signal in SIGNALS]
    nothing = pa.scalar("")
    pieces = []
    for place, row in enumerate(chosen):
        said = pc.choose(pa.array(np.maximum(row, 0)), *sentences)
        marked = pc.binary_join_element_wise(mark if place else nothing, said, "")
        pieces.append(pc.if_else(pa.array(row >= 0), marked, nothing))
    joined = pc.binary_join_element_wise(*pieces, "")
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)


def _sentences(text: str, numbers: tuple[Floats, ...], count: int) -> pa.Array:
    parts = text.split("{}")
    if not numbers:
        return pa.array([text]).take(pa.array(np.zeros(count, np.int64)))
    pieces: list[pa.Array | pa.Scalar] = [pa.scalar(parts[0])]
    for number, after in zip(numbers, parts[1:], strict=True):
        whole = np.rint(np.nan_to_num(number, posinf=0.0)).astype(np.int64)
        pieces += [pc.cast(pa.array(whole), pa.string()), pa.scalar(after)]
    return pc.binary_join_element_wise(*pieces, "")
