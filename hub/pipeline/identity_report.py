"""What identity resolution looks like as a whole, what should worry its owner, and what other rules would do."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

import identity
from hub.config import IdentitySettings
from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.identity_rules import own_phones, rules_of
from hub.pipeline.identity_state import PREFIX, load_state
from hub.pipeline.link_model import load_model
from hub.pipeline.resolve import prepare_resolving
from hub.warehouse.engine import Engine

__all__ = ["Alarm", "IdentityReport", "changed_settings", "identity_report", "preview"]

_LARGEST = 10
_CROWDED = 0.5
"""A value carried by more than this share of what blocks it is about to be blocked."""


@dataclass(frozen=True)
class Alarm:
    """Something a person should look at: a code, and what it is in words."""

    code: str
    text: str


@dataclass
class IdentityReport:
    """All customers, counted.

    Attributes:
        profiles: profiles that belong to a customer.
        customers: live customers.
        sizes: number of customers by number of profiles.
        largest: the largest customers, as (customer, profiles).
        blocked: values that never link, by kind and reason.
        refused: joins that a rule refused, by rule.
        review: joins that wait for a person.
        decisions: decisions of people in force, by rule.
        events: identity events of the last resolution that had any, by name.
        alarms: what should worry.
    """

    profiles: int = 0
    customers: int = 0
    sizes: Mapping[int, int] = field(default_factory=dict)
    largest: Sequence[tuple[str, int]] = ()
    blocked: Sequence[tuple[str, str, int]] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    review: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    alarms: Sequence[Alarm] = ()


def identity_report(hub: Hub) -> IdentityReport:
    """Count what the last resolution left.

    Raises:
        LeaseHeldError: another process has the warehouse open.
    """
    with hub.warehouse() as engine:
        prepare_resolving(hub, engine)
        sizes = dict(
            engine.rows(
                "SELECT size, count(*) FROM (SELECT count(*) AS size FROM links GROUP BY customer_id) GROUP BY 1 ORDER BY 1"
            )
        )
        report = IdentityReport(
            profiles=sum(size * count for size, count in sizes.items()),
            customers=sum(sizes.values()),
            sizes=sizes,
            largest=_largest(engine),
            blocked=engine.rows(
                f"SELECT kind, reason, count(*) FROM {PREFIX}value_states WHERE state = 'blocked' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
            ),
            refused=_counts(engine, "refusals", "rule"),
            review=int(engine.value(f"SELECT count(*) FROM {PREFIX}refusals WHERE review")),
            decisions=_counts(engine, "constraints", "rule"),
            events=dict(
                engine.rows(
                    f'SELECT event, count(*) FROM {PREFIX}events WHERE "at" = (SELECT max("at") FROM {PREFIX}events) GROUP BY 1 ORDER BY 1'
                )
            ),
        )
        report.alarms = _alarms(engine, report, hub.settings.identity)
        return report


def _largest(engine: Engine) -> list[tuple[str, int]]:
    rows = engine.rows(
        f"SELECT customer_id, count(*)::INTEGER AS size FROM links GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_LARGEST}"
    )
    return [(str(customer), int(size)) for customer, size in rows]


def _counts(engine: Engine, table: str, column: str) -> dict[str, int]:
    return dict(engine.rows(f"SELECT {column}, count(*) FROM {PREFIX}{table} GROUP BY 1 ORDER BY 1"))


def _alarms(engine: Engine, report: IdentityReport, settings: IdentitySettings) -> list[Alarm]:
    found = []
    limit = settings.max_profiles_per_customer
    if large := sum(count for size, count in report.sizes.items() if size > limit):
        found.append(
            Alarm(
                "customer_too_large",
                f"{large} customers have more than {limit} profiles, all joined by asserted evidence: see `largest`.",
            )
        )
    if report.review:
        found.append(Alarm("review_waiting", f"{report.review} joins wait for a person: hub review list."))
    kinds = {kind.name: kind for kind in rules_of(settings).kinds}
    rows = engine.rows(
        f"SELECT kind, max(profiles)::INTEGER, max(names)::INTEGER FROM {PREFIX}value_states WHERE state = 'household' GROUP BY kind ORDER BY kind"
    )
    for kind, profiles, names in rows:
        if kind in kinds and (
            profiles > _CROWDED * kinds[kind].max_profiles or names > _CROWDED * kinds[kind].max_names
        ):
            found.append(
                Alarm(
                    "value_crowded",
                    f"A value of kind {kind} is carried by {profiles} profiles or {names} names at most: it may be a shop's.",
                )
            )
    split = report.events.get("split", 0) + report.events.get("reassigned", 0)
    if report.customers and split > max(10, report.customers // 100):
        found.append(
            Alarm(
                "many_splits", f"The last resolution that changed anything split or moved {split} groups of profiles."
            )
        )
    return found  # fmt: skip


def changed_settings(settings: IdentitySettings, assignments: Sequence[str]) -> IdentitySettings:
    """Return ``[identity]`` with some keys set.

    Args:
        settings: what is in force.
        assignments: ``KEY=VALUE`` as in ``hub.toml``, e.g. ``kinds.phone.max_names=3``.

    Raises:
        ConfigError: one is no setting of ``[identity]``.
    """
    data: dict[str, Any] = settings.model_dump(exclude_unset=True)
    try:
        for text in assignments:
            _overlay(data, tomllib.loads(text))
        return IdentitySettings.model_validate(data)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"This is not KEY=VALUE as hub.toml has it: {error}.", hint="For example: late_bridge=3"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"identity.{place}: {first['msg']}.", hint="docs/configuration.md lists the settings of [identity]."
        ) from None


def _overlay(data: dict[str, Any], news: Mapping[str, Any]) -> None:
    for key, value in news.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            _overlay(data[key], value)
        else:
            data[key] = value


def preview(hub: Hub, settings: IdentitySettings) -> identity.Preview:
    """Resolve everything with other settings and keep nothing but the difference.

    Raises:
        LeaseHeldError: another process has the warehouse open.
    """
    with hub.warehouse() as engine:
        prepare_resolving(hub, engine)
        profiles, identifiers = (engine.arrow(f"FROM seen_{name}") for name in ("profiles", "identifiers"))
        rules = rules_of(settings, own_phones(engine))
        model = load_model(replace(hub.settings, identity=settings))
        return identity.preview(
            profiles, identifiers, previous=load_state(engine), rules=rules, at=hub.now(), model=model
        )
