"""Settings of syncs: who goes where, what is told about them, what holds them back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from hub.destination import Mode

__all__ = [
    "CapSettings",
    "FieldSettings",
    "HoldoutSettings",
    "LimitSettings",
    "PushSettings",
    "QuietHours",
    "Scalar",
    "SyncSettings",
    "Transform",
    "condition_problems",
    "experiment_problems",
    "quiet_until",
    "segments_named",
]

Scalar = str | bool | int | float
Transform = Literal["trim", "lower", "upper", "digits", "round", "text", "date", "sha256"]
"""What can be done to a value, in the order given; ``sha256`` is for ad audiences and comes after the others."""

_NAME_IN_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_PERIOD = re.compile(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldSettings(_Section):
    """One field that is sent: where its value comes from, and what becomes of it on the way."""

    source: str = Field(default="", alias="from", description="Trait, customer column, 'segments' or segment:NAME.")
    constant: Scalar | None = Field(default=None, description="The same value for everybody.")
    template: str = Field(default="", description="Text with {traits} in it.")
    transforms: tuple[Transform, ...] = Field(default=(), description="Done to the value, in this order.")
    values: dict[str, Scalar] = Field(default_factory=dict, description="Replaces values: our text = theirs.")
    default: Scalar | None = Field(default=None, description="Sent where there is no value.")
    null: Literal["send", "omit", "reject"] = Field(
        default="send", description="Where there is no value: send null, leave the field out, or put the row aside."
    )
    set_if_empty: bool = Field(
        default=False,
        description="Sent with a row's first delivery only; not where the destination can be read back and has a value.",
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_text_is_a_source(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [bool(self.source), self.constant is not None, bool(self.template)]
        if sum(origins) != 1:
            raise ValueError("needs just one of from, constant and template")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The traits and columns it is made of."""
        return tuple(_NAME_IN_TEMPLATE.findall(self.template)) if self.template else (self.source,) * bool(self.source)


class LimitSettings(_Section):
    """At most so many customers."""

    top: int | None = Field(default=None, ge=1, description="At most so many altogether.")
    by: str = Field(description="Trait that decides who comes first.")
    ascending: bool = Field(default=False, description="The smallest values first.")
    per: str = Field(default="", description="Trait or column such as the belonging shop or guide.")
    at_most: int | None = Field(default=None, ge=1, description="At most so many for each value of `per`.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.top is None and self.at_most is None:
            raise ValueError("needs top, or per and at_most")
        if bool(self.per) != (self.at_most is not None):
            raise ValueError("per and at_most go together")
        return self


class HoldoutSettings(_Section):
    """A group that is told nothing, so that the effect of telling the others can be measured."""

    experiment: str = Field(min_length=1, description="Name; syncs of one experiment hold back the same customers.")
    share: float = Field(gt=0, lt=1, description="Share of the customers held back, 0.05 for one in twenty.")
    salt: str = Field(default="", description="Draws another group; the experiment's name unless given.")


class CapSettings(_Section):
    """How often a customer may be written to."""

    channels: tuple[str, ...] = Field(default=(), description="Counted together; every channel when empty.")
    most: int = Field(ge=1, description="At most so many accepted deliveries per customer.")
    days: float = Field(gt=0, le=90, description="In so many days.")


QuietHours = Annotated[str, Field(pattern=rf"^$|{_PERIOD.pattern}")]


class PushSettings(_Section):
    """``[push]``: what holds for every sync."""

    exclude: tuple[str, ...] = Field(default=(), description="Segments whose members no sync selects.")
    quiet_hours: QuietHours = Field(
        default="", description="Local time in which syncs with a channel wait: 21:00-09:00."
    )
    caps: tuple[CapSettings, ...] = Field(default=(), description="Frequency caps across syncs with a channel.")
    workers: int = Field(default=1, ge=1, le=32, description="Connections pushed to at the same time.")
    webhook: str = Field(default="", pattern=r"^$|^https?://", description="URL that is told how syncs go.")
    webhook_secret: SecretStr = Field(default=SecretStr(""), description="whsec_… that signs what it is told.")

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.webhook and not self.webhook_secret.get_secret_value().startswith("whsec_"):
            raise ValueError("webhook needs webhook_secret, whsec_ followed by base64")
        return self


class SyncSettings(_Section):
    """``[syncs.NAME]``: which customers go where, and what is told about them."""

    to: str = Field(description="Connection that receives.")
    target: str = Field(description="Target of that connection; see `hub describe`.")
    segments: tuple[str, ...] = Field(default=(), description="Members of any of these; all customers when empty.")
    where: str = Field(default="", description="Further SQL condition over traits.")
    exclude: tuple[str, ...] = Field(default=(), description="Members of these are left out.")
    priority: tuple[str, ...] = Field(
        default=(), description="Segments from high to low: a customer counts only in the highest of them."
    )
    limit: LimitSettings | None = Field(default=None, description="At most so many customers, see docs/push.md.")
    holdout: HoldoutSettings | None = Field(default=None, description="A group held back, see docs/push.md.")
    key: str = Field(default="customer_id", description="customer_id, profile, or an identifier kind such as phone.")
    key_transforms: tuple[Transform, ...] = Field(default=(), description="Done to the key, such as sha256.")
    mode: Literal["insert", "update", "upsert", "mirror", "add", "remove", "delete"] = Field(
        default="mirror", description="Which rows are created, updated and removed."
    )
    fields: dict[str, FieldSettings] = Field(
        default_factory=dict, description="Destination field = trait, customer column, 'segments' or segment:NAME."
    )
    purpose: str = Field(default="", description="What it is for, such as marketing; consent is checked for it.")
    channel: str = Field(default="", description="How it reaches people, such as sms or email.")
    unknown_consent: Literal["suppress", "send"] = Field(
        default="suppress", description="With a purpose: what to do with customers of whom no consent is known."
    )
    quiet_hours: QuietHours = Field(default="", description="Local time in which it waits; else [push]'s.")
    enabled: bool = Field(default=True, description="Whether `hub push` without a name includes it.")
    max_failed_share: float = Field(default=0.005, ge=0, le=1, description="More failed rows than this fail the run.")
    max_failed_rows: int = Field(default=1_000, ge=0, description="More failed rows than this fail the run, too.")
    max_removed_share: float = Field(
        default=0.5, ge=0, le=1, description="A push that would remove more of what is there than this sends nothing."
    )
    stale_days: float = Field(
        default=3, gt=0, description="An alert is raised when rows have waited and nothing was sent for so many days."
    )
    workers: int = Field(
        default=1, ge=1, le=16, description="Batches sent at the same time, where the target takes several."
    )
    give_up_days: int = Field(default=14, ge=1, description="A row refused for so long waits until its values change.")

    @field_validator("limit", "holdout", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return value or None

    @property
    def sync_mode(self) -> Mode:
        """The mode as the destination contract names it."""
        return Mode(self.mode)


def segments_named(push: PushSettings, syncs: Mapping[str, SyncSettings]) -> Iterator[tuple[str, str]]:
    """Yield every segment that the settings name, after the key where it stands."""
    yield from (("push.exclude", segment) for segment in push.exclude)
    for name, sync in syncs.items():
        lists = {"segments": sync.segments, "exclude": sync.exclude, "priority": sync.priority}
        for key, segments in lists.items():
            yield from ((f"syncs.{name}.{key}", segment) for segment in segments)
        for title, field in sync.fields.items():
            for source in field.reads:
                if source.startswith("segment:"):
                    yield f"syncs.{name}.fields.{title}", source.removeprefix("segment:")


def experiment_problems(syncs: Mapping[str, SyncSettings]) -> Iterator[tuple[str, str]]:
    """Yield experiments that are drawn in two ways: their syncs would hold back different customers."""
    first: dict[str, tuple[str, HoldoutSettings]] = {}
    for name, sync in syncs.items():
        if sync.holdout is None:
            continue
        other, known = first.setdefault(sync.holdout.experiment, (name, sync.holdout))
        if known != sync.holdout:
            yield (
                f"syncs.{name}.holdout",
                f"experiment {sync.holdout.experiment!r} has another share or salt in sync {other}.",
            )


def condition_problems(syncs: Mapping[str, SyncSettings]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with conditions whatever traits there are; those are known when there is a snapshot."""
    for name, sync in syncs.items():
        if sync.where:
            from hub.segments import check_where  # sqlglot takes its time; most commands need none of it

            yield from ((f"syncs.{name}.where", problem) for problem in check_where(sync.where, None))


def quiet_until(period: str, now: dt.datetime) -> dt.datetime | None:
    """Return the end of the quiet hours that ``now`` (local time) falls into, or None when it does not.

    Args:
        period: ``HH:MM-HH:MM``, over midnight if the second time is the earlier one; empty for none.
        now: with the chain's time zone.
    """
    if not period:
        return None
    begin, end = (dt.time.fromisoformat(text) for text in period.split("-"))
    clock = now.time()
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not inside:
        return None
    day = now.date() if clock < end else now.date() + dt.timedelta(days=1)
    return dt.datetime.combine(day, end, now.tzinfo)
