"""What is read from WeCom: staff and departments, customers, tags, groups, statistics, callbacks, results of messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from hub.errors import HubError, RowError
from hub.records import Customer, Event, Staff, Store
from hub.runtime import Runtime
from hub.source import Check, ConnectionConfig, CursorKind, Page, Reject, Source, State, Stream
from hub.titles import Title
from plugins.wecom.callbacks import to_event
from plugins.wecom.client import WecomClient
from plugins.wecom.config import WecomConfig, data_folder
from plugins.wecom.customers import CustomerReader
from plugins.wecom.errors import code_of
from plugins.wecom.groups import GroupReader
from plugins.wecom.inbox import Inbox
from plugins.wecom.library import tag_groups
from plugins.wecom.mapping import CHINA, to_department, to_message_result, to_staff, to_statistics, to_tag

__all__ = ["WecomSource", "checks"]

_PAGE: Final = 500
_STATS_AGAIN: Final = 2
"""Days of statistics that are read again: the platform goes on counting a while."""
_STATS_SPAN: Final = 30
_RESULTS_AGAIN: Final = dt.timedelta(days=14)
"""How long the results of a mass message are asked for again: guides press send late."""
_RESULTS_SPAN: Final = dt.timedelta(days=30)


class WecomSource(Source):
    """Reads one corp through a self-built app."""

    name: ClassVar[str] = "wecom"
    title: ClassVar[Title] = Title("企业微信", "WeCom")
    Config: ClassVar[type[ConnectionConfig]] = WecomConfig

    def __init__(self, config: WecomConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._settings = config
        self._client = WecomClient(config, runtime)
        self._customers = CustomerReader(self._client, config, runtime)
        self._groups = GroupReader(self._client, config, runtime)

    def streams(self) -> Sequence[Stream]:
        """List the streams; ``events`` only where callbacks are configured."""
        full = not self._customers.remembers
        read_customers = partial(self._customers.read, full=full)
        kind = CursorKind.FULL if full else CursorKind.WINDOW
        streams = [
            Stream("departments", Store, self._read_departments, CursorKind.FULL, Title("部门", "Departments")),
            Stream("staff", Staff, self._read_staff, CursorKind.FULL, Title("成员", "Staff")),
            Stream("tags", Event, self._read_tags, CursorKind.FULL, Title("客户标签库", "Tag library")),
            Stream("customers", Customer, read_customers, kind, Title("客户", "Customers")),
            Stream("groups", Event, self._groups.read_groups, CursorKind.FULL, Title("客户群", "Customer groups")),
            Stream("group_members", Event, self._groups.read_members, title=Title("入群退群", "Joins and leaves")),
            Stream("contact_stats", Event, self._read_statistics, title=Title("联系客户统计", "Contact statistics")),
            Stream("message_results", Event, self._read_results, title=Title("群发结果", "Results of mass messages")),
        ]
        if self._settings.callback:
            streams.append(Stream("events", Event, self._read_events, title=Title("回调事件", "Callbacks")))
        return streams

    def check(self) -> Sequence[Check]:
        """Try the credential and each permission with one small call."""
        return checks(self._client)

    def kept_folders(self) -> Sequence[Path]:
        """The connection's folder: callbacks, digests of what was given, counts of mass messages."""
        return [data_folder(self._settings, self.runtime)]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Staff.

    def _read_departments(self, state: State) -> Iterator[Page]:  # noqa: ARG002 - every one, every time
        yield Page.of(self._client.departments(), to_department, location="department/list")

    def _read_staff(self, state: State) -> Iterator[Page]:  # noqa: ARG002 - everybody, every time
        """Members of every visible department, and staff with customer contact who are in none of them."""
        names = {int(row["id"]): str(row.get("name") or row["id"]) for row in self._client.departments()}
        follow_users = frozenset(self._client.follow_users())
        seen: set[str] = set()
        for number in names:
            try:
                rows = self._client.department_users(number)
            except RowError as error:
                yield Page(rejects=[_refused(f"user/list department {number}", error)])
                continue
            new = [row for row in rows if row["userid"] not in seen]
            seen |= {row["userid"] for row in new}
            yield Page.of(
                new, lambda row: to_staff(row, names, follow_users), location=f"user/list department {number}"
            )
        rest = [self._lookup(userid) for userid in sorted(follow_users - seen)]
        yield Page.of(rest, lambda row: to_staff(row, names, follow_users), location="user/get")

    def _lookup(self, userid: str) -> Mapping[str, Any]:
        try:
            return self._client.user(userid)
        except RowError:
            # Visible as a follower only: the id is all there is, and customers refer to it.
            return {"userid": userid}

    def _read_tags(self, state: State) -> Iterator[Page]:  # noqa: ARG002 - every one, every time
        rows = [(group, tag, kind) for kind, group in tag_groups(self._client) for tag in group.get("tag") or []]
        yield Page.of(rows, lambda row: to_tag(*row), location="get_corp_tag_list")

    # Statistics.

    def _read_statistics(self, state: State) -> Iterator[Page]:
        """One call per member of staff and thirty days; days before today only.

        Args:
            state: ``done`` until which day everything was read; while reading, ``until`` and the last member ``after``.
        """
        today = self.runtime.now().astimezone(CHINA).date()
        until = _day(state.get("until")) or today - dt.timedelta(days=1)
        done = _day(state.get("done"))
        first = done - dt.timedelta(days=_STATS_AGAIN - 1) if done else today - dt.timedelta(self._settings.stats_days)
        first = max(first, today - dt.timedelta(days=180))
        after = str(state.get("after", ""))
        if first <= until:
            for userid in sorted(set(self._client.follow_users())):
                if userid > after:
                    cursor = {"done": state.get("done"), "until": until.isoformat(), "after": userid}
                    yield self._statistics_of(userid, first, until, cursor)
        yield Page(cursor={"done": max(until, done or until).isoformat()})

    def _statistics_of(self, userid: str, first: dt.date, until: dt.date, cursor: State) -> Page:
        rows: list[Mapping[str, Any]] = []
        location = f"get_user_behavior_data {userid}"
        try:
            for start, end in _spans(first, until):
                rows += self._client.behaviour(userid, _midnight(start), _midnight(end))
        except RowError as error:
            return Page(rejects=[_refused(location, error)], cursor=cursor)
        return Page.of(rows, partial(to_statistics, userid), cursor=cursor, location=location)

    # Callbacks and messages.

    def _read_events(self, state: State) -> Iterator[Page]:
        """Callbacks received since, oldest first."""
        inbox = Inbox(data_folder(self._settings, self.runtime))
        try:
            after = int(state.get("after", 0))
            # What the state names is durable in the hub by now.
            inbox.prune(after, self.runtime.now())
            while events := inbox.after(after, _PAGE):
                after = events[-1].number
                yield Page.of(events, to_event, cursor={"after": after}, location="callback")
        finally:
            inbox.close()

    def _read_results(self, state: State) -> Iterator[Page]:
        """What became of mass messages: asked for again for two weeks, because guides press send when they please."""
        now = self.runtime.now()
        start = _moment(state.get("until"), now - _RESULTS_SPAN + _RESULTS_AGAIN) - _RESULTS_AGAIN
        while start < now:
            end = min(start + _RESULTS_SPAN, now)
            for rows in self._client.messages(int(start.timestamp()), int(end.timestamp())):
                for row in rows:
                    yield from self._results_of(row)
            start = end
        yield Page(cursor={"until": now.isoformat()})

    def _results_of(self, message: Mapping[str, Any]) -> Iterator[Page]:
        msgid, created = str(message["msgid"]), message.get("create_time")
        try:
            for task in self._client.message_tasks(msgid) or []:
                found = self._client.message_results(msgid, str(task["userid"])) or []
                # A message that was not delivered has no time of sending.
                rows = [(msgid, {"create_time": created, **row}) for row in found if _is_decided(row)]
                yield Page.of(rows, _result, location=f"get_groupmsg_send_result {msgid}")
        except RowError as error:
            yield Page(rejects=[_refused(f"get_groupmsg_send_result {msgid}", error)])


def _is_decided(row: Mapping[str, Any]) -> bool:
    return int(row.get("status") or 0) != 0 and bool(row.get("external_userid"))


def _result(row: tuple[str, Mapping[str, Any]]) -> Event:
    event = to_message_result(*row)
    if event is None:
        raise RowError("The result's status is not known.", code="status_unknown", context={"column": "status"})
    return event


def _refused(location: str, error: RowError) -> Reject:
    return Reject(location, code_of(error), f"{error.message} {error.hint}")


def _day(text: object) -> dt.date | None:
    return dt.date.fromisoformat(str(text)) if text else None


def _moment(text: object, default: dt.datetime) -> dt.datetime:
    return dt.datetime.fromisoformat(str(text)) if text else default


def _midnight(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time.min, CHINA).timestamp())


def _spans(first: dt.date, until: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    """Cut days, both included, into spans that one call may ask for."""
    while first <= until:
        last = min(first + dt.timedelta(days=_STATS_SPAN - 1), until)
        yield first, last
        first = last + dt.timedelta(days=1)


def checks(client: WecomClient) -> list[Check]:
    """Try the credential, the address and each right; what fails says which step of the set-up is missing."""
    found = [_check("customer contact: staff in range", lambda: f"{len(client.follow_users())} members of staff")]
    if found[0].ok:
        found += [
            _check("customer contact: tags", lambda: f"{len(client.corp_tags())} tag groups"),
            _check("contacts: departments", lambda: f"{len(client.departments())} departments"),
            _check_customers(client),
        ]
    return found


def _check_customers(client: WecomClient) -> Check:
    name = "customer contact: customers"
    staff = client.follow_users()
    if not staff:
        text = "Nobody is in 客户联系 → 权限配置 → 使用范围 and in the app's 可见范围 at once."
        return Check(name, ok=False, message=text)
    rows: list[Mapping[str, Any]] = []

    def read() -> str:
        rows.extend(client.contact_page(staff[:1], "")[0])
        has_unionid = any(row["external_contact"].get("unionid") for row in rows)
        # Without it, customers cannot be joined with their orders in mini-programs.
        return "customers can be read" + ("" if has_unionid or not rows else "; no unionid: bind 微信开发者ID")

    return _check(name, read)


def _check(name: str, attempt: Any) -> Check:
    try:
        return Check(name, ok=True, message=str(attempt()))
    except HubError as error:
        return Check(name, ok=False, message=str(error))
