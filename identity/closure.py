"""The part of the world a change can reach: what an incremental run looks at, and nothing else.

A change reaches every profile that usable evidence connects with a changed profile, before or after. The previous run
kept for each profile the component it lies in, so one pass finds them all, however long the path.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from identity.judge import judge_values
from identity.numbering import drop_blocked, number_evidence, number_values
from identity.tables import State
from identity.workspace import Workspace

__all__ = ["close_over", "find_known", "take_everything"]


def take_everything(work: Workspace, before: State) -> None:
    """For a full run: ``profile``, ``link``, ``value_state``, ``judged``, ``old_*`` and the numbered tables cover all there is."""
    work.put(previous_value_states=before.value_states, previous_memberships=before.memberships)
    work.put(previous_history=before.history)
    work.view("profile", "FROM new_profile")
    work.put(link=work.given("new_link"))
    work.view("past_state", "FROM previous_value_states")
    number_evidence(work)
    pa.default_memory_pool().release_unused()  # what numbering no longer needs stays with its thread otherwise
    judge_values(work, "v", "(SELECT l.value, p.sound FROM l JOIN p ON p.no = l.profile)", "judged")
    work.view("value_state", "FROM judged")
    drop_blocked(work)
    work.view("pairs_now", "FROM new_pair")
    work.view("old_member", "SELECT profile, customer FROM previous_memberships")
    work.view("old_history", "FROM previous_history")


def find_known(before: State, changed: pa.Array) -> dict[str, pa.Table]:
    """What the previous state knows of changed profiles: ``gone_profile``, ``gone_link``, ``gone_pair`` and, of the profiles that
    were merged into them, ``pointing``."""
    gone_link, gone_profile, pointing, one_side, other_side = before.find(
        ("links", "profile", changed),
        ("profiles", "profile", changed),
        ("profiles", "merged_into", changed),
        ("pairs", "left", changed),
        ("pairs", "right", changed),
    )
    only_other = other_side.filter(pc.invert(pc.is_in(other_side["left"], changed)))
    pairs = pa.concat_tables([one_side, only_other])
    return {"gone_link": gone_link, "gone_profile": gone_profile, "gone_pair": pairs, "pointing": pointing}


def close_over(work: Workspace, before: State, known: Mapping[str, pa.Table]) -> None:
    """For an incremental run: the same tables, over all that table ``changed`` (profile) can reach.

    The previous state is only searched (:meth:`identity.State.find`); what is found enters the workspace.

    Args:
        work: with the changed evidence as ``new_profile`` and ``new_link``, and ``seed`` (profile): profiles touched in
            another way, by a constraint for one.
        before: the previous state.
        known: what it knows of the changed profiles, see :func:`find_known`.
    """
    work.put(**known)
    _judge_touched(work, before)
    _find_reached(work, before)
    _load_reached(work, before)
    work.make("value_state", "FROM judged UNION ALL FROM near_state ANTI JOIN touched USING (value)")
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
    profiles, links, history, refusals, pairs = before.find(
        ("profiles", "profile", others),
        ("links", "profile", others),
        ("history", "profile", reached),
        ("refusals", "left", reached),
        ("pairs", "left", others),
    )
    link = pa.concat_tables([work.given("new_link"), links])
    (states,) = before.find(("value_states", "value", pc.unique(link["value"])))
    work.put(
        profile=pa.concat_tables([work.given("new_profile"), profiles]),
        link=link,
        near_history=history,
        near_refusal=refusals,
        near_pair=pairs,
        near_state=states,
    )
    work.view("old_member", "SELECT profile, customer FROM near_member")
    work.view("old_history", "FROM near_history")


def _judge_touched(work: Workspace, before: State) -> None:
    """Judge again every value a changed profile carries or carried, with all who carry it.

    Values go by their text: one that means something else in another kind is judged there too, by all its carriers.
    """
    mine, gone, changed = work.given("new_link"), work.given("gone_link"), work.given("changed_arrow")["profile"]
    touched = pc.unique(pa.chunked_array([*mine["value"].chunks, *gone["value"].chunks], pa.string()))
    carried, states = before.find(("links", "value", touched), ("value_states", "value", touched))
    links = pa.concat_tables([mine, carried.filter(pc.invert(pc.is_in(carried["profile"], changed.combine_chunks())))])
    work.put(touched_link=links, touched=pa.table({"value": touched}), past_state=states)
    _put_carriers(work, before, number_values(work, links, "touched_value"))
    judge_values(work, "touched_value", "touched_carrier", "judged")


def _linking(work: Workspace) -> pa.Table:
    """The carriers (profile) of touched values that link."""
    links = work.given("touched_link")
    links = links.filter(pc.equal(links["status"], "key"))
    blocked = work.table("SELECT kind, scope, value FROM judged WHERE state = 'blocked'")
    # The texts of blocked values are few; only links that have one are looked at as a whole.
    doubtful = pc.is_in(links["value"], blocked["value"].combine_chunks())
    work.put(doubtful_link=links.filter(doubtful))
    rest = work.table(
        "SELECT profile FROM doubtful_link ANTI JOIN (FROM judged WHERE state = 'blocked') USING (kind, scope, value)"
    )
    free = links.filter(pc.invert(doubtful))["profile"]
    return pa.table({"profile": pc.unique(pa.chunked_array([*free.chunks, *rest["profile"].chunks], pa.string()))})


def _put_carriers(work: Workspace, before: State, carriers: pa.Table) -> None:
    """Relation ``touched_carrier`` (value, sound): of ``carriers`` (value, profile), what each is called now."""
    profiles = carriers["profile"].combine_chunks().dictionary_encode()
    (known,) = before.find(("profiles", "profile", profiles.dictionary))
    said = pa.concat_tables([table.select(["profile", "sound"]) for table in (work.given("new_profile"), known)])
    # The first row is the one that counts: a changed profile's new name, not its old one.
    sounds = said["sound"].take(pc.index_in(profiles.dictionary, said["profile"].combine_chunks()))
    work.put(touched_carrier=pa.table({"value": carriers["value"], "sound": sounds.take(profiles.indices)}))


def _find_reached(work: Workspace, before: State) -> None:
    """Relations ``reached``, all profiles of the closure, the ones that are gone among them, and ``near_member``, whose they were."""
    work.put(linking=_linking(work))
    work.make(
        "source",
        """FROM changed UNION FROM seed UNION FROM linking UNION
           SELECT profile FROM pointing UNION
           SELECT merged_into FROM new_profile WHERE merged_into IS NOT NULL UNION
           SELECT "left" FROM new_pair UNION SELECT "right" FROM new_pair""",
    )
    (starts,) = before.find(("memberships", "profile", work.table("FROM source")["profile"]))
    (component,) = before.find(("memberships", "component", pc.unique(starts["component"])))
    work.put(near_member=component)
    work.make("reached", "SELECT profile FROM near_member UNION FROM changed")
