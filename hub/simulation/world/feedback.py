"""Feedback: surveys with the recommendation question (NPS), reviews with stars, and complaints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, NEVER, NOBODY, Columns, Ints
from hub.simulation.world.block import Block
from hub.simulation.world.history import Chapter
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import Part

__all__ = ["Feedback", "FeedbackKind", "draw_feedback"]

_ANSWERS: Final = 0.06
_REVIEWS: Final = 0.09
_UNHAPPY: Final = 3


class FeedbackKind:
    """A survey answer, a public review, or a complaint."""

    SURVEY, REVIEW, COMPLAINT = range(3)
    NAMES: Final = ("survey", "review", "complaint")


@dataclass(frozen=True)
class Feedback(Columns):
    """One row per answer: row of the order in its period, kind, stars 1–5, nps 0–10 (or ``NOBODY``), topic, time.

    ``topic`` counts the profile's complaint topics first, then its praise topics.
    """

    order: Ints
    kind: Ints
    stars: Ints
    nps: Ints
    topic: Ints
    at: Ints


def draw_feedback(block: Block, chapter: Chapter) -> Feedback:
    """All feedback on the orders of one period."""
    profile, orders = block.profile, chapter.orders
    random = block.stream(Part.FEEDBACK, chapter.period)
    draw, mood, topic_draw, kind_draw = random.random((4, len(orders)))
    delay = (random.exponential(0.7, len(orders)) * DAY).astype(np.int64) + 1_200
    answers = (
        (orders.account != NOBODY) & (orders.completed < NEVER) & (orders.voided == NEVER) & (orders.original == NOBODY)
    )
    online = orders.platform != Platform.POS
    row = np.flatnonzero(answers & (draw < np.where(online, _ANSWERS + _REVIEWS, _ANSWERS)))
    feeling = block.people.satisfaction[np.maximum(orders.person[row], 0)] + (mood[row] - 0.5) * 1.2
    feeling -= 0.8 * (orders.refunded[row] < NEVER)
    stars = np.clip(np.rint(4.0 + 1.4 * feeling), 1, 5).astype(np.int64)
    kind = np.where(online[row] & (draw[row] >= _ANSWERS), FeedbackKind.REVIEW, FeedbackKind.SURVEY)
    kind = np.where((stars <= _UNHAPPY) & (kind_draw[row] < 0.3), FeedbackKind.COMPLAINT, kind)
    bad, good = len(profile.complaint_topics), len(profile.praise_topics)
    topic = np.where(stars <= _UNHAPPY, topic_draw[row] * bad, bad + topic_draw[row] * good).astype(np.int64)
    nps = np.clip(np.rint(8.0 + 2.6 * feeling), 0, 10).astype(np.int64)
    at = np.maximum(orders.completed[row], orders.arrives[row]) + delay[row]
    return Feedback(row, kind, stars, np.where(kind == FeedbackKind.SURVEY, nps, NOBODY), topic, at)
