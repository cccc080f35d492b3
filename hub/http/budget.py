"""Rate budgets: several windows at once, for a connection and for its endpoint groups, shared by all who use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pyrate_limiter import Decision, RateItem

from hub.errors import DeferError
from hub.http.clock import Clock, SystemClock
from hub.http.ledger import Allowance, Ledger, LedgerPage, MemoryLedger
from hub.http.windows import Window, consistent

__all__ = ["BudgetDecision", "RateBudget"]

# Old entries are dropped about this often, so that a ledger holds hardly more than its windows need.
_SWEEP_EVERY: Final = 500
# Somebody else (a vacuum) holds the counter for a moment.
_CONTENTION_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 86_400.0


@dataclass(frozen=True)
class BudgetDecision:
    """The answer to one question to the budget.

    Attributes:
        at: when it was given, seconds since the Unix epoch.
        wait: 0 if the call may be made now; else the seconds after which asking again makes sense.
        scope: the budget that is spent, if one is.
    """

    at: float
    wait: float = 0.0
    scope: str = ""

    @property
    def granted(self) -> bool:
        """Say whether the call may be made now."""
        return self.wait <= 0


class _SpentError(Exception):
    """Takes back what other budgets already gave for this call."""

    def __init__(self, wait: float, scope: str) -> None:
        super().__init__(scope)
        self.wait = wait
        self.scope = scope


class RateBudget:
    """What one account may call.

    A call of a group spends the connection's windows and the group's, both or neither.

    Args:
        name: the account whose calls are counted together, e.g. the connection's name, or one per shop where each
            shop has its own key.
        windows: the connection's own windows.
        groups: windows of named endpoint groups.
        each_group: windows of every group that is not named in ``groups`` (platforms that count per API).
        ledger: where calls are counted; this process only, unless given.
        clock: source of the time.
        max_wait: seconds that :meth:`acquire` waits at most before it defers the work.
    """

    def __init__(
        self,
        name: str,
        windows: Iterable[Window] = (),
        *,
        groups: Mapping[str, Iterable[Window]] | None = None,
        each_group: Iterable[Window] = (),
        ledger: Ledger | None = None,
        clock: Clock | None = None,
        max_wait: float = 60.0,
    ) -> None:
        self.name = name
        self._windows = consistent(windows)
        self._groups = {group: consistent(given) for group, given in (groups or {}).items()}
        self._each_group = consistent(each_group)
        self._ledger = ledger or MemoryLedger()
        self._clock = clock or SystemClock()
        self._max_wait = max_wait
        self._latest_ms = 0
        self._until_sweep = _SWEEP_EVERY

    def acquire(self, group: str | None = None, units: int = 1) -> BudgetDecision:
        """Wait until the call may be made, and count it.

        Raises:
            DeferError: that would take longer than ``max_wait``; ``until`` says how long.
            ValueError: ``units`` is more than a window ever allows.
        """
        waited = 0.0
        while not (decision := self.try_acquire(group, units)).granted:
            self.check_patience(decision, waited)
            self._clock.sleep(decision.wait)
            waited += decision.wait
        return decision

    def check_patience(self, decision: BudgetDecision, waited: float) -> None:
        """Raise ``DeferError`` if waiting on, after ``waited`` seconds already, would exceed ``max_wait``."""
        if waited + decision.wait <= self._max_wait:
            return
        raise DeferError(
            "The rate budget is spent.",
            until=decision.wait,
            code="rate_budget_spent",
            context={"budget": decision.scope, "wait_seconds": round(decision.wait, 3)},
        )

    def try_acquire(self, group: str | None = None, units: int = 1) -> BudgetDecision:
        """Count the call if it may be made now; never waits."""
        scopes = self._scopes(group)
        now = 0.0
        try:
            with self._ledger.transaction(scopes) as page:
                now = self._now_ms() / 1000
                for scope in scopes:
                    self._spend(page, scope, units)
        except _SpentError as spent:
            return BudgetDecision(now, spent.wait, spent.scope)
        self._sweep_now_and_then(scopes)
        return BudgetDecision(now)

    def pause(self, seconds: float, group: str | None = None) -> None:
        """Allow no calls for ``seconds`` (a day at most): the platform said that a limit is reached."""
        self.limit_to(0, seconds, group)

    def limit_to(self, remaining: int, seconds: float, group: str | None = None) -> None:
        """Allow at most ``remaining`` more calls in the next ``seconds``: the platform said so.

        Shared like the budget itself. Of two announcements that both hold, the stricter stays.
        """
        scopes = self._scopes(group)
        scope = list(scopes)[-1]
        with self._ledger.transaction(scopes) as page:
            now = self._now_ms()
            until = now + round(min(seconds, _LONGEST_PAUSE_SECONDS) * 1000)
            page.allow(scope, _stricter(page.allowance(scope), Allowance(remaining, until), now))

    def _scopes(self, group: str | None) -> dict[str, tuple[Window, ...]]:
        scopes = {self.name: self._windows}
        if group is not None:
            scopes[f"{self.name}/{group}"] = self._groups.get(group, self._each_group)
        return scopes

    def _now_ms(self) -> int:
        # Counters expect times in order; a clock that is set back a little must not confuse them.
        self._latest_ms = max(self._latest_ms, round(self._clock.time() * 1000))
        return self._latest_ms

    def _spend(self, page: LedgerPage, scope: str, units: int) -> None:
        self._spend_allowance(page, scope, units)
        bucket = page.bucket(scope)
        if bucket is None:
            return
        # Every ledger's buckets are synchronous; the library's type also covers the others.
        decision = cast("Decision", bucket.put_decision(RateItem(scope, self._latest_ms, units)))
        if decision.failing_rate is None:
            return
        if units > decision.failing_rate.limit:
            raise ValueError(f"{units} units never fit into a window of {decision.failing_rate.limit}")
        wait_ms = decision.retry_after_ms
        raise _SpentError(_CONTENTION_SECONDS if wait_ms is None else max(wait_ms, 1) / 1000, scope)

    def _spend_allowance(self, page: LedgerPage, scope: str, units: int) -> None:
        allowance = page.allowance(scope)
        if allowance is None or allowance.until <= self._latest_ms:
            return
        if allowance.remaining < units:
            raise _SpentError((allowance.until - self._latest_ms) / 1000, scope)
        page.allow(scope, Allowance(allowance.remaining - units, allowance.until))

    def _sweep_now_and_then(self, scopes: Mapping[str, tuple[Window, ...]]) -> None:
        self._until_sweep -= 1
        if self._until_sweep > 0:
            return
        self._until_sweep = _SWEEP_EVERY
        with self._ledger.transaction(scopes) as page:
            for bucket in filter(None, map(page.bucket, scopes)):
                bucket.leak(self._latest_ms)


def _stricter(known: Allowance | None, new: Allowance, now: int) -> Allowance:
    if known is None or known.until <= now:
        return new
    if known.remaining == 0:  # A pause outlives better news, which may be older than the pause.
        return known if new.remaining > 0 else max(known, new, key=lambda allowance: allowance.until)
    return Allowance(min(known.remaining, new.remaining), new.until)
