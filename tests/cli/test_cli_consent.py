"""What people said about being written to, as the command line records it and shows it."""

from __future__ import annotations

from cli_project import Project


def test_what_was_said_is_recorded_for_every_profile_and_held_to(ran: Project) -> None:
    done = ran.json(
        "consent", "set", "15400000001", "--deny", "--purpose", "marketing", "--channel", "sms", "--source", "call"
    )
    assert (done["recorded"], len(done["customers"])) == (1, 1)
    found = ran.json("consent", "show", "pos:M0000001")
    assert [(one["purpose"], one["channel"], one["granted"], one["source"]) for one in found["said"]] == [
        ("marketing", "sms", False, "call")
    ]
    assert "M0000001" not in ran.run("consent", "show", "15400000001").out
    everything = ran.run("consent", "set", "pos:M0000001", "--deny")
    assert everything.code == 0
    (sync,) = ran.json("push", "--dry-run")["syncs"]
    assert {row["code"] for row in sync["planned"]["sample"]} >= {"consent_denied"}


def test_a_file_is_read_line_by_line_and_bad_lines_are_told(ran: Project) -> None:
    ran.write(
        "said.csv",
        "who,granted,purpose,channel,at\n"
        "15400000001,no,marketing,,2026-03-02T10:00:00+08:00\n"
        "15499999999,no,,,\n"
        "pos:M0000002,perhaps,,,\n"
        "M0000003,是,marketing,sms,yesterday\n"
        "M0000002,是,marketing,,\n",
    )
    first = ran.run("consent", "import", "said.csv", "--json")
    assert first.code == 1
    report = first.document
    assert (report["statements"], report["recorded"]) == (5, 2)
    assert [(one["line"], one["code"]) for one in report["refused"]] == [
        (3, "profile_unknown"),
        (4, "value_unusable"),
        (5, "value_unusable"),
    ]
    (said,) = ran.json("consent", "show", "M0000002")["said"]
    assert (said["granted"], said["source"]) == (True, "said.csv")


def test_a_later_word_outlives_an_older_file(ran: Project) -> None:
    ran.run("consent", "set", "M0000001", "--grant", "--purpose", "marketing")
    ran.write("old.csv", "who,granted,purpose,at\nM0000001,no,marketing,2020-01-01\n")
    assert ran.json("consent", "import", "old.csv")["older"] == 1
    (said,) = ran.json("consent", "show", "M0000001")["said"]
    assert said["granted"]


def test_a_file_with_other_columns_and_a_stranger_are_refused(ran: Project) -> None:
    ran.write("other.csv", "phone,ok\n15400000001,no\n")
    assert ran.run("consent", "import", "other.csv").code == 2
    assert ran.run("consent", "import", "nowhere.csv").code == 2
    page = ran.run("consent", "set", "15499999999", "--deny")
    assert page.code == 2
    assert "No customer of the current snapshot" in page.err
