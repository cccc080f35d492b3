"""From raw tables to evidence: normalised profiles and links in the workspace.

A *link* says that a profile carries a value: kind, scope, value, and what the normaliser thinks of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from identity.composites import compose
from identity.errors import InvalidInputError
from identity.links import assurance_ranks, read_links
from identity.normalise.bulk import birthdays, names, normal_values
from identity.rules import Rules, Tier
from identity.tables import SCHEMAS
from identity.workspace import Workspace

__all__ = ["load_evidence", "load_kinds", "near_records", "normal_lists"]


def load_kinds(work: Workspace, rules: Rules) -> None:
    """Put table ``kind``: the rules' kinds and composites, one row each, strongest first."""
    kinds = sorted(rules.kinds, key=lambda kind: kind.priority)
    strongest = max((kind.priority for kind in kinds), default=0) + 1
    rows = [
        {"kind": kind.name, **{name: getattr(kind, name) for name in _KINDS.names if name != "kind"}} for kind in kinds
    ] + [
        {
            "kind": str(composite),
            "priority": strongest + place,
            "tier": Tier.COMPOSITE,
            "scoped": False,
            "max_profiles": rules.max_composite,
            "max_names": 1,
            "account": False,
        }
        for place, composite in enumerate(rules.composites)
    ]
    work.put(kind=pa.Table.from_pylist(rows, schema=_KINDS))


_KINDS = pa.schema(
    [
        ("kind", pa.string()),
        ("priority", pa.int32()),
        ("tier", pa.int8()),
        ("normaliser", pa.string()),
        ("scoped", pa.bool_()),
        ("per_customer", pa.int32()),
        ("max_profiles", pa.int32()),
        ("max_names", pa.int32()),
        ("account", pa.bool_()),
    ]
)


def load_evidence(work: Workspace, profiles: pa.Table, identifiers: pa.Table, rules: Rules) -> dict[str, int]:
    """Put tables ``new_profile`` and ``new_link``, made from raw input.

    Args:
        work: with table ``kind``.
        profiles: as :data:`identity.tables.PROFILES`.
        identifiers: as :data:`identity.tables.IDENTIFIERS`.
        rules: the birthdays that are placeholders, and the composites.

    Returns:
        How many identifier rows were left out, by reason.

    Raises:
        InvalidInputError: a profile stands in two rows.
    """
    if len(pc.unique(profiles["profile"])) != profiles.num_rows:
        raise InvalidInputError("A profile stands in two rows.", hint="Give each profile once, in its latest version.")
    # Names are taken apart in Python, identifiers by Arrow: each has a core.
    with ThreadPoolExecutor(max_workers=1) as pool:
        normal = pool.submit(_normal_profiles, profiles, rules)
        links, ignored = read_links(work.given("kind"), profiles["profile"].combine_chunks(), identifiers)
    made = [compose(composite, normal.result(), links) for composite in rules.composites]
    said = links.select(SCHEMAS["links"].names).cast(SCHEMAS["links"])
    work.put(new_profile=normal.result(), new_link=pa.concat_tables([said, *made]))
    return ignored


def _normal_profiles(profiles: pa.Table, rules: Rules) -> pa.Table:
    """Profiles as the state keeps them: names and birthdays normalised."""
    parts = {
        **_columns(names(profiles["name"])),
        **_columns(birthdays(profiles["birthday"], profiles["birthday_calendar"], rules.placeholder_birthdays)),
        "birthday_rank": assurance_ranks(profiles["birthday_assurance"]),
    }
    schema = SCHEMAS["profiles"]
    return pa.table({field: parts[field] if field in parts else profiles[field] for field in schema.names}).cast(schema)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: table[name] for name in table.column_names}


def normal_lists(work: Workspace, rules: Rules) -> None:
    """Put tables ``listed_blocked`` and ``listed_trusted`` (kind, value) from the rules' lists, normalised."""
    work.put(
        listed_blocked=_normal_list(rules, rules.blocked, rules.own), listed_trusted=_normal_list(rules, rules.trusted)
    )


def _normal_list(rules: Rules, *lists: Mapping[str, frozenset[str]]) -> pa.Table:
    listed = [(kind, value) for one in lists for kind, values in one.items() for value in sorted(values)]
    normalisers = [str(rules.kind(kind).normaliser) for kind, _ in listed]
    value, _ = normal_values(
        pa.chunked_array([normalisers], pa.string()), pa.chunked_array([[text for _, text in listed]], pa.string())
    )
    table = pa.table({"kind": pa.array([kind for kind, _ in listed], pa.string()), "value": value})
    return table.filter(value.is_valid()).group_by(["kind", "value"], use_threads=False).aggregate([])


def near_records(work: Workspace, records: pa.Table, blocks: Iterable[Iterable[str]]) -> pa.Table:
    """Of some records those that a block brings together with one of table ``changed``, and these."""
    work.put(record_arrow=records)
    work.make("record", "FROM record_arrow")
    work.make("new_record", "SELECT record.* FROM record SEMI JOIN changed ON changed.profile = record.id")
    parts = [f"FROM record SEMI JOIN new_record USING ({', '.join(block)})" for block in blocks]
    return work.table(" UNION ".join(f"({part})" for part in ["FROM new_record", *parts]))
