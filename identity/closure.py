"""The part of the world a change can reach: what an incremental run looks at, and nothing else.

A change reaches every profile that usable evidence connects with a changed profile, before or after. The previous run
kept for each profile the component it lies in, so one pass finds them all, however long the path.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.changes import KEYS
from identity.graph import Numbers
from identity.grouped import NOTHING
from identity.judge import judge_values
from identity.numbering import Evidence, Values, drop_blocked, number_evidence, number_values
from identity.tables import State, pick, text_keys
from identity.workspace import Workspace

__all__ = ["close_over", "take_everything"]


def take_everything(work: Workspace, before: State) -> Evidence:
    """For a full run: the evidence, and ``value_state``, ``judged`` and ``old_*``, cover all there is."""
    work.put(past_state=before.value_states, pairs_now=work.given("new_pair"))
    evidence = number_evidence(work.given("kind"), work.given("new_profile"), work.given("new_link"))
    pa.default_memory_pool().release_unused()  # what numbering no longer needs stays with its thread otherwise
    carried = evidence.carried
    judged = judge_values(work, evidence.values, carried.value, evidence.facts.sound[carried.profile])
    work.put(judged=judged, value_state=judged, old_member=before.memberships, old_history=before.history)
    return drop_blocked(evidence, judged)


def close_over(work: Workspace, before: State, changed: pa.Array, seeds: pa.Array) -> Evidence:
    """For an incremental run: the same, over all that changed profiles can reach.

    The previous state is only searched (:meth:`identity.State.find`); what is found enters the workspace.

    Args:
        work: with the changed evidence as ``new_profile`` and ``new_link``.
        before: the previous state.
        changed: the keys of the changed profiles.
        seeds: profiles touched in another way, by a constraint for one.
    """
    _find_known(work, before, changed)
    touched = _judge_touched(work, before, changed)
    reached = _find_reached(work, before, changed, seeds)
    evidence = _load_reached(work, before, changed, reached)
    near_state = _without(work.given("near_state"), "value", touched)
    work.put(value_state=pa.concat_tables([work.given("judged"), near_state]))
    near_pair = pick(_without(work.given("near_pair"), "right", changed), "right", reached)
    work.put(pairs_now=pa.concat_tables([work.given("new_pair"), near_pair]))
    return drop_blocked(evidence, work.given("value_state"))


def _find_known(work: Workspace, before: State, changed: pa.Array) -> None:
    """What the previous state knows of changed profiles: ``gone_profile``, ``gone_link``, ``gone_pair`` and, of the profiles that
    were merged into them, ``pointing``."""
    gone_link, gone_profile, pointing, one_side, other_side = before.find(
        ("links", "profile", changed),
        ("profiles", "profile", changed),
        ("profiles", "merged_into", changed),
        ("pairs", "left", changed),
        ("pairs", "right", changed),
    )
    pairs = pa.concat_tables([one_side, _without(other_side, "left", changed)])
    work.put(gone_link=gone_link, gone_profile=gone_profile, gone_pair=pairs, pointing=pointing)


def _without(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    """The rows whose ``column`` is not among ``values``."""
    return table.filter(pc.invert(pc.is_in(table[column], values))) if table.num_rows else table


def _texts(*columns: pa.Array | pa.ChunkedArray) -> pa.Array:
    """All texts that stand in some columns."""
    chunks = [chunk for one in columns for chunk in (one.chunks if isinstance(one, pa.ChunkedArray) else [one])]
    return pc.unique(pa.chunked_array(chunks, pa.string())).drop_null()


def _load_reached(work: Workspace, before: State, changed: pa.Array, reached: pa.Array) -> Evidence:
    """What is said of the reached profiles now, and what was known of them."""
    others = reached.filter(pc.invert(pc.is_in(reached, changed)))
    carriers = work.given("carrier")  # found when values were judged: most of the reached are among them
    unknown = others.filter(pc.invert(pc.is_in(others, carriers["profile"].combine_chunks())))
    profiles, links, history, refusals, pairs = before.find(
        ("profiles", "profile", unknown),
        ("links", "profile", others),
        ("history", "profile", reached),
        ("refusals", "left", reached),
        ("pairs", "left", others),
    )
    link = pa.concat_tables([work.given("new_link"), links])
    (states,) = before.find(("value_states", "value", pc.unique(link["value"])))
    work.put(old_history=history, near_refusal=refusals, near_pair=pairs, near_state=states)
    return number_evidence(
        work.given("kind"),
        pa.concat_tables([work.given("new_profile"), pick(carriers, "profile", others), profiles]),
        link,
    )


def _judge_touched(work: Workspace, before: State, changed: pa.Array) -> pa.Array:
    """Judge again every value a changed profile carries or carried, with all who carry it: table ``judged``; the values' texts.

    Values go by their text: one that means something else in another kind is judged there too, by all its carriers.
    """
    mine = work.given("new_link")
    touched = _texts(mine["value"], work.given("gone_link")["value"])
    carried, states = before.find(("links", "value", touched), ("value_states", "value", touched))
    links = pa.concat_tables([mine, _without(carried, "profile", changed)])
    work.put(touched_link=links, past_state=states)
    values = number_values(links)
    work.put(judged=judge_values(work, values, values.value, _sounds(work, before, links["profile"], values)))
    return touched


def _sounds(work: Workspace, before: State, profiles: pa.ChunkedArray, values: Values) -> Numbers:
    """For each link that ``values`` numbers a code of what its profile is called now; and table ``carrier``, what the previous state
    knows of these profiles."""
    carriers = profiles.take(pa.array(values.rows)).combine_chunks().dictionary_encode()
    (known,) = before.find(("profiles", "profile", carriers.dictionary))
    work.put(carrier=known)
    said = pa.concat_tables([table.select(["profile", "sound"]) for table in (work.given("new_profile"), known)])
    # The first row is the one that counts: a changed profile's new name, not its old one.
    sounds = said["sound"].take(pc.index_in(carriers.dictionary, said["profile"].combine_chunks()))
    codes = sounds.combine_chunks().dictionary_encode().indices.take(carriers.indices)
    return np.asarray(codes.fill_null(NOTHING), np.int32)


def _linking(work: Workspace) -> pa.Array:
    """The carriers of touched values that link."""
    links, states = work.given("touched_link"), work.given("judged")
    links = links.filter(pc.equal(links["status"], "key"))
    blocked = states.filter(pc.equal(states["state"], "blocked"))
    # The texts of blocked values are few; only links that have one are looked at as a whole.
    doubtful = pc.is_in(links["value"], blocked["value"].combine_chunks())
    rest = links.filter(doubtful)
    key = KEYS["value_states"]
    rest = rest.filter(pc.invert(pc.is_in(text_keys(rest, key), text_keys(blocked, key))))
    return _texts(links.filter(pc.invert(doubtful))["profile"], rest["profile"])


def _find_reached(work: Workspace, before: State, changed: pa.Array, seeds: pa.Array) -> pa.Array:
    """All profiles of the closure, the ones that are gone among them; and table ``old_member``, whose they were."""
    profiles, pairs = work.given("new_profile"), work.given("new_pair")
    source = _texts(
        changed, seeds, _linking(work), work.given("pointing")["profile"], profiles["merged_into"], pairs["left"], pairs["right"]
    )  # fmt: skip
    (starts,) = before.find(("memberships", "profile", source))
    (component,) = before.find(("memberships", "component", pc.unique(starts["component"])))
    work.put(old_member=component)
    return _texts(component["profile"], changed)
