"""The HTTP layer of every connector plugin.

One :class:`ApiClient` per connection: it authenticates, keeps to the rate budget, repeats what may be repeated, and
turns every failure into the error that tells the runtime what to do next. ``hub.http.testing`` has a scripted platform
and virtual time for tests. A guide with an example is in ``docs/http.md``.
"""

from hub.http.admission import LimitNotice, ReadLimits, limit_headers
from hub.http.auth import Auth, BodyToken, HeaderToken, NoAuth, QueryToken, SignedRequest
from hub.http.budget import BudgetDecision, RateBudget
from hub.http.classify import (
    DEFAULT_RULES,
    Action,
    BusinessError,
    Envelope,
    ErrorTable,
    Fault,
    Rule,
    Symptom,
    any_envelope,
    code_envelope,
)
from hub.http.client import ApiClient
from hub.http.clock import Clock, InjectedClock, SystemClock
from hub.http.decode import BodyError, decode_json, decode_text, encode_json
from hub.http.fanout import FanOutResult, fan_out, fan_out_apart
from hub.http.ledger import Ledger, MemoryLedger, PostgresLedger, SqliteLedger
from hub.http.message import ApiResponse, CallObserver, CallOptions, CallRecord, Draft, Expect, Timeouts, Unit
from hub.http.paging import (
    TimeWindow,
    WindowTooDeep,
    cursor_pages,
    numbered_pages,
    pages_until_empty,
    split_deep_windows,
    time_windows,
)
from hub.http.receiving import Incoming, MessageApp, RefusedMessage
from hub.http.retry import RetryPolicy, parse_retry_after
from hub.http.shifting import ListPage, WindowedList, lists_of
from hub.http.tokens import (
    FetchToken,
    MemoryTokenStore,
    NewToken,
    StaticToken,
    StoredToken,
    TokenCache,
    TokenSource,
    TokenStore,
)
from hub.http.windows import CHINA_MIDNIGHT, Window

__all__ = [
    "CHINA_MIDNIGHT",
    "DEFAULT_RULES",
    "Action",
    "ApiClient",
    "ApiResponse",
    "Auth",
    "BodyError",
    "BodyToken",
    "BudgetDecision",
    "BusinessError",
    "CallObserver",
    "CallOptions",
    "CallRecord",
    "Clock",
    "Draft",
    "Envelope",
    "ErrorTable",
    "Expect",
    "FanOutResult",
    "Fault",
    "FetchToken",
    "HeaderToken",
    "Incoming",
    "InjectedClock",
    "Ledger",
    "LimitNotice",
    "ListPage",
    "MemoryLedger",
    "MemoryTokenStore",
    "MessageApp",
    "NewToken",
    "NoAuth",
    "PostgresLedger",
    "QueryToken",
    "RateBudget",
    "ReadLimits",
    "RefusedMessage",
    "RetryPolicy",
    "Rule",
    "SignedRequest",
    "SqliteLedger",
    "StaticToken",
    "StoredToken",
    "Symptom",
    "SystemClock",
    "TimeWindow",
    "Timeouts",
    "TokenCache",
    "TokenSource",
    "TokenStore",
    "Unit",
    "Window",
    "WindowTooDeep",
    "WindowedList",
    "any_envelope",
    "code_envelope",
    "cursor_pages",
    "decode_json",
    "decode_text",
    "encode_json",
    "fan_out",
    "fan_out_apart",
    "limit_headers",
    "lists_of",
    "numbered_pages",
    "pages_until_empty",
    "parse_retry_after",
    "split_deep_windows",
    "time_windows",
]
