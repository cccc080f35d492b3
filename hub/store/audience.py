"""Whom a push may reach: consent by purpose and channel, experiments with their groups, how often somebody was reached."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlmodel import col

from hub.errors import ConfigError
from hub.store.database import Database, storable
from hub.store.push_tables import Consent, Experiment, Holdout
from hub.store.tables import Delivery

__all__ = ["Audience"]

_PAGE = 10_000


class Audience:
    """Record and give what decides whether somebody may be reached."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def say(
        self,
        profiles: Sequence[str],
        *,
        granted: bool,
        purpose: str = "",
        channel: str = "",
        source: str = "hub",
        at: dt.datetime | None = None,
        actor: str = "",
    ) -> bool:
        """Record what a person said about being written to; what he said earlier about the same is replaced.

        Args:
            profiles: his profiles, ``connection:source_id``.
            granted: yes or no.
            purpose: for what; empty for everything.
            channel: how; empty for every way.
            source: where he said it.
            at: when he said it; now unless given.
            actor: who records it; the user of this machine unless given.

        Returns:
            Whether it was recorded for any profile: not where something was said later.
        """
        said = at or self._now()
        recorded = False
        with self._database.write() as session:
            for profile in profiles:
                known = session.get(Consent, (profile, purpose, channel))
                if known is not None and known.at > said:
                    continue
                recorded = True
                session.merge(
                    Consent(
                        profile=profile, purpose=purpose, channel=channel, granted=granted, source=storable(source),
                        actor=actor or getpass.getuser(), at=said,
                    )
                )  # fmt: skip
        return recorded

    def consents(self, profiles: Sequence[str] | None = None) -> Iterator[Sequence[Consent]]:
        """Yield what was said, in chunks; of these profiles only, if any are given."""
        query = select(Consent).order_by(col(Consent.profile), col(Consent.purpose), col(Consent.channel))
        if profiles is not None:
            query = query.where(col(Consent.profile).in_(profiles))
        with self._database.read() as session:
            yield from session.scalars(query.execution_options(yield_per=_PAGE)).partitions()

    def experiment(self, name: str) -> Experiment | None:
        """Return an experiment that was used before."""
        with self._database.read() as session:
            return session.get(Experiment, name)

    def lock(self, name: str, share: float, salt: str) -> None:
        """Record an experiment's draw at its first use; from then on it must stay.

        Raises:
            ConfigError: it was used with another share or salt.
        """
        with self._database.write() as session:
            self._database.alone(session, f"experiment {name}")
            known = session.get(Experiment, name)
            if known is None:
                session.add(Experiment(name=name, share=share, salt=salt, locked_at=self._now()))
        if known is not None and (known.share, known.salt) != (share, salt):
            raise locked(known)

    def groups(self, experiment: str) -> Iterator[Sequence[str]]:
        """Yield the customers whose group is on record, in chunks."""
        query = select(col(Holdout.customer_id)).where(col(Holdout.experiment) == experiment)
        with self._database.read() as session:
            yield from session.scalars(query.execution_options(yield_per=_PAGE)).partitions()

    def assign(self, experiment: str, customers: Sequence[tuple[str, bool]]) -> None:
        """Record customers' groups: id, and whether held back."""
        at = self._now()
        rows: list[dict[str, Any]] = [
            {"experiment": experiment, "customer_id": customer, "held": held, "at": at} for customer, held in customers
        ]
        if rows:
            with self._database.write() as session:
                session.execute(insert(Holdout), rows)

    def members(self, experiment: str, *, limit: int = 100) -> Sequence[Holdout]:
        """Return who is in an experiment, with group and time."""
        query = select(Holdout).where(col(Holdout.experiment) == experiment).order_by(col(Holdout.customer_id))
        with self._database.read() as session:
            return list(session.scalars(query.limit(limit)))

    def reached(self, syncs: Sequence[str], since: dt.datetime) -> Iterator[Sequence[tuple[str, int]]]:
        """Yield how many deliveries of these syncs each customer got since then, in chunks."""
        query = (
            select(col(Delivery.customer_id), func.count())
            .where(col(Delivery.sync).in_(syncs), col(Delivery.outcome) == "accepted")
            .where(col(Delivery.operation) != "delete", col(Delivery.decided_at) > since)
            .group_by(col(Delivery.customer_id))
        )
        with self._database.read() as session:
            yield from session.execute(query.execution_options(yield_per=_PAGE)).tuples().partitions()


def locked(known: Experiment) -> ConfigError:
    """Return the error about an experiment whose draw was changed after its first use."""
    return ConfigError(
        f"Experiment {known.name!r} is locked since {known.locked_at:%Y-%m-%d}: share {known.share}, salt {known.salt!r}.",
        code="experiment_locked",
        hint="Put share and salt back, or begin an experiment of another name.",
    )
