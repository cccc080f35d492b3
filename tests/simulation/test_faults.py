"""Fault programmes decide from a seed, hit what they say, and always let a patient caller through."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError
from hub.simulation import faults
from hub.simulation.faults import MOST_IN_A_ROW, CallFacts, PushFacts

CALL_PROGRAMMES = [name for name in faults.PROGRAMMES if name != "none" and not name.endswith("_push")]
PUSH_PROGRAMMES = [name for name in faults.PROGRAMMES if name.endswith("_push")]


def facts(**changes: Any) -> CallFacts:
    values: dict[str, Any] = {"endpoint": "members", "key": "k", "write": True, "paged": True, "ordinal": 1}
    return CallFacts(**{**values, **changes})


def run(programme: faults.Programme, keys: list[str]) -> list[tuple[str, str | None]]:
    """Play the calls one after the other, counting as a simulator does; return who was hit by what."""
    attempts: dict[str, int] = {}
    streaks: dict[str, int] = {}
    fired: dict[str, int] = {}
    outcome: list[tuple[str, str | None]] = []
    for ordinal, key in enumerate(keys):
        call = facts(
            key=key, ordinal=ordinal, attempt=attempts.get(key, 0), streak=streaks.get(key, 0), fired=dict(fired)
        )
        hit = programme.decide(call)
        attempts[key] = call.attempt + 1
        streaks[key] = call.streak + 1 if hit else 0
        if hit:
            fired[hit.rule] = fired.get(hit.rule, 0) + 1
        outcome.append((key, hit.rule if hit else None))
    return outcome


programmes = st.lists(st.sampled_from(CALL_PROGRAMMES), min_size=1, max_size=4, unique=True).map("+".join)


@given(programmes, st.integers(), st.floats(0.01, 1.0), st.lists(st.sampled_from("abcde"), max_size=60))
def test_a_request_never_meets_more_faults_in_a_row_than_promised(
    names: str, seed: int, rate: float, keys: list[str]
) -> None:
    longest: dict[str, int] = {}
    for key, rule in run(faults.programme(names, seed=seed, rate=rate), keys):
        longest[key] = longest.get(key, 0) + 1 if rule else 0
        assert longest[key] <= MOST_IN_A_ROW


@given(programmes, st.integers(), st.floats(0.01, 1.0), st.lists(st.sampled_from("abcde"), max_size=60))
def test_the_same_seed_and_calls_give_the_same_faults(names: str, seed: int, rate: float, keys: list[str]) -> None:
    first = run(faults.programme(names, seed=seed, rate=rate), keys)

    assert run(faults.programme(names, seed=seed, rate=rate), keys) == first


@pytest.mark.parametrize("name", ["throttling", "busy", "slow", "truncated", "dropped", "dropped_after_write"])
def test_another_seed_gives_other_faults(name: str) -> None:
    keys = [f"key {number}" for number in range(200)]

    assert run(faults.programme(name, seed=1), keys) != run(faults.programme(name, seed=2), keys)


@pytest.mark.parametrize("name", CALL_PROGRAMMES)
def test_the_rate_governs_how_many_calls_are_hit(name: str) -> None:
    keys = [f"key {number}" for number in range(4000)]

    hits = sum(rule is not None for _key, rule in run(faults.programme(name, seed=3, rate=0.25), keys))

    assert 0.2 < hits / len(keys) < 0.3


@pytest.mark.parametrize("name", CALL_PROGRAMMES)
def test_a_short_run_meets_the_fault_too(name: str) -> None:
    rate = 0.001

    outcome = run(faults.programme(name, seed=5, rate=rate), ["page 1", "page 2", "page 3"])

    assert name in [rule for _key, rule in outcome]


@pytest.mark.parametrize("name", CALL_PROGRAMMES)
def test_a_rate_of_zero_means_never(name: str) -> None:
    outcome = run(faults.programme(name, rate=0.0), [f"key {number}" for number in range(50)])

    assert {rule for _key, rule in outcome} == {None}


def test_faults_of_parallel_callers_do_not_depend_on_who_comes_first() -> None:
    programme = faults.programme("throttling", seed=9, rate=0.3)
    settled = {"fired": {"throttling": 1}}
    calls = [facts(key=f"key {number}", **settled) for number in range(100)]
    shuffled = random.Random(0).sample(calls, len(calls))

    hit = {call.key for call in calls if programme.decide(call)}

    assert {call.key for call in shuffled if programme.decide(call)} == hit
    assert 0 < len(hit) < 100


def test_only_writes_are_dropped_after_the_write() -> None:
    programme = faults.programme("dropped_after_write", rate=1.0)

    assert programme.decide(facts(write=True)) == faults.Hit("dropped_after_write", faults.Drop(after_work=True))
    assert programme.decide(facts(write=False)) is None


@pytest.mark.parametrize("name", ["token_expiry", "page_shift"])
def test_faults_between_pages_spare_the_first_page_and_calls_without_pages(name: str) -> None:
    programme = faults.programme(name, rate=1.0)

    assert programme.decide(facts(ordinal=0)) is None
    assert programme.decide(facts(paged=False)) is None
    assert programme.decide(facts(ordinal=1)) is not None


def test_a_renewed_token_does_not_end_at_once_again() -> None:
    programme = faults.programme("token_expiry", rate=1.0)

    assert programme.decide(facts(attempt=1, streak=1)) is None


def test_no_rule_can_lift_the_bound_for_all() -> None:
    stubborn = faults.Programme("stubborn", rules=(faults.Rule("stubborn", lambda _: faults.Busy(), 1.0, in_a_row=99),))

    assert [rule is not None for _key, rule in run(stubborn, ["same"] * 6)] == [True, True, False, True, True, False]


def test_a_burst_hits_neighbouring_calls() -> None:
    outcome = run(faults.programme("burst_5xx", seed=1, rate=0.1, length=4), [f"key {number}" for number in range(400)])
    hits = [place for place, (_key, rule) in enumerate(outcome) if rule]

    runs = [place for place in hits if place - 1 not in hits]

    assert hits[:4] == [0, 1, 2, 3]
    assert len(hits) == 40
    assert len(runs) <= 10


def test_settings_reach_the_programme_that_has_them() -> None:
    programme = faults.programme("slow+dropped", seed=1, rate=1.0, delay=10.0, hang_share=0.0)

    hit = programme.decide(facts())

    assert hit is not None
    assert isinstance(hit.effect, faults.Delay)
    assert 5.0 <= hit.effect.seconds <= 10.0


def test_programmes_can_be_added() -> None:
    both = faults.programme("none") + faults.programme("throttling", seed=4) + faults.programme("duplicate_push")

    assert both.name == "throttling+duplicate_push"
    assert [rule.name for rule in both.rules] == ["throttling"]
    assert [rule.name for rule in both.push_rules] == ["duplicate_push"]


def test_an_unknown_programme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'chaos'.*none, token_expiry, throttling"):
        faults.programme("throttling+chaos")


def test_an_unknown_setting_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no setting delai.*delay, hang_share, rate"):
        faults.programme("slow", delai=3.0)


@pytest.mark.parametrize("name", PUSH_PROGRAMMES)
def test_a_receivers_first_message_is_hit_and_then_a_share_of_the_others(name: str) -> None:
    programme = faults.programme(name, seed=1, rate=0.25)

    effects = [programme.decide_push(PushFacts("url", f"m{number}", first=number == 0)) for number in range(2000)]

    assert effects[0]
    assert 0.2 < sum(bool(effect) for effect in effects) / 2000 < 0.3
    assert not faults.programme(name, rate=0.0).decide_push(PushFacts("url", "m", first=True))
