"""Speaks HTTP with the WeCom API and nothing else. Answers are returned as the platform gives them.

Paths and limits: official documents 91039 (token), 92571, 90208, 90201 (staff), 92994, 92114, 92115 (customers), 92117, 92118
(tags), 92120, 92122 (groups), 92135, 93338 (mass messages), 92132 (statistics), 90312 (frequency limits).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

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
    cursor_pages,
)
from hub.runtime import Runtime
from plugins.wecom.config import WecomConfig
from plugins.wecom.errors import ERRORS

__all__ = ["BATCH_LIMIT", "GROUPS_LIMIT", "STAFF_PER_CALL", "WecomClient"]

STAFF_PER_CALL: Final = 100
"""Most staff that one call of batch/get_by_user, groupchat/list or the statistics may name."""
BATCH_LIMIT: Final = 100
"""Most relations in one page of batch/get_by_user."""
GROUPS_LIMIT: Final = 1000
"""Most groups in one page of groupchat/list."""

_RESULTS_LIMIT: Final = 1000
_CONTACT = "/cgi-bin/externalcontact"
_MAX_WAIT_SECONDS: Final = 90.0
"""Longer than the minute for which the platform blocks after an excess."""
_TOTAL_SECONDS: Final = 300.0
"""Room for being blocked a minute more than once: fetching the token may be throttled, and then the call itself."""
_CAREFUL: Final = {"get_user_behavior_data": 2, "groupchat/get": 10, "groupchat/list": 10}
"""Calls per second of APIs that are known to answer 45033 early."""


class WecomClient:
    """One self-built app of one corp.

    Args:
        config: the connection's settings.
        runtime: time, sleep, tokens, budgets and, in tests, the transport.
        on_call: told about every exchange with the platform.
    """

    def __init__(self, config: WecomConfig, runtime: Runtime, on_call: CallObserver | None = None) -> None:
        self._config = config
        clock = InjectedClock(runtime.now, runtime.sleep)
        tokens = TokenCache(config.account, self._fetch_token, runtime.tokens or MemoryTokenStore(), clock=clock)
        self._api = ApiClient(
            config.base_url,
            name=runtime.connection,
            auth=QueryToken(tokens),
            errors=ERRORS,
            budget=_budget(config, runtime, clock),
            timeouts=Timeouts(total=_TOTAL_SECONDS),
            concurrency=config.concurrency,
            secrets=[config.secret.get_secret_value()],
            on_call=on_call,
            transport=runtime.transport,
            clock=clock,
            random=runtime.random,
        )

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    def _fetch_token(self, previous: StoredToken | None) -> NewToken:  # noqa: ARG002 - a secret needs no predecessor
        params = {"corpid": self._config.corp_id, "corpsecret": self._config.secret.get_secret_value()}
        answer = self._api.get("/cgi-bin/gettoken", params, options=CallOptions(authenticate=False, group="gettoken"))
        return NewToken(answer.data["access_token"], expires_in=answer.data.get("expires_in", 7200))

    # Staff.

    def follow_users(self) -> list[str]:
        """Return the userids of the staff with the right to customer contact (客户联系), in the platform's order."""
        answer = self._get(f"{_CONTACT}/get_follow_user_list")
        return [str(userid) for userid in answer.get("follow_user") or []]

    def departments(self) -> list[dict[str, Any]]:
        """Return every visible department."""
        return list(self._get("/cgi-bin/department/list").get("department") or [])

    def department_users(self, department: int) -> list[dict[str, Any]]:
        """Return the direct members of a department."""
        answer = self._get("/cgi-bin/user/list", {"department_id": department}, unit=Unit.ROW)
        return list(answer.get("userlist") or [])

    def user(self, userid: str) -> dict[str, Any]:
        """Return one member of staff."""
        return self._get("/cgi-bin/user/get", {"userid": userid}, unit=Unit.ROW)

    def behaviour(self, userid: str, start: int, end: int) -> list[dict[str, Any]]:
        """Return one member's statistics, a row per day.

        Args:
            userid: one member; of several the platform gives only the sum.
            start, end: Unix seconds; both days are included, at most 30 days.
        """
        body = {"userid": [userid], "start_time": start, "end_time": end}
        answer = self._query(f"{_CONTACT}/get_user_behavior_data", body, unit=Unit.ROW)
        return list(answer.get("behavior_data") or [])

    # Customers.

    def contact_page(self, userids: Sequence[str], cursor: str) -> tuple[list[dict[str, Any]], str]:
        """Return one page of the relations of up to 100 members of staff, and the cursor of the next one."""
        body = {"userid_list": list(userids), "cursor": cursor, "limit": BATCH_LIMIT}
        answer = self._query(f"{_CONTACT}/batch/get_by_user", body, unit=Unit.ROW)
        return list(answer.get("external_contact_list") or []), str(answer.get("next_cursor") or "")

    def contact(self, external_userid: str) -> dict[str, Any]:
        """Return one customer with all relations, whatever their number."""
        pages = cursor_pages(
            lambda cursor: self._get(
                f"{_CONTACT}/get", {"external_userid": external_userid, "cursor": cursor}, unit=Unit.ROW
            ),
            next_cursor=lambda page: page.get("next_cursor"),
        )
        first, *others = list(pages)
        follows = [follow for page in (first, *others) for follow in page.get("follow_user") or []]
        return {**first, "follow_user": follows}

    def remark(self, userid: str, external_userid: str, **fields: object) -> None:
        """Write ``remark``, ``description`` or ``remark_mobiles`` of one relation; each replaces what was there."""
        self._write(f"{_CONTACT}/remark", {"userid": userid, "external_userid": external_userid, **fields})

    # Tags.

    def corp_tags(self) -> list[dict[str, Any]]:
        """Return every group of corp tags with its tags."""
        return list(self._query(f"{_CONTACT}/get_corp_tag_list", {}).get("tag_group") or [])

    def strategy_tags(self) -> list[dict[str, Any]]:
        """Return the groups of strategy tags (规则组标签) that this app has made."""
        return list(self._query(f"{_CONTACT}/get_strategy_tag_list", {}).get("tag_group") or [])

    def add_tags(self, names: Sequence[str], *, group_id: str = "", group_name: str = "") -> dict[str, Any]:
        """Create tags in a group, which is made if it is new; return the answer's group with the new tags."""
        where = {"group_id": group_id} if group_id else {"group_name": group_name}
        # Not repeated when its outcome is open: the next reading of the library tells what was made.
        answer = self._api.post(
            f"{_CONTACT}/add_corp_tag",
            {**where, "tag": [{"name": name} for name in names]},
            options=CallOptions(group="add_corp_tag"),
        )
        return dict(answer.data.get("tag_group") or {})

    def rename_tag(self, identifier: str, name: str) -> None:
        """Give a tag or a tag group another name."""
        self._write(f"{_CONTACT}/edit_corp_tag", {"id": identifier, "name": name}, unit=Unit.STREAM)

    def mark(self, userid: str, external_userid: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Add and remove tags of one relation, in one call."""
        body = {"userid": userid, "external_userid": external_userid, "add_tag": list(add), "remove_tag": list(remove)}
        self._write(f"{_CONTACT}/mark_tag", body)

    # Groups.

    def groups(self, owners: Sequence[str] = ()) -> Iterator[list[dict[str, Any]]]:
        """Give the pages of the customer groups of up to 100 owners, or of every visible owner."""
        body: dict[str, Any] = {"limit": GROUPS_LIMIT}
        if owners:
            body["owner_filter"] = {"userid_list": list(owners)}
        pages = cursor_pages(
            lambda cursor: self._query(f"{_CONTACT}/groupchat/list", {**body, "cursor": cursor or ""}, unit=Unit.ROW),
            next_cursor=lambda page: page.get("next_cursor"),
        )
        return (list(page.get("group_chat_list") or []) for page in pages)

    def group(self, chat_id: str) -> dict[str, Any]:
        """Return one customer group with its members."""
        answer = self._query(f"{_CONTACT}/groupchat/get", {"chat_id": chat_id, "need_name": 1}, unit=Unit.ROW)
        return dict(answer.get("group_chat") or {})

    # Mass messages.

    def send_message(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a mass-message task (企业群发); never repeated once it may have arrived. Return the answer."""
        options = CallOptions(group="add_msg_template")
        return dict(self._api.post(f"{_CONTACT}/add_msg_template", dict(body), options=options).data)

    def messages(self, start: int, end: int) -> Iterator[list[dict[str, Any]]]:
        """Give the pages of the corp's mass messages to single customers created between two instants (a month at most)."""
        body = {"chat_type": "single", "start_time": start, "end_time": end, "filter_type": 0, "limit": 100}
        return self._all("get_groupmsg_list_v2", body, "group_msg_list")

    def message_tasks(self, msgid: str) -> list[dict[str, Any]] | None:
        """Return each guide's task of a message; None while the platform is still handing it out."""
        return self._result("get_groupmsg_task", {"msgid": msgid}, "task_list")

    def message_results(self, msgid: str, userid: str) -> list[dict[str, Any]] | None:
        """Return what became of a message for each customer of one guide; None while it is being handed out."""
        return self._result("get_groupmsg_send_result", {"msgid": msgid, "userid": userid}, "send_list")

    def _result(self, api: str, body: Mapping[str, Any], key: str) -> list[dict[str, Any]] | None:
        first = self._call_page(api, {**body, "limit": _RESULTS_LIMIT})
        if first.code:
            return None
        rows = list(first.data.get(key) or [])
        if first.data.get("next_cursor"):
            rest = self._all(api, {**body, "limit": _RESULTS_LIMIT}, key, str(first.data["next_cursor"]))
            rows += [row for page in rest for row in page]
        return rows

    def _all(self, api: str, body: Mapping[str, Any], key: str, start: str = "") -> Iterator[list[dict[str, Any]]]:
        pages = cursor_pages(
            lambda cursor: self._call_page(api, {**body, "cursor": cursor or ""}).data,
            next_cursor=lambda page: page.get("next_cursor"),
            start=start,
        )
        return (list(page.get(key) or []) for page in pages)

    def _call_page(self, api: str, body: Mapping[str, Any]) -> ApiResponse:
        return self._api.query(f"{_CONTACT}/{api}", dict(body), options=_options(api, Unit.ROW))

    # One call.

    def _get(self, path: str, params: Mapping[str, object] | None = None, unit: Unit = Unit.STREAM) -> dict[str, Any]:
        return dict(self._api.get(path, params, options=_options(path, unit)).data)

    def _query(self, path: str, body: Mapping[str, Any], unit: Unit = Unit.STREAM) -> dict[str, Any]:
        return dict(self._api.query(path, dict(body), options=_options(path, unit)).data)

    def _write(self, path: str, body: Mapping[str, Any], unit: Unit = Unit.ROW) -> None:
        # Saying the same thing again changes nothing more, so these writes may be repeated.
        options = CallOptions(idempotent=True, group=_group(path), unit=unit)
        self._api.post(path, dict(body), options=options)


def _group(path: str) -> str:
    """Name the API as the platform counts it: by path."""
    return path.removeprefix("/cgi-bin/").removeprefix("externalcontact/")


def _options(path: str, unit: Unit) -> CallOptions:
    return CallOptions(group=_group(path), unit=unit)


def _budget(config: WecomConfig, runtime: Runtime, clock: InjectedClock) -> RateBudget:
    """Build the budget: so many calls per second for each API.

    The platform's 10 000 per minute and 150 000 per hour follow from 41 a second at most, so that no longer window needs
    counting.
    """
    rate = config.calls_per_second
    return RateBudget(
        f"wecom/{config.corp_id}",
        groups={api: [Window(min(rate, calls), 1)] for api, calls in _CAREFUL.items()},
        each_group=[Window(rate, 1)],
        ledger=runtime.budgets,
        clock=clock,
        max_wait=_MAX_WAIT_SECONDS,
    )
