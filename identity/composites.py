"""Composite evidence: several weak facts of one profile, none of which would join it with another, as one value.

Each needs a full name, compared by sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from identity.links import merge_links
from identity.normalise.text import Status
from identity.rules import PHONE_KIND, Composite
from identity.tables import SCHEMAS

__all__ = ["compose"]


def compose(composite: Composite, profiles: pa.Table, links: pa.Table) -> pa.Table:
    """The links of one composite, as rows of :data:`identity.SCHEMAS` ``links``.

    Args:
        composite: which facts together.
        profiles: rows of :data:`identity.SCHEMAS` ``profiles``.
        links: what these profiles carry, see :func:`identity.links.read_links`.
    """
    made = _MADE[composite](profiles, links)
    fixed = {"kind": composite.value, "scope": "", "status": Status.KEY.value}
    for name, text in fixed.items():
        made = made.append_column(name, pa.repeat(text, made.num_rows))
    schema = SCHEMAS["links"]
    return made.select(schema.names).cast(schema)


def _masked_phone_and_name(profiles: pa.Table, links: pa.Table) -> pa.Table:
    phones = links.filter(pc.equal(links["kind"], PHONE_KIND))
    masked = pc.equal(phones["status"], Status.MASKED.value)
    mobile = pc.and_(
        pc.equal(phones["status"], Status.KEY.value),
        pc.and_(pc.starts_with(phones["value"], "+861"), pc.equal(pc.binary_length(phones["value"]), 14)),
    )
    hidden = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(phones["value"], 3, 6), pc.utf8_slice_codeunits(phones["value"], -4), "****"
    )
    mask = pc.if_else(masked, phones["value"], pc.if_else(mobile, hidden, None))
    value = _joined(mask, profiles["sound"].take(phones["place"]))
    made = _said(phones, value, phones["assurance"])
    return merge_links(made.filter(made["value"].is_valid()))


def _name_and_birthday(profiles: pa.Table, _links: pa.Table) -> pa.Table:
    dated = pc.invert(pc.or_(pc.starts_with(profiles["birthday"], "-"), profiles["lunar"]))
    who = profiles.filter(pc.and_(dated, profiles["sound"].is_valid()))
    return _said(who, _joined(who["birthday"], who["sound"]), who["birthday_rank"].fill_null(1))


def _name_and_address(profiles: pa.Table, _links: pa.Table) -> pa.Table:
    address = profiles["address"]
    housed = pc.and_(pc.greater_equal(pc.utf8_length(address), 6), pc.match_substring_regex(address, "[0-9]"))
    who = profiles.filter(pc.and_(housed, profiles["sound"].is_valid()))
    street = pc.replace_substring_regex(who["address"], r"\s", "")
    # Where all texts are null Arrow gives no row at all; here an address always stands.
    place = pc.binary_join_element_wise(who["city"], who["district"], street, " ", null_handling="skip")
    return _said(who, _joined(place, who["sound"]), pa.repeat(pa.scalar(1, pa.int8()), who.num_rows))


def _joined(*texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with a blank between; null where one of them is null."""
    return pc.binary_join_element_wise(*texts, " ")


def _said(source: pa.Table, value: pa.ChunkedArray, assurance: pa.ChunkedArray | pa.Array) -> pa.Table:
    """Values with the profile and the times of the profiles or links that say them."""
    times = {name: source[name] for name in ("first_seen", "last_seen")}
    return pa.table({"profile": source["profile"], "value": value, "assurance": assurance, **times})


_MADE: Mapping[Composite, Callable[[pa.Table, pa.Table], pa.Table]] = {
    Composite.MASKED_PHONE_AND_NAME: _masked_phone_and_name,
    Composite.NAME_AND_BIRTHDAY: _name_and_birthday,
    Composite.NAME_AND_ADDRESS: _name_and_address,
}
