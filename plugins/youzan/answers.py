"""What the gateway's answers mean: the four shapes of an answer, and what to do about each error code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.http import Action, BusinessError, ErrorTable, Rule

__all__ = ["ALREADY_DONE", "ERRORS", "GONE", "NO_PERMISSION", "TOO_DEEP", "read_error"]

ALREADY_DONE: Final = "142100106"
"""重复操作: a points change with the same ``biz_value`` was booked before."""
GONE: Final = frozenset({"141001107", "144100000", "144100001", "142400105", "141502108", "141503101"})
"""The person is not, or no longer, a customer of the shop."""
NO_PERMISSION: Final = "youzan_permission_missing"
"""Code of the error that a missing capability package produces."""
TOO_DEEP: Final = frozenset({"5000", "142710032"})
"""Asked for a page beyond what the list gives."""

_LOST: Final = (
    "The shop no longer authorises the application, or it is closed: authorise it again in the 有赞云 console "
    "(授权管理), then check client_id, client_secret and kdt_id."
)
_PACKAGE: Final = (
    "The application lacks the capability package (能力包) of this method: apply for it in the 有赞云 console; the plugin's "
    "README lists which one each stream and target needs."
)
_ADDRESS: Final = "Add this server's address to the application's IP whitelist (IP 白名单) in the 有赞云 console."
_OUTDATED: Final = "The platform no longer knows this method or version; the plugin needs an update."
_CREDENTIALS: Final = "Check client_id, client_secret, kdt_id and authorisation in hub.toml."
_QUOTA: Final = "The API package is used up or unpaid: renew it in the 有赞云 console (API 调用包)."

_BACK_OFF: Final = 3.0
"""Seconds; the documented pauses begin with 3."""

ERRORS: Final[tuple[Rule, ...]] = (
    Rule(Action.AUTH, code=("1004", "1005"), path="*/auth/token", error_code="youzan_authorisation_lost", hint=_LOST),
    Rule(Action.STOP, code=("1000", "1103", "1105"), path="*/auth/token", error_code="youzan_credentials", hint=_CREDENTIALS),
    Rule(Action.RATE_LIMITED, code=("4101", "500100004", "123000042", "141500203"), wait=_BACK_OFF),
    Rule(Action.REFRESH, code=("4201", "4202", "4203"), error_code="youzan_authorisation_lost", hint=_LOST),
    Rule(Action.STREAM, code="4204", error_code=NO_PERMISSION, hint=_PACKAGE),
    Rule(Action.STOP, code="4007", says="源IP", error_code="youzan_address_refused", hint=_ADDRESS),
    Rule(Action.STREAM, code=("4001", "4005", "4007", "4008"), error_code="youzan_method_unknown", hint=_OUTDATED),
    # In practice a wrong parameter as often as a passing fault, so no long waiting.
    Rule(Action.RETRY, code=("5001", "5002", "5003"), tries=3),
    Rule(Action.RETRY, code=("106000001", "106100118")),
    Rule(Action.ACCEPT, code=ALREADY_DONE, path="*/youzan.crm.customer.points.*"),
    Rule(Action.RATE_LIMITED, says="限流|太频繁", wait=_BACK_OFF),
    Rule(Action.DEFER, says="欠费|额度已用完|超出.*额度|调用量.*(不足|用完)", error_code="youzan_quota_spent", hint=_QUOTA),
)  # fmt: skip


def read_error(data: Any) -> BusinessError | None:
    """Return what a decoded answer complains of, or None for a success.

    Four shapes: the gateway's ``gw_err_resp``; the old ``error_response`` and its counterpart ``response``; and
    ``success`` with ``code``, which some methods send as text.
    """
    if not isinstance(data, Mapping):
        return BusinessError("", "the answer is not a JSON object")
    trace = str(data.get("trace_id") or "")
    if isinstance(gateway := data.get("gw_err_resp"), Mapping):
        return _error(gateway, "err_code", "err_msg", str(gateway.get("trace_id") or trace))
    if isinstance(old := data.get("error_response"), Mapping):
        return _error(old, "code", "msg", trace)
    if isinstance(data.get("response"), Mapping):
        return None
    if data.get("success") is True and str(data.get("code")) == "200":
        return None
    return _error(data, "code", "message", trace)


def _error(found: Mapping[str, Any], code: str, message: str, trace: str) -> BusinessError:
    texts = ["" if found.get(key) is None else str(found[key]) for key in (code, message)]
    return BusinessError(texts[0], texts[1], trace)


def error_table() -> ErrorTable:
    """Return the gateway's errors for the HTTP layer."""
    return ErrorTable(ERRORS, read_error)
