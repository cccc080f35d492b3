"""One operator per stage. Each opens the hub, calls the stage's function, logs its summary and returns ids and counts only."""

from __future__ import annotations

import datetime as dt
import io
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseBranchOperator, BaseOperator, BranchMixIn
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from hub.airflow.alerts import is_final, tell_failure, tell_success
from hub.airflow.hooks import HubHook
from hub.airflow.links import RunRowsLink, task_key
from hub.airflow.retry import HubRetryPolicy
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.context import Hub

__all__ = [
    "CheckConnectionOperator",
    "HubOperator",
    "IngestVerdictOperator",
    "ListStreamsOperator",
    "LoadOperator",
    "LookBackOperator",
    "PlanPushOperator",
    "PruneOperator",
    "PublishOperator",
    "PushOperator",
    "ReadStreamOperator",
    "ResolveOperator",
    "ScoreOperator",
    "SegmentOperator",
    "WhichWayOperator",
    "moment_of",
]


def moment_of(context: Mapping[str, Any], zone: dt.tzinfo) -> dt.datetime:
    """Return the instant a run scores for: its ``as_of`` parameter, the end of its interval, or when it was due."""
    given = (context.get("params") or {}).get("as_of")
    if given:
        moment = dt.datetime.fromisoformat(str(given))
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    run = context["dag_run"]
    due: dt.datetime = run.data_interval_end or run.logical_date or run.run_after
    return due


class HubOperator(BaseOperator):
    """Base of the hub's operators.

    Args:
        config: the ``hub.toml``.
        hub_conn_id: an Airflow connection of type ``hub`` with secrets; may be missing.
    """

    ui_color = "#e8f0e4"
    operator_extra_links = (RunRowsLink(),)
    stage: ClassVar[str] = ""
    """The stage whose summary is logged; empty for none."""

    def __init__(self, *, config: str, hub_conn_id: str = HubHook.default_conn_name, **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", HubRetryPolicy())
        super().__init__(**kwargs)
        self.config = config
        self.hub_conn_id = hub_conn_id

    def execute(self, context: Any) -> Any:
        """Open the hub and do the work; an alert that an earlier failure raised is taken back."""
        with HubHook(self.config, self.hub_conn_id).opened(task_key(context["ti"])) as hub:
            try:
                result = self.work(hub, context)
            except AirflowSkipException:
                tell_success(hub, context)
                raise
            except Exception as error:
                if is_final(context["ti"], error):
                    tell_failure(hub, context, error)
                raise
            tell_success(hub, context)
            return result

    @abstractmethod
    def work(self, hub: Hub, context: Any) -> Any:
        """Do the work and return ids and counts."""

    def summarise(self, hub: Hub, report: object) -> None:
        """Log a stage's result as the command line shows it."""
        from hub.show.screen import Screen
        from hub.show.stages import STAGE_SCREENS

        text = io.StringIO()
        STAGE_SCREENS[self.stage](Screen(text, hub.settings.zone), report)
        for line in text.getvalue().splitlines():
            self.log.info("%s", line)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Tell OpenLineage, where its provider is installed, which of the hub's data sets the task read and wrote."""
        from hub.airflow.lineage import facets_of

        return facets_of(self, task_instance)


class ListStreamsOperator(HubOperator):
    """Lists a connection's streams, to be read side by side."""

    def __init__(self, *, connection: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection

    def work(self, hub: Hub, context: Any) -> list[str]:
        """Return the names of the streams; no network."""
        wanted = hub.connection(self.connection).streams
        with hub.source(self.connection) as source:
            names = [stream.name for stream in source.streams()]
        return [name for name in names if not wanted or name in wanted]


class ReadStreamOperator(HubOperator):
    """Reads one stream into packages."""

    stage = "ingest"

    def __init__(self, *, connection: str, stream: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection
        self.stream = stream

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Read what is new.

        Raises:
            HubError: the stream did not come to its end; what was read before is kept and the next try goes on behind it.
        """
        from hub.pipeline.ingest import IngestReport, read_connections

        context["stream"] = self.stream
        parts = read_connections(hub, [self.connection], [self.stream])
        self.summarise(hub, IngestReport(parts))
        for part in parts:
            if part.error is not None:
                raise part.error
        return {
            "stream": self.stream,
            "records": sum(part.records for part in parts),
            "rejects": sum(part.rejects for part in parts),
            "packages": sum(part.packages for part in parts),
        }


class LoadOperator(HubOperator):
    """Takes every sealed package into the warehouse; skipped when nothing changed, so that nothing is triggered."""

    stage = "ingest"

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Load.

        Raises:
            AirflowSkipException: the warehouse is as it was.
            HubError: some packages cannot be loaded; the others were.
        """
        from hub.pipeline.ingest import IngestReport
        from hub.pipeline.load import load

        loaded = load(hub)
        self.summarise(hub, IngestReport(loaded=loaded.counts, notes=loaded.notes))
        changed = sum(counts.changed for counts in loaded.counts.values())
        for error in loaded.errors.values():
            raise error
        if not changed:
            raise AirflowSkipException("Nothing changed.")
        return {"changed": changed}


class IngestVerdictOperator(BaseOperator):
    """Turns the run red when a stream was not read to its end, after all that arrived has been passed on.

    Args:
        streams: names of the streams that were to be read.
        read: results of those that were; each carries its own name.
    """

    template_fields: Sequence[str] = ("streams", "read")

    def __init__(self, *, streams: Any, read: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.streams = streams
        self.read = read

    def execute(self, context: Any) -> None:
        """Compare.

        Raises:
            AirflowFailException: a stream is missing.
        """
        del context
        if self.streams is None:
            raise AirflowFailException("The connection's streams could not be listed; see the task before.")
        arrived = {result["stream"] for result in self.read or () if result}
        missing = [name for name in self.streams if name not in arrived]
        if missing:
            raise AirflowFailException(
                f"Not read to the end: {', '.join(missing)}. What was read before is kept and was passed on; "
                "the tasks' logs and `hub status` tell why."
            )


class ResolveOperator(HubOperator):
    """Decides which profiles are one person."""

    stage = "resolve"

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Resolve what changed; everything with the run's parameter ``full``."""
        from hub.pipeline.resolve import resolve

        report = resolve(hub, full=bool((context.get("params") or {}).get("full")))
        self.summarise(hub, report)
        return {"customers": report.customers, "changed": report.changed, "review": report.review}


class ScoreOperator(HubOperator):
    """Works out every customer's traits for the run's instant."""

    stage = "score"

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Score."""
        from hub.pipeline.score import score

        report = score(hub, moment_of(context, hub.settings.zone))
        self.summarise(hub, report)
        return {"as_of": report.as_of.isoformat(), "customers": report.customers, "changed": report.changed}


class SegmentOperator(HubOperator):
    """Decides who is in which segment."""

    stage = "segment"

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Segment."""
        from hub.pipeline.segment import segment

        report = segment(hub)
        self.summarise(hub, report)
        return {size.segment.name: size.members for size in report.sizes}


class PublishOperator(HubOperator):
    """Publishes a snapshot; skipped when nothing changed, so that nothing is pushed."""

    stage = "publish"

    def work(self, hub: Hub, context: Any) -> dict[str, str]:
        """Publish.

        Raises:
            AirflowSkipException: the last snapshot stays current.
        """
        from hub.pipeline.publish import publish

        report = publish(hub)
        self.summarise(hub, report)
        if not report.is_new:
            raise AirflowSkipException("Nothing changed.")
        found = {"snapshot": report.snapshot, "as_of": report.as_of.isoformat()}
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = found
        return found


class LookBackOperator(HubOperator):
    """For a backfill: scores and segments as of the run's instant, kept as a snapshot aside and never pushed."""

    stage = "publish"

    def work(self, hub: Hub, context: Any) -> dict[str, str]:
        """Look back."""
        from hub.pipeline.history import publish_as_of

        report = publish_as_of(hub, moment_of(context, hub.settings.zone))
        self.summarise(hub, report)
        return {"snapshot": report.snapshot, "as_of": report.as_of.isoformat()}


class WhichWayOperator(BaseBranchOperator):
    """Sends a backfill's run to look back, so that no old score is published as current or pushed.

    Args:
        forward: id of the task that begins the ordinary way.
        back: id of the task that looks back.
    """

    def __init__(self, *, forward: str, back: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.forward = forward
        self.back = back

    def choose_branch(self, context: Any) -> str:
        """Choose by the kind of the run."""
        return self.back if context["dag_run"].run_type == "backfill" else self.forward


class PlanPushOperator(HubOperator, BranchMixIn):
    """Counts what a push would send, and sends the run to a person first when that is unusually much.

    Args:
        sync: the sync.
        approve_share: share of its rows from which on a person must approve.
        approve_rows: rows up to which nobody need.
        approval: id of the task that asks.
        write: id of the task that sends.
    """

    stage = "push"
    inherits_from_skipmixin = True

    def __init__(
        self, *, sync: str, approve_share: float, approve_rows: int, approval: str, write: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sync = sync
        self.approve_share = approve_share
        self.approve_rows = approve_rows
        self.approval = approval
        self.write = write

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Plan, and choose what comes next."""
        from hub.pipeline.push import push

        report = push(hub, [self.sync], dry_run=True)
        self.summarise(hub, report)
        planned = report.syncs[0]
        if planned.error is not None:
            raise planned.error
        counts = {
            "create": planned.planned.create,
            "update": planned.planned.update,
            "delete": planned.planned.delete,
            "unchanged": planned.planned.unchanged,
        }
        self.do_branch(context, self.approval if self.needs_approval(counts) else self.write)
        return counts

    def needs_approval(self, counts: Mapping[str, int]) -> bool:
        """Whether so much would change that a person should look first."""
        changing = counts["create"] + counts["update"] + counts["delete"]
        return changing > self.approve_rows and changing > self.approve_share * (changing + counts["unchanged"])


class PushOperator(HubOperator):
    """Sends what changed, with an outcome for every row."""

    stage = "push"

    def __init__(self, *, sync: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sync = sync

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Push; with the run's parameter ``dry_run`` only plan.

        Raises:
            HubError: the sync ended early; what was sent is written down and not sent again.
            AirflowFailException: too many rows failed.
        """
        from hub.pipeline.push import push

        report = push(hub, [self.sync], dry_run=bool((context.get("params") or {}).get("dry_run")))
        self.summarise(hub, report)
        done = report.syncs[0]
        if done.error is not None:
            raise done.error
        if done.state == "failed":
            raise AirflowFailException(f"Too many rows failed; see `hub deliveries --sync {self.sync}`.")
        return {"state": done.state, "outcomes": {str(name): count for name, count in done.outcomes.items()}}


class CheckConnectionOperator(HubOperator):
    """Tries whether a connection still can do what it is configured for; keeps its tokens alive on the way."""

    def __init__(self, *, connection: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Check.

        Raises:
            ConfigError: something does not work; with everything that was found.
        """
        context["connection"] = self.connection
        found = list(self._tried(hub))
        for check in found:
            self.log.info("%s  %s  %s", "ok    " if check.ok else "failed", check.name, check.message)
        wrong = [check for check in found if not check.ok]
        if wrong:
            told = "; ".join(f"{check.name}: {check.message}" for check in wrong)
            raise ConfigError(f"Connection {self.connection} does not work: {told}", code="check_failed")
        return {"connection": self.connection, "checks": len(found)}

    def _tried(self, hub: Hub) -> Iterable[Any]:
        connection = hub.connection(self.connection)
        if connection.is_source:
            with hub.source(self.connection) as source:
                yield from source.check()
        if connection.is_destination:
            with hub.destination(self.connection) as destination:
                yield from destination.check()


class PruneOperator(HubOperator):
    """Forgets row logs that are older than the days to keep."""

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Prune."""
        from hub.store.pruning import prune

        removed = prune(hub.store.database, hub.now() - dt.timedelta(days=hub.settings.hub.keep_days))
        self.log.info("%d rows of the logs were older than %d days.", removed, hub.settings.hub.keep_days)
        return {"removed": removed}
