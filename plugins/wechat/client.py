"""Speaks HTTP with the WeChat API and nothing else. Answers are returned as the platform gives them.

Paths and limits: developers.weixin.qq.com, getStableAccessToken, user management (user/get, batchget), tags (create,
batchtagging), subscribeMessage.send and bizsend, data-analysis, code2Session, getPhoneNumber, API_Call_Limits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.errors import DeferError, HubError
from hub.http import (
    ApiClient,
    ApiResponse,
    CallObserver,
    CallOptions,
    InjectedClock,
    MemoryTokenStore,
    NewToken,
    QueryToken,
    RateBudget,
    StoredToken,
    Timeouts,
    TokenCache,
    Unit,
    Window,
)
from hub.runtime import Runtime
from plugins.wechat.config import WechatConfig
from plugins.wechat.errors import ERRORS, code_of

__all__ = ["CHINA", "DETAILS_PER_CALL", "OPENIDS_PER_TAGGING", "FollowerPage", "WechatClient"]

CHINA: Final = ZoneInfo("Asia/Shanghai")
"""WeChat counts days and quotas in China's time."""

DETAILS_PER_CALL: Final = 100
"""Most openids in one call of user/info/batchget."""
OPENIDS_PER_TAGGING: Final = 50
"""Most openids in one call of batchtagging and batchuntagging."""

_MARGIN: Final = 300.0
"""Seconds before expiry at which the platform itself renews the stable token; both work in that time."""
_MAX_WAIT_SECONDS: Final = 90.0
"""Longer than the minute for which a per-minute excess is refused."""
_TOTAL_SECONDS: Final = 300.0
_DAY_QUOTA: Final = "45009"


@dataclass(frozen=True, slots=True)
class FollowerPage:
    """One page of user/get: up to 10 000 openids, and where the next one begins (empty at the end)."""

    openids: Sequence[str]
    next: str


class WechatClient:
    """One appid.

    Args:
        config: the connection's settings.
        runtime: time, sleep, tokens, budgets and, in tests, the transport.
        on_call: told about every exchange with the platform.
    """

    def __init__(self, config: WechatConfig, runtime: Runtime, on_call: CallObserver | None = None) -> None:
        self._config = config
        self._clock = InjectedClock(runtime.now, runtime.sleep)
        tokens = TokenCache(
            config.account, self._fetch_token, runtime.tokens or MemoryTokenStore(), clock=self._clock, margin=_MARGIN
        )
        self._api = ApiClient(
            config.base_url,
            name=runtime.connection,
            auth=QueryToken(tokens),
            errors=ERRORS,
            budget=RateBudget(
                config.account,
                each_group=[Window(config.calls_per_second, 1)],
                ledger=runtime.budgets,
                clock=self._clock,
                max_wait=_MAX_WAIT_SECONDS,
            ),
            timeouts=Timeouts(total=_TOTAL_SECONDS),
            concurrency=config.concurrency,
            secrets=[config.secret.get_secret_value()],
            on_call=on_call,
            transport=runtime.transport,
            clock=self._clock,
            random=runtime.random,
        )

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    # Token.

    def _fetch_token(self, previous: StoredToken | None) -> NewToken:
        token = self._ask_for_token(force=False)
        if previous and token.value == previous.value and self._should_live(previous):
            # The platform refuses the very token that it gives out: the one case for a forced new one (20 a day).
            token = self._ask_for_token(force=True)
        return token

    def _should_live(self, token: StoredToken) -> bool:
        return token.expires_at is not None and self._clock.time() < token.expires_at - _MARGIN

    def _ask_for_token(self, *, force: bool) -> NewToken:
        body = {
            "grant_type": "client_credential",
            "appid": self._config.appid,
            "secret": self._config.secret.get_secret_value(),
            "force_refresh": force,
        }
        # Asking again gives the same token, so that this may be repeated.
        options = CallOptions(authenticate=False, group="stable_token")
        answer = self._api.query("/cgi-bin/stable_token", body, options=options)
        return NewToken(str(answer.data["access_token"]), expires_in=float(answer.data.get("expires_in") or 7200))

    def token_life(self) -> float:
        """Ask for the token and return the seconds it has left."""
        return self._ask_for_token(force=False).expires_in or 0.0

    # Followers.

    def follower_page(self, after: str) -> FollowerPage:
        """Return the followers behind an openid, the first ones behind ``""``, in the order of following."""
        answer = self._get("/cgi-bin/user/get", {"next_openid": after})
        openids = [str(each) for each in (answer.get("data") or {}).get("openid") or []]
        return FollowerPage(openids, str(answer.get("next_openid") or "") if openids else "")

    def follower_details(self, openids: Sequence[str]) -> list[dict[str, Any]]:
        """Return what is known of up to 100 people; of those who do not follow only ``subscribe`` 0."""
        body = {"user_list": [{"openid": openid, "lang": "zh_CN"} for openid in openids]}
        answer = self._query("/cgi-bin/user/info/batchget", body, unit=Unit.ROW)
        return list(answer.get("user_info_list") or [])

    # Tags.

    def tags(self) -> list[dict[str, Any]]:
        """Return every tag of the account; ids 0, 1 and 2 are the platform's."""
        return list(self._get("/cgi-bin/tags/get").get("tags") or [])

    def create_tag(self, name: str) -> int:
        """Make a tag and return its id; not repeated when its outcome is open."""
        path = "/cgi-bin/tags/create"
        answer = self._call(
            lambda: self._api.post(path, {"tag": {"name": name}}, options=_options(path, Unit.ROW)), path
        )
        return int(answer["tag"]["id"])

    def tag(self, tag_id: int, openids: Sequence[str]) -> None:
        """Give a tag to up to 50 followers, all or none."""
        self._write("/cgi-bin/tags/members/batchtagging", {"openid_list": list(openids), "tagid": tag_id})

    def untag(self, tag_id: int, openids: Sequence[str]) -> None:
        """Take a tag from up to 50 followers, all or none."""
        self._write("/cgi-bin/tags/members/batchuntagging", {"openid_list": list(openids), "tagid": tag_id})

    def tagged(self, tag_id: int) -> Iterator[list[str]]:
        """Give the followers with a tag, up to 10 000 at a time."""
        after = ""
        while True:
            answer = self._query("/cgi-bin/user/tag/get", {"tagid": tag_id, "next_openid": after})
            openids = [str(each) for each in (answer.get("data") or {}).get("openid") or []]
            if not openids:
                return
            yield openids
            following = str(answer.get("next_openid") or "")
            if not following or following == after:
                return
            after = following

    # Messages.

    def templates(self) -> list[dict[str, Any]]:
        """Return the account's templates of subscription messages."""
        return list(self._get("/wxaapi/newtmpl/gettemplate").get("data") or [])

    def send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send one subscription message; never repeated once it may have arrived."""
        path = "/cgi-bin/message/subscribe/bizsend" if self._config.is_official else "/cgi-bin/message/subscribe/send"
        options = CallOptions(group=_group(path), unit=Unit.ROW)
        return self._call(lambda: self._api.post(path, dict(body), options=options), path)

    # Statistics.

    def statistics(self, name: str, begin: dt.date, end: dt.date) -> dict[str, Any] | None:
        """Return statistics of the days from ``begin`` to ``end``; None where they are not made yet.

        Args:
            name: of the API below ``/datacube``.
            begin, end: both included, as long a span as the API takes.
        """
        path = f"/datacube/{name}"
        body = {"begin_date": f"{begin:%Y%m%d}", "end_date": f"{end:%Y%m%d}"}
        answer = self._call(lambda: self._api.query(path, body, options=_options(path, Unit.ROW)), path)
        return None if answer.get("errcode") else answer

    # A mini-program's own backend.

    def session_of(self, js_code: str) -> dict[str, Any]:
        """Redeem the code of ``wx.login``: ``openid``, ``session_key`` and, if the appid is bound, ``unionid``."""
        params = {
            "appid": self._config.appid,
            "secret": self._config.secret.get_secret_value(),
            "js_code": js_code,
            "grant_type": "authorization_code",
        }
        options = CallOptions(authenticate=False, group="jscode2session", unit=Unit.ROW)
        return dict(self._api.get("/sns/jscode2session", params, options=options).data)

    def phone_of(self, code: str, openid: str = "") -> dict[str, Any]:
        """Redeem the code of the phone button: ``phoneNumber``, ``purePhoneNumber``, ``countryCode``, ``watermark``."""
        body = {"code": code, "openid": openid} if openid else {"code": code}
        return dict(self._query("/wxa/business/getuserphonenumber", body, unit=Unit.ROW).get("phone_info") or {})

    # One call.

    def remaining(self, path: str) -> int | None:
        """Return how many calls of an API are left today; None where the platform does not say."""
        asked = "/cgi-bin/openapi/quota/get"
        answer = self._api.query(asked, {"cgi_path": path}, options=_options(asked, Unit.ROW)).data
        left = (answer.get("quota") or {}).get("remain")
        return None if left is None else int(left)

    def _get(self, path: str, params: Mapping[str, object] | None = None, unit: Unit = Unit.STREAM) -> dict[str, Any]:
        return self._call(lambda: self._api.get(path, params, options=_options(path, unit)), path)

    def _query(self, path: str, body: Mapping[str, Any], unit: Unit = Unit.STREAM) -> dict[str, Any]:
        return self._call(lambda: self._api.query(path, dict(body), options=_options(path, unit)), path)

    def _write(self, path: str, body: Mapping[str, Any]) -> None:
        # Saying the same thing again changes nothing more, so these writes may be repeated.
        options = CallOptions(idempotent=True, group=_group(path), unit=Unit.ROW)
        self._call(lambda: self._api.post(path, dict(body), options=options), path)

    def _call(self, make: Callable[[], ApiResponse], path: str) -> dict[str, Any]:
        """Make a call; where its limit is reached also after a minute, find out whether the day's quota is spent."""
        try:
            response = make()
        except DeferError as error:
            if code_of(error) == _DAY_QUOTA and self._is_spent(path):
                raise DeferError(
                    "The day's quota of this API is spent.",
                    until=self._seconds_to_midnight(),
                    code="wechat_quota_spent",
                    hint="It is counted anew at midnight in China; the console can reset it ten times a month.",
                    context=error.context,
                ) from error
            raise
        return dict(response.data or {})

    def _is_spent(self, path: str) -> bool:
        try:
            return self.remaining(path) == 0
        except HubError:
            # The limit itself is what is reported; that its size cannot be asked for changes nothing.
            return False

    def _seconds_to_midnight(self) -> float:
        now = dt.datetime.fromtimestamp(self._clock.time(), CHINA)
        midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time.min, CHINA)
        return (midnight - now).total_seconds()


def _group(path: str) -> str:
    """Name the API as the platform counts it: by path."""
    return path.removeprefix("/cgi-bin/").lstrip("/")


def _options(path: str, unit: Unit) -> CallOptions:
    return CallOptions(group=_group(path), unit=unit)
