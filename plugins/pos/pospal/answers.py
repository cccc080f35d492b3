"""How the platform answers: success and error in one envelope, and what to do about each error. Pure.

The platform publishes no table of error codes. ``status`` decides; what kind of error it is, its words tell, unless the
connection's ``error_codes`` say what a code means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.http import Action, BusinessError, ErrorTable, Rule
from plugins.pos.pospal.config import CodeMeaning

__all__ = ["NO_PERMISSION", "error_table", "read_error"]

NO_PERMISSION: Final = "pospal_permission_missing"

_KEY_HINT: Final = (
    "Check base_url, app_id and app_key of this shop: 银豹 back office > 设置 > 接口管理 (each shop has its own)."
)
_PERMISSION_HINT: Final = (
    "Ask Pospal to open this interface for the shop's appId; the plugin's README lists who needs which."
)
_QUOTA_HINT: Final = (
    "The day's calls are used up; a later run goes on. Ask Pospal for more, or run less often (calls_per_day)."
)
_BACK_OFF: Final = 3.0

_MEANINGS: Final[Mapping[CodeMeaning, Mapping[str, Any]]] = {
    CodeMeaning.KEY: {"action": Action.STREAM, "error_code": "pospal_key_refused", "hint": _KEY_HINT},
    CodeMeaning.PERMISSION: {"action": Action.STREAM, "error_code": NO_PERMISSION, "hint": _PERMISSION_HINT},
    CodeMeaning.QUOTA: {"action": Action.DEFER, "error_code": "pospal_quota_spent", "hint": _QUOTA_HINT},
    CodeMeaning.BUSY: {"action": Action.RETRY},
    CodeMeaning.REFUSED: {"action": Action.REFUSE},
}
_WORDS: Final = (
    (CodeMeaning.KEY, r"签名|(?i:appid).*(不存在|错误|无效)|(?i:signature)"),
    (CodeMeaning.QUOTA, r"(访问|调用|请求).{0,6}(次数|量).{0,8}(上限|限制|超|用完)|(?i:quota)"),
    (CodeMeaning.PERMISSION, r"(无|没有|未授予|未开通).{0,6}权限|未开通|未授权"),
)


def read_error(data: Any) -> BusinessError | None:
    """Return what a decoded answer complains of, or None for a success; ``status`` counts in any case."""
    if not isinstance(data, Mapping):
        return BusinessError("", "the answer is not a JSON object")
    if str(data.get("status") or "").lower() == "success":
        return None
    said = data.get("messages") or data.get("message") or ()
    words = [said] if isinstance(said, str) else [str(each) for each in said]
    code = data.get("errorCode")
    return BusinessError("" if code is None else str(code), "; ".join(words))


def error_table(codes: Mapping[str, CodeMeaning]) -> ErrorTable:
    """Return the platform's errors for the HTTP layer: the connection's codes first, then the words."""
    known = [Rule(code=code, **_MEANINGS[meaning]) for code, meaning in codes.items()]
    spoken = [Rule(says=pattern, **_MEANINGS[meaning]) for meaning, pattern in _WORDS]
    rules = [
        *known,
        *spoken,
        Rule(Action.RATE_LIMITED, says="频繁|限流", wait=_BACK_OFF),
        Rule(Action.RETRY, says="繁忙|超时|稍后"),
    ]
    return ErrorTable(rules, read_error)
