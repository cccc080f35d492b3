"""Operators of an ingest: list the streams, read each, load, and say whether all came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from hub.airflow.operators.base import HubOperator

if TYPE_CHECKING:
    from hub.context import Hub


__all__ = ["IngestVerdictOperator", "ListStreamsOperator", "LoadOperator", "ReadStreamOperator"]


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
