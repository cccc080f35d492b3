"""The part of the world a change can reach: what an incremental run looks at, and nothing else.

A change reaches every profile that usable evidence connects with a changed profile, before or after. The previous run
kept for each profile the component it lies in, so one pass finds them all, however long the path.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from identity.judge import judge_values
from identity.numbering import drop_blocked, number_evidence, number_values
from identity.tables import State, pick, pick_each
from identity.workspace import Workspace

__all__ = ["close_over", "take_everything"]


def take_everything(work: Workspace, before: State) -> None:
    """For a full run: ``profile``, ``link``, ``value_state``, ``judged``, ``old_*`` and the numbered tables cover all there is."""
    work.put(previous_value_states=before.value_states, previous_memberships=before.memberships)
    work.put(previous_history=before.history)
    work.view("profile", "FROM new_profile")
    work.view("link", "FROM new_link")
    work.view("past_state", "FROM previous_value_states")
    number_evidence(work)
    judge_values(work, "v", "(SELECT l.value, p.sound FROM l JOIN p ON p.no = l.profile)", "judged")
    work.view("value_state", "FROM judged")
    drop_blocked(work)
    work.view("pairs_now", "FROM new_pair")
    work.view("old_member", "SELECT profile, customer FROM previous_memberships")
    work.view("old_history", "FROM previous_history")


def close_over(work: Workspace, before: State, changed: pa.Array) -> None:
    """For an incremental run: the same tables, over all that table ``changed`` (profile) can reach.

    The previous tables are searched in Arrow, whose membership test on a million strings takes a fiftieth of a second;
    only what is found enters the workspace.

    Args:
        work: with the changed evidence as ``new_profile`` and ``new_link``, and ``seed`` (profile): profiles touched in
            another way, by a constraint for one.
        before: the previous state.
        changed: the keys in table ``changed``.
    """
    gone_link, gone_profile = pick_each((before.links, "profile", changed), (before.profiles, "profile", changed))
    work.put(gone_link=gone_link, gone_profile=gone_profile)
    gone = pc.or_(pc.is_in(before.pairs["left"], changed), pc.is_in(before.pairs["right"], changed))
    work.put(gone_pair=before.pairs.filter(gone), kept_pair=before.pairs.filter(pc.invert(gone)))
    _judge_touched(work, before)
    _find_reached(work, before)
    _load_reached(work, before)
    work.make(
        "value_state", "FROM judged UNION ALL FROM previous_value_states ANTI JOIN touched USING (kind, scope, value)"
    )
    work.make(
        "pairs_now",
        """FROM new_pair UNION ALL (FROM kept_pair WHERE "left" IN (FROM reached) AND "right" IN (FROM reached))""",
    )
    number_evidence(work)
    drop_blocked(work)


def _load_reached(work: Workspace, before: State) -> None:
    """Tables ``profile`` and ``link`` as they are now, and what was known of the reached profiles."""
    reached = work.table("FROM reached")["profile"]
    others = work.table("FROM reached ANTI JOIN changed USING (profile)")["profile"]
    profiles, links, members, history, refusals = pick_each(
        (before.profiles, "profile", others),
        (before.links, "profile", others),
        (before.memberships, "profile", reached),
        (before.history, "profile", reached),
        (before.refusals, "left", reached),
    )
    work.put(
        profile=pa.concat_tables([work.given("new_profile"), profiles]),
        link=pa.concat_tables([work.given("new_link"), links]),
        near_member=members,
        near_history=history,
        near_refusal=refusals,
        previous_value_states=before.value_states,
    )
    work.view("old_member", "SELECT profile, customer FROM near_member")
    work.view("old_history", "FROM near_history")


def _judge_touched(work: Workspace, before: State) -> None:
    """Judge again every value a changed profile carries or carried, with all who carry it."""
    work.make("touched", "SELECT kind, scope, value FROM new_link UNION SELECT kind, scope, value FROM gone_link")
    values = work.table("SELECT DISTINCT value FROM touched")["value"]
    maybe_link, maybe_state = pick_each((before.links, "value", values), (before.value_states, "value", values))
    work.put(maybe_link=maybe_link, maybe_state=maybe_state)
    work.make(
        "touched_link",
        """FROM new_link UNION ALL
           FROM maybe_link SEMI JOIN touched USING (kind, scope, value) ANTI JOIN changed USING (profile)""",
    )
    carriers = work.table("SELECT DISTINCT profile FROM touched_link")["profile"]
    work.put(carrier=pick(before.profiles.select(["profile", "sound"]), "profile", carriers))
    work.view(
        "touched_profile",
        "SELECT profile, sound FROM new_profile UNION ALL FROM carrier ANTI JOIN changed USING (profile)",
    )
    work.make("past_state", "FROM maybe_state SEMI JOIN touched USING (kind, scope, value)")
    number_values(work, "touched_link", "touched_value")
    work.view(
        "touched_carrier",
        """SELECT touched_value.no AS value, touched_profile.sound FROM touched_link AS link
           JOIN touched_value USING (kind, scope, value) JOIN touched_profile USING (profile)
           WHERE link.status IN ('key', 'blocked')""",
    )
    judge_values(work, "touched_value", "touched_carrier", "judged")


def _find_reached(work: Workspace, before: State) -> None:
    """Table ``reached``: all profiles of the closure, the ones that are gone among them."""
    merged = before.profiles.select(["profile", "merged_into"])
    work.put(pointing=merged.filter(pc.is_valid(merged["merged_into"])))
    work.make(
        "source",
        """FROM changed UNION FROM seed UNION
           SELECT profile FROM touched_link ANTI JOIN (FROM judged WHERE state = 'blocked') USING (kind, scope, value)
           WHERE status = 'key' UNION
           SELECT profile FROM pointing WHERE merged_into IN (FROM changed) UNION
           SELECT merged_into FROM new_profile WHERE merged_into IS NOT NULL UNION
           SELECT "left" FROM new_pair UNION SELECT "right" FROM new_pair""",
    )
    starts = pick(before.memberships, "profile", work.table("FROM source")["profile"])
    component = pick(before.memberships, "component", starts["component"])
    work.put(component_arrow=component.select(["profile"]))
    work.make("reached", "FROM component_arrow UNION FROM changed")
