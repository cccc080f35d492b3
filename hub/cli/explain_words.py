"""What the page of `hub explain` says besides the explanation itself, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ADVICE", "EVENTS", "PAGE"]

_Words = Mapping[str, Mapping[str, str]]

PAGE: _Words = {
    "several": {
        "zh": "（您给出的两项分别对应 {left} 份和 {right} 份档案，以下比较其中两份。）",
        "en": "(What you asked about names {left} and {right} profiles; this page compares two of them.)",
    },
    "who": {"zh": "双方：", "en": "The two:"},
    "person": {
        "zh": "- {key}：{name}，属于客户 {customer}（{size} 份档案），{first} 首次出现，{last} 最近出现",
        "en": "- {key}: {name}, of customer {customer} (profiles: {size}), first seen {first}, last seen {last}",
    },
    "nameless": {"zh": "无姓名", "en": "no name"},
    "tickets_only": {
        "zh": "没有档案，只有凭卡号或支付账户认出的小票",
        "en": "no profile, only tickets that tell a card or payment account",
    },
    "history": {"zh": "经过：", "en": "What happened:"},
    "left_out": {"zh": "  （中间 {count} 次变动从略）", "en": "  ({count} more in between)"},
    "change": {"zh": "什么会改变这个结论：", "en": "What would change this:"},
    "do": {"zh": "您可以做什么：", "en": "What you can do:"},
    "merge": {
        "zh": "他们其实是同一个人：hub merge {left} {right} --reason 原因（长期有效，可用 hub unmerge 撤回）",
        "en": "They are one person: hub merge {left} {right} --reason WHY (lasting; hub unmerge takes it back)",
    },
    "unmerge": {
        "zh": "他们其实是两个人：hub unmerge {left} --from {right} --reason 原因（长期有效，可用 hub merge 撤回）",
        "en": "They are two people: hub unmerge {left} --from {right} --reason WHY (lasting; hub merge takes it back)",
    },
    "unmerge_one": {
        "zh": "只有一份不属于这位客户：hub unmerge {left} --reason 原因，或 hub unmerge {right} --reason 原因",
        "en": "Only one of them does not belong to this customer: hub unmerge {left} --reason WHY, or hub unmerge {right} --reason WHY",
    },
    "review": {
        "zh": "此问题正等待人工答复：hub review list，然后 hub review accept 或 hub review refuse",
        "en": "The question waits for an answer: hub review list, then hub review accept or hub review refuse",
    },
    "reveal": {
        "zh": "PROFILE1、PROFILE2 是双方的档案编号；加 --reveal 可显示完整编号",
        "en": "PROFILE1 and PROFILE2 stand for the keys of the two; --reveal shows them in full",
    },
    "as_of": {"zh": "结论依据 {at} 的归并结果。", "en": "As decided by the resolution of {at}."},
}

ADVICE: _Words = {
    "shared_contact": {
        "zh": "如果其中一方登记有误，请在原平台更正，下次运行会重新判断。",
        "en": "If one of them has it by mistake, correct it on its platform: the next run looks again.",
    },
    "shared_account": {
        "zh": "这是系统发给一个人的标识。如果有两个人在用，只有人工拆分才能分开。",
        "en": "A system gave it out to one person. If two people use it, only a decision of yours parts them.",
    },
    "besides": {
        "zh": "他们还有别的共同点，只更正一处不会分开。",
        "en": "They have more in common, so correcting one thing alone would not part them.",
    },
    "must_link": {
        "zh": "人工决定优先于所有规则，只有之后的人工拆分才能改变。",
        "en": "A person's decision stands above all rules; only a later unmerge ends it.",
    },
    "platform": {
        "zh": "只要平台仍把两个账号视为一个，结论就不变。",
        "en": "It stays so as long as the platform says that the two accounts are one.",
    },
    "likely": {
        "zh": "这是模型的判断：补充手机号、卡号等确切标识，或人工答复，都会改变它。",
        "en": "A model says so: a phone, a card or another identifier that proves more, or a person's answer, would change it.",
    },
    "names_differ": {
        "zh": "双方姓名（按读音）一致，或有共同的会员卡、会员号、微信账号，就会合并。",
        "en": "The same full name (by its sound) on both, or a card, member number or WeChat account in common, would join them.",
    },
    "birthdays_differ": {
        "zh": "如果有一方生日填错，请在原平台更正，下次运行会重新判断。",
        "en": "If one of the birthdays is wrong, correct it on its platform: the next run looks again.",
    },
    "other_owner": {
        "zh": "运营商会把停用的号码发给别人。如果其实是同一个人，共同的会员卡或微信账号会让他们合并。",
        "en": "Operators hand silent numbers on. If it is one person after all, a card or WeChat account in common would join them.",
    },
    "other_account": {
        "zh": "本人在这个账号上验证手机号（一键登录或验证码），或有共同的会员卡、微信账号，就会合并。",
        "en": "If the person confirms the number in that login, or both have a card or WeChat account in common, they are joined.",
    },
    "unclear_owner": {
        "zh": "给没有全名的一方补上全名，就会与姓名相符的一位合并。",
        "en": "A full name on the one that has none would join it with whoever of them it fits.",
    },
    "several_people": {
        "zh": "用它的人已按姓名和账号分开；姓名相符，或有共同的会员卡、微信账号，就会合并。",
        "en": "The people who use it were told apart by name and login; a name that fits, or a card or WeChat account in common, would join them.",
    },
    "limit": {
        "zh": "如果其中一个标识登记有误或已停用，请在原平台更正。",
        "en": "If one of those identifiers is somebody else's or out of use, correct it on its platform.",
    },
    "too_large": {"zh": "需要人工答复。", "en": "A person's answer."},
    "late_bridge": {
        "zh": "再出现一条不同的共同证据，或人工答复。",
        "en": "A second piece of evidence of another kind, or a person's answer.",
    },
    "contradicted": {
        "zh": "如果互相矛盾的标识有一个登记有误，请在原平台更正；如果都是本人的，请人工合并。",
        "en": "If one of the two that differ is mistyped, correct it on its platform; if both are this person's, decide so.",
    },
    "cannot_link": {
        "zh": "人工决定优先于所有规则，只有之后的人工合并（或在复核中接受）才能改变。",
        "en": "A person's decision stands above all rules; only a later merge, or accepting it in the review queue, ends it.",
    },
    "listed": {
        "zh": "如果它其实是顾客本人的号码，请从门店或员工资料、或 identity.blocked 中移除。",
        "en": "If it is the customer's own number, take it off the shop's or staff's record, or out of identity.blocked.",
    },
    "pattern": {
        "zh": "填上真实的值，下次运行会重新判断。",
        "en": "With a real value in its place the next run looks again.",
    },
    "too_many_profiles": {
        "zh": "如果它确实只属于一个人，请加入 identity.trusted。",
        "en": "If it really is one person's, put it into identity.trusted.",
    },
    "too_many_names": {
        "zh": "如果它确实只属于一个人，请加入 identity.trusted。",
        "en": "If it really is one person's, put it into identity.trusted.",
    },
    "nothing": {
        "zh": "双方有了共同的手机号、会员卡、会员号、微信账号或支付账户，就会合并。",
        "en": "A phone, card, member number, WeChat or payment account that both have would join them.",
    },
    "no_model": {
        "zh": "没有启用相似度模型，仅凭姓名、城市相近不会合并（hub identity train 可训练一个）。",
        "en": "No model of likeness is in use, so that a like name and city alone join nobody (hub identity train makes one).",
    },
    "decide": {"zh": "人工决定。", "en": "A person's decision."},
}
"""By step or rule of a reason."""

EVENTS: _Words = {
    "created": {"zh": "建立客户", "en": "created"},
    "assigned": {"zh": "归入客户", "en": "assigned to"},
    "merged": {"zh": "合并客户", "en": "merged"},
    "split": {"zh": "拆分出客户", "en": "split off"},
    "unmerged": {"zh": "恢复为原客户", "en": "came back"},
    "reassigned": {"zh": "改归客户", "en": "moved to"},
    "removed": {"zh": "移除档案", "en": "removed from"},
    "retired": {"zh": "客户停用", "en": "retired"},
}
