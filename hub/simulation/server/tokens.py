"""Access tokens, refresh tokens and one-time codes, with every rule the platforms differ in.

WECOM = TokenRule(lifetime=7200)                                  # same token until it expires
YOUZAN = TokenRule(lifetime=7 * 86400, live=1, grace=3600)        # a forced new one leaves the old one an hour
STABLE = TokenRule(lifetime=7200, live=1, renew_before=300, grace=300)
CODE = TokenRule(lifetime=120, kind="code", reuse=False)          # redeemed once
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.simulation.server.clock import Clock
from hub.simulation.server.credentials import ALPHANUMERIC, derive
from hub.simulation.server.database import Database
from hub.simulation.server.trouble import Trouble, TroubleError

__all__ = ["Token", "TokenBook", "TokenRule"]

_TABLES = """
CREATE TABLE IF NOT EXISTS sim_tokens (
  number INTEGER PRIMARY KEY, value TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, account TEXT NOT NULL, app TEXT NOT NULL,
  scopes TEXT NOT NULL, data TEXT NOT NULL, issued REAL NOT NULL, expires REAL NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS sim_tokens_owner ON sim_tokens (kind, account, app);
"""


@dataclass(frozen=True, slots=True)
class TokenRule:
    """How one kind of token lives.

    Attributes:
        lifetime: seconds.
        kind: tokens of different kinds do not know each other.
        reuse: whether asking again gives the same token while it is valid.
        renew_before: with ``reuse``, a token with less than this many seconds left is not given again.
        live: how many tokens of one owner may be valid at once; None for any number.
        grace: seconds a token lives on after ``live`` newer ones; 0 revokes it at once.
        length: characters after the prefix.
        prefix: what each value begins with.
        alphabet: the characters of a value.
    """

    lifetime: float
    kind: str = "access"
    reuse: bool = True
    renew_before: float = 0.0
    live: int | None = None
    grace: float = 0.0
    length: int = 64
    prefix: str = ""
    alphabet: str = ALPHANUMERIC


@dataclass(frozen=True, slots=True)
class Token:
    """One issued token; times in Unix seconds."""

    value: str
    kind: str
    account: str
    app: str
    scopes: frozenset[str]
    data: Mapping[str, Any]
    issued: float
    expires: float
    revoked: bool

    @classmethod
    def of(cls, row: sqlite3.Row) -> Token:
        """Return the token of a row."""
        return cls(
            row["value"],
            row["kind"],
            row["account"],
            row["app"],
            frozenset(json.loads(row["scopes"])),
            json.loads(row["data"]),
            row["issued"],
            row["expires"],
            bool(row["revoked"]),
        )


class TokenBook:
    """Every token a simulator has ever given out."""

    def __init__(self, database: Database, clock: Clock, seed: object) -> None:
        self._database = database
        self._clock = clock
        self._seed = seed
        database.create(_TABLES)

    def issue(
        self,
        account: str,
        rule: TokenRule,
        *,
        app: str = "",
        scopes: tuple[str, ...] = (),
        data: Mapping[str, Any] | None = None,
        force: bool = False,
        grace: float | None = None,
    ) -> Token:
        """Return the owner's valid token, or a new one.

        Args:
            account: with ``app``, the owner.
            rule: how the token lives.
            app: the application the token is for.
            scopes: what it permits.
            data: anything the simulator wants back from :meth:`check`.
            force: give a new one even if ``rule.reuse`` would not.
            grace: overrides ``rule.grace`` this once.
        """
        current = self.current(account, rule, app=app)
        if current is not None and rule.reuse and not force:
            return current
        token = self._add(account, rule, app, scopes, dict(data or {}))
        if rule.live is not None:
            self._retire(token, rule.live, rule.grace if grace is None else grace)
        return token

    def current(self, account: str, rule: TokenRule, *, app: str = "") -> Token | None:
        """Return the owner's newest token that has more than ``rule.renew_before`` seconds left, or None."""
        row = self._database.row(
            "SELECT * FROM sim_tokens WHERE kind = ? AND account = ? AND app = ? AND NOT revoked AND expires > ?"
            " ORDER BY number DESC LIMIT 1",
            rule.kind,
            account,
            app,
            self._clock.time() + rule.renew_before,
        )
        return None if row is None else Token.of(row)

    def check(self, value: str | None, kind: str = "access") -> Token:
        """Return the valid token of this value.

        Raises:
            TroubleError: ``TOKEN_MISSING``, ``TOKEN_UNKNOWN``, ``TOKEN_REVOKED`` or ``TOKEN_EXPIRED``.
        """
        if not value:
            raise TroubleError(Trouble.TOKEN_MISSING)
        row = self._database.row("SELECT * FROM sim_tokens WHERE value = ? AND kind = ?", value, kind)
        if row is None:
            raise TroubleError(Trouble.TOKEN_UNKNOWN)
        if row["revoked"]:
            raise TroubleError(Trouble.TOKEN_REVOKED)
        if row["expires"] <= self._clock.time():
            raise TroubleError(Trouble.TOKEN_EXPIRED)
        return Token.of(row)

    def redeem(self, value: str | None, kind: str) -> Token:
        """Check a token that works once (a code, a refresh token) and revoke it."""
        token = self.check(value, kind)
        self.revoke(token.value)
        return token

    def revoke(self, value: str) -> bool:
        """End a token as revoked; say whether it was valid until now."""
        return self._end("revoked = 1", value)

    def expire(self, value: str) -> bool:
        """End a token as if its time were up; say whether it was valid until now."""
        return self._end("expires = :now", value)

    def revoke_all(self, account: str) -> int:
        """Revoke every token of an account, as a shop owner who withdraws the authorisation; return how many."""
        return self._database.execute("UPDATE sim_tokens SET revoked = 1 WHERE account = ? AND NOT revoked", account)

    def valid(self, account: str, *, app: str = "", kind: str = "access") -> list[Token]:
        """Return the owner's valid tokens, oldest first."""
        rows = self._database.rows(
            "SELECT * FROM sim_tokens WHERE kind = ? AND account = ? AND app = ? AND NOT revoked AND expires > ?"
            " ORDER BY number",
            kind,
            account,
            app,
            self._clock.time(),
        )
        return [Token.of(row) for row in rows]

    def _add(self, account: str, rule: TokenRule, app: str, scopes: tuple[str, ...], data: dict[str, Any]) -> Token:
        number = 1 + int(self._database.value("SELECT coalesce(max(number), 0) FROM sim_tokens"))
        value = rule.prefix + derive(self._seed, "token", rule.kind, number, length=rule.length, alphabet=rule.alphabet)
        now = self._clock.time()
        self._database.execute(
            "INSERT INTO sim_tokens (number, value, kind, account, app, scopes, data, issued, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            number,
            value,
            rule.kind,
            account,
            app,
            sorted(scopes),
            data,
            now,
            now + rule.lifetime,
        )
        return Token(value, rule.kind, account, app, frozenset(scopes), data, now, now + rule.lifetime, revoked=False)

    def _retire(self, newest: Token, live: int, grace: float) -> None:
        older = self.valid(newest.account, app=newest.app, kind=newest.kind)[:-live]
        for token in older:
            if grace <= 0:
                self.revoke(token.value)
            else:
                self._database.execute(
                    "UPDATE sim_tokens SET expires = min(expires, ?) WHERE value = ?",
                    self._clock.time() + grace,
                    token.value,
                )

    def _end(self, change: str, value: str) -> bool:
        named = {"value": value, "now": self._clock.time()}
        return (
            self._database.execute(
                f"UPDATE sim_tokens SET {change} WHERE value = :value AND NOT revoked AND expires > :now", named
            )
            > 0
        )
