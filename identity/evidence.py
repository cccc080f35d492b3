"""From raw tables to evidence: normalised profiles and links in the workspace.

A *link* says that a profile carries a value: kind, scope, value, and what the normaliser thinks of it. Rows that cannot
be used are left out and counted by reason, never raised.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from identity.errors import InvalidInputError
from identity.normalise.bulk import birthdays, names, normal_values
from identity.rules import ASSURANCE_RANK, MASKED_KIND, Composite, Rules, Tier
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
    """Make tables ``new_profile`` and ``new_link`` from raw input.

    Args:
        work: with table ``kind``.
        profiles: as :data:`identity.tables.PROFILES`.
        identifiers: as :data:`identity.tables.IDENTIFIERS`.
        rules: the birthdays that are placeholders.

    Returns:
        How many identifier rows were left out, by reason.

    Raises:
        InvalidInputError: a profile stands in two rows.
    """
    if len(pc.unique(profiles["profile"])) != profiles.num_rows:
        raise InvalidInputError("A profile stands in two rows.", hint="Give each profile once, in its latest version.")
    # Names are taken apart in Python, identifiers by the database: each has a core.
    with ThreadPoolExecutor(max_workers=1) as pool:
        normal = pool.submit(_normal_profiles, profiles, rules)
        work.put(given_profile=profiles.select(["profile"]), identifier_arrow=identifiers)
        _load_raw_links(work)
        work.view("normal_link", normal_values(work.connection, "raw_link"))
        ignored = _count_ignored(work)
        said = work.table(_LINKS, SCHEMAS["links"])
        work.run("DROP VIEW normal_link; DROP TABLE fast_values")
    work.put(said_link=said, new_profile=normal.result())
    composed = [work.table(_COMPOSITES[composite], SCHEMAS["links"]) for composite in rules.composites]
    work.put(new_link=pa.concat_tables([said, *composed]))
    return ignored


_LINKS = """
    SELECT profile, kind, scope, value, any_value(status) AS status, max(assurance) AS assurance,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM normal_link
    WHERE status IN ('key', 'masked', 'landline', 'blocked') AND NOT unscoped AND known
    GROUP BY profile, kind, scope, value"""
"""SQL: one link per profile and value; the value decides the status."""

_COMPOSITES = {
    Composite.MASKED_PHONE_AND_NAME: f"""
        SELECT profile, '{Composite.MASKED_PHONE_AND_NAME}' AS kind, '' AS scope, mask || ' ' || sound AS value,
               'key' AS status, max(assurance) AS assurance, min(held.first_seen) AS first_seen,
               max(held.last_seen) AS last_seen
        FROM (SELECT link.*, CASE WHEN status = 'masked' THEN value
                                  WHEN status = 'key' AND value LIKE '+861%' AND length(value) = 14
                                  THEN substr(value, 4, 3) || '****' || right(value, 4) END AS mask
              FROM said_link AS link WHERE kind = 'phone') AS held
        JOIN new_profile USING (profile)
        WHERE mask IS NOT NULL AND sound IS NOT NULL GROUP BY profile, mask, sound""",
    Composite.NAME_AND_BIRTHDAY: f"""
        SELECT profile, '{Composite.NAME_AND_BIRTHDAY}' AS kind, '' AS scope, birthday || ' ' || sound AS value,
               'key' AS status, coalesce(birthday_rank, 1) AS assurance, first_seen, last_seen
        FROM new_profile WHERE sound IS NOT NULL AND birthday[1] <> '-' AND NOT lunar""",
    Composite.NAME_AND_ADDRESS: f"""
        SELECT profile, '{Composite.NAME_AND_ADDRESS}' AS kind, '' AS scope, place || ' ' || sound AS value,
               'key' AS status, 1 AS assurance, first_seen, last_seen
        FROM (SELECT *, concat_ws(' ', city, district, regexp_replace(address, '\\s', '', 'g')) AS place FROM new_profile)
        WHERE sound IS NOT NULL AND length(address) >= 6 AND regexp_matches(address, '[0-9]')""",
}
"""SQL that makes the links of each composite; columns as in ``new_link``."""


def _normal_profiles(profiles: pa.Table, rules: Rules) -> pa.Table:
    """Profiles as the state keeps them: names and birthdays normalised."""
    parts = {
        **_columns(names(profiles["name"])),
        **_columns(birthdays(profiles["birthday"], profiles["birthday_calendar"], rules.placeholder_birthdays)),
        "birthday_rank": _ranks(profiles["birthday_assurance"]),
    }
    schema = SCHEMAS["profiles"]
    return pa.table({field: parts[field] if field in parts else profiles[field] for field in schema.names}).cast(schema)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: table[name] for name in table.column_names}


def _ranks(column: pa.ChunkedArray) -> pa.Array:
    places = pc.index_in(column.combine_chunks(), pa.array(list(ASSURANCE_RANK)))
    return pc.take(pa.array(list(ASSURANCE_RANK.values()), pa.int8()), places)


def _load_raw_links(work: Workspace) -> None:
    rank = " ".join(f"WHEN '{name}' THEN {rank}" for name, rank in ASSURANCE_RANK.items())
    work.view(
        "raw_link",
        f"""SELECT given.profile, known.kind, CASE WHEN known.scoped THEN trim(coalesce(given.scope, '')) ELSE '' END AS scope,
                   given.value AS raw, known.normaliser, known.scoped AND trim(coalesce(given.scope, '')) = '' AS unscoped,
                   given.profile IN (SELECT profile FROM given_profile) AS known,
                   CASE given.assurance {rank} ELSE 1 END AS assurance, given.first_seen, given.last_seen
            FROM identifier_arrow AS given
            JOIN kind AS known ON known.normaliser IS NOT NULL AND known.kind = CASE given.kind WHEN '{MASKED_KIND}' THEN 'phone' ELSE given.kind END""",
    )


def _count_ignored(work: Workspace) -> dict[str, int]:
    rows = work.connection.execute(
        """SELECT CASE WHEN NOT known THEN 'unknown_profile' WHEN status IN ('empty', 'invalid') THEN status
                       WHEN unscoped THEN 'unscoped' END AS reason, count(*)
           FROM normal_link GROUP BY reason HAVING reason IS NOT NULL
           UNION ALL
           SELECT 'unknown_kind', count(*) FROM identifier_arrow
           WHERE kind NOT IN (SELECT kind FROM kind WHERE normaliser IS NOT NULL) AND kind <> ? HAVING count(*) > 0 ORDER BY ALL""",
        [MASKED_KIND],
    ).fetchall()
    return {str(reason): int(count) for reason, count in rows}


def normal_lists(work: Workspace, rules: Rules) -> None:
    """Make tables ``listed_blocked`` and ``listed_trusted`` (kind, value) from the rules' lists, normalised."""
    wanted = {"listed_blocked": (rules.blocked, rules.own), "listed_trusted": (rules.trusted,)}
    rows = [
        {"list": name, "kind": kind, "normaliser": str(rules.kind(kind).normaliser), "raw": value}
        for name, lists in wanted.items()
        for one in lists
        for kind, values in one.items()
        for value in sorted(values)
    ]
    work.put(list_arrow=pa.Table.from_pylist(rows, schema=_LISTS))
    query = normal_values(work.connection, "list_arrow") if rows else "SELECT *, raw AS value FROM list_arrow"
    work.make("listed", f"SELECT DISTINCT list, kind, value FROM ({query}) WHERE value IS NOT NULL")
    for name in wanted:
        work.view(name, f"SELECT kind, value FROM listed WHERE list = '{name}'")


_LISTS = pa.schema([(name, pa.string()) for name in ("list", "kind", "normaliser", "raw")])


def near_records(work: Workspace, records: pa.Table, blocks: Iterable[Iterable[str]]) -> pa.Table:
    """Of some records those that a block brings together with one of table ``changed``, and these."""
    work.put(record_arrow=records)
    work.make("record", "FROM record_arrow")
    work.make("new_record", "SELECT record.* FROM record SEMI JOIN changed ON changed.profile = record.id")
    parts = [f"FROM record SEMI JOIN new_record USING ({', '.join(block)})" for block in blocks]
    return work.table(" UNION ".join(f"({part})" for part in ["FROM new_record", *parts]))
