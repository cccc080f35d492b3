"""The words explanations are made of, in Chinese and English, and how values are shown without giving them away."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ASSURANCE_WORDS", "KIND_WORDS", "LANGUAGES", "RULE_WORDS", "SENTENCES", "VALUE_WORDS", "masked"]

LANGUAGES = ("zh", "en")

_Words = Mapping[str, Mapping[str, str]]

KIND_WORDS: _Words = {
    "phone": {"zh": "手机号", "en": "phone"},
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
    "phone_mask+name": {"zh": "脱敏手机号加同音姓名", "en": "masked phone and same-sounding name"},
    "name+birthday": {"zh": "同音姓名加生日", "en": "same-sounding name and birthday"},
    "likely": {"zh": "整体相似度", "en": "overall likeness"},
    "name+address": {"zh": "同音姓名加地址", "en": "same-sounding name and address"},
}

RULE_WORDS: _Words = {
    "names_differ": {"zh": "姓名不同", "en": "the names differ"},
    "birthdays_differ": {"zh": "生日不同", "en": "the birthdays differ"},
    "limit": {"zh": "合并后同类标识超过上限", "en": "one customer may not have so many identifiers of one kind"},
    "too_large": {"zh": "合并后客户过大，需人工复核", "en": "the customer would become too large; it waits for review"},
    "late_bridge": {
        "zh": "仅凭一条弱证据连接两个大客户，需人工复核",
        "en": "one thin link between two big groups; it waits for review",
    },
    "cannot_link": {"zh": "人工规定不得合并", "en": "a person said they must stay apart"},
    "other_account": {
        "zh": "同一系统的另一个登录账号，且未核实归属",
        "en": "another login of the same system, possession unproven",
    },
    "unclear_owner": {"zh": "无法判断属于号码上的哪一位", "en": "it is unclear which of the people on it is meant"},
    "other_owner": {"zh": "号码停用后换了新主人", "en": "the value has had a new owner since"},
    "several_people": {"zh": "它由几个人共用", "en": "several people share it"},
    "likely": {
        "zh": "相似度不足以自动合并，需人工复核",
        "en": "it is not enough to join them unseen; it waits for review",
    },
    "contradicted": {"zh": "有互相矛盾的同类标识", "en": "identifiers of one kind contradict each other"},
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
    "pattern": {"zh": "占位或测试值", "en": "a placeholder"},
    "listed": {"zh": "已列入屏蔽名单", "en": "on the block list"},
    "too_many_profiles": {"zh": "使用者过多", "en": "carried by too many profiles"},
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
    "shared": {"zh": "{left} 与 {right} 的{kind}相同：{value}", "en": "{left} and {right} share the {kind} {value}"},
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
        "zh": "{left} 与 {right} 的{kind}{value}曾提示合并，但{rule}",
        "en": "the {kind} {value} spoke for joining {left} and {right}, but {rule}",
    },
    "blocked": {
        "zh": "{left} 与 {right} 都有{kind}{value}，但它不能代表个人：{rule}",
        "en": "{left} and {right} both carry the {kind} {value}, which says nothing about a person: {rule}",
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
}


def masked(kind: str | None, value: str | None) -> str:
    """A value as it may be shown: enough to recognise it beside the original, not enough to use it.

    >>> masked("phone", "+8615410000001")
    '154****0001'
    """
    if not value:
        return ""
    if kind == "phone":
        digits = value.removeprefix("+86") if value.startswith("+861") else value
        return f"{digits[:3]}****{digits[-4:]}"
    if kind == "email":
        local, _, host = value.partition("@")
        return f"{local[:1]}***@{host}"
    if kind is not None and "+" in kind:
        return f"{value[:3]}***"
    return f"{value[:3]}***{value[-2:]}" if len(value) > 6 else f"{value[:1]}***"
