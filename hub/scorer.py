"""The contract of a scorer: what is worked out about each customer.

A scorer declares its traits and computes them for an ``as_of``, either as one SQL ``SELECT`` (bulk work) or as a table::

    class Recency(Scorer):
        name = "recency"
        traits = (Trait("days_since_order", TraitType.INTEGER, Title("距上次消费天数", "Days since last order"), unit="d"),)

        def score(self, inputs: Inputs) -> str:
            return f"SELECT customer_id, date_diff('day', max(business_date), {inputs.today}) AS days_since_order "
                   "FROM orders GROUP BY customer_id"

The relations a scorer sees hold nothing at or after ``as_of``; see :class:`Inputs`.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from hub.models import MemoryModels, ModelStore
from hub.titles import Title

__all__ = ["Inputs", "Scorer", "ScorerConfig", "Suggestion", "Trait", "TraitFamily", "TraitType", "ValidOrders"]


class TraitType(StrEnum):
    """Type of a trait, with its DuckDB column type as :attr:`sql`."""

    INTEGER = "integer"
    NUMBER = "number"
    AMOUNT = "amount"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"

    @property
    def sql(self) -> str:
        """The column type in the warehouse."""
        return _SQL_TYPES[self]


_SQL_TYPES = {
    TraitType.INTEGER: "BIGINT",
    TraitType.NUMBER: "DOUBLE",
    TraitType.AMOUNT: "DECIMAL(18,4)",
    TraitType.TEXT: "VARCHAR",
    TraitType.BOOLEAN: "BOOLEAN",
    TraitType.DATE: "DATE",
    TraitType.INSTANT: "TIMESTAMPTZ",
}


class TraitFamily(StrEnum):
    """Families of tags (标签体系) that a trait belongs to."""

    DEMOGRAPHICS = "demographics"
    SPENDING = "spending"
    PREFERENCE = "preference"
    BEHAVIOUR = "behaviour"
    LIFECYCLE = "lifecycle"

    @property
    def label(self) -> Title:
        """The name for people."""
        return _FAMILIES[self]


_FAMILIES = {
    TraitFamily.DEMOGRAPHICS: Title("人口属性", "Demographics"),
    TraitFamily.SPENDING: Title("消费能力", "Spending power"),
    TraitFamily.PREFERENCE: Title("偏好", "Preference"),
    TraitFamily.BEHAVIOUR: Title("行为", "Behaviour"),
    TraitFamily.LIFECYCLE: Title("生命周期", "Lifecycle"),
}


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing known about a customer.

    Attributes:
        name: column name, lower case with underscores, unique in the hub.
        type: its type.
        title: name for people.
        unit: unit of the value: ``d`` days, ``CNY``, ``1`` for shares; empty for texts and flags.
        description: how it is worked out, in one sentence.
        null_rule: when it is NULL.
        family: the family of tags it belongs to; None for one that is no tag, such as the version of a rule set.
        upstream: columns of the warehouse that it follows from, ``orders.business_date``.
    """

    name: str
    type: TraitType
    title: Title
    unit: str = ""
    description: str = ""
    null_rule: str = ""
    family: TraitFamily | None = None
    upstream: tuple[str, ...] = ()


class ScorerConfig(BaseModel):
    """Base of a scorer's settings, ``[scores.NAME]`` in ``hub.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class ValidOrders:
    """Which orders the relations of :class:`Inputs` hold as purchases, beside the plain sales and exchanges.

    Attributes:
        counted: reasons for which an order is usually left out and is not now: ``training``, ``deposit``, ``wholesale``,
            ``staff``, ``points_only``, ``free``.
        channels_left_out: channels whose orders do not count.
    """

    counted: frozenset[str] = frozenset()
    channels_left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Inputs:
    """What a scorer may read.

    Relations by name, in the DuckDB dialect: ``customers`` (one row per live customer: customer_id, ...), ``profiles``,
    ``orders`` (with ``customer_id``; valid orders only, business date before ``today``), ``order_lines``,
    ``order_tenders``, ``events``, ``feedback``, ``cards`` (memberships), ``products``, ``stores``, ``staff``.

    For work in bulk, ``people`` numbers the customers (``customer``, in the order of their ids), and ``purchases`` are the orders
    in few narrow columns, looked up once: ``receipt`` (a number), ``order_key`` (``hash(connection, source_id)``), ``customer``,
    ``business_date``, ``ordered_at``, ``hour`` (local), ``refund``, ``channel``, ``shop`` (a number), ``net_amount``,
    ``discount_amount``, ``with_coupon``.
    ``purchase_lines`` and ``purchase_tenders`` are their lines and tenders, also in few columns: ``receipt``, ``customer``,
    ``business_date``; of a line ``connection``, ``product_id``, ``barcode``, ``name``, ``category``, ``kind``, ``options``, ``quantity``,
    ``refunded_quantity``, ``net_amount``, ``cost_amount``, of a tender ``method``, ``amount``. ``order_lines`` and ``order_tenders`` have
    all columns, ``receipt`` and ``customer`` too, and are looked up each time they are read. ``any_lines`` are the lines in few columns
    and maybe those of other orders, without whose they are: quicker to read where it only matters what there is to buy.

    Beside them the relations of :meth:`Scorer.population` and :meth:`Scorer.tables`, this scorer's own and those of the scorers it needs, and the traits of
    the scorers it needs as ``score_NAME``.

    Attributes:
        as_of: the instant the scores hold for.
        business_date: the shop's day of ``as_of``; windows end the day before it.
        config: the scorer's settings.
        arrow: runs a query over these relations and returns its result.
        settings: settings of the scorers this one needs, by name.
        zone: the chain's time zone (IANA name).
        day_cutoff: when the shop's day begins.
        currency: the chain's currency (ISO 4217).
        models: what scorers have learnt, see :mod:`hub.models`.
    """

    as_of: dt.datetime
    business_date: dt.date
    config: Any
    arrow: Callable[[str], pa.Table]
    settings: Mapping[str, Any] = field(default_factory=dict)
    zone: str = "Asia/Shanghai"
    day_cutoff: dt.time = dt.time.min
    currency: str = "CNY"
    models: ModelStore = field(default_factory=MemoryModels)

    @property
    def today(self) -> str:
        """The business date as a SQL literal."""
        return f"DATE '{self.business_date.isoformat()}'"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A setting that the chain's own data speaks for (`hub rules suggest`).

    Attributes:
        key: the setting below ``[scores.NAME]``, dotted: ``stages.active``.
        now: its present value.
        found: the value the data speaks for; None when there is too little of it.
        reason: what was measured, with the number of observations.
    """

    key: str
    now: Any
    found: Any
    reason: str


class Scorer(ABC):
    """Works out traits. Pure: the same inputs and ``as_of`` give the same result.

    Class attributes:
        name: unique in the hub; ``[scores.NAME]`` holds its settings.
        traits: what it works out.
        Config: pydantic model of its settings.
        needs: scorers that run first; it may read their tables, traits and settings.
    """

    name: ClassVar[str]
    traits: ClassVar[tuple[Trait, ...]]
    Config: ClassVar[type[ScorerConfig]] = ScorerConfig
    needs: ClassVar[tuple[str, ...]] = ()

    def per_customer(self, config: Any) -> bool:  # noqa: ARG002 - what an overriding scorer is given
        """Say whether a customer's traits follow from the facts of that customer, the assortment, the shops, the settings and
        :meth:`population` alone.

        Between two runs of one business day only customers whose facts changed are then scored again; a scorer that
        compares customers with each other says False and sees everybody each time.
        """
        return False

    def tables(self, inputs: Inputs) -> Mapping[str, str]:  # noqa: ARG002 - what an overriding scorer is given
        """Return relations to make once before scoring: name to ``SELECT``, each may read those before it, of customers who are scored.

        This scorer and those that need it read them by name.
        """
        return {}

    def population(
        self,
        inputs: Inputs,  # noqa: ARG002 - what an overriding scorer is given
    ) -> Mapping[str, str | pa.Table]:
        """Return relations over all customers, each a ``SELECT`` or a table: shares of the chain, cut points of the month, what a
        model has learnt. Each may read those before it and :meth:`tables`.

        They are made when everybody is scored, and kept for the runs of the same day that score changed customers only.
        """
        return {}

    def parts(self, inputs: Inputs) -> Mapping[str, str]:  # noqa: ARG002 - what an overriding scorer is given
        """Return relations like :meth:`tables`, but made after :meth:`population`, which each may read: what :meth:`score` joins.

        One at a time they need less memory, and less time, than as parts of one large statement.
        """
        return {}

    def suggest(self, inputs: Inputs) -> Sequence[Suggestion]:  # noqa: ARG002 - what an overriding scorer is given
        """Return settings that the chain's own data speaks for."""
        return ()

    def rule_version(self, config: Any) -> str:  # noqa: ARG002 - what an overriding scorer is given
        """Return the name and version of the rule set that settings are; empty for a scorer without one."""
        return ""

    def valid_orders(self, config: Any) -> ValidOrders | None:  # noqa: ARG002 - what an overriding scorer is given
        """Return which orders count for all scorers; None where this one has no rules for that.

        The first scorer with rules decides.
        """
        return None

    @abstractmethod
    def score(self, inputs: Inputs) -> str | pa.Table:
        """Return one row per customer: ``customer_id`` and this scorer's traits.

        Either a ``SELECT`` over the relations of ``inputs`` or a table (a pandas frame is turned into one by
        ``pa.Table.from_pandas``). Customers left out get NULL.
        """
