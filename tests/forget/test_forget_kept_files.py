"""Files that plugins keep lose the rows of a forgotten person, and serve their readers as before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from home_texts import places_naming

from hub.kept_files import Names, cut_folder
from plugins.pos.inbox import Inbox as PosInbox
from plugins.wechat.inbox import Inbox as WechatInbox
from plugins.wechat.logins import Logins
from plugins.wecom.digests import Digest, DigestFolder, read_digests
from plugins.wecom.inbox import Inbox as WecomInbox
from plugins.weimob.inbox import Inbox as WeimobInbox
from plugins.weimob.messages import Message as WeimobMessage
from plugins.weimob.roster import Roster
from plugins.youzan.messages import Message as YouzanMessage
from plugins.youzan.spool import Spool

PHONE, ACCOUNT, NAME = "15400000001", "wmOuYangRuoXi", "欧阳若曦"
OTHER = "wmMuRongFu"
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
OU = Names([PHONE, ACCOUNT], frozenset({NAME, "1001"}))


def is_clean(folder: Path) -> bool:
    return places_naming(folder, [PHONE, ACCOUNT, NAME]) == {}


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        (f"call +86{PHONE}", True),
        (f'{{"user": "{ACCOUNT}"}}', True),
        ('{"id": 1001}', True),
        ('{"id": "10012", "shop": 21001}', False),
        (NAME, True),
        (f'{{"name": "{NAME}先生"}}', False),
        (r'{"name": "\u6b27\u9633\u82e5\u66e6"}', True),
        ("{ torn", False),
        (PHONE.encode(), True),
        (15400000002, False),
        (None, False),
    ],
)
def test_long_values_are_looked_for_within_texts_and_short_ones_as_a_whole(text: object, is_named: bool) -> None:
    assert OU.are_in(text) is is_named


def test_nobody_is_in_no_text() -> None:
    assert not Names().are_in("{}")
    assert not Names().are_in("")


def test_callbacks_that_wait_go_and_the_numbers_go_on(tmp_path: Path) -> None:
    inbox = WecomInbox(tmp_path)
    for user in (OTHER, ACCOUNT):
        inbox.add({"ExternalUserID": user}, NOW)
    assert cut_folder(tmp_path, OU, trial=True) == 1
    assert not is_clean(tmp_path)
    assert cut_folder(tmp_path, OU) == 1
    assert cut_folder(tmp_path, OU) == 0
    assert [event.fields for event in inbox.after(0, 10)] == [{"ExternalUserID": OTHER}]
    inbox.add({"ExternalUserID": "wmNew"}, NOW)
    assert [event.number for event in inbox.after(2, 10)] == [3], "readers that had come to number 2 see the new one"
    inbox.close()
    assert is_clean(tmp_path)


def test_rows_that_were_removed_before_leave_no_bytes_either(tmp_path: Path) -> None:
    inbox = WechatInbox(tmp_path)
    inbox.add({"MsgId": "1", "FromUserName": ACCOUNT, "Content": NAME}, NOW - dt.timedelta(days=40))
    inbox.prune(1, NOW)
    inbox.close()
    assert cut_folder(tmp_path, OU) == 0
    assert is_clean(tmp_path)


def test_log_ins_go_and_no_later_one_is_passed_over(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    logins.note("oOther", 1, phone="15400000002")
    logins.note(ACCOUNT, 2, phone=PHONE)
    assert [row["change"] for row in logins.after(0, 10)] == [1, 2]
    assert cut_folder(tmp_path, OU) == 1
    logins.note("oNew", 3)
    assert [row["openid"] for row in logins.after(2, 10)] == ["oNew"]
    logins.close()
    assert is_clean(tmp_path)


def test_pushed_messages_and_the_roster_of_weimob_go(tmp_path: Path) -> None:
    inbox, roster = WeimobInbox(tmp_path), Roster(tmp_path)
    for number, wid in enumerate((1001, 1002)):
        inbox.add(WeimobMessage(str(number), "customer", "update", "4021", test=False, body={"wid": wid}), NOW)
    roster.fresh(["1001", "1002"], "list")
    assert cut_folder(tmp_path, OU) == 2
    assert [waiting.message.body for waiting in inbox.after(0, NOW, 10)] == [{"wid": 1002}]
    assert roster.fresh(["1002"], "list") == []
    inbox.close()
    roster.close()


def test_lines_are_blanked_in_their_place_so_that_positions_hold(tmp_path: Path) -> None:
    box = PosInbox(tmp_path / "pos", keep_days=30)
    box.add({"key": "a", "phone": "15400000002"}, NOW)
    _, behind_first = box.read({})
    box.add({"key": "b", "phone": PHONE}, NOW)
    _, behind_second = box.read({})
    size = sum(file.stat().st_size for file in (tmp_path / "pos").glob("*.jsonl"))
    assert cut_folder(tmp_path, OU) == 1
    assert sum(file.stat().st_size for file in (tmp_path / "pos").glob("*.jsonl")) == size
    box.add({"key": "c", "phone": "15400000003"}, NOW)
    assert [entry["key"] for entry in box.read({})[0]] == ["a", "c"]
    assert [entry["key"] for entry in box.read(behind_first)[0]] == ["c"]
    assert [entry["key"] for entry in box.read(behind_second)[0]] == ["c"]
    assert is_clean(tmp_path)


def test_youzan_s_messages_are_blanked_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for key, phone in (("a", PHONE), ("b", "15400000002")):
        spool.add(YouzanMessage(key, "SCRM_CUSTOMER_EVENT", "", "1", key, 1, test=False, body={"mobile": phone}), NOW)
    assert cut_folder(tmp_path, OU) == 1
    assert [waiting.message.key for waiting in spool.read({}, NOW)] == ["b"]
    assert is_clean(tmp_path)


def test_digests_lose_the_person_and_stay_in_order(tmp_path: Path) -> None:
    folder = DigestFolder(tmp_path, "customers")
    with folder.writer() as writer:
        for one in (OTHER, ACCOUNT, "wmZhuGe"):
            writer.add(Digest(one, b"\x01", ("guide",)))
        writer.finish()
    (file,) = folder.files()
    assert cut_folder(tmp_path, OU) == 1
    assert folder.files() == [file], "the stream's state names the file"
    assert [one.id for one in read_digests(file)] == [OTHER, "wmZhuGe"]
    assert is_clean(tmp_path)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert cut_folder(tmp_path / "none", OU) == 0
