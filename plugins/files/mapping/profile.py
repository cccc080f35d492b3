"""Mapping profiles: which header means what, and how a file of this kind is to be read.

A profile is a TOML table; shipped ones lie in ``plugins/files/profiles``. A connection names one (``mapping = "zh_pos"``),
points to a file of its own (``mapping = "our_pos.toml"``) or changes one in place::

    [connections.pos.mapping]
    extends = "zh_pos"
    amounts = "ticket"
    [connections.pos.mapping.columns]
    number = ["我的单号"]

With ``extends``, headers given for a field come before the ones it had, an empty list takes the field away, and every other
key replaces what it had. All problems of a profile are reported at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hub.records import TenderMethod
from plugins.files.mapping.fields import FIELDS, RECORDS, StreamName

__all__ = ["AmountLevel", "Patterns", "Profile", "RowKind"]


_ALWAYS = {
    StreamName.ORDERS: (("ordered_at", "ordered_date", "business_date"),),
    StreamName.PRODUCTS: (("name",),),
    StreamName.STORES: (("name",),),
}


class AmountLevel(StrEnum):
    """What the columns ``amount``, ``discount`` and ``gross`` of a ticket file belong to."""

    LINE = "line"
    TICKET = "ticket"
    """They repeat the ticket's figure on every row, or give it on the first row only."""
    AUTO = "auto"
    """Found out per file from tickets of several rows; a file whose tickets disagree is refused."""


class RowKind(StrEnum):
    """What the type column of a ticket file can say."""

    SALE = "sale"
    REFUND = "refund"
    EXCHANGE = "exchange"
    DEPOSIT = "deposit"
    ADJUSTMENT = "adjustment"
    WHOLESALE = "wholesale"
    STAFF = "staff"
    GIFT = "gift"
    """The line is a present; its ticket is what its other lines are."""
    VOID = "void"
    """作废, 反结账: kept with status ``void``, counted nowhere."""


def _plain_time(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.time) else value


class Patterns(BaseModel):
    """Regular expressions whose named groups are fields: what stands in a file's path or above its header.

    Attributes:
        path: searched in the file's path, e.g. ``(?P<store_id>S\\d+)_\\d+\\.csv``.
        title: searched in the text of the rows above the header.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = ""
    title: str = ""


class Profile(BaseModel):
    """How files of one kind are read.

    Attributes:
        name: for messages.
        stream: what a file becomes.
        description: which system writes such files.
        columns: the headers that stand for each field, the best first.
        required: fields a file must have; ``a|b`` means one of them.
        key: fields that together are the record's id; ``a|b`` takes the first that is filled.
        constants: fixed values of fields the files do not have.
        patterns: fields found in the path or above the header.
        unknown: what happens to columns no field knows: kept in the record's ``extra``, or left out.
        drop: headers that are always left out (password hashes and the like).
        amounts: what ``amount``, ``discount`` and ``gross`` belong to.
        decimals: places that amounts worked out from price and quantity are rounded to.
        fen: amounts are in fen (1/100 yuan).
        kinds: words in the type column and what they mean; the first one found in a cell counts, so put the
            particular before the general (``退`` before ``销售``: 销售退货 is a refund).
        tenders: words in the payment column and the method they mean, likewise.
        tender_columns: headers that are payment methods themselves, with amounts below them.
        options: headers of choices without a price (size, colour); joined in ``options``.
        line_key: the line number tells the lines of a ticket apart, so that a repeated one is an error.
        same_ticket_hours: rows of one ticket number further apart than this are two tickets, and refused.
        time_formats: strptime formats tried first, for dates no rule can guess (``%d/%m/%Y``).
        timezone: zone of times without an offset; the connection's or the hub's if None.
        day_cutoff: when the shop's day begins; the connection's or the hub's if None.
        null_values: texts that mean "not known".
        total_words: a row that begins with one of these is a total or a footer, and skipped.
        scope: within what member and card numbers are unique; the connection's if None.
        phone_from_member_no: a member number that looks like a mobile number is one too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "inline"
    stream: StreamName
    description: str = ""
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...] = ()
    key: tuple[str, ...] = Field(min_length=1)
    constants: Mapping[str, str] = Field(default_factory=dict)
    patterns: Patterns = Patterns()
    unknown: Literal["extra", "drop"] = "extra"
    drop: tuple[str, ...] = ()
    amounts: AmountLevel = AmountLevel.AUTO
    decimals: Annotated[int, Field(ge=0, le=4)] = 2
    fen: bool = False
    kinds: Mapping[str, RowKind] = Field(default_factory=dict)
    tenders: Mapping[str, TenderMethod] = Field(default_factory=dict)
    tender_columns: Mapping[str, TenderMethod] = Field(default_factory=dict)
    options: tuple[str, ...] = ()
    line_key: bool = False
    same_ticket_hours: Annotated[float, Field(gt=0)] = 12
    time_formats: tuple[str, ...] = ()
    timezone: str | None = None
    day_cutoff: Annotated[dt.time | None, BeforeValidator(_plain_time)] = None
    null_values: tuple[str, ...] = (
        "-",
        "--",
        "/",
        "NULL",
        "null",
        "\\N",
        "N/A",
        "无",
        "0000-00-00",
        "0000-00-00 00:00:00",
    )
    total_words: tuple[str, ...] = ("合计", "小计", "总计", "总合计", "本页合计", "合 计", "制表", "打印", "导出")
    scope: str | None = None
    phone_from_member_no: bool = False

    @property
    def required_fields(self) -> tuple[tuple[str, ...], ...]:
        """The required fields, each with its alternatives; what no record can do without is among them always."""
        listed = tuple(tuple(item.split("|")) for item in self.required)
        always = (self.key_fields[-1], *_ALWAYS.get(self.stream, ()))
        return (
            *listed,
            *(names for names in dict.fromkeys(always) if not any(set(item) <= set(names) for item in listed)),
        )

    @property
    def key_fields(self) -> tuple[tuple[str, ...], ...]:
        """The parts of the record's id, each with its alternatives."""
        return tuple(tuple(item.split("|")) for item in self.key)

    @property
    def table(self) -> str:
        """Name of the parent table."""
        return RECORDS[self.stream].table

    def fingerprint(self) -> str:
        """Digest of all settings: a file that was refused is tried again once they have changed."""
        text = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()[:16]

    def known_fields(self) -> frozenset[str]:
        """Names of all fields of this stream."""
        return frozenset(FIELDS[self.stream])
