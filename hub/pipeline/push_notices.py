"""Tell how syncs go: signed lifecycle webhooks, and alerts that are told once and whose end is told, too.

Events: ``sync.started``, ``sync.finished``, ``sync.failed``, ``sync.alert`` and ``sync.recovered``, and ``task.alert`` and
``task.recovered`` for a scheduler's tasks, as JSON with a Standard
Webhooks 1.0.0 signature. A notice that cannot be delivered never stops a sync; an alert nobody could be told of is told by the
next run, and stands in ``hub status`` anyway.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from standardwebhooks import Webhook

from hub.context import Hub
from hub.pipeline.push_report import SyncReport
from hub.redaction import redact

__all__ = ["Notices"]

_TIMEOUT = 10.0
_TRIES = 3
_log = logging.getLogger("hub.push")


class Notices:
    """Sends notices of one hub's syncs."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.url = hub.settings.push.webhook
        self.secret = hub.settings.push.webhook_secret.get_secret_value()

    def started(self, sync: str, run_id: str) -> None:
        """Tell that a sync begins to send."""
        self._send("sync.started", {**self._where(sync), "run": run_id})

    def ended(self, report: SyncReport) -> None:
        """Tell how a sync ended, raise an alert for what is wrong now, and take back what is right again."""
        data = {
            **self._where(report.sync),
            "run": report.run_id,
            "state": report.state,
            "outcomes": report.outcomes,
            "error_code": report.error.code if report.error else None,
            "message": self._message(report),
        }
        if report.run_id is not None or report.state == "failed":
            self._send("sync.failed" if report.state == "failed" else "sync.finished", data)
        for kind, message in self._wrong(report):
            self._alert(report.sync, kind, message, data)
        if report.state not in {"failed", "skipped"}:
            self._recover(report)

    def _wrong(self, report: SyncReport) -> Iterator[tuple[str, str]]:
        """What somebody must be told of: kind of alert, and the message."""
        if report.state == "failed":
            shrunk = report.error is not None and report.error.code == "shrink_guard"
            yield "shrink_guard" if shrunk else "stopped" if report.error else "rows_failed", self._message(report)
        elif report.state == "skipped" and (left := report.outcomes.get("deferred", 0)):
            yield "budget_spent", f"{left:,} rows were not sent: {self._message(report)}"
        if report.state in {"failed", "skipped"}:
            days = self.hub.settings.syncs[report.sync].stale_days
            last = self.hub.store.runs.ended_well("push", report.sync)
            if last is not None and self.hub.now() - last > dt.timedelta(days=days):
                yield "stale", f"Nothing has been sent since {last:%Y-%m-%d %H:%M} UTC, and rows may be waiting."

    def _alert(self, sync: str, kind: str, message: str, data: Mapping[str, Any]) -> None:
        if self.hub.store.alerts.raise_(sync, kind, message):
            _log.warning("Sync %s needs somebody: %s", sync, message)
            if self._send("sync.alert", {**data, "alert": kind, "message": message}):
                self.hub.store.alerts.told(sync, kind)

    def _recover(self, report: SyncReport) -> None:
        for alert in self.hub.store.alerts.standing(report.sync):
            data = {
                **self._where(report.sync),
                "run": report.run_id,
                "alert": alert.kind,
                "since": alert.raised_at.isoformat(),
            }
            # Nobody need hear of the end of what he was never told of.
            if alert.told_at is None or self._send("sync.recovered", data):
                self.hub.store.alerts.resolve(report.sync, alert.kind)
                _log.info("Sync %s has recovered", report.sync)

    def work_failed(self, subject: str, kind: str, message: str) -> None:
        """Raise an alert for work beside the syncs, such as a scheduler's task: ``task.alert``, told once."""
        if self.hub.store.alerts.raise_(subject, kind, message):
            _log.warning("%s needs somebody: %s", subject, redact(message))
            if self._send("task.alert", {"task": subject, "alert": kind, "message": redact(message)}):
                self.hub.store.alerts.told(subject, kind)

    def work_succeeded(self, subject: str) -> None:
        """Take back the alerts of such work, and tell that it works again: ``task.recovered``."""
        for alert in self.hub.store.alerts.standing(subject):
            data = {"task": subject, "alert": alert.kind, "since": alert.raised_at.isoformat()}
            if alert.told_at is None or self._send("task.recovered", data):
                self.hub.store.alerts.resolve(subject, alert.kind)

    def _where(self, sync: str) -> dict[str, Any]:
        settings = self.hub.settings.syncs[sync]
        return {"sync": sync, "connection": settings.to, "target": settings.target}

    def _message(self, report: SyncReport) -> str:
        if report.error is not None:
            return redact(str(report.error), self.hub.connection(self.hub.settings.syncs[report.sync].to).secrets)
        return f"{report.failed_rows} of {report.rows} rows failed." if report.failed_rows else ""

    def _send(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Send a notice; say whether it arrived (or nobody wants any)."""
        if not self.url:
            return True
        at = self.hub.now()
        identifier = f"msg_{uuid.uuid4().hex}"
        body = json.dumps({"type": kind, "timestamp": at.isoformat(), "data": data}, default=str, ensure_ascii=False)
        headers = {
            "content-type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(identifier, at, body),
        }
        for number in range(_TRIES):
            if number:
                self.hub.sleep(2.0**number)
            if self._post(body, headers):
                return True
        _log.warning("The notice %s of %s could not be delivered", kind, data.get("sync") or data.get("task"))
        return False

    def _post(self, body: str, headers: Mapping[str, str]) -> bool:
        try:
            with httpx.Client(transport=self.hub.transport, timeout=_TIMEOUT, follow_redirects=False) as client:
                return client.post(self.url, content=body.encode(), headers=dict(headers)).is_success
        except httpx.HTTPError:
            return False
