"""``[airflow]`` of ``hub.toml``: when a scheduler runs what. Read by the hub and, without its plugins, by DAG files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["AirflowSettings"]

_CRON_FIELDS = 5


class AirflowSettings(BaseModel):
    """``[airflow]``: schedules, retries and when a person must approve a push."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ingest: str = Field(default="0 2 * * *", description="Cron of every connection's ingest; empty: by hand only.")
    ingest_of: dict[str, str] = Field(default_factory=dict, description="Connection name to a cron of its own.")
    customers: str = Field(
        default="30 5 * * *",
        description="Cron of resolve to publish, besides after new data; empty: after new data only.",
    )
    maintenance: str = Field(default="15 4 * * *", description="Cron of pruning and connection checks.")
    owner: str = Field(default="hub", description="Owner shown for every DAG.")
    retries: int = Field(default=2, ge=0, description="How often a task that may be repeated is tried again.")
    retry_minutes: float = Field(default=5, gt=0, description="Wait before that, unless the fault says how long.")
    approve_share: float = Field(
        default=0.5, ge=0, le=1, description="A push that changes more than this share of its rows waits for a person."
    )
    approve_rows: int = Field(default=10_000, ge=0, description="... unless it changes no more rows than this.")
    approve_hours: float = Field(default=24, gt=0, description="How long it waits; then it is not sent.")
    calls_at_once: int = Field(default=2, ge=1, description="Tasks that may call one connection's API at a time.")

    @field_validator("ingest", "customers", "maintenance")
    @classmethod
    def _cron(cls, value: str) -> str:
        return _checked(value)

    @field_validator("ingest_of")
    @classmethod
    def _crons(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: _checked(cron) for name, cron in value.items()}

    def ingest_schedule(self, connection: str) -> str:
        """Return the cron of one connection's ingest; empty for none."""
        return self.ingest_of.get(connection, self.ingest)


def _checked(cron: str) -> str:
    if cron and len(cron.split()) != _CRON_FIELDS:
        raise ValueError("not a cron line: five fields, such as 0 2 * * *, or empty")
    return cron
