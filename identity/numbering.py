"""Evidence as numbers: profiles, values and who carries what, so that decisions join integers instead of texts."""

from __future__ import annotations

from identity.workspace import Workspace

__all__ = ["drop_blocked", "number_evidence", "number_values"]


def number_evidence(work: Workspace) -> None:
    """Make the numbered tables from ``profile``, ``link`` and ``kind``.

    ``p`` (no, profile, …): profiles, numbered from 0 in the order of their keys.
    ``space`` (no, kind, scope, tier, priority, per_customer, account): where values mean the same.
    ``v`` (no, kind, scope, value, carriers, pattern): values that could link.
    ``l`` (profile, value, space, assurance, first_seen, last_seen): who carries what.
    """
    work.make(
        "p",
        """SELECT (row_number() OVER (ORDER BY profile) - 1)::INTEGER AS no, profile, sound, surname, name_kind,
                  coalesce(gender, title_gender) AS gender,
                  CASE WHEN birthday_rank >= 4 AND NOT lunar AND birthday[1] <> '-' THEN birthday END AS birthday,
                  CASE WHEN NOT lunar THEN birthday END AS born
           FROM profile""",
    )
    work.make(
        "space",
        """SELECT (row_number() OVER () - 1)::INTEGER AS no, used.*, kind.tier, kind.priority, kind.per_customer, kind.account
           FROM (SELECT DISTINCT kind, scope FROM link) AS used JOIN kind USING (kind)""",
    )
    number_values(work, "link", "v")
    work.make(
        "l",
        """SELECT p.no AS profile, v.no AS value, space.no AS space, link.assurance, link.first_seen, link.last_seen
           FROM link JOIN v USING (kind, scope, value) JOIN p USING (profile) JOIN space USING (kind, scope)
           WHERE link.status IN ('key', 'blocked')""",
    )


def number_values(work: Workspace, links: str, target: str) -> None:
    """Make table ``target`` (no, kind, scope, value, carriers, pattern) of the values of some links.

    Args:
        work: where the links are.
        links: relation (profile, kind, scope, value, status), one row per profile and value.
        target: name of the table to make.
    """
    work.make(
        target,
        f"""SELECT (row_number() OVER () - 1)::INTEGER AS no, found.*
            FROM (SELECT kind, scope, value, count(*) AS carriers, bool_or(status = 'blocked') AS pattern
                  FROM {links} WHERE status IN ('key', 'blocked') GROUP BY kind, scope, value) AS found""",
    )


def drop_blocked(work: Workspace) -> None:
    """Take the values that ``value_state`` blocks out of ``v`` and ``l``."""
    work.make(
        "blocked_no",
        "SELECT v.no FROM v SEMI JOIN (FROM value_state WHERE state = 'blocked') AS state USING (kind, scope, value)",
    )
    if work.count("blocked_no"):
        work.run("DELETE FROM l WHERE value IN (FROM blocked_no); DELETE FROM v WHERE no IN (FROM blocked_no)")
