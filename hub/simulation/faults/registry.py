"""The fault programmes by name, with what each does.

programme("throttling", seed=1, rate=0.3)
programme("throttling+slow", seed=1)
programme("none")
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from hub.errors import ConfigError
from hub.simulation.faults.effects import (
    Busy,
    CallEffect,
    Cut,
    Delay,
    Drop,
    ExpireToken,
    Hang,
    HoldBack,
    Lose,
    Repeat,
    ServerError,
    ShiftPage,
    Throttle,
)
from hub.simulation.faults.programme import BurstRule, CallFacts, Programme, PushRule, Rule
from hub.titles import Title

__all__ = ["PROGRAMMES", "ProgrammeKind", "programme"]

Rules: TypeAlias = Rule | PushRule
Builder: TypeAlias = Callable[..., Rules]

GATEWAY_STATUSES = (500, 502, 503, 504)


@dataclass(frozen=True)
class ProgrammeKind:
    """One registered programme.

    Attributes:
        name: what is given to :func:`programme` and to ``--faults``.
        title: for people.
        does: one sentence about what the caller sees.
        build: makes the rule; its keyword arguments are the programme's settings. None for ``none``.
    """

    name: str
    title: Title
    does: str
    build: Builder | None = None

    @property
    def settings(self) -> dict[str, float]:
        """The settings a programme takes, with their defaults."""
        if self.build is None:
            return {}
        return {name: parameter.default for name, parameter in inspect.signature(self.build).parameters.items()}


PROGRAMMES: dict[str, ProgrammeKind] = {
    "none": ProgrammeKind("none", Title("无故障", "No faults"), "Everything works."),
}


def _register(name: str, zh: str, en: str) -> Callable[[Builder], Builder]:
    def keep(build: Builder) -> Builder:
        does = " ".join(inspect.getdoc(build).split())  # type: ignore[union-attr]
        PROGRAMMES[name] = ProgrammeKind(name, Title(zh, en), does, build)
        return build

    return keep


def programme(name: str, *, seed: int = 0, **settings: float) -> Programme:
    """Return the programme of this name, or of several names joined by ``+``.

    Args:
        name: one of :data:`PROGRAMMES`, or e.g. ``throttling+slow``.
        seed: decides which calls are hit.
        settings: as the programme's row in ``docs/simulators.md`` lists them; of several programmes each takes those
            it has.

    Raises:
        ConfigError: an unknown name, or a setting that none of the named programmes has.
    """
    kinds = [_kind(part.strip()) for part in name.split("+")]
    known = {setting for kind in kinds for setting in kind.settings}
    if unknown := sorted(set(settings) - known):
        raise ConfigError(
            f"Fault programme {name!r} has no setting {', '.join(unknown)}.",
            code="fault_setting_unknown",
            hint=f"Use: {', '.join(sorted(known)) or 'none'}.",
        )
    result = Programme("none", seed)
    for kind in kinds:
        result = result + _built(kind, settings)
    return replace(result, seed=seed)


def _kind(name: str) -> ProgrammeKind:
    if name not in PROGRAMMES:
        raise ConfigError(
            f"There is no fault programme {name!r}.",
            code="fault_programme_unknown",
            hint=f"Use one of: {', '.join(PROGRAMMES)}; several are joined by '+'.",
        )
    return PROGRAMMES[name]


def _built(kind: ProgrammeKind, settings: dict[str, float]) -> Programme:
    if kind.build is None:
        return Programme(kind.name)
    rule = kind.build(**{key: value for key, value in settings.items() if key in kind.settings})
    if isinstance(rule, PushRule):
        return Programme(kind.name, push_rules=(rule,))
    return Programme(kind.name, rules=(rule,))


def _is_write(facts: CallFacts) -> bool:
    return facts.write


def _is_later_page(facts: CallFacts) -> bool:
    return facts.paged and facts.ordinal > 0


@_register("token_expiry", "令牌中途失效", "Token expiry mid-page")
def _token_expiry(rate: float = 0.1, revoked_share: float = 0.5) -> Rule:
    """The token ends between two pages: it has expired, or (`revoked_share` of the hits) was revoked."""

    def effect(draw: random.Random) -> CallEffect:
        return ExpireToken(revoked=draw.random() < revoked_share)

    # A connector renews a refused token once; a second refusal in a row would rightly stop it.
    return Rule("token_expiry", effect, rate, _is_later_page, in_a_row=1)


@_register("throttling", "限流", "Throttling")
def _throttling(rate: float = 0.2) -> Rule:
    """The platform's own throttling answer comes instead of the result; nothing is done."""
    # Whoever has waited as told is let through: a limit that outlasts its own window is none.
    return Rule("throttling", lambda _draw: Throttle(), rate, in_a_row=1)


@_register("busy", "系统繁忙", "System busy")
def _busy(rate: float = 0.1) -> Rule:
    """The platform's own "system busy, try again" answer comes instead of the result; nothing is done."""
    return Rule("busy", lambda _draw: Busy(), rate)


@_register("burst_5xx", "网关连续报错", "Bursts of 5xx")
def _burst_5xx(rate: float = 0.1, length: float = 4) -> Rule:
    """Runs of `length` neighbouring calls get 500, 502, 503 or 504 with an HTML page; nothing is done."""

    def effect(draw: random.Random) -> CallEffect:
        return ServerError(draw.choice(GATEWAY_STATUSES))

    return BurstRule("burst_5xx", effect, rate, length=int(length))


@_register("slow", "响应缓慢", "Slow answers")
def _slow(rate: float = 0.2, delay: float = 3.0, hang_share: float = 0.25) -> Rule:
    """The work is done, the answer comes up to `delay` seconds late or (`hang_share` of the hits) never."""

    def effect(draw: random.Random) -> CallEffect:
        return Hang() if draw.random() < hang_share else Delay(delay * (1.0 - 0.5 * draw.random()))

    return Rule("slow", effect, rate)


@_register("truncated", "响应截断", "Truncated bodies")
def _truncated(rate: float = 0.15, clean_share: float = 0.5) -> Rule:
    """The work is done, the body is cut: inside a well-formed answer (`clean_share` of the hits), or the connection
    closes midway."""

    def effect(draw: random.Random) -> CallEffect:
        return Cut(share=0.1 + 0.8 * draw.random(), clean=draw.random() < clean_share)

    return Rule("truncated", effect, rate)


@_register("dropped", "连接中断", "Dropped connections")
def _dropped(rate: float = 0.15) -> Rule:
    """The connection closes before anything is done or answered."""
    return Rule("dropped", lambda _draw: Drop(after_work=False), rate)


@_register("dropped_after_write", "写入后断连", "Dropped after the write")
def _dropped_after_write(rate: float = 0.2) -> Rule:
    """A write is done, then the connection closes without an answer: the caller cannot know the outcome."""
    return Rule("dropped_after_write", lambda _draw: Drop(after_work=True), rate, _is_write)


@_register("page_shift", "翻页时数据变动", "Pages that shift")
def _page_shift(rate: float = 0.3) -> Rule:
    """Data changes between two pages of a listing, as each simulator defines it."""

    def effect(draw: random.Random) -> CallEffect:
        return ShiftPage(str(draw.getrandbits(64)))

    return Rule("page_shift", effect, rate, _is_later_page, in_a_row=1)


@_register("duplicate_push", "重复推送", "Duplicate pushes")
def _duplicate_push(rate: float = 0.3, gap: float = 1.0) -> PushRule:
    """A pushed message is sent a second time, `gap` seconds after the first, though that was acknowledged."""
    return PushRule("duplicate_push", lambda _draw: Repeat(gap), rate)


@_register("out_of_order_push", "乱序推送", "Pushes out of order")
def _out_of_order_push(rate: float = 0.3, hold: float = 60.0) -> PushRule:
    """A pushed message is held back by up to `hold` seconds, so that younger ones overtake it."""
    return PushRule("out_of_order_push", lambda draw: HoldBack(hold * (0.5 + 0.5 * draw.random())), rate)


@_register("lost_push", "推送丢失", "Lost pushes")
def _lost_push(rate: float = 0.1) -> PushRule:
    """A pushed message is never sent."""
    return PushRule("lost_push", lambda _draw: Lose(), rate)
