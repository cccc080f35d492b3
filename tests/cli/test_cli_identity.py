"""Who is one person, as the command line tells it and lets people correct it."""

from __future__ import annotations

import json
import shutil

import pytest
from cli_project import Project


def test_two_profiles_are_explained_in_plain_words(ran: Project) -> None:
    page = ran.run("explain", "pos:M0000001", "15400000002")
    assert page.code == 0, page.err
    assert "are different customers" in page.out
    assert "no evidence connects the two" in page.out
    assert "hub merge pos:M0000001 c" in page.out
    assert "M0000002" not in page.out
    assert "没有任何证据" in ran.run("explain", "pos:M0000001", "pos:M0000002", "--language", "zh").out


def test_two_kept_apart_by_the_owners_own_limit_are_told_what_differs(ran: Project) -> None:
    ran.append("\n[identity.kinds.card_no]\nper_customer = 1\n")
    twice = [{"id": f"N000000{n}", "name": "周全", "phone": "15400000077", "card": f"8800000{n}"} for n in (1, 2)]
    ran.shop["customers"] += twice
    ran.save()
    ran.run("ingest")
    ran.run("resolve")
    reasons = ran.json("explain", "pos:N0000001", "pos:N0000002")["reasons"]
    assert [(one["kind"], one["rule"]) for one in reasons] == [("phone", "limit"), ("phone_mask+name", "contradicted")]
    assert all("card_no" in [clash["kind"] for clash in one["clashes"]] for one in reasons)
    page = ran.run("explain", "pos:N0000001", "pos:N0000002").out
    assert "different card number: 880***01 on one side, 880***02 on the other" in page


def test_people_decide_and_the_decision_is_told(ran: Project) -> None:
    done = ran.json("merge", "pos:M0000001", "pos:M0000002", "--reason", "sisters share a card", "--actor", "li")
    assert done["events"] == {"merged": 1}
    page = ran.run("explain", "pos:M0000001", "pos:M0000002").out
    assert "a person said that pos:M0000001 and pos:M0000002 are one (li, " in page
    assert "sisters share a card" in page
    assert ran.json("identity", "report")["decisions"] == {"must_link": 1}
    parted = ran.json("unmerge", "pos:M0000002", "--reason", "no, different people")
    assert parted["events"] in ({"unmerged": 1}, {"split": 1})
    ran.run("publish")
    (customer,) = ran.json("customer", "M0000002")["customers"]
    assert customer["decisions"][0]["reason"] == "no, different people"


def test_the_record_names_its_sources_and_masks_people(ran: Project) -> None:
    (customer,) = ran.json("customer", "15400000001")["customers"]
    name = next(row for row in customer["fields"] if row["field"] == "name")
    assert (name["value"], name["place"], name["rule"]) == ("王**", 1, "frequent")
    assert [(row["kind"], row["state"], row["is_primary"]) for row in customer["contacts"]] == [
        ("phone", "usable", True)
    ]
    shown = ran.run("customer", "15400000001").out
    assert "Where it comes from" in shown
    assert "15400000001" not in shown


def test_other_rules_are_tried_before_they_hold(ran: Project) -> None:
    ran.shop["customers"].append({"id": "M0000009", "name": "王小明", "phone": "15400000001"})
    ran.save()
    ran.run("ingest")
    ran.run("resolve")
    assert ran.json("identity", "preview")["events"] == {}
    tried = ran.json("identity", "preview", "--set", 'blocked=["15400000001"]')
    assert tried["events"] == {"split": 1}
    assert ran.json("identity", "report")["sizes"] == {"1": 2, "2": 1}
    wrong = ran.run("identity", "preview", "--set", "late_bridge=0", "--json")
    assert wrong.code == 2
    assert "identity.late_bridge" in json.loads(wrong.out)["error"]["message"]


def test_an_empty_queue_says_so_and_an_unknown_item_is_refused(ran: Project) -> None:
    assert "Nothing waits" in ran.run("review", "list").out
    assert ran.run("review").out == ran.run("review", "list").out
    assert ran.json("review") == {"waiting": 0, "items": []}
    assert "accept" in ran.run("review", "--help").out
    refused = ran.run("review", "accept", "abc", "--reason", "x", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (2, "review_unknown")


def test_everything_about_one_person_is_written_for_them(ran: Project) -> None:
    ran.run("consent", "set", "15400000001", "--deny", "--channel", "sms")
    done = ran.json("export", "15400000001", "--to", "one.json")
    file = ran.folder / "one.json"
    assert file.stat().st_mode & 0o077 == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [row["source_id"] for row in found["tables"]["orders"]] == ["T1", "T2"]
    assert found["tables"]["profiles"][0]["name"] == "王小明"
    assert "15400000002" not in file.read_text(encoding="utf-8")
    assert [(row["channel"], row["granted"]) for row in found["tables"]["consents"]] == [("sms", False)]
    assert done["rows"]["orders"] == 2
    assert (
        ran.run("export", "15400000001", "--to", "one.json", "--json").document["error"]["code"] == "export_unwritable"
    )


def test_what_two_customers_share_exports_neither(ran: Project) -> None:
    ran.shop["customers"].append({"id": "M0000009", "name": "李强", "phone": "15400000001"})
    ran.save()
    ran.run("ingest")
    ran.run("resolve")
    refused = ran.run("export", "15400000001", "--to", "two.json", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (2, "customer_ambiguous")
    assert not (ran.folder / "two.json").exists()


def test_forgetting_asks_looks_first_and_leaves_its_mark(ran: Project) -> None:
    refused = ran.run("forget", "15400000001", "--reason", "request 7", "--json")
    assert refused.code == 2
    assert json.loads(refused.out)["error"]["code"] == "confirmation_needed"
    trial = ran.run("forget", "15400000001", "--reason", "request 7", "--dry-run")
    assert "warehouse.orders" in trial.out
    assert "would be made anonymous" in trial.out
    assert "15400000001" not in trial.out
    ran.write(".hub/old.txt", "call 15400000001")
    named = ran.run("forget", "15400000001", "--reason", "request 7", "--dry-run").out
    assert "Not cleared: look after it yourself" in named
    assert "file old.txt: no connection of hub.toml says it is its own; delete it" in named
    done = ran.json("forget", "15400000001", "--reason", "request 7", "--yes", "--actor", "li")
    assert done["done"]
    assert len(done["left"]) == 1
    assert done["rows"]["warehouse.profiles"] == 1
    assert ran.run("customer", "15400000001").code == 1
    assert ran.run("forget", "15400000001", "--reason", "request 7", "--yes").code == 2


def test_ending_an_interrupted_forgetting_tells_what_is_left_to_do(
    ran: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran.write(".hub/old.txt", "call 15400000001")

    def interrupted(point: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("hub.pipeline.forget.crash_point", interrupted)
        assert ran.run("forget", "15400000001", "--reason", "request 7", "--yes").code == 130
    copy = ran.folder / "open"
    shutil.copytree(ran.folder / ".hub", copy)
    shown = ran.run("forget", "--finish").out
    assert "Finished: 1 that an earlier command had left open." in shown
    heading, columns, _, row, *_ = shown[shown.index("Not cleared") :].splitlines()
    assert heading == "Not cleared: look after it yourself"
    assert columns.split() == ["Erasure", "Place"]
    assert "file old.txt" in row
    assert ran.run("forget", "--finish").out == "Nothing was left open.\n"
    shutil.rmtree(ran.folder / ".hub")
    shutil.copytree(copy, ran.folder / ".hub")
    done = ran.json("forget", "--finish")
    (erasure,) = done["finished"]
    assert done["left_by_finished"] == {
        erasure: ["file old.txt: no connection of hub.toml says it is its own; delete it"]
    }


def test_a_newcomer_who_asks_about_the_wrong_or_an_old_id_is_helped(ran: Project) -> None:
    unknown = ran.run("explain", "pos:M0000001", "pos:M9999999")
    assert unknown.code == 2
    assert "The second of the two: No profile has this key" in unknown.err
    assert "Both name the same profile" in ran.run("explain", "pos:M0000001", "M0000001").err
    assert "There are en and zh" in ran.run("explain", "M0000001", "M0000002", "--language", "fr").err
    before = ran.json("merge", "pos:M0000002", "pos:M0000003", "--reason", "one person")["customers"]
    gone = next(row["other"] for row in _history(ran) if row["event"] == "merged")
    assert gone not in before.values()
    assert "a person said that" in ran.run("explain", gone, "pos:M0000003").out
    same = ran.run("explain", gone, gone).out
    assert "pos:M0***02 and pos:M0***03 are one customer" in same
    alike = ran.run("explain", "15400000002", "15400000001", "--language", "zh").out
    assert "不是同一位客户" in alike


def _history(ran: Project) -> list[dict[str, str]]:
    ran.run("publish")
    (customer,) = ran.json("customer", "M0000002")["customers"]
    return customer["history"]


def test_two_profiles_that_look_alike_when_masked_stay_two(ran: Project) -> None:
    ran.shop["customers"] += [{"id": f"N{n}", "name": "周全", "phone": "15400000077"} for n in (1, 2)]
    ran.save()
    ran.run("ingest")
    ran.run("resolve")
    assert "pos:N*** and pos:N*** (2) are one customer" in ran.run("explain", "15400000077", "15400000077").out


def test_a_customer_is_found_by_whatever_names_them(ran: Project) -> None:
    ran.json("merge", "pos:M0000002", "pos:M0000003", "--reason", "one person")
    merged = next(row["other"] for row in _history(ran) if row["event"] == "merged")
    (first,) = ran.json("customer", "15400000001")["customers"]
    for query in ("+86 154 0000 0001", "M0000001", "pos:M0000001", first["customer"]["customer_id"]):
        (found,) = ran.json("customer", query)["customers"]
        assert found["customer"]["customer_id"] == first["customer"]["customer_id"], query
    (heir,) = ran.json("customer", merged)["customers"]
    assert heir["customer"]["profiles"] == 2
    assert ran.run("customer", "15400009999").code == 1
