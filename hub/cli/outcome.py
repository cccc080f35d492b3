"""How well a stage went, as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.cli.answer import ExitCode
from hub.cli.failures import exit_code_of

if TYPE_CHECKING:
    from hub.errors import HubError
    from hub.pipeline.ingest import IngestReport
    from hub.pipeline.push import PushReport
    from hub.pipeline.reconcile import DriftReport
    from hub.pipeline.run import RunReport

__all__ = ["of_drift", "of_ingest", "of_push", "of_run"]


def of_ingest(report: IngestReport) -> ExitCode:
    """A rejected row, a failed stream or a load that was put off makes it partial; no stream that worked, nothing."""
    if all(stream.state != "succeeded" and not stream.packages for stream in report.streams):
        return ExitCode.NOTHING
    imperfect = report.failed or report.load_error or any(stream.rejects for stream in report.streams)
    return ExitCode.PARTIAL if imperfect else ExitCode.FINE


def of_push(report: PushReport) -> ExitCode:
    """A failed row or sync makes it partial; no sync that could send anything, nothing."""
    if report.syncs and all(sync.error is not None and not sync.outcomes for sync in report.syncs):
        return _of_errors([sync.error for sync in report.syncs if sync.error is not None])
    imperfect = any(sync.state != "succeeded" or sync.failed_rows for sync in report.syncs)
    return ExitCode.PARTIAL if imperfect else ExitCode.FINE


def of_drift(report: DriftReport) -> ExitCode:
    """Drift that was only shown, or a repair that did not reach every row, makes it partial."""
    from hub.pipeline.push_report import PushReport

    if report.pushed is not None:
        return of_push(PushReport([report.pushed]))
    return ExitCode.PARTIAL if report.drift.drifted else ExitCode.FINE


def _of_errors(errors: Sequence[HubError]) -> ExitCode:
    codes = {exit_code_of(error) for error in errors}
    return ExitCode.USAGE if codes == {ExitCode.USAGE} else ExitCode.NOTHING


def of_run(report: RunReport) -> ExitCode:
    """The worst of its stages; a fault that ended it after something was done makes it partial."""
    if report.error is not None:
        return exit_code_of(report.error) if report.ingest is None else ExitCode.PARTIAL
    codes = []
    if report.ingest is not None and report.ingest.streams:
        codes.append(of_ingest(report.ingest))
    if report.push is not None:
        codes.append(of_push(report.push))
    return ExitCode.PARTIAL if any(codes) else ExitCode.FINE
