"""The link model of profiles: what the hub's profiles say besides identifiers, and how to train on it."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from identity.errors import InvalidInputError
from identity.likely.fields import Compare, Field
from identity.likely.model import LinkModel, train

__all__ = ["PROFILE_BLOCKS", "PROFILE_FIELDS", "records_query", "train_profiles"]

PROFILE_FIELDS = (
    Field(name="name", compare=Compare.HAN_NAME, sounds="sound"),
    Field(name="birthday", compare=Compare.BIRTHDAY),
    Field(name="mask", compare=Compare.EXACT),
    Field(name="city", compare=Compare.EXACT),
    Field(name="address", compare=Compare.TEXT),
    Field(name="gender", compare=Compare.EXACT),
)
"""``mask`` is the phone as platforms show it, 154****0001: three and four digits, shared by a few people in a million."""

PROFILE_BLOCKS = (
    ("mask", "surname"),
    ("sound", "birthday"),
    ("surname", "birthday", "gender"),
    ("sound", "city"),
    ("address", "surname"),
)
_TRAIN_ON = (("sound",), ("birthday",), ("mask",))
_CERTAIN = (("sound", "birthday"), ("mask", "sound"))
_LEAST = 500


def train_profiles(records: pa.Table, *, at: dt.datetime, seed: int = 1) -> LinkModel:
    """Train the model on profiles as :func:`records_query` gives them.

    Fields that hardly any profile has are left out.

    Raises:
        InvalidInputError: there are too few profiles to learn from.
        MissingLibraryError: Splink is not installed.
    """
    if records.num_rows < _LEAST:
        raise InvalidInputError(
            f"{records.num_rows} profiles are too few to train a link model.", hint=f"It takes at least {_LEAST}."
        )
    filled = {name for name in records.column_names if records.num_rows - records[name].null_count >= _LEAST / 5}
    return train(
        records,
        [field for field in PROFILE_FIELDS if field.name in filled],
        [block for block in PROFILE_BLOCKS if filled.issuperset(block)],
        certain=[block for block in _CERTAIN if filled.issuperset(block)],
        certain_recall=0.7,
        train_on=[block for block in _TRAIN_ON if filled.issuperset(block)],
        at=at,
        seed=seed,
    )


def records_query(profiles: str, links: str) -> str:
    """SQL: what the model compares, one row per profile with a full name.

    Args:
        profiles: relation with normalised profiles (:data:`identity.SCHEMAS`).
        links: relation with their links.
    """
    return f"""
        SELECT profile.profile AS id, CASE WHEN name_kind = 'full' THEN name END AS name, sound, surname,
               CASE WHEN NOT lunar THEN birthday END AS birthday, mask.mask, city,
               CASE WHEN length(address) >= 6 THEN regexp_replace(address, '\\s', '', 'g') END AS address,
               coalesce(gender, title_gender) AS gender
        FROM {profiles} AS profile LEFT JOIN (
            SELECT profile, min(CASE WHEN status = 'masked' THEN value
                                     ELSE substr(value, 4, 3) || '****' || right(value, 4) END) AS mask
            FROM {links} AS link
            WHERE kind = 'phone' AND (status = 'masked' OR (status = 'key' AND value LIKE '+861%' AND length(value) = 14))
            GROUP BY profile) AS mask USING (profile)
        WHERE sound IS NOT NULL"""
