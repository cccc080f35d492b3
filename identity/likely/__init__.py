"""Likely pairs: which records are probably one person although they share no identifier.

A *model* (Splink's Fellegi–Sunter, trained without labels) weighs how well two records agree, field by field; *grouping*
joins the pairs by average link, so that one lucky pair does not chain strangers together. Identifiers have no place in the
model: they are near-unique, and their weight would drift with the number of records. They join or forbid, in
:func:`identity.resolve`.
"""

from __future__ import annotations

from identity.likely.fields import Compare, Field
from identity.likely.grouping import group_pairs
from identity.likely.model import LinkModel, train
from identity.likely.profiles import PROFILE_BLOCKS, PROFILE_FIELDS, train_profiles
from identity.likely.waterfall import waterfall

__all__ = [
    "PROFILE_BLOCKS",
    "PROFILE_FIELDS",
    "Compare",
    "Field",
    "LinkModel",
    "group_pairs",
    "train",
    "train_profiles",
    "waterfall",
]
