"""The page that answers "why are these two one?" or "why are they not?", case by case, and that the guide shows it as it is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from identity_frames import phone
from page_cases import CASES, decided, held, page, person

# One process resolves each case once and has it for all tests.
pytestmark = pytest.mark.xdist_group("pages")

GUIDE = Path(__file__).parents[2] / "docs" / "why-one.md"

SAID: dict[str, tuple[str, ...]] = {
    "one phone on two platforms": (
        "pos:1001 and youzan:77 are one customer (c1):",
        "share the phone 154****0001 (typed by staff on one side, confirmed by the person on the other), on both since 2026-05-02",
        "the surname and title of one fit the other's name",
        "- If one of them has it by mistake, correct it on its platform: the next run looks again.",
        "- They are two people: hub unmerge pos:1001 --from youzan:77 --reason WHY (lasting; hub merge takes it back)",
    ),
    "one WeChat account": (
        "share the WeChat unionid oNe***XO (issued by the platform), on both since 2026-06-01",
        "If two people use it, only a decision of yours parts them.",
    ),
    "a family on one phone": (
        "pos:1001 and pos:1002 are different customers (c1, c2):",
        "the phone 154****0001 spoke for joining pos:1001 and pos:1002, but the names differ",
        "profiles that carry it: 2, under 2 different names",
        "The same full name (by its sound) on both, or a card, member number or WeChat account in common, would join them.",
        "hub merge pos:1001 pos:1002 --reason WHY",
    ),
    "a phone with a new owner": (
        "but it fell silent and then turned up with a new owner",
        "the one before was last seen with it on 2025-09-01, the one after first on 2026-05-02",
    ),
    "the shop's own phone": (
        "which says nothing about a person: it is a number of the shops or their staff, or on the block list",
        "known by nothing that counts; does not count: phone 154****0009",
        "take it off the shop's or staff's record",
    ),
    "a phone of which only some digits are known": (
        "share the name (by its sound) and visible phone digits 154****0001",
        "known by: phone known by these digits only 154****0001",
    ),
    "names that sound alike": (
        "share the phone 154****0001",
        "their names sound the same",
        "- pos:1002: 张惠, of customer c1",
    ),
    "two WeChat accounts of one person": (
        "share the phone 154****0001 (confirmed by the person)",
        "known by: phone 154****0001, WeChat unionid oNe***XO",
        "known by: phone 154****0001, WeChat unionid oPq***Rt",
    ),
    "nothing in common, with a model": (
        "a trained model gives pos:1001 and weimob:31 a chance of 99.9% of being one person",
        "before looking, any two profiles: -11.0 bits (each bit doubles the odds)",
        "birthday speaks strongly for one person (+10.2 bits)",
    ),
    "nothing in common, unsure": (
        "it is not enough to join them unseen; it waits for review",
        "The question waits for an answer: hub review list, then hub review accept or hub review refuse",
    ),
    "nothing in common, without a model": (
        "no evidence connects the two",
        "known by: Weimob account 908***63",
        "No model of likeness is in use, so that a like name and city alone join nobody",
    ),
    "merged by the platform": (
        "the platform itself merged weimob:31 and weimob:32",
        "It stays so as long as the platform says that the two accounts are one.",
    ),
    "taken apart by hand": (
        "a person said that pos:1001 and youzan:77 are not one (li, 2026-08-25: mother and daughter)",
        "the phone 154****0001 spoke for joining pos:1001 and youzan:77, but a person said they must stay apart",
        "only a later merge, or accepting it in the review queue, ends it.",
    ),
    "tickets with a card": (
        "share the card number 880***01 (issued by the platform), on both since 2026-04-11",
        "no profile, only tickets that tell a card or payment account",
    ),
    "same name and birthday, different phones": (
        "the name (by its sound) and birthday 199*-**-** spoke for joining pos:1001 and youzan:77",
        "different phone: 154****0001 on one side, 154****0002 on the other",
    ),
}
SAID_IN_CHINESE = {
    "one phone on two platforms": "姓氏和称呼与另一方的姓名相符",
    "a family on one phone": "有共同的手机号 154****0001，本可合并，但姓名不同",
    "a phone with a new owner": "前一位用到 2025-09-01，后一位从 2026-05-02 开始用",
    "nothing in common, unsure": "此问题正等待人工答复：hub review list",
    "taken apart by hand": "人工确认 pos:1001 与 youzan:77 不是同一人（li，2026-08-25：mother and daughter）",
}
PARTS = {
    "en": (
        "The two:",
        "What happened:",
        "What would change this:",
        "What you can do:",
        "As decided by the resolution of",
    ),
    "zh": ("双方：", "经过：", "什么会改变这个结论：", "您可以做什么：", "的归并结果。"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_page_says_why_and_what_to_do(name: str) -> None:
    text = page(CASES[name])
    for sentence in SAID[name]:
        assert sentence in text
    assert SAID_IN_CHINESE.get(name, "") in page(CASES[name], "zh")


def test_a_second_thing_in_common_is_told_but_not_the_digits_of_the_same_phone() -> None:
    case = CASES["one phone on two platforms"]
    card = [held(key, "card_no", "88000001", "till", "issued") for key in ("pos:1001", "youzan:77")]
    both = page(replace(case, ids=[*case.ids, *card]))
    assert "share the card number 880***01 (issued by the platform)" in both
    assert "Besides:\n- pos:1001 and youzan:77 share the phone 154****0001" in both
    alike = page(replace(case, people=[person("pos:1001", "王芳"), person("youzan:77", "王芳")]))
    assert "Besides" not in alike


def test_a_decision_about_many_pairs_is_told_once_with_the_pair_that_was_asked_about() -> None:
    case = CASES["taken apart by hand"]
    more = pa.concat_tables(
        [
            decided("cannot_link", "mini:5", "youzan:77", "mother and daughter"),
            *([case.decided] if case.decided else []),
        ]
    )
    known = held("mini:5", "unionid", "oNeW4x9kXO", "brand", "issued")
    other = held("pos:1001", "unionid", "oNeW4x9kXO", "brand", "issued")
    text = page(replace(case, people=[*case.people, person("mini:5")], ids=[*case.ids, known, other], decided=more))
    assert text.count("a person said that") == 1
    assert (
        "pos:1001 and youzan:77 are not one (li, 2026-08-25: mother and daughter), and of 1 more pairs of theirs"
        in text
    )


@pytest.mark.parametrize("language", PARTS)
@pytest.mark.parametrize("name", CASES)
def test_every_page_has_all_parts_no_gap_and_no_whole_value(name: str, language: str) -> None:
    text = page(CASES[name], language)
    assert [part for part in PARTS[language] if part not in text] == []
    assert not re.search(r"None|\{|\(\)|  but|_", text.replace("~card_no", ""))
    assert not re.search(phone(1)[:3] + r"\d{8}", text)
    if language == "zh":
        assert not re.search(r"(?<![\w*])(the|is|and|of|WHY)(?!\w)", text.replace("mother and daughter", ""))


def test_the_guide_shows_pages_as_they_are() -> None:
    shown = re.findall(r"<!-- (zh|en): (.+?) -->\n```text\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(shown) >= 5
    for language, name, text in shown:
        assert text == page(CASES[name], language) + "\n", name
