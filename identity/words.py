"""The words explanations are made of, in Chinese and English, and how values are shown without giving them away."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ASSURANCE_WORDS", "KIND_WORDS", "LANGUAGES", "RULE_WORDS", "SENTENCES", "VALUE_WORDS", "masked"]

LANGUAGES = ("zh", "en")

_Words = Mapping[str, Mapping[str, str]]

KIND_WORDS: _Words = {
    "phone": {"zh": "手机号", "en": "phone"},
    "phone_masked": {"zh": "脱敏手机号", "en": "phone known by these digits only"},
    "email": {"zh": "邮箱", "en": "email address"},
    "member_no": {"zh": "会员号", "en": "member number"},
    "card_no": {"zh": "卡号", "en": "card number"},
    "unionid": {"zh": "微信 unionid", "en": "WeChat unionid"},
    "openid": {"zh": "微信 openid", "en": "WeChat openid"},
    "external_userid": {"zh": "企业微信外部联系人", "en": "WeCom contact id"},
    "yz_open_id": {"zh": "有赞账号", "en": "Youzan account"},
    "wid": {"zh": "微盟账号", "en": "Weimob account"},
    "alipay_id": {"zh": "支付宝账号", "en": "Alipay account"},
    "payment_token": {"zh": "支付账户", "en": "payment account"},
    "custom": {"zh": "自定义标识", "en": "custom identifier"},
    "phone_mask+name": {"zh": "姓名读音和脱敏手机号", "en": "name (by its sound) and visible phone digits"},
    "name+birthday": {"zh": "姓名读音和生日", "en": "name (by its sound) and birthday"},
    "likely": {"zh": "整体相似度", "en": "overall likeness"},
    "name+address": {"zh": "姓名读音和地址", "en": "name (by its sound) and address"},
}

RULE_WORDS: _Words = {
    "names_differ": {"zh": "姓名不同", "en": "the names differ"},
    "birthdays_differ": {"zh": "生日不同", "en": "the birthdays differ"},
    "limit": {
        "zh": "合并后同类标识会超过一人的上限",
        "en": "one customer would have more identifiers of one kind than one person has",
    },
    "too_large": {"zh": "合并后客户过大，需人工复核", "en": "the customer would become too large; it waits for review"},
    "late_bridge": {
        "zh": "仅凭一条弱证据连接两个大客户，需人工复核",
        "en": "one thin link between two big groups; it waits for review",
    },
    "cannot_link": {"zh": "人工规定不得合并", "en": "a person said they must stay apart"},
    "other_account": {
        "zh": "同一系统还有另一个账号在用它，无法证明属于同一人",
        "en": "a second login of the same system stands on it, and nothing proves that both are one person's",
    },
    "unclear_owner": {
        "zh": "有几个人用它，无法判断是其中哪一位",
        "en": "several people use it, and it is unclear which of them is meant",
    },
    "other_owner": {"zh": "它停用一段时间后换了新主人", "en": "it fell silent and then turned up with a new owner"},
    "several_people": {"zh": "它由几个人共用", "en": "several people share it"},
    "likely": {
        "zh": "相似度不足以自动合并，需人工复核",
        "en": "it is not enough to join them unseen; it waits for review",
    },
    "contradicted": {"zh": "双方另有互相矛盾的标识", "en": "something else that each of them has contradicts it"},
}

ASSURANCE_WORDS: _Words = {
    "5": {"zh": "平台签发", "en": "issued by the platform"},
    "4": {"zh": "本人授权", "en": "confirmed by the person"},
    "3": {"zh": "顾客填写", "en": "typed by the customer"},
    "2": {"zh": "店员录入", "en": "typed by staff"},
    "1": {"zh": "来源不明", "en": "of unknown origin"},
}
"""By rank of the assurance."""

VALUE_WORDS: _Words = {
    "pattern": {"zh": "是占位或测试值", "en": "a placeholder"},
    "listed": {
        "zh": "是门店、员工的号码，或已列入屏蔽名单",
        "en": "it is a number of the shops or their staff, or on the block list",
    },
    "too_many_profiles": {"zh": "使用它的档案过多", "en": "carried by too many profiles"},
    "too_many_names": {"zh": "对应姓名过多", "en": "carried under too many names"},
}

SENTENCES: _Words = {
    "together": {
        "zh": "{left} 与 {right} 是同一位客户（{customers}）：",
        "en": "{left} and {right} are one customer ({customers}):",
    },
    "apart": {
        "zh": "{left} 与 {right} 不是同一位客户（{customers}）：",
        "en": "{left} and {right} are different customers ({customers}):",
    },
    "shared": {"zh": "{left} 与 {right} 的{kind}相同：{value}", "en": "{left} and {right} share the {evidence}"},
    "must_link": {"zh": "人工确认 {left} 与 {right} 是同一人", "en": "a person said that {left} and {right} are one"},
    "cannot_link": {
        "zh": "人工确认 {left} 与 {right} 不是同一人",
        "en": "a person said that {left} and {right} are not one",
    },
    "platform": {
        "zh": "平台自身已将 {left} 并入 {right} 或反之",
        "en": "the platform itself merged {left} and {right}",
    },
    "refused": {
        "zh": "{left} 与 {right} 有共同的{evidence}，本可合并，但{rule}",
        "en": "the {evidence} spoke for joining {left} and {right}, but {rule}",
    },
    "unlike": {
        "zh": "{left} 与 {right} 的{evidence}，本可合并，但{rule}",
        "en": "the {evidence} spoke for joining {left} and {right}, but {rule}",
    },
    "blocked": {
        "zh": "{left} 与 {right} 都有{evidence}，但它不能代表个人：{rule}",
        "en": "{left} and {right} both carry the {evidence}, which says nothing about a person: {rule}",
    },
    "how": {"zh": "（一方{left}，另一方{right}）", "en": " ({left} on one side, {right} on the other)"},
    "how_both": {"zh": "（{left}）", "en": " ({left})"},
    "since": {"zh": "，自 {day} 起两边都有", "en": ", on both since {day}"},
    "by": {"zh": "（{actor}，{day}：{note}）", "en": " ({actor}, {day}: {note})"},
    "likely": {
        "zh": "模型认为 {left} 与 {right} 是同一人的可能为 {value}",
        "en": "a trained model gives {left} and {right} a chance of {value} of being one person",
    },
    "nothing": {"zh": "没有任何证据把两者联系起来", "en": "no evidence connects the two"},
    "clash": {
        "zh": "{kind}不同：一方 {left}，另一方 {right}",
        "en": "different {kind}: {left} on one side, {right} on the other",
    },
    "clash_hidden": {
        "zh": "{kind}不同：双方都显示为 {left}，差别在隐去的部分",
        "en": "different {kind}: both look like {left}, and differ in what is hidden here",
    },
    "same_name": {"zh": "双方姓名读音相同", "en": "their names sound the same"},
    "title_fits": {"zh": "姓氏和称呼与另一方的姓名相符", "en": "the surname and title of one fit the other's name"},
    "no_name": {
        "zh": "有一方没有姓名，也没有迹象表明另有其人",
        "en": "one of them has no name, and nothing speaks for a second person",
    },
    "gap": {
        "zh": "前一位用到 {before}，后一位从 {after} 开始用",
        "en": "the one before was last seen with it on {before}, the one after first on {after}",
    },
    "carried": {"zh": "共有 {profiles} 份档案带有它", "en": "profiles that carry it: {profiles}"},
    "carried_names": {
        "zh": "共有 {profiles} 份档案带有它，姓名有 {names} 个",
        "en": "profiles that carry it: {profiles}, under {names} different names",
    },
    "more_pairs": {"zh": "，此决定还涉及双方的另外 {more} 对档案", "en": ", and of {more} more pairs of theirs"},
    "besides": {"zh": "此外还有：", "en": "Besides:"},
    "known_by": {"zh": "识别依据：{values}", "en": "known by: {values}"},
    "known_by_nothing": {"zh": "没有可用的识别依据", "en": "known by nothing that counts"},
    "ignored": {"zh": "；不作数：{values}", "en": "; does not count: {values}"},
    "comma": {"zh": "、", "en": ", "},
}


def masked(kind: str | None, value: str | None) -> str:
    """A value as it may be shown: enough to recognise it beside the original, not enough to use it.

    >>> masked("phone", "+8615410000001")
    '154****0001'
    >>> masked("name+birthday", "1981-01-19 bai hao long")
    '198*-**-**'
    """
    if not value:
        return ""
    if kind == "phone":
        digits = value.removeprefix("+86") if value.startswith("+861") else value
        return f"{digits[:3]}****{digits[-4:]}"
    if kind == "email":
        local, _, host = value.partition("@")
        return f"{local[:1]}***@{host}"
    if kind == "phone_mask+name":
        return value.partition(" ")[0]
    if kind == "name+birthday":
        return f"{value[:3]}*-**-**"
    if kind is not None and "+" in kind:
        return f"{value[:3]}***"
    return f"{value[:3]}***{value[-2:]}" if len(value) > 6 else f"{value[:1]}***"
