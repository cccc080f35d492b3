"""What each return code of WeChat means for a call (developers.weixin.qq.com, global return codes and the single APIs)."""

from __future__ import annotations

from typing import Final

from hub.errors import HubError
from hub.http import Action, ErrorTable, Rule, code_envelope

__all__ = ["ERRORS", "NOT_READY", "SPLITTABLE", "code_of"]

SPLITTABLE: Final = frozenset({"40003", "46004", "49003", "45059", "43019", "40032", "50002", "50005"})
"""One of several openids named in a call is at fault; the call may work without it."""

NOT_READY: Final = "61503"
"""Statistics of that day are not made yet."""

_CREDENTIAL_CODES: Final = ("40001", "40002", "40013", "40125", "41002", "41004")
_CREDENTIALS = "Check appid and secret: the console → 开发 → 基本配置 (official account) or 开发管理 → 开发设置 (mini-program). A reset AppSecret replaces the old one at once."
_ADDRESS = (
    "Add this machine's address (the platform names it in its words) to IP白名单, beside the AppSecret in the console."
)
_CONFIRM = "An administrator of the account has to confirm the call on the phone (WeChat asks there); see 风险操作提醒."
_ACCOUNT = "The account is frozen or closed; look at the notices in its console."
_PERMISSION = "The account has no right to this API: the console's 接口权限 lists which it has; most need 微信认证 and the right kind of account. Check `kind` too."
_BANNED = "The API was taken from the account for breaking rules; the console's notices say why and until when."
_TEMPLATE = "Copy the template's id anew from 订阅消息 → 我的模板; it was deleted, or belongs to another account."
_PAGE = "`page` must be a published page of the mini-program."
_LIMITED = "WeChat's call limit is reached; the console shows each API's daily quota."
_OPENID = "The openid belongs to another appid, or the person has never met this account."
_CONSENT = "The person has not agreed to this template, or the one-time consent is used up."
_LOGIN = "Let the client call wx.login (or the phone button) again: a code works once, for five minutes."

_RULES: Final = (
    Rule(Action.STOP, code=_CREDENTIAL_CODES, path="*/cgi-bin/stable_token", hint=_CREDENTIALS, error_code="wechat_credentials"),
    Rule(Action.STOP, code=_CREDENTIAL_CODES, path="*/sns/*", hint=_CREDENTIALS, error_code="wechat_credentials"),
    Rule(Action.STOP, code="40164", hint=_ADDRESS, error_code="wechat_address_not_trusted"),
    Rule(Action.STOP, code=("89503", "89506", "89507"), hint=_CONFIRM, error_code="wechat_address_not_confirmed"),
    Rule(Action.STOP, code=("50004", "50007"), hint=_ACCOUNT, error_code="wechat_account_frozen"),
    Rule(Action.REFRESH, code=("40001", "40014", "42001"), error_code="wechat_token_refused"),
    # "Busy, try again": the platform has not begun with the call.
    Rule(Action.RETRY, code="-1", tries=4, unprocessed=True, error_code="wechat_busy"),
    Rule(Action.RATE_LIMITED, code=("45009", "45011"), wait=60.0, tries=2, hint=_LIMITED, error_code="wechat_rate_limited"),
    Rule(Action.ACCEPT, code=NOT_READY),
    Rule(Action.STREAM, code="48001", hint=_PERMISSION, error_code="wechat_not_permitted"),
    Rule(Action.STREAM, code=("48004", "43107", "43108"), hint=_BANNED, error_code="wechat_api_banned"),
    Rule(Action.STREAM, code="40037", hint=_TEMPLATE, error_code="wechat_template_unknown"),
    Rule(Action.STREAM, code="41030", hint=_PAGE, error_code="wechat_page_unknown"),
    Rule(Action.ROW, code=("40029", "40163", "41008"), hint=_LOGIN, error_code="wechat_code_refused"),
    Rule(Action.ROW, code="40226", hint="WeChat holds this user for risky; do not let the log-in through.", error_code="wechat_user_risky"),
    Rule(Action.ROW, code="43101", hint=_CONSENT, error_code="wechat_no_consent"),
    Rule(Action.ROW, code=("40003", "46004", "49003"), hint=_OPENID, error_code="wechat_openid_unknown"),
    Rule(Action.ROW, code=("43004", "43005", "50005"), hint="The person does not follow the account.", error_code="wechat_not_following"),
    Rule(Action.ROW, code=("47003", "45168"), hint="See the platform's words for the field at fault.", error_code="wechat_content_refused"),
    Rule(Action.ROW, code=("40032", "43019", "50001", "50002", "45015", "45047", "45056", "45057", "45058", "45059", "45157", "45158", "45159")),
)  # fmt: skip

ERRORS: Final = ErrorTable(_RULES, code_envelope("errcode", message="errmsg"))
"""Codes without a rule are refused: one row where the call was about one, else the stream."""


def code_of(error: HubError) -> str:
    """Return the platform's own code of an error, or its stable name where the platform gave none."""
    return str(error.context.get("code") or error.code)
