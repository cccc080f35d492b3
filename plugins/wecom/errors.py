"""What each error code of WeCom means for a call (official document 90313 and the pages of the single APIs)."""

from __future__ import annotations

from typing import Final

from hub.errors import HubError
from hub.http import Action, ErrorTable, Rule, code_envelope

__all__ = ["ERRORS", "NO_RELATION", "SPLITTABLE", "code_of"]

NO_RELATION: Final = frozenset({"84061", "84084"})
"""This member of staff has no such customer (deleted, or 免验证 and not confirmed yet)."""

SPLITTABLE: Final = frozenset(
    {"40003", "40031", "40032", "41054", "50002", "60011", "60021", "60111", "81017", *NO_RELATION}
)
"""One of several members of staff named in a call cannot be read; the call may work without that one."""

_CREDENTIALS = "Check corp_id and secret: 我的企业 → 企业ID, and 应用管理 → the self-built app → Secret. Mend it before trying again, or the platform blocks this address for an hour."
_ADDRESS = "Add this machine's address (the platform names it as `from ip`) under 应用管理 → the app → 企业可信IP; it takes about a minute."
_PERMISSION = (
    "In the admin console: 客户联系 → 权限配置 → 可调用接口的应用 must list the app, and 使用范围 the staff; the app's 可见范围 must cover them. "
    "Contacts of staff and departments need the app's own 可见范围."
)
_APP = "The app is switched off or forbidden to call; look at it in the admin console under 应用管理."
_QUOTA = "The corp has used up its number of customers or must file documents; the admin console says which."
_LIMITED = "The platform's frequency limit is reached; lower calls_per_second if it happens again."
_UNKNOWN_STAFF = "The member of staff has left, is not activated (must log in once), or is outside the app's 可见范围."
_NO_CUSTOMER = "The guide has deleted this customer, or has not confirmed it yet."

_RULES: Final = (
    Rule(Action.STOP, code=("40001", "40013", "40091", "41002", "41004"), path="*/gettoken", hint=_CREDENTIALS, error_code="wecom_credentials"),
    Rule(Action.REFRESH, code=("40001", "40014", "42001"), error_code="wecom_token_refused"),
    Rule(Action.STOP, code="60020", hint=_ADDRESS, error_code="wecom_address_not_trusted"),
    Rule(Action.RETRY, code="-1", tries=4, error_code="wecom_busy"),
    Rule(Action.RETRY, code=("45033", "45035", "6000"), unprocessed=True, error_code="wecom_contended"),
    Rule(Action.RATE_LIMITED, code="45009", wait=60.0, hint=_LIMITED, error_code="wecom_rate_limited"),
    Rule(Action.DEFER, code="45036", hint=_LIMITED, error_code="wecom_traffic_restricted"),
    # A mass message that is still being handed to the guides: asked again later.
    Rule(Action.ACCEPT, code="41063"),
    Rule(Action.STREAM, code=("48001", "48002", "48004", "48005", "48006", "48009", "84074"), hint=_PERMISSION, error_code="wecom_not_permitted"),
    Rule(Action.STOP, code=("50003", "50006", "60031", "301007", "48010"), hint=_APP, error_code="wecom_app_forbidden"),
    Rule(Action.STREAM, code=("48011", "610023", "610024", "701008"), hint=_QUOTA, error_code="wecom_data_withheld"),
    Rule(Action.STREAM, code="301002", hint=_PERMISSION, error_code="wecom_not_permitted"),
    Rule(Action.STREAM, code="50100", error_code="wecom_cursor_invalid"),
    Rule(Action.ROW, code=tuple(sorted(NO_RELATION)), hint=_NO_CUSTOMER, error_code="wecom_no_relation"),
    Rule(Action.ROW, code=("40096", "41056"), hint="The id belongs to another app or corp, or to a group member nobody has added.", error_code="wecom_customer_unknown"),
    Rule(Action.ROW, code=("40003", "40031", "40032", "41054", "50002", "60011", "60021", "60111"), hint=_UNKNOWN_STAFF, error_code="wecom_staff_unusable"),
    Rule(Action.ROW, code="81017", error_code="wecom_too_many_owners"),
)  # fmt: skip

ERRORS: Final = ErrorTable(_RULES, code_envelope("errcode", message="errmsg"))
"""Codes without a rule are refused: one row where the call was about one, else the stream."""


def code_of(error: HubError) -> str:
    """Return the platform's own code of an error, or its stable name where the platform gave none."""
    return str(error.context.get("code") or error.code)
