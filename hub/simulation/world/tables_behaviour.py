"""Browsing and feedback of one block as of one moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import NOBODY
from hub.simulation.world.browsing import Browsing, EventKind, draw_browsing
from hub.simulation.world.feedback import FeedbackKind, draw_feedback
from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.platforms import Platform
from hub.simulation.world.tables_chain import shop_ids
from hub.simulation.world.tables_orders import order_ids
from hub.simulation.world.text import fixed, join, label, numbers

__all__ = ["browsing_table", "feedback_table"]


def browsing_table(moment: BlockMoment, _: Platform) -> dict[str, Any]:
    """The ``browsing`` table of the mini-program, in order of time."""
    parts, sessions = [], []
    for chapter in moment.chapters:
        part = draw_browsing(moment.block, chapter)
        part = part.take((part.at <= moment.now) & (part.at >= 0))
        parts.append(part)
        sessions.append(part.session + (moment.block.number * 4_096 + chapter.period) * 10_000_000)
    events, session = Browsing.concat(parts), np.concatenate(sessions)
    order = np.lexsort((events.number, session, events.at))
    events, session = events.take(order), session[order]
    goods = [product.code for product in moment.setting.profile.products]
    return {
        "event_id": fixed(b"ev", numbers(session, 13), numbers(events.number, 2)),
        "member_id": moment.member_ids.take(pa.array(events.account)),
        "session_id": fixed(b"se", numbers(session, 13)),
        "kind": label(EventKind.NAMES, events.kind),
        "product_id": label(goods, events.product),
        "search": label(moment.setting.profile.search_words, events.search),
        "shop_id": label(shop_ids(moment.setting), events.shop),
        "seconds": events.seconds,
        "at": moment.times(events.at),
    }


def feedback_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``feedback`` table: surveys, reviews and complaints of the platform's members, in order of time."""
    profile = moment.setting.profile
    parts, orders_of = [], []
    for chapter in moment.chapters:
        part = draw_feedback(moment.block, chapter)
        orders = chapter.orders.take(part.order)
        keep = (part.at <= moment.now) & (orders.platform == platform) & (orders.attached <= part.at)
        parts.append(part.take(keep))
        orders_of.append(orders.take(keep))
    feedback, orders = type(parts[0]).concat(parts), type(orders_of[0]).concat(orders_of)
    order = np.argsort(feedback.at, kind="stable")
    feedback, orders = feedback.take(order), orders.take(order)
    topics = (*profile.complaint_topics, *profile.praise_topics)
    topic = label(topics, feedback.topic)
    ids = order_ids(moment, platform, orders)
    return {
        "feedback_id": join("fb", ids),
        "member_id": moment.member_ids.take(pa.array(orders.account)),
        "order_id": ids,
        "shop_id": label(shop_ids(moment.setting), orders.shop),
        "kind": label(FeedbackKind.NAMES, feedback.kind),
        "stars": feedback.stars,
        "nps": pa.array(feedback.nps, mask=feedback.nps == NOBODY),
        "topic": topic,
        "text": join(label(profile.brand.split(), np.zeros(len(feedback), np.int64)), "：", topic),
        "at": moment.times(feedback.at),
    }
