"""Whose of the people on one phone: split every shared value into slots, one per person it seems to stand for.

Groups that asserted evidence has made meet on a value. Those of one sounded name share a slot. A surname with a title
(王女士) goes with the only full name it fits. A group without a name goes with the only name there is, unless a login
of its own speaks for a second person, or a birthday that cannot be that person's; where nothing decides it stays apart, as
a candidate.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from identity.graph import Numbers
from identity.workspace import Workspace

__all__ = ["make_slots"]

AUTHORISED = 4
"""Rank of an assurance that proves possession: issued, or confirmed by the person."""


def make_slots(work: Workspace, groups: Numbers, tenure_gap_days: int) -> None:
    """Make table ``slot`` (value, group, slot, …) and add the refusals between the slots of a value.

    A slot is named by the smallest group in it, so that a slot of its own is ``slot = group``.

    Args:
        work: with ``p``, ``v``, ``l``, ``space`` and ``refusal``; gets ``group_name`` and ``met`` (value, group, …) too.
        groups: for each profile its group, named by the smallest profile.
        tenure_gap_days: see :class:`identity.Rules`.
    """
    numbers = np.arange(len(groups), dtype=np.int32)
    sizes = np.bincount(groups, minlength=len(groups)).astype(np.int32)[groups]
    work.put(groups_arrow=pa.table({"profile": numbers, "group": groups, "size": sizes}))
    work.make("group_of", "FROM groups_arrow")
    _name_groups(work)
    _meet(work)
    _find_logins(work)
    _find_tenures(work, tenure_gap_days)
    _find_rivals(work)
    _find_opposed(work)
    _assign(work)
    _refuse(work)
    work.drop("group_of", "login", "tenure", "rival", "opposed", "claim", "value_name", "likely_person", "person")


def _name_groups(work: Workspace) -> None:
    """One full name, one title and one gender for every group: the most frequent, then the first in order.

    Most groups are one profile and say what it says. Names are counted only in groups that know several.
    """
    work.make(
        "group_name",
        f"""WITH alone AS (
               SELECT "group", size, CASE name_kind WHEN 'full' THEN sound END AS sound,
                      CASE WHEN name_kind IN ('full', 'title') THEN surname END AS surname, gender, birthday, born
               FROM group_of AS g JOIN p ON p.no = g.profile WHERE size = 1
           ), said AS (
               SELECT g."group", any_value(size) AS size,
                      min(sound) {_FULL} AS sound, max(sound) {_FULL} AS last_sound,
                      min(surname) {_FULL} AS surname, max(surname) {_FULL} AS last_surname,
                      min(surname) {_TITLED} AS title, max(surname) {_TITLED} AS last_title,
                      CASE WHEN min(gender) = max(gender) THEN min(gender) END AS gender,
                      CASE WHEN min(birthday) = max(birthday) THEN min(birthday) END AS birthday,
                      CASE WHEN min(born) = max(born) THEN min(born) END AS born
               FROM group_of AS g JOIN p ON p.no = g.profile WHERE size > 1 GROUP BY g."group"
           ), several AS (
               SELECT "group" FROM said WHERE sound <> last_sound OR surname <> last_surname OR title <> last_title
           ), counted AS (
               SELECT g."group", p.name_kind, p.sound, p.surname, count(*) AS times
               FROM group_of AS g SEMI JOIN several USING ("group") JOIN p ON g.profile = p.no
               WHERE p.surname IS NOT NULL GROUP BY ALL
           ), full_name AS (
               SELECT "group", min({{rank: -times, sound: sound, surname: surname}}) AS best
               FROM counted WHERE name_kind = 'full' GROUP BY "group"
           ), title AS (
               SELECT "group", min({{rank: -times, surname: surname}}) AS best
               FROM counted WHERE name_kind = 'title' GROUP BY "group"
           )
           FROM alone UNION ALL
           SELECT said."group", size, coalesce(full_name.best.sound, said.sound) AS sound,
                  coalesce(full_name.best.surname, said.surname, title.best.surname, said.title) AS surname, gender, birthday, born
           FROM said LEFT JOIN full_name ON full_name."group" = said."group"
           LEFT JOIN title ON title."group" = said."group" """,
    )


_FULL = "FILTER (name_kind = 'full')"
_TITLED = "FILTER (name_kind = 'title')"


def _meet(work: Workspace) -> None:
    """Table ``met``: the groups on every contact value that two or more groups share."""
    work.make(
        "met",
        """SELECT l.value, g."group", max(l.assurance) AS assurance, min(l.first_seen) AS first_seen,
                  max(coalesce(l.last_seen, l.first_seen)) AS last_seen, any_value(space.tier) AS tier
           FROM l JOIN space ON space.no = l.space SEMI JOIN (FROM v WHERE carriers > 1) AS v ON v.no = l.value
           JOIN group_of AS g ON g.profile = l.profile
           WHERE space.tier >= 2 GROUP BY l.value, g."group"
           QUALIFY count(*) OVER (PARTITION BY l.value) > 1""",
    )


def _find_logins(work: Workspace) -> None:
    """Table ``login``: the logins of the groups on a value; ``nth`` counts those of one system by time."""
    work.make(
        "login",
        f"""SELECT *, row_number() OVER (PARTITION BY value, kind, scope ORDER BY first_seen NULLS LAST, "group") AS nth
            FROM (SELECT DISTINCT met.value, met."group", space.kind, space.scope, met.assurance >= {AUTHORISED} AS proven,
                         named.sound IS NOT NULL AS named, met.first_seen
                  FROM met JOIN group_name AS named ON named."group" = met."group"
                  JOIN group_of AS g ON g."group" = met."group"
                  JOIN l ON l.profile = g.profile JOIN space ON space.no = l.space AND space.account)""",
    )


def _find_tenures(work: Workspace, gap_days: int) -> None:
    """Table ``tenure``: the owners a value had one after the other, numbered from 0, by the groups of their time.

    A new tenure begins with a group that has a name, or a login, that the value did not know before, after a silence of
    all who came before.
    """
    work.make(
        "tenure",
        f"""WITH timed AS (
               SELECT met.value, met."group", met.first_seen, named.sound,
                      max(met.last_seen) OVER earlier AS silent_since,
                      count(*) FILTER (met.first_seen IS NULL) OVER (PARTITION BY met.value) AS undated,
                      row_number() OVER (PARTITION BY met.value, named.sound ORDER BY met.first_seen, met."group") AS nth
               FROM met JOIN group_name AS named ON named."group" = met."group"
               WINDOW earlier AS (PARTITION BY met.value ORDER BY met.first_seen, met."group"
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
           ), later_login AS (SELECT DISTINCT value, "group" FROM login WHERE nth > 1)
           SELECT timed.value, timed."group", (sum(CASE
                      WHEN undated > 0 OR epoch(first_seen) - epoch(silent_since) < {gap_days} * 86400 THEN 0
                      WHEN sound IS NOT NULL THEN (nth = 1)::INTEGER
                      ELSE (later."group" IS NOT NULL)::INTEGER END)
                  OVER (PARTITION BY timed.value ORDER BY first_seen, timed."group"))::INTEGER AS tenure
           FROM timed LEFT JOIN later_login AS later ON later.value = timed.value AND later."group" = timed."group" """,
    )


def _find_rivals(work: Workspace) -> None:
    """Table ``rival``: groups that meet another login of the same system in their tenure and have no better claim."""
    work.make(
        "rival",
        """SELECT DISTINCT value, "group" FROM (
               SELECT *, first_value("group") OVER (
                          PARTITION BY value, tenure, kind, scope
                          ORDER BY named DESC, proven DESC, first_seen NULLS LAST, "group") AS best
               FROM login JOIN tenure USING (value, "group"))
           WHERE "group" <> best AND NOT proven""",
    )


def _find_opposed(work: Workspace) -> None:
    """Table ``opposed``: composite values whose carriers have different identifiers of one kind: not one person."""
    work.make(
        "opposed",
        """SELECT DISTINCT value FROM (
               SELECT met.value FROM met
               JOIN group_of AS g ON g."group" = met."group" JOIN l ON l.profile = g.profile
               JOIN space ON space.no = l.space AND space.tier < 3
                AND (space.account OR space.tier = 2 OR space.per_customer IS NOT NULL)
               WHERE met.tier = 3
               GROUP BY met.value, l.space
               HAVING count(DISTINCT met."group") > 1 AND count(DISTINCT l.value) > 1)""",
    )


def _assign(work: Workspace) -> None:
    work.make(
        "claim",
        """SELECT met.value, met."group", named.size, named.sound, named.surname, named.gender, named.born,
                  tenure.tenure, rival."group" IS NOT NULL AS rival, opposed.value IS NOT NULL AS opposed
           FROM met JOIN group_name AS named ON named."group" = met."group"
           JOIN tenure ON tenure.value = met.value AND tenure."group" = met."group"
           LEFT JOIN rival ON rival.value = met.value AND rival."group" = met."group"
           LEFT JOIN opposed ON opposed.value = met.value""",
    )
    work.make(
        "value_name",
        """SELECT value, tenure, sound, surname, CASE WHEN count(DISTINCT gender) = 1 THEN min(gender) END AS gender,
                  CASE WHEN min(born) = max(born) THEN min(born) END AS born
           FROM claim WHERE sound IS NOT NULL GROUP BY value, tenure, sound, surname""",
    )
    work.make(
        "likely_person",
        f"""SELECT value, "group", size, tenure, opposed, born, sound IS NOT NULL AS named, CASE
                WHEN opposed THEN NULL
                WHEN sound IS NOT NULL THEN sound
                WHEN rival THEN NULL
                WHEN surname IS NOT NULL THEN {_FITTING_NAME}
                ELSE {_ONLY_NAME}
            END AS who
            FROM claim
            LEFT JOIN (SELECT value, tenure, count(*) AS names, min(sound) AS only_name
                       FROM value_name GROUP BY value, tenure) USING (value, tenure)
            LEFT JOIN (SELECT value, tenure, count(DISTINCT surname) AS titles, min(surname) AS only_title
                       FROM claim WHERE sound IS NULL AND NOT rival GROUP BY value, tenure) USING (value, tenure)
            LEFT JOIN (SELECT claim.value, claim."group", count(*) AS fits, min(value_name.sound) AS fitting
                       FROM claim JOIN value_name ON value_name.value = claim.value AND value_name.surname = claim.surname
                        AND value_name.tenure = claim.tenure AND coalesce(value_name.gender = claim.gender, true)
                       WHERE claim.sound IS NULL GROUP BY ALL) USING (value, "group")""",
    )
    # Whoever says nothing of the name may still say that it is somebody else.
    work.make(
        "person",
        f"""SELECT one.value, one."group", one.size, one.tenure, one.opposed, CASE WHEN NOT {_OTHER_BIRTHDAY} THEN one.who END AS who,
                   {_OTHER_BIRTHDAY} AS other_born
            FROM (SELECT *, CASE WHEN NOT named THEN who END AS owner FROM likely_person) AS one LEFT JOIN (
                SELECT value, tenure, sound, CASE WHEN min(born) = max(born) THEN min(born) END AS born
                FROM value_name GROUP BY value, tenure, sound
            ) AS owner ON owner.value = one.value AND owner.tenure = one.tenure AND owner.sound = one.owner""",
    )
    work.make(
        "slot",
        """SELECT *, min("group") OVER (PARTITION BY value, coalesce(who, "group"::VARCHAR)) AS slot FROM person""",
    )


def _day(owner: str) -> str:
    """SQL: a birthday as a date; without its year where one of the two has none."""
    return f"try_cast(if('-' IN (one.born[1], owner.born[1]), '2000-' || right({owner}.born, 5), {owner}.born) AS DATE)"


_OTHER_BIRTHDAY = f"""coalesce(right(one.born, 5) <> right(owner.born, 5)
    AND NOT coalesce(abs(date_diff('day', {_day("one")}, {_day("owner")})) BETWEEN 20 AND 50, false), false)"""
"""SQL: two birthdays that cannot be one person's, much as :func:`identity.normalise.birthdays_agree` says; a year is easily
mistyped, and a day of the other calendar is 20 to 50 days off."""

_FITTING_NAME = """CASE WHEN fits = 1 THEN fitting WHEN names IS NULL AND titles = 1 THEN '#' || tenure
                        WHEN names IS NULL THEN '#' || tenure || surname END"""
"""SQL: the slot of a surname with a title; a name never holds a "#", so that slots without a name are their own."""

_ONLY_NAME = """CASE WHEN names = 1 AND (coalesce(titles, 0) = 0 OR only_name LIKE only_title || ' %') THEN only_name
                     WHEN names IS NULL AND coalesce(titles, 0) <= 1 THEN '#' || tenure END"""
"""SQL: the slot of a group that says nothing about its name."""


def _refuse(work: Workspace) -> None:
    """Between the biggest slot of a value, one with a name if there is any, and each other one."""
    work.run(
        """INSERT INTO refusal
           WITH part AS (
               SELECT value, slot, sum(size) AS size, min(tenure) AS tenure, bool_or(opposed) AS opposed,
                      bool_or(other_born) AS other_born, bool_or(who IS NULL OR who[1] = '#') AS nameless
               FROM slot GROUP BY value, slot
           ), main AS (
               SELECT value, min({nameless: nameless, rank: -size, slot: slot, tenure: tenure}) AS first
               FROM part GROUP BY value HAVING count(*) > 1
           )
           SELECT least(first.slot, part.slot), greatest(first.slot, part.slot), value,
                  CASE WHEN part.opposed THEN 'contradicted' WHEN part.tenure <> first.tenure THEN 'other_owner'
                       WHEN rival.value IS NOT NULL THEN 'other_account'
                       WHEN part.other_born THEN 'birthdays_differ'
                       WHEN part.nameless OR first.nameless THEN 'unclear_owner' ELSE 'names_differ' END,
                  false
           FROM main JOIN part USING (value)
           LEFT JOIN rival ON rival.value = main.value AND rival."group" = part.slot
           WHERE part.slot <> first.slot"""
    )
