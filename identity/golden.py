"""The golden record: for every customer the best value of each field, where it came from, and what it beat.

Nothing is folded: profiles keep what they said, the record is computed from them, so a merge can be undone. Points,
levels and balances have no place here; they belong to their schemes and are never merged by value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from identity.carried import AUTHORISED
from identity.tables import INSTANT, State, conform, pick
from identity.workspace import Workspace

__all__ = ["CONTACTS", "FIELDS", "REPORTED", "GoldenRecords", "golden_records"]

FIELDS = pa.schema(
    [
        ("customer", pa.string()),
        ("field", pa.string()),
        ("place", pa.int32()),
        ("value", pa.string()),
        ("profile", pa.string()),
        ("rule", pa.string()),
        ("seen", INSTANT),
    ]
)
"""One row per customer, field and candidate: ``place`` 1 is the value that holds, higher ones are what it beat.

========================================  ========  ==============================================================
field                                     rule      order of candidates
========================================  ========  ==============================================================
``name``                                  frequent  full names: most frequent by sound, then latest
``salutation``                            frequent  titles (王女士), likewise
``nickname``                              latest    names that are neither, the latest first
``gender``                                declared  most frequent, then latest; titles (rule ``inferred``) come last
``birthday``                              assured   better assurance, full date before month and day, most frequent
``province city district address``        complete  from one profile: the most complete, then the latest
========================================  ========  ==============================================================

Where the owner ranks sources, the better source comes before frequency and recency, never before assurance.
"""

CONTACTS = pa.schema(
    [
        ("customer", pa.string()),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("state", pa.string()),
        ("primary", pa.bool_()),
        ("assurance", pa.int8()),
        ("first_seen", INSTANT),
        ("last_seen", INSTANT),
    ]
)
"""Ways to reach a customer, all of them. ``state`` is

``usable``    this customer's alone, or no longer anybody else's;
``shared``    other customers carry it too;
``recycled``  another customer has come to carry it since this one last did;
``blocked``   it is nobody's (placeholder, shop's number);
``landline``  a place's, not a person's;
``bounced``   messages to it came back, and it was not confirmed since;
``opted_out`` the person does not want to be addressed on it.

``primary`` marks one usable value of a kind: confirmed by the person before typed, then the latest.
"""

REPORTED = pa.schema(
    [
        pa.field("profile", pa.string(), nullable=False),
        ("kind", pa.string()),
        ("value", pa.string()),
        pa.field("state", pa.string(), nullable=False),
        ("at", INSTANT),
    ]
)
"""What is known of contact points from elsewhere: ``state`` is ``bounced`` or ``opted_out``; without ``kind`` and ``value``
(normalised) it holds for every contact of the profile's customer: on a merge the most restrictive consent wins, and after
an unmerge each profile takes its own back."""


@dataclass(frozen=True, slots=True)
class GoldenRecords:
    """The records of some customers: :data:`FIELDS` with provenance and losers, :data:`CONTACTS` with states."""

    fields: pa.Table
    contacts: pa.Table


def golden_records(
    state: State,
    customers: Iterable[str] | None = None,
    *,
    sources: Sequence[str] = (),
    reported: pa.Table | None = None,
) -> GoldenRecords:
    """Compute golden records.

    Args:
        state: of the last run.
        customers: the ones wanted; all live ones if None.
        sources: the owner's order of trust: what stands before the colon of a profile key, best first. Sources that are
            not named come after those that are.
        reported: as :data:`identity.REPORTED`.
    """
    everyone = state.memberships.select(["profile", "customer"])
    members, profiles, links = everyone, state.profiles, state.links
    if customers is not None:
        members = pick(everyone, "customer", pa.array(list(customers), pa.string()))
        profiles = pick(profiles, "profile", members["profile"])
        links = pick(links, "value", pick(links, "profile", members["profile"])["value"])
        near = pa.chunked_array([*links["profile"].chunks, *members["profile"].chunks], pa.string())
        everyone = pick(everyone, "profile", near)
    with Workspace() as work:
        work.put(member=members, profile=profiles, link=links, everyone=everyone, value_state=state.value_states)
        work.put(reported=conform(reported if reported is not None else REPORTED.empty_table(), REPORTED, "reports"))
        work.put(
            source=pa.table(
                {"source": pa.array(sources, pa.string()), "rank": pa.array(range(len(sources)), pa.int32())}
            )
        )
        _number_customers(work)
        _say(work, ranked=bool(sources))
        fields = work.table(_FIELDS, FIELDS)
        work.run("DROP TABLE said")
        _carry(work)
        return GoldenRecords(fields, work.table(_CONTACTS, CONTACTS))


def _number_customers(work: Workspace) -> None:
    """Tables ``known`` (customer, no), in order of the ids, and ``home`` (profile, customer: its number)."""
    work.make(
        "known",
        """SELECT customer, row_number() OVER (ORDER BY customer)::INTEGER AS no, wanted.customer IS NOT NULL AS wanted
           FROM (SELECT DISTINCT customer FROM everyone) LEFT JOIN (SELECT DISTINCT customer FROM member) AS wanted
           USING (customer)""",
    )
    work.make("home", "SELECT profile, known.no AS customer, wanted FROM everyone JOIN known USING (customer)")


def _say(work: Workspace, *, ranked: bool) -> None:
    """Table ``said``: what the profiles of each customer say, with the rank of their source where sources are ranked."""
    rank, ranking = "0", ""
    if ranked:
        rank = "coalesce(source.rank, (SELECT count(*) FROM source))"
        ranking = "LEFT JOIN source ON source.source = split_part(profile.profile, ':', 1)"
    work.make(
        "said",
        f"""SELECT home.customer, {rank} AS source_rank, {_SAID}
            FROM profile JOIN home ON home.profile = profile.profile AND home.wanted {ranking}
            WHERE coalesce(name, profile.gender, title_gender, birthday, province, city, district, address) IS NOT NULL""",
    )


_SAID = """profile.profile, name, name_kind, sound, profile.gender, title_gender, birthday, birthday_rank, province, city,
            district, address, last_seen"""


def _carry(work: Workspace) -> None:
    """Tables ``carried``, the contact points of each customer, and ``others``: when other customers carried them."""
    work.make(
        "carried",
        f"""SELECT home.customer, any_value(home.wanted) AS wanted, kind, value, bool_or(status = 'blocked') AS blocked,
                   bool_or(status = 'landline') AS landline, max(assurance) AS assurance,
                   min(first_seen) AS first_seen, max(coalesce(last_seen, first_seen)) AS last_seen,
                   max(coalesce(last_seen, first_seen)) FILTER (assurance >= {AUTHORISED}) AS confirmed
            FROM link JOIN home USING (profile)
            WHERE kind IN ('phone', 'email') AND status <> 'masked' GROUP BY home.customer, kind, value""",
    )
    work.make("met", "SELECT kind, value FROM carried GROUP BY kind, value HAVING count(*) > 1")
    work.make(
        "others",
        """SELECT one.customer, one.kind, one.value, min(epoch_us(other.first_seen)) AS since,
                  max(epoch_us(other.last_seen)) AS until
           FROM carried AS one SEMI JOIN met USING (kind, value)
           JOIN carried AS other ON other.kind = one.kind AND other.value = one.value AND other.customer <> one.customer
           WHERE one.wanted GROUP BY one.customer, one.kind, one.value""",
    )


_FIELDS = """
    WITH candidate AS (
        SELECT customer, 'name' AS field, name AS value, profile, 'frequent' AS rule, last_seen,
               0 AS assured_rank, source_rank, -count(*) OVER (PARTITION BY customer, sound) AS first_rank
        FROM said WHERE name_kind = 'full'
        UNION ALL
        SELECT customer, 'salutation', name, profile, 'frequent', last_seen, 0, source_rank,
               -count(*) OVER (PARTITION BY customer, name)
        FROM said WHERE name_kind = 'title'
        UNION ALL
        SELECT customer, 'nickname', name, profile, 'latest', last_seen, 0, source_rank, 0
        FROM said WHERE name_kind = 'nickname'
        UNION ALL
        SELECT customer, 'gender', coalesce(gender, title_gender), profile,
               CASE WHEN gender IS NULL THEN 'inferred' ELSE 'declared' END, last_seen, (gender IS NULL)::INTEGER,
               source_rank, -count(*) OVER (PARTITION BY customer, gender IS NULL, coalesce(gender, title_gender))
        FROM said WHERE coalesce(gender, title_gender) IS NOT NULL
        UNION ALL
        SELECT customer, 'birthday', birthday, profile, 'assured', last_seen,
               -coalesce(birthday_rank, 0) * 2 + (birthday[1] = '-')::INTEGER, source_rank,
               -count(*) OVER (PARTITION BY customer, birthday)
        FROM said WHERE birthday IS NOT NULL
        UNION ALL
        SELECT customer, part.field, part.value, profile, 'complete', last_seen, 0, source_rank, -filled
        FROM (SELECT *, (province IS NOT NULL)::INTEGER + (city IS NOT NULL)::INTEGER + (district IS NOT NULL)::INTEGER
                        + (address IS NOT NULL)::INTEGER AS filled,
                     unnest([{field: 'province', value: province}, {field: 'city', value: city},
                             {field: 'district', value: district}, {field: 'address', value: address}]) AS part
              FROM said)
        WHERE filled > 0
    )
    SELECT known.customer, field, place, value, profile, rule, last_seen AS seen
    FROM (SELECT *, row_number() OVER (
                     PARTITION BY customer, field ORDER BY assured_rank, source_rank, first_rank, last_seen DESC NULLS LAST, profile
                 )::INTEGER AS place
          FROM candidate) AS ranked
    JOIN known ON known.no = ranked.customer
    WHERE value IS NOT NULL
    ORDER BY known.no, field, place"""


_CONTACTS = f"""
    WITH told AS (
        SELECT reach.customer, reach.kind, reach.value, bool_or(reported.state = 'opted_out') AS opted_out,
               max(epoch_us(reported.at)) FILTER (reported.state = 'bounced') AS bounced
        FROM reported JOIN home AS teller ON teller.profile = reported.profile
        JOIN carried AS reach ON reach.customer = teller.customer
        WHERE reported.kind IS NULL OR (reported.kind = reach.kind AND reported.value = reach.value)
        GROUP BY reach.customer, reach.kind, reach.value
    ), judged AS (
        SELECT reach.*, CASE
                   WHEN landline THEN 'landline'
                   WHEN blocked OR coalesce(value_state.state = 'blocked', false) THEN 'blocked'
                   WHEN told.opted_out THEN 'opted_out'
                   WHEN told.bounced >= coalesce(epoch_us(reach.last_seen), told.bounced) THEN 'bounced'
                   WHEN others.customer IS NULL THEN 'usable'
                   WHEN others.since > epoch_us(reach.last_seen) THEN 'recycled'
                   WHEN others.until < epoch_us(reach.first_seen) THEN 'usable'
                   ELSE 'shared' END AS state
        FROM (FROM carried WHERE wanted) AS reach LEFT JOIN others USING (customer, kind, value)
        LEFT JOIN told USING (customer, kind, value)
        LEFT JOIN value_state ON value_state.kind = reach.kind AND value_state.value = reach.value
    )
    SELECT known.customer, kind, value, state, state = 'usable' AND row_number() OVER (
               PARTITION BY known.no, kind ORDER BY state <> 'usable', assurance < {AUTHORISED},
               coalesce(confirmed, last_seen) DESC NULLS LAST, value) = 1 AS "primary",
           assurance, first_seen, last_seen
    FROM judged JOIN known ON known.no = judged.customer
    ORDER BY known.no, kind, value"""
