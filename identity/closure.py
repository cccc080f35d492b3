"""The part of the world a change can reach: what an incremental run looks at, and nothing else.

A change reaches every profile that usable evidence connects with a changed profile, before or after. The previous run
kept for each profile the component it lies in, so one pass finds them all, however long the path.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from identity.judge import judge_values
from identity.numbering import drop_blocked, number_carriers, number_evidence
from identity.tables import SCHEMAS, State
from identity.workspace import Workspace

__all__ = ["close_over", "take_everything"]


def take_everything(work: Workspace, before: State) -> None:
    """For a full run: ``profile``, ``link``, ``value_state``, ``judged``, ``old_*`` and the numbered tables cover all there is."""
    work.put(previous_value_states=before.value_states, previous_memberships=before.memberships)
    work.put(previous_history=before.history)
    work.view("profile", "FROM new_profile")
    work.put(link=work.given("new_link"))
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

    The previous state is only searched (:meth:`identity.State.find`); what is found enters the workspace.

    Args:
        work: with the changed evidence as ``new_profile`` and ``new_link``, and ``seed`` (profile): profiles touched in
            another way, by a constraint for one.
        before: the previous state.
        changed: the keys in table ``changed``.
    """
    gone_link, gone_profile, one_side, other_side = before.find(
        ("links", "profile", changed),
        ("profiles", "profile", changed),
        ("pairs", "left", changed),
        ("pairs", "right", changed),
    )
    only_other = other_side.filter(pc.invert(pc.is_in(other_side["left"], changed)))
    work.put(gone_link=gone_link, gone_profile=gone_profile, gone_pair=pa.concat_tables([one_side, only_other]))
    _judge_touched(work, before)
    _find_reached(work, before)
    _load_reached(work, before)
    work.make("value_state", "FROM judged UNION ALL FROM near_state ANTI JOIN touched USING (kind, scope, value)")
    work.make(
        "pairs_now",
        """FROM new_pair UNION ALL
           FROM near_pair ANTI JOIN changed ON changed.profile = near_pair."right"
           WHERE "right" IN (FROM reached)""",
    )
    number_evidence(work)
    drop_blocked(work)


def _load_reached(work: Workspace, before: State) -> None:
    """Tables ``profile`` and ``link`` as they are now, and what was known of the reached profiles."""
    reached = work.table("FROM reached")["profile"]
    others = work.table("FROM reached ANTI JOIN changed USING (profile)")["profile"]
    profiles, links, members, history, refusals, pairs = before.find(
        ("profiles", "profile", others),
        ("links", "profile", others),
        ("memberships", "profile", reached),
        ("history", "profile", reached),
        ("refusals", "left", reached),
        ("pairs", "left", others),
    )
    link = pa.concat_tables([work.given("new_link"), links])
    (states,) = before.find(("value_states", "value", pc.unique(link["value"])))
    work.put(
        profile=pa.concat_tables([work.given("new_profile"), profiles]),
        link=link,
        near_member=members,
        near_history=history,
        near_refusal=refusals,
        near_pair=pairs,
        near_state=states,
    )
    work.view("old_member", "SELECT profile, customer FROM near_member")
    work.view("old_history", "FROM near_history")


def _judge_touched(work: Workspace, before: State) -> None:
    """Judge again every value a changed profile carries or carried, with all who carry it."""
    work.make("touched", "SELECT kind, scope, value FROM new_link UNION SELECT kind, scope, value FROM gone_link")
    values = work.table("SELECT DISTINCT value FROM touched")["value"]
    maybe_link, maybe_state = before.find(("links", "value", values), ("value_states", "value", values))
    work.put(maybe_link=maybe_link, maybe_state=maybe_state)
    others = work.table(
        "FROM maybe_link SEMI JOIN touched USING (kind, scope, value) ANTI JOIN changed USING (profile)",
        SCHEMAS["links"],
    )
    work.put(touched_link=pa.concat_tables([work.given("new_link"), others]))
    carriers = work.table("SELECT DISTINCT profile FROM touched_link")["profile"]
    (known,) = before.find(("profiles", "profile", carriers))
    work.put(carrier=known.select(["profile", "sound"]))
    work.view(
        "touched_profile",
        "SELECT profile, sound FROM new_profile UNION ALL FROM carrier ANTI JOIN changed USING (profile)",
    )
    work.make("past_state", "FROM maybe_state SEMI JOIN touched USING (kind, scope, value)")
    number_carriers(work, "touched_value", "numbered_carrier")
    work.view("touched_carrier", "SELECT value, sound FROM numbered_carrier JOIN touched_profile USING (profile)")
    judge_values(work, "touched_value", "touched_carrier", "judged")


def _find_reached(work: Workspace, before: State) -> None:
    """Table ``reached``: all profiles of the closure, the ones that are gone among them."""
    (pointing,) = before.find(("profiles", "merged_into", work.table("FROM changed")["profile"]))
    work.put(pointing=pointing)
    work.make(
        "source",
        """FROM changed UNION FROM seed UNION
           SELECT profile FROM touched_link ANTI JOIN (FROM judged WHERE state = 'blocked') USING (kind, scope, value)
           WHERE status = 'key' UNION
           SELECT profile FROM pointing UNION
           SELECT merged_into FROM new_profile WHERE merged_into IS NOT NULL UNION
           SELECT "left" FROM new_pair UNION SELECT "right" FROM new_pair""",
    )
    (starts,) = before.find(("memberships", "profile", work.table("FROM source")["profile"]))
    (component,) = before.find(("memberships", "component", pc.unique(starts["component"])))
    work.put(component_arrow=component.select(["profile"]))
    work.make("reached", "FROM component_arrow UNION FROM changed")
