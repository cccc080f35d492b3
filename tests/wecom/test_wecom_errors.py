"""Errors of the platform: handled as its table says, and visible to whoever looks at rejects and status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from wecom_rig import Rig, chain, customer, guide, operation, rig

from hub.cli.entry import main
from hub.destination import OutcomeStatus
from hub.pipeline.ingest import StreamReport, ingest

BATCH = "/cgi-bin/externalcontact/batch/get_by_user"


class Meddler(httpx.BaseTransport):
    """Answers some requests itself, by path; the corp answers the others."""

    def __init__(self, inner: httpx.BaseTransport, path: str, answers: list[dict[str, Any]]) -> None:
        self.inner = inner
        self.path = path
        self.answers = answers
        self.met = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self.path and self.answers:
            self.met += 1
            return httpx.Response(200, json=self.answers.pop(0))
        return self.inner.handle_request(request)


def failing(code: int, times: int = 1) -> list[dict[str, Any]]:
    return [{"errcode": code, "errmsg": f"refused, hint: [1], from ip: 203.0.113.7, more info at …?e={code}"}] * times


def read(corp: Rig, code: int, times: int = 1, path: str = BATCH, stream: str = "customers") -> StreamReport:
    meddler = Meddler(corp.corp.transport(), path, failing(code, times))
    with corp.hub(transport=meddler) as hub:
        report = ingest(hub, ["wecom"], [stream]).streams[0]
    assert meddler.met > 0
    return report


@pytest.mark.parametrize(
    ("code", "times", "waited"),
    [
        (-1, 2, 0.0),
        (45009, 1, 60.0),
        (45033, 3, 0.0),
        (6000, 2, 0.0),
        (42001, 1, 0.0),
        (40014, 1, 0.0),
        (40001, 1, 0.0),
    ],
)
def test_passing_errors_are_sat_out(corp: Rig, code: int, times: int, waited: float) -> None:
    before = corp.clock.time()
    meddler = Meddler(corp.corp.transport(), BATCH, failing(code, times))
    # Without a hub: a minute of virtual time would outlive the leases, which are renewed in real time.
    with corp.source(services={"transport": meddler}) as source:
        stream = next(each for each in source.streams() if each.name == "customers")
        assert sum(len(page.records) for page in stream.read({})) == 6
    assert meddler.met == times
    assert corp.clock.time() - before >= waited


def test_busy_is_not_asked_for_ever(corp: Rig) -> None:
    report = read(corp, -1, 100)
    assert (report.state, report.error and report.error.code) == ("failed", "wecom_busy")


def test_a_token_that_expires_between_two_pages_is_renewed_once(tmp_path: Path) -> None:
    with rig(tmp_path, chain(staff=2, follows=[(n % 2, n) for n in range(250)])) as corp, corp.hub() as hub:
        corp.corp.use_faults("token_expiry", rate=1.0)
        report = ingest(hub, ["wecom"], ["customers"]).streams[0]
        assert (report.state, report.records) == ("succeeded", 250)
        refused = [entry.code for entry in corp.corp.journal.entries(endpoint="batch/get_by_user", accepted=False)]
        assert set(refused) <= {"40014", "42001"}
        assert corp.calls("gettoken") == 1 + len(refused) > 1


@pytest.mark.parametrize(
    ("code", "state", "error", "hint"),
    [
        (60020, "failed", "wecom_address_not_trusted", "企业可信IP"),
        (48002, "failed", "wecom_not_permitted", "可调用接口的应用"),
        (84074, "failed", "wecom_not_permitted", "权限配置"),
        (50003, "failed", "wecom_app_forbidden", "应用管理"),
        (610023, "failed", "wecom_data_withheld", "number of customers"),
        (45036, "skipped", "wecom_traffic_restricted", "calls_per_second"),
        (99999, "failed", "http_refused", ""),
    ],
)
def test_errors_of_the_set_up_say_which_step_is_missing(
    corp: Rig, code: int, state: str, error: str, hint: str
) -> None:
    report = read(corp, code, 20)
    assert report.error is not None
    assert (report.state, report.error.code) == (state, error)
    assert hint in str(report.error)
    assert report.error.context["code"] == str(code)


def test_the_platform_names_the_address_that_is_not_trusted(corp: Rig) -> None:
    corp.corp.trusted_addresses = ["198.51.100.1"]
    with corp.hub() as hub:
        report = ingest(hub, ["wecom"], ["customers"]).streams[0]
    assert "from ip: 127.0.0.1" in str(report.error and report.error.context["said"])


@pytest.mark.parametrize("wrong", ["corp_id", "secret"])
def test_a_wrong_credential_stops_before_the_platform_blocks_the_address(corp: Rig, wrong: str) -> None:
    with corp.source(**{wrong: "wrong"}) as source:
        first, again = source.check(), source.check()
    assert [check.ok for check in (*first, *again)] == [False, False]
    assert "企业ID" in first[0].message
    assert corp.calls("gettoken") == 1


@pytest.mark.parametrize("code", [60111, 41054, 60011, 40003])
def test_a_guide_who_cannot_be_read_is_a_reject_and_the_others_are_read(
    corp: Rig, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    class OneBad(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == BATCH and guide(1) in json.loads(request.content)["userid_list"]:
                return httpx.Response(200, json=failing(code)[0])
            return inner.handle_request(request)

    inner = corp.corp.transport()
    with corp.hub(transport=OneBad()) as hub:
        report = ingest(hub, ["wecom"], ["customers"]).streams[0]
        assert (report.state, report.records, report.rejects) == ("succeeded", 4, 1)
    main(["rejects", "--json", "--config", str(corp.folder / "hub.toml")])
    shown = capsys.readouterr().out
    assert str(code) in shown
    assert guide(1) in shown


def test_a_failed_stream_shows_in_status_with_its_error(corp: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    corp.corp.permitted = False
    with corp.hub() as hub:
        report = ingest(hub, ["wecom"])
        states = {stream.stream: stream.state for stream in report.streams}
    # Only what needs the right to customer contact fails.
    assert states["departments"] == "succeeded"
    assert states["customers"] == states["groups"] == "failed"
    main(["status", "--json", "--config", str(corp.folder / "hub.toml")])
    shown = json.loads(capsys.readouterr().out)
    errors = {stream["stream"]: stream["error"] for stream in shown["streams"]}
    assert errors["departments"] is None
    assert "48002" in errors["customers"]
    assert "可调用接口的应用" in errors["customers"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (84061, OutcomeStatus.REJECTED),
        (40096, OutcomeStatus.REJECTED),
        (40144, OutcomeStatus.REJECTED),
        (40068, OutcomeStatus.DEFERRED),
        (41054, OutcomeStatus.REJECTED),
    ],
)
def test_a_row_that_is_refused_does_not_stop_the_others(corp: Rig, code: int, status: OutcomeStatus) -> None:
    meddler = Meddler(corp.corp.transport(), "/cgi-bin/externalcontact/mark_tag", failing(code))
    rows = [operation(n, segments=["高价值"]) for n in (1, 3, 6)]
    with corp.destination(services={"transport": meddler}, concurrency=1) as destination:
        outcomes = {each.operation_id: each for each in destination.write(destination.targets()[0], rows)}
    assert outcomes["op-1"].status is status
    assert outcomes["op-1"].code == str(code)
    assert f'"code": "{code}"' in outcomes["op-1"].response, "what the platform answered is kept"
    assert {outcomes["op-3"].status, outcomes["op-6"].status} == {OutcomeStatus.ACCEPTED}


def test_nothing_secret_or_personal_is_in_errors_and_logs(corp: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    report = read(corp, 45033, 50)
    text = f"{report.error} {caplog.text}"
    assert corp.corp.credentials["secret"] not in text
    assert "access_token=" not in text.replace("access_token=***", "")
    assert customer(1) not in text
