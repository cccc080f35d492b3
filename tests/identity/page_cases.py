"""Cases that people ask about, each as small as it can be, and the page that `hub explain` gives for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
from identity_frames import Opinion, phone, profiles

import identity
from hub.cli.explain_page import Facts, explain_page
from identity import Rules
from identity.tables import pick

AT = dt.datetime(2026, 9, 1, 2, tzinfo=dt.UTC)


@dataclass(frozen=True, eq=False)
class Case:
    """A question; equal to itself only, so that what was made of it can be kept.

    Attributes:
        people: profiles as identity takes them; the first two are asked about.
        ids: identifiers as (profile, kind, value, scope, assurance, first seen, last seen).
        decided: constraints in force.
        own: phones of the chain's shops and staff.
        weights: what a link model says of pairs, in bits; no model if empty.
    """

    people: Sequence[dict[str, Any]]
    ids: Sequence[tuple[str, ...]] = ()
    decided: pa.Table | None = None
    own: frozenset[str] = frozenset()
    weights: tuple[tuple[str, str, float], ...] = ()


def person(
    profile: str, name: str | None = None, first: str = "2026-03-01", last: str = "2026-08-20", **more: str
) -> dict[str, Any]:
    """A profile that was seen between two days."""
    return {"profile": profile, "name": name, "first_seen": _day(first), "last_seen": _day(last), **more}


def page(case: Case, language: str = "en") -> str:
    """What `hub explain` says of the first two profiles of a case, everything resolved twice."""
    found = _resolved(case)
    left, right = (one["profile"] for one in case.people[:2])
    told = identity.explain(found.state, left, right)
    both = pa.array([left, right])
    events = [row for row in found.events.to_pylist() if {left, right} & set(row["profiles"])]
    facts = Facts(
        people={row["profile"]: row for row in pick(found.state.profiles, "profile", both).to_pylist()},
        events=events, keys=(left, right), named=(1, 1), resolved=AT, model=bool(case.weights), zone=dt.UTC,
    )  # fmt: skip
    return "\n".join(explain_page(told, facts, language))


@cache
def _resolved(case: Case) -> identity.Resolution:
    """Resolve, and resolve again from the first result: what is asked about has to hold on the next run too."""
    given = profiles(*case.people), _identifiers(case.ids)
    options: dict[str, Any] = {"rules": Rules(own={"phone": case.own} if case.own else {}), "constraints": case.decided}
    options["model"] = Opinion(case.weights) if case.weights else None
    first = identity.resolve(*given, at=AT, new_ids=identity.sequential_ids(), **options)
    again = identity.resolve(*given, at=AT + dt.timedelta(days=1), previous=first.state, **options)
    assert again.events.num_rows == 0
    return first


def _identifiers(rows: Sequence[tuple[str, ...]]) -> pa.Table:
    given = [
        {
            "profile": row[0], "kind": row[1], "value": row[2], "scope": row[3], "assurance": row[4],
            "first_seen": _day(row[5]), "last_seen": _day(row[6]),
        }
        for row in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(given, schema=identity.IDENTIFIERS)


def _day(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def held(profile: str, kind: str, value: str, scope: str = "", assurance: str = "typed_by_staff", first: str = "2026-03-01", last: str = "2026-08-20") -> tuple[str, ...]:  # fmt: skip
    """An identifier that a profile had between two days."""
    return profile, kind, value, scope, assurance, first, last


def decided(rule: str, left: str, right: str, reason: str) -> pa.Table:
    """What a person decided."""
    row = {"rule": rule, "left": left, "right": right, "actor": "li", "reason": reason, "at": _day("2026-08-25")}
    return pa.Table.from_pylist([row], schema=identity.CONSTRAINTS)


CASES: Mapping[str, Case] = {
    "one phone on two platforms": Case(
        [person("pos:1001", "王芳"), person("youzan:77", "王女士", first="2026-05-02")],
        [
            held("pos:1001", "phone", phone(1)),
            held("youzan:77", "phone", phone(1), assurance="authorised", first="2026-05-02"),
        ],
    ),
    "one WeChat account": Case(
        [person("wechat:o7bm64m7DfLC"), person("youzan:78", "李强")],
        [
            held("wechat:o7bm64m7DfLC", "unionid", "oNeW4x9kXO", "brand", "issued"),
            held("youzan:78", "unionid", "oNeW4x9kXO", "brand", "issued", first="2026-06-01"),
        ],
    ),
    "a family on one phone": Case(
        [person("pos:1001", "王芳"), person("pos:1002", "李强")],
        [held("pos:1001", "phone", phone(1)), held("pos:1002", "phone", phone(1))],
    ),
    "a phone with a new owner": Case(
        [person("pos:1001", "王芳", "2025-01-10", "2025-09-01"), person("pos:1002", "李强", "2026-05-02")],
        [
            held("pos:1001", "phone", phone(1), first="2025-01-10", last="2025-09-01"),
            held("pos:1002", "phone", phone(1), first="2026-05-02"),
        ],
    ),
    "the shop's own phone": Case(
        [person("pos:1001", "王芳"), person("pos:1002", "李强")],
        [held("pos:1001", "phone", phone(9)), held("pos:1002", "phone", phone(9))],
        own=frozenset({phone(9)}),
    ),
    "a phone of which only some digits are known": Case(
        [person("pos:1001", "王芳"), person("youzan:77", "王芳", first="2026-05-02")],
        [
            held("pos:1001", "phone", phone(1)),
            held("youzan:77", "phone", "154****0001", assurance="authorised", first="2026-05-02"),
        ],
    ),
    "names that sound alike": Case(
        [person("pos:1001", "张慧"), person("pos:1002", "张惠")],
        [held("pos:1001", "phone", phone(1)), held("pos:1002", "phone", phone(1))],
    ),
    "two WeChat accounts of one person": Case(
        [person("wechat:o7bm64m7DfLC", "王芳"), person("wechat:o9dk21a8QwEr", "王芳")],
        [
            held("wechat:o7bm64m7DfLC", "unionid", "oNeW4x9kXO", "brand", "issued"),
            held("wechat:o9dk21a8QwEr", "unionid", "oPq81mZ2Rt", "brand", "issued"),
            held("wechat:o7bm64m7DfLC", "phone", phone(1), assurance="authorised"),
            held("wechat:o9dk21a8QwEr", "phone", phone(1), assurance="authorised"),
        ],
    ),
    "nothing in common, with a model": Case(
        [person("pos:1001", "王芳"), person("weimob:31", "王芳")], weights=(("pos:1001", "weimob:31", 15.0),)
    ),
    "nothing in common, unsure": Case(
        [person("pos:1001", "王芳"), person("weimob:31", "王芳")], weights=(("pos:1001", "weimob:31", 8.0),)
    ),
    "nothing in common, without a model": Case(
        [person("pos:1001", "王芳"), person("weimob:31", "王芳")],
        [held("pos:1001", "phone", phone(1)), held("weimob:31", "wid", "90817263", "shop", "issued")],
    ),
    "merged by the platform": Case([person("weimob:31", "王芳"), person("weimob:32", "王芳", merged_into="weimob:31")]),
    "taken apart by hand": Case(
        [person("pos:1001", "王芳"), person("youzan:77", "王女士")],
        [held("pos:1001", "phone", phone(1)), held("youzan:77", "phone", phone(1), assurance="authorised")],
        decided=decided("cannot_link", "pos:1001", "youzan:77", "mother and daughter"),
    ),
    "tickets with a card": Case(
        [person("pos:1001", "王芳"), person("till:~card_no:till:88000001", first="2026-04-11")],
        [
            held("pos:1001", "card_no", "88000001", "till", "issued"),
            held("till:~card_no:till:88000001", "card_no", "88000001", "till", "issued", first="2026-04-11"),
        ],
    ),
    "same name and birthday, different phones": Case(
        [person("pos:1001", "王芳", birthday="1991-06-03"), person("youzan:77", "王芳", birthday="1991-06-03")],
        [held("pos:1001", "phone", phone(1)), held("youzan:77", "phone", phone(2))],
    ),
}
"""By what is asked."""
