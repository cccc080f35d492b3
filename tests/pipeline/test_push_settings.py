"""What a sync may say: modes, values, whom it leaves out, limits, holdouts, consent, quiet hours, frequency caps."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest
from crm import SYNC, Crm, Person, Wall, desk, publish_people, rejected

from hub.context import Hub
from hub.destination import Operation, Outcome
from hub.errors import ConfigError
from hub.pipeline.publish import publish
from hub.pipeline.push import SyncReport, push
from hub.sync_settings import quiet_until

BASE = 'to = "crm"\ntarget = "people"\n'
SEGMENTS = "".join(f"[segments.{name}]\nwhere = \"level = 'gold'\"\n" for name in ("vip", "risk", "staff"))
GOLD, SILVER = {"level": "gold"}, {"level": "silver"}


def pushed(hub: Hub, *people: Person, sync: str = "sync1") -> SyncReport:
    """Publish these people, see that a dry run tells the same, push and return what happened."""
    publish_people(hub, people)
    before = push(hub, [sync], dry_run=True).syncs[0]
    after = push(hub, [sync]).syncs[0]
    assert after.error is None, after.error
    assert before.planned == after.planned
    assert sum(after.outcomes.values()) == after.planned.to_do
    return after


def reasons(hub: Hub) -> dict[str, str]:
    """Why whom was held back or found unusable."""
    rows = hub.store.deliveries.find(limit=1000)
    return {row.customer_id: row.code for row in rows if row.outcome in {"suppressed", "invalid"}}


class TestModes:
    """Four people: a stays, b changes, c leaves, d enters."""

    BEFORE = (Person("a"), Person("b"), Person("c"))
    AFTER = (Person("a"), Person("b", "silver"), Person("d"))

    @pytest.mark.parametrize(
        ("mode", "holds"),
        [
            # The first sync has sent c: the second removes only what it sent itself.
            ("mirror", {"a": GOLD, "b": SILVER, "c": GOLD, "d": GOLD}),
            ("upsert", {"a": GOLD, "b": SILVER, "c": GOLD, "d": GOLD}),
            ("insert", {"a": GOLD, "b": GOLD, "c": GOLD, "d": GOLD}),
            ("add", {"a": GOLD, "b": GOLD, "c": GOLD, "d": GOLD}),
            ("update", {"a": GOLD, "b": SILVER, "c": GOLD}),
            ("remove", {"c": GOLD}),
            ("delete", {"c": GOLD}),
        ],
    )
    def test_what_the_destination_holds(
        self, tmp_path: Path, crm: Crm, mode: str, holds: dict[str, dict[str, str]]
    ) -> None:
        with desk(tmp_path, crm, SYNC, f'{SYNC}\nmode = "{mode}"') as hub:
            pushed(hub, *self.BEFORE)
            report = pushed(hub, *self.AFTER, sync="sync2")
            again = pushed(hub, *self.AFTER, sync="sync2")
        assert crm.holds() == holds
        assert again.outcomes == {}
        assert report.planned.absent == (mode == "update")


class TestValues:
    PEOPLE = (Person("a", " Gold ", points="12.5000"), Person("b", None, points="0"))

    def sent(self, tmp_path: Path, crm: Crm, fields: str) -> dict[str, Any]:
        with desk(tmp_path, crm, BASE + f"fields = {{ x = {fields} }}") as hub:
            pushed(hub, *self.PEOPLE)
            return {key: values.get("x", "left out") for key, values in crm.holds().items()}

    @pytest.mark.parametrize(
        ("field", "a", "b"),
        [
            ('"level"', " Gold ", None),
            ('{ constant = "shop" }', "shop", "shop"),
            ("{ constant = 5 }", 5, 5),
            ('{ template = "{level}/{customer_id}!" }', " Gold /a!", "/b!"),
            ('{ from = "level", transforms = ["trim", "lower"] }', "gold", None),
            ('{ from = "level", transforms = ["trim"], values = { Gold = "G1" } }', "G1", None),
            ('{ from = "level", default = "none" }', " Gold ", "none"),
            ('{ from = "level", null = "omit" }', " Gold ", "left out"),
            ('{ from = "points", transforms = ["round"] }', 13, 0),
            ('{ from = "seen_at", transforms = ["date"] }', "2026-03-01", "2026-03-01"),
            (
                '{ from = "level", transforms = ["trim", "lower", "sha256"] }',
                hashlib.sha256(b"gold").hexdigest(),
                None,
            ),
        ],
    )
    def test_what_is_sent(self, tmp_path: Path, crm: Crm, field: str, a: object, b: object) -> None:
        assert self.sent(tmp_path, crm, field) == {"a": a, "b": b}

    def test_a_value_that_must_be_there(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, BASE + 'fields = { x = { from = "level", null = "reject" } }') as hub:
            assert pushed(hub, *self.PEOPLE).outcomes == {"accepted": 1, "invalid": 1}
            (row,) = hub.store.deliveries.find(outcome="invalid")
            assert (row.customer_id, row.code) == ("b", "value_missing")
            assert "no value for x" in row.message

    def test_set_if_empty_is_sent_once_and_never_again(self, tmp_path: Path, crm: Crm) -> None:
        fields = 'fields = { level = "level", hint = { from = "points", set_if_empty = true } }'
        with desk(tmp_path, crm, BASE + fields) as hub:
            pushed(hub, Person("a", points="1"))
            assert pushed(hub, Person("a", points="2")).planned.unchanged == 1
            pushed(hub, Person("a", "silver", points="3"))
        assert [values for _, _, values in crm.told()] == [{"hint": 1, "level": "gold"}, {"level": "silver"}]

    def test_set_if_empty_leaves_alone_what_the_destination_has(self, tmp_path: Path, crm: Crm) -> None:
        """Where it can be read back: what its own people have typed there is not overwritten, an empty field is filled."""
        fields = 'fields = { level = "level", hint = { from = "points", set_if_empty = true } }'
        crm.by_hand("typed", hint="by the shop")
        crm.by_hand("empty", hint="", other="x")
        with desk(tmp_path, crm, BASE + fields) as hub:
            pushed(hub, Person("typed", points="1"), Person("empty", points="2"), Person("new", points="3"))
            assert pushed(hub, Person("typed"), Person("empty"), Person("new")).outcomes == {}
        told = {key: values for _, key, values in crm.told()}
        assert told == {
            "typed": {"level": "gold"},
            "empty": {"hint": 2, "level": "gold"},
            "new": {"hint": 3, "level": "gold"},
        }

    def test_a_hashed_key(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, BASE + 'key = "phone"\nkey_transforms = ["sha256"]') as hub:
            pushed(hub, Person("a", phone="15400000001"))
        assert list(crm.holds()) == [hashlib.sha256(b"15400000001").hexdigest()]

    def test_the_same_amount_in_another_type_is_no_change(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, BASE + 'fields = { points = "points" }') as hub:
            pushed(hub, Person("a", points="1.50"), Person("b", points="100"))
            with hub.warehouse() as engine:
                engine.execute("ALTER TABLE traits ALTER points TYPE DECIMAL(18, 2)")
            assert publish(hub).is_new
            assert push(hub).syncs[0].planned.unchanged == 2
        assert crm.holds() == {"a": {"points": "1.5"}, "b": {"points": 100}}


class TestChangedMapping:
    PEOPLE = (Person("a", "gold", points="1"), Person("b", "silver", points="1"), Person("c", None, points="1"))

    def change(self, tmp_path: Path, crm: Crm, before: str, after: str) -> SyncReport:
        """Push under one mapping, then the same people under another; return the second report."""
        with desk(tmp_path, crm, f"{BASE}fields = {{ {before} }}") as hub:
            pushed(hub, *self.PEOPLE)
        with desk(tmp_path, crm, f"{BASE}fields = {{ {after} }}") as hub:
            report = pushed(hub, *self.PEOPLE)
            assert push(hub).syncs[0].planned.unchanged == 3
            assert push(hub).syncs[0].planned.notes == []
        return report

    def test_a_field_taken_out_sends_nothing(self, tmp_path: Path, crm: Crm) -> None:
        report = self.change(tmp_path, crm, 'x = "level", y = "points"', 'x = "level"')
        assert (report.outcomes, report.planned.unchanged) == ({}, 3)
        assert "taken out: y" in report.planned.notes[0]
        assert "0 rows are sent again" in report.planned.notes[0]

    def test_a_new_field_touches_those_who_have_it(self, tmp_path: Path, crm: Crm) -> None:
        new = 'x = "points", y = { from = "level", null = "omit" }'
        report = self.change(tmp_path, crm, 'x = "points"', new)
        assert report.outcomes == {"accepted": 2}
        assert "(new: y); 2 rows are sent again" in report.planned.notes[0]

    def test_another_way_to_the_same_values_sends_only_what_differs(self, tmp_path: Path, crm: Crm) -> None:
        report = self.change(tmp_path, crm, 'x = "level"', 'x = { from = "level", values = { silver = "S" } }')
        assert report.outcomes == {"accepted": 1}
        assert crm.holds()["b"] == {"x": "S"}


class TestWhoIsLeftOut:
    def test_excluded_segments_of_the_sync_and_of_all(self, tmp_path: Path, crm: Crm) -> None:
        extra = SEGMENTS + '[push]\nexclude = ["staff"]\n'
        with desk(tmp_path, crm, SYNC + '\nexclude = ["risk"]', extra=extra) as hub:
            people = [Person("a"), Person("b", segments=("risk",)), Person("c", segments=("staff",))]
            assert pushed(hub, *people).outcomes == {"accepted": 1, "suppressed": 2}
            assert reasons(hub) == {"b": "excluded", "c": "excluded"}
            assert pushed(hub, *people).outcomes == {}, "told once"
            pushed(hub, Person("a", segments=("risk",)), Person("b"))
        assert set(crm.holds()) == {"b"}

    def test_a_customer_is_only_in_the_highest_segment_of_the_list(self, tmp_path: Path, crm: Crm) -> None:
        listed = 'priority = ["vip", "risk"]\nfields = { in = "segments" }\n'
        syncs = (
            f'{BASE}{listed}segments = ["{name}"]'.replace("people", target)
            for name, target in (("vip", "people"), ("risk", "points"))
        )
        with desk(tmp_path, crm, *syncs, extra=SEGMENTS) as hub:
            publish_people(hub, [Person("a", segments=("vip", "risk")), Person("b", segments=("risk",))])
            push(hub)
        assert crm.holds() == {"a": {"in": ["vip"]}}
        assert crm.holds("points") == {"b": {"in": ["risk"]}}

    @pytest.mark.parametrize(
        ("limit", "chosen"),
        [
            ('{ top = 2, by = "points" }', "cd"),
            ('{ top = 2, by = "points", ascending = true }', "ab"),
            ('{ by = "points", per = "level", at_most = 1 }', "bd"),
            ('{ by = "points", per = "level", at_most = 1, top = 1 }', "d"),
        ],
    )
    def test_limits(self, tmp_path: Path, crm: Crm, limit: str, chosen: str) -> None:
        people = [
            Person(name, level, points=str(n))
            for n, (name, level) in enumerate(zip("abcd", ["gold", "gold", "silver", "silver"], strict=True))
        ]
        with desk(tmp_path, crm, SYNC + f"\nlimit = {limit}") as hub:
            pushed(hub, *people)
        assert set(crm.holds()) == set(chosen)


class TestHoldout:
    SYNC = SYNC + '\nholdout = { experiment = "spring", share = 0.2 }'

    def test_the_same_customers_are_held_back_every_time_and_it_is_on_record(
        self, tmp_path: Path, crm: Crm, clock: Wall
    ) -> None:
        people = [Person(f"c{number}") for number in range(200)]
        with desk(tmp_path, crm, self.SYNC, clock=clock) as hub:
            report = pushed(hub, *people)
            held = {one.customer_id for one in hub.store.audience.members("spring", limit=500) if one.held}
            assert 20 <= len(held) == report.outcomes["suppressed"] <= 60
            assert held.isdisjoint(crm.holds())
            began = clock.now
            clock.advance(days=5)
            pushed(hub, *people, Person("later"))
            groups = {one.customer_id: one for one in hub.store.audience.members("spring", limit=500)}
            assert len(groups) == 201
            assert {one.customer_id for one in groups.values() if one.held} - {"later"} == held
            assert groups["c0"].at == began
            assert groups["later"].at == clock.now

    def test_it_is_locked_once_it_is_used(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, self.SYNC) as hub:
            pushed(hub, Person("a"))
        with desk(tmp_path, crm, self.SYNC.replace("0.2", "0.3")) as hub:
            report = push(hub).syncs[0]
            assert report.error is not None
            assert report.error.code == "experiment_locked"


class TestConsent:
    SMS = SYNC + '\npurpose = "marketing"\nchannel = "sms"'

    def test_what_somebody_said_last_about_purpose_and_channel_decides(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, self.SMS) as hub:
            people = [Person(name) for name in "abcd"]
            publish_people(hub, people)
            _profiles(hub, "abcd")
            say = hub.store.audience.say
            say(["pos:a"], granted=True, purpose="marketing")
            say(["pos:b"], granted=True, purpose="marketing")
            say(["pos:b"], granted=False, purpose="marketing", channel="sms")
            say(["pos:c"], granted=False, purpose="marketing", channel="mail")
            assert push(hub).syncs[0].outcomes == {"accepted": 1, "suppressed": 3}
            assert reasons(hub) == {"b": "consent_denied", "c": "consent_unknown", "d": "consent_unknown"}
            say(["pos:a"], granted=False)
            assert push(hub).syncs[0].planned.delete == 1
        assert crm.holds() == {}

    def test_a_general_no_holds_for_every_sync(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, SYNC) as hub:
            publish_people(hub, [Person("a"), Person("b")])
            _profiles(hub, "ab")
            hub.store.audience.say(["pos:b"], granted=False)
            push(hub)
            assert reasons(hub) == {"b": "consent_denied"}
        assert set(crm.holds()) == {"a"}

    def test_a_no_that_a_platform_knows_of_counts_too(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, self.SMS + '\nunknown_consent = "send"') as hub:
            publish_people(hub, [Person(name) for name in "abc"])
            with hub.warehouse() as engine:
                for name, granted in (("a", True), ("b", False), ("c", None)):
                    row = [name, granted]
                    engine.execute(
                        "INSERT INTO profiles (connection, source_id, marketing_consent, deleted) VALUES ('pos', ?, ?, false)",
                        row,
                    )
            _profiles(hub, "abc")
            push(hub)
            assert reasons(hub) == {"b": "consent_denied"}
        assert set(crm.holds()) == {"a", "c"}


def _profiles(hub: Hub, customers: str) -> None:
    """Give each customer a profile of his own, and publish."""
    with hub.warehouse() as engine:
        for name in customers:
            engine.execute(
                "INSERT INTO links (profile, connection, source_id, customer_id) VALUES (?, 'pos', ?, ?)",
                [f"pos:{name}", name, name],
            )
    publish(hub)


class TestFrequencyCap:
    EXTRA = '[push]\ncaps = [{ channels = ["sms", "wecom"], most = 2, days = 7 }]\n'

    def test_channels_are_counted_together_and_what_is_there_stays(self, tmp_path: Path, crm: Crm, clock: Wall) -> None:
        sms, wecom = SYNC + '\nchannel = "sms"', SYNC.replace("people", "points") + '\nchannel = "wecom"'
        with desk(tmp_path, crm, sms, wecom, clock=clock, extra=self.EXTRA) as hub:
            publish_people(hub, [Person("a")])
            assert [one.outcomes for one in push(hub).syncs] == [{"accepted": 1}] * 2
            report = pushed(hub, Person("a", "silver"), Person("b"))
            assert report.outcomes == {"accepted": 1, "suppressed": 1}
            assert reasons(hub) == {"a": "frequency_cap"}
            assert crm.holds()["a"] == GOLD
            clock.advance(days=8)
            assert pushed(hub, Person("a", "silver"), Person("b")).outcomes == {"accepted": 1}
        assert crm.holds() == {"a": SILVER, "b": GOLD}


class TestQuietHours:
    """It is 17:00 in Shanghai."""

    def test_a_sync_waits_and_the_dry_run_plans_all_the_same(self, tmp_path: Path, crm: Crm, clock: Wall) -> None:
        with desk(tmp_path, crm, SYNC + '\nquiet_hours = "16:00-18:30"', clock=clock) as hub:
            publish_people(hub, [Person("a")])
            report = push(hub).syncs[0]
            assert report.error is not None
            assert (report.state, report.error.code) == ("skipped", "quiet_hours")
            assert push(hub, dry_run=True).syncs[0].planned.create == 1
            clock.advance(hours=2)
            assert push(hub).syncs[0].outcomes == {"accepted": 1}

    @pytest.mark.parametrize(
        ("period", "clock", "until"),
        [
            ("", "12:00", None),
            ("21:00-09:00", "22:00", "2026-03-03T09:00"),
            ("21:00-09:00", "08:59", "2026-03-02T09:00"),
            ("21:00-09:00", "09:00", None),
            ("12:00-13:00", "12:00", "2026-03-02T13:00"),
            ("12:00-13:00", "13:00", None),
        ],
    )
    def test_their_end(self, period: str, clock: str, until: str | None) -> None:
        found = quiet_until(period, dt.datetime.fromisoformat(f"2026-03-02T{clock}"))
        assert (found and found.isoformat(timespec="minutes")) == until


class TestGivingUp:
    def test_a_row_refused_for_two_weeks_waits_until_it_changes(self, tmp_path: Path, crm: Crm, clock: Wall) -> None:
        crm.answer = rejected
        with desk(tmp_path, crm, SYNC, clock=clock) as hub:
            pushed(hub, Person("a"))
            clock.advance(days=13)
            assert push(hub).syncs[0].planned.create == 1
            clock.advance(days=2)
            report = push(hub).syncs[0]
            assert (report.planned.given_up, report.outcomes) == (1, {})
            assert pushed(hub, Person("a", "silver")).planned.create == 1
            clock.advance(days=2)
            assert push(hub).syncs[0].planned.create == 1, "its two weeks begin anew"


def test_too_many_failed_rows_fail_a_run_whatever_their_share(tmp_path: Path, crm: Crm) -> None:
    def answer(operation: Operation) -> Outcome:
        return rejected(operation) if operation.key in {"a", "b"} else Outcome(operation.id, "accepted")  # type: ignore[arg-type]

    crm.answer = answer
    with desk(tmp_path, crm, SYNC + "\nmax_failed_share = 1.0\nmax_failed_rows = 1") as hub:
        publish_people(hub, [Person(name) for name in "abcdef"])
        assert push(hub).syncs[0].state == "failed"


def test_every_fault_of_every_sync_is_told_when_the_file_is_read(tmp_path: Path, crm: Crm) -> None:
    bad = (
        SYNC + '\nwhere = "read_csv(level)"',
        SYNC.replace('"level" }', '"segment:vpi" }') + '\nexclude = ["nobody"]',
        SYNC.replace('"level" }', '{ from = "level", constant = 1 } }'),
        SYNC + '\nquiet_hours = "9-21"\nlimit = { by = "points" }',
        SYNC + '\nholdout = { experiment = "x", share = 0.1 }',
        SYNC + '\nholdout = { experiment = "x", share = 0.2 }',
    )
    with pytest.raises(ConfigError) as refused:
        desk(tmp_path, crm, *bad, extra=SEGMENTS + '[push]\nexclude = ["ghosts"]\n')
    told = {(problem.key.removesuffix(".from")) for problem in refused.value.problems}
    assert {"syncs.sync3.fields.level", "syncs.sync4.quiet_hours", "syncs.sync4.limit"} <= told
    with pytest.raises(ConfigError) as more:
        desk(tmp_path, crm, bad[0], bad[1], bad[4], bad[5], extra=SEGMENTS + '[push]\nexclude = ["ghosts"]\n')
    assert [problem.key for problem in more.value.problems] == [
        "push.exclude", "syncs.sync2.exclude", "syncs.sync2.fields.level", "syncs.sync4.holdout", "syncs.sync1.where",
    ]  # fmt: skip
    assert all(problem.line for problem in more.value.problems)
