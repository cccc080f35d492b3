"""What the gateway's answers mean: the envelope, the few error codes that are known, and partial failures. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hub.errors import HubError, RowError
from hub.http import Action, BusinessError, ErrorTable, Rule

__all__ = [
    "NO_PERMISSION",
    "TOKEN_REFUSED",
    "UNKNOWN_FIELD",
    "error_table",
    "failures",
    "is_forbidden",
    "read_error",
    "refuse_unless_done",
]

TOKEN_REFUSED: Final = "80001001000119"  # noqa: S105 - an error code
"""accesstoken 无效或已过期."""
NO_PERMISSION: Final = "weimob_capability_missing"
"""Code of the error that a capability which was not applied for produces."""
UNKNOWN_FIELD: Final = ("字段", "field", "不支持", "未知")
"""Words with which user/search refuses a field it does not know."""

_LOST: Final = (
    "The application may no longer act for the shop: check client_id, client_secret and bos_id, and that the application is "
    "still authorised in the 微盟云 console."
)
_CREDENTIALS: Final = (
    "Check client_id, client_secret and bos_id in hub.toml; the 微盟云 console shows them (应用管理 > 应用信息)."
)
_CAPABILITY: Final = (
    "Apply for the capability (申请能力) in the 微盟云 console, or have the shop book the edition it belongs to; the plugin's "
    "README lists which one each stream and target needs."
)

ERRORS: Final[tuple[Rule, ...]] = (
    Rule(Action.STOP, path="*/oauth2/token", code=("invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type"),
         error_code="weimob_credentials", hint=_CREDENTIALS),
    Rule(Action.AUTH, path="*/oauth2/token", code="invalid_grant", error_code="weimob_authorisation_lost", hint=_LOST),
    Rule(Action.REFRESH, code=TOKEN_REFUSED, error_code="weimob_authorisation_lost", hint=_LOST),
    Rule(Action.REFRESH, code="80001001000*", says="token", error_code="weimob_authorisation_lost", hint=_LOST),
    Rule(Action.STREAM, says="无权限|未授权|没有权限|暂无权限", error_code=NO_PERMISSION, hint=_CAPABILITY),
    Rule(Action.RATE_LIMITED, says="频繁|限流|流控|调用超限", wait=2.0),
    Rule(Action.RETRY, says="系统繁忙|稍后再试|系统异常"),
)  # fmt: skip


def read_error(data: Any) -> BusinessError | None:
    """Return what a decoded answer complains of, or None for a success.

    Two shapes: the gateway's ``{"code": {"errcode", "errmsg"}, "data"}``, where a success is ``"0"`` as text or number, and the
    token address's OAuth shape.
    """
    if not isinstance(data, Mapping):
        return BusinessError("", "the answer is not a JSON object")
    if isinstance(error := data.get("error"), str):
        return BusinessError(error, str(data.get("error_description") or ""))
    code = data.get("code")
    if not isinstance(code, Mapping):
        return (
            None
            if "access_token" in data or isinstance(data.get("data"), Mapping)
            else BusinessError("", "no code in the answer")
        )
    found = str(code.get("errcode"))
    if found == "0":
        return None
    trace = str(data.get("globalTicket") or data.get("monitorTrackId") or "")
    return BusinessError(found, str(code.get("errmsg") or ""), trace)


def error_table() -> ErrorTable:
    """Return the gateway's errors for the HTTP layer."""
    return ErrorTable(ERRORS, read_error)


def is_forbidden(error: HubError) -> bool:
    """Say whether the capability was not applied for, or the shop's edition lacks it (无权限)."""
    return error.code == NO_PERMISSION


def failures(data: object) -> Iterator[Mapping[str, Any]]:
    """Give the partial failures that an answer with errcode 0 hides inside ``data``.

    They stand in ``errorList`` or ``failList`` (objects or bare wids), in ``list`` as ``status: 9``, or in
    ``couponResultList`` as ``isSuccess: false``.
    """
    if not isinstance(data, Mapping):
        return
    for name in ("errorList", "failList"):
        for entry in data.get(name) or ():
            yield entry if isinstance(entry, Mapping) else {"wid": entry}
    for entry in data.get("list") or ():
        if isinstance(entry, Mapping) and str(entry.get("status")) == "9":
            yield entry
    for entry in data.get("couponResultList") or ():
        if isinstance(entry, Mapping) and entry.get("isSuccess") is False:
            yield entry


def refuse_unless_done(data: object) -> None:
    """Raise ``RowError`` where the envelope says success and ``data`` says failure.

    Raises:
        RowError: ``weimob_not_done``; the platform's own words are in its context.
    """
    if data is False or (isinstance(data, Mapping) and (data.get("isSuccess") is False or data.get("result") is False)):
        raise RowError("The platform says that it did not do it.", code="weimob_not_done")
