"""Who was forgotten: keyed digests that keep old packages and full reads from bringing a person back, and open erasures.

A tombstone tells nothing of whom it stands for. Possible phone numbers are few enough to be tried one by one, so the digests
are keyed; the key lies in the store, encrypted with the hub's secret key.
"""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import json
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from cryptography.fernet import InvalidToken, MultiFernet
from sqlalchemy import func, select, text, update
from sqlmodel import col

from hub.errors import StoreError
from hub.redaction import redact
from hub.source import Reject
from hub.store.database import Database
from hub.store.tables import AuditEntry, Erasure, Token, Tombstone

__all__ = ["Forgotten", "Person", "identifier_mark", "record_mark"]

_KEY = "forgotten"
"""Name under which the key is kept among the tokens."""
_SEPARATOR = "\x1f"
_DIGITS = re.compile(r"\d{11,15}")


@dataclass(frozen=True)
class Person:
    """Everything that leads to one person's data.

    Attributes:
        customers: the customer's id and those it absorbed.
        profiles: profile keys (``pos:1001``).
        records: (connection, source id) of the profiles that a platform gave.
        values: identifiers nobody else has, in every spelling found.
        names: names nobody else has.
        marks: what the tombstones stand for; see :func:`record_mark` and :func:`identifier_mark`.
        packages: ids of the packages that hold rows of the person.
    """

    customers: Sequence[str]
    profiles: Sequence[str]
    records: Sequence[tuple[str, str]] = ()
    values: Sequence[str] = ()
    names: Sequence[str] = ()
    marks: Sequence[str] = ()
    packages: Sequence[str] = ()


def record_mark(record: str, connection: str, source_id: str) -> str:
    """What the tombstone of a record stands for."""
    return _SEPARATOR.join((record, connection, source_id))


def identifier_mark(kind: str, scope: str, value: str) -> str:
    """What the tombstone of an identifier stands for; the warehouse's ``identifier_mark`` says the same in SQL."""
    return _SEPARATOR.join(("identifier", kind, scope, value))


class Forgotten:
    """Tombstones and erasures."""

    def __init__(self, database: Database, cipher: Callable[[], MultiFernet], now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._cipher = cipher
        self._now = now

    def count(self) -> int:
        """Return how many tombstones there are."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(Tombstone)) or 0

    def tombstones(self) -> Sequence[tuple[str, dt.datetime]]:
        """Return every tombstone's digest, with the time until which what it stands for stays away."""
        with self._database.read() as session:
            return list(session.execute(select(col(Tombstone.digest), col(Tombstone.at))).tuples())

    def key(self) -> str:
        """Return the digests' key: 64 hexadecimal digits, made at first use.

        Raises:
            StoreError: the secret key is another one than when it was made.
        """
        with self._database.write() as session:
            self._database.alone(session, _KEY)
            row = session.get(Token, _KEY)
            if row is None:
                made = secrets.token_hex(32)
                sealed = self._cipher().encrypt(made.encode())
                session.add(Token(name=_KEY, version=1, sealed=sealed, renewed_at=self._now()))
                return made
            return self._open(row.sealed).decode()

    def begin(self, person: Person, counts: Mapping[str, int], *, reason: str, actor: str) -> Erasure:
        """Write down a wish to be forgotten and its tombstones: from then on nothing of the person comes in any more."""
        key, at = self.key(), self._now()
        erasure = Erasure(
            id=uuid.uuid4().hex[:12],
            at=at,
            actor=actor or getpass.getuser(),
            reason=redact(reason),
            counts=dict(counts),
            sealed=self._cipher().encrypt(json.dumps(asdict(person)).encode()),
        )
        with self._database.write() as session:
            for mark in person.marks:
                session.merge(Tombstone(digest=_digest(key, mark), erasure=erasure.id, at=at))
            session.add(erasure)
        return erasure

    def open(self) -> Sequence[Erasure]:
        """Return the erasures that are not finished, oldest first."""
        with self._database.read() as session:
            return list(
                session.scalars(select(Erasure).where(col(Erasure.done_at).is_(None)).order_by(col(Erasure.at)))
            )

    def person(self, erasure: Erasure) -> Person:
        """Return whom an open erasure is about."""
        held = json.loads(self._open(erasure.sealed or b""))
        return replace(Person(**held), records=[(place, own) for place, own in held["records"]])

    def finish(self, erasure: Erasure, customer: str, left: Sequence[str] = ()) -> None:
        """Note that it is done, and who wanted it: the erasure no longer knows whom it was about.

        Args:
            erasure: which.
            customer: the customer's id.
            left: places that a person has to look after; they name nobody.
        """
        detail = {"erasure": erasure.id, "reason": erasure.reason, "counts": erasure.counts, "left": list(left)}
        with self._database.write() as session:
            if self._database.is_sqlite:
                session.execute(text("PRAGMA secure_delete = ON"))
            session.execute(
                update(Erasure).where(col(Erasure.id) == erasure.id).values(sealed=None, done_at=self._now())
            )
            session.add(
                AuditEntry(at=self._now(), actor=erasure.actor, action="forget", subject=customer, detail=detail)
            )

    def without_forgotten(self, connection: str, record: str, rejects: Sequence[Reject]) -> Sequence[Reject]:
        """Return rejected rows with those of forgotten people emptied; place and code stay, so that no row vanishes."""
        if not rejects or not self.count():
            return rejects
        key, digests = self.key(), {digest for digest, _ in self.tombstones()}

        def known(reject: Reject) -> bool:
            own = reject.source_id
            marks = [record_mark(kind, connection, own) for kind in {record, "profiles"} if own]
            marks += [identifier_mark("phone", "", found[-11:]) for found in _DIGITS.findall(reject.raw or "")]
            return any(_digest(key, mark) in digests for mark in marks)

        return [
            replace(one, reason="The row of a person who was forgotten.", source_id=None, raw=None)
            if known(one)
            else one
            for one in rejects
        ]

    def _open(self, sealed: bytes) -> bytes:
        try:
            return self._cipher().decrypt(sealed)
        except InvalidToken as error:
            raise StoreError(
                "Who was forgotten cannot be read with this HUB_SECRET_KEY.",
                code="secret_key_wrong",
                hint="Put the old key behind the new one, separated by a comma: without it forgotten people would come back.",
            ) from error


def _digest(key: str, mark: str) -> str:
    return hashlib.sha256((key + mark).encode()).hexdigest()
