"""Streams ``groups`` and ``group_members``: customer groups (客户群), and who joined and left them between two reads."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from hub.errors import RowError, StreamError
from hub.http import fan_out
from hub.records import Event
from hub.runtime import Runtime
from hub.source import Page, Reject, State
from plugins.wecom.client import STAFF_PER_CALL, WecomClient
from plugins.wecom.config import WecomConfig, data_folder
from plugins.wecom.digests import Digest, DigestFolder, read_digests
from plugins.wecom.errors import SPLITTABLE, code_of
from plugins.wecom.mapping import membership_id, to_group, to_joined, to_left

__all__ = ["GroupReader"]

_PAGE: Final = 500
_WORKERS: Final = 2
_TOO_MANY_OWNERS: Final = "81017"
_DISSOLVED: Final = "49008"


@dataclass
class _Listing:
    """Which groups there are, and whose could not be listed."""

    status: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    unread_owners: set[str] = field(default_factory=set)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.status |= {str(row["chat_id"]): int(row.get("status") or 0) for row in rows}


class GroupReader:
    """Reads customer groups once per command, for both streams.

    Args:
        client: the corp's API.
        config: the connection's settings.
        runtime: time and folders.
    """

    def __init__(self, client: WecomClient, config: WecomConfig, runtime: Runtime) -> None:
        self._client = client
        self._config = config
        self._runtime = runtime
        self._spool: Path | None = None
        self._listing = _Listing()
        self._digests = DigestFolder(data_folder(config, runtime), "members")

    # Reading the platform.

    def _groups(self) -> Iterator[tuple[str, dict[str, Any] | None, Reject | None]]:
        """Give every listed group in order of the id: its content, or why it cannot be read."""
        if self._spool is None:
            self._spool = self._gather()
        with self._spool.open(encoding="utf-8") as lines:
            for line in lines:
                chat_id, group, reject = json.loads(line)
                yield chat_id, group, Reject(**reject) if reject else None

    def _gather(self) -> Path:
        self._listing = self._list()
        # Thousands of groups with hundreds of members: not held in memory.
        path = self._runtime.scratch / "groups.jsonl"
        with path.open("w", encoding="utf-8") as spool:
            for result in fan_out(self._client.group, sorted(self._listing.status), workers=_WORKERS):
                row = [result.item, result.value, _unread(result.item, result.error) if result.error else None]
                spool.write(json.dumps(row, ensure_ascii=False) + "\n")
        return path

    def _list(self) -> _Listing:
        listing = _Listing()
        try:
            for rows in self._client.groups():
                listing.add(rows)
        except RowError as error:
            if code_of(error) != _TOO_MANY_OWNERS:
                raise StreamError(error.message, code=error.code, hint=error.hint, context=error.context) from error
            self._list_by_owner(listing)
        return listing

    def _list_by_owner(self, listing: _Listing) -> None:
        """List by a hundred owners at a time; an owner who cannot be named is found by halving."""
        staff = sorted(set(self._client.follow_users()))
        chunks = [staff[start : start + STAFF_PER_CALL] for start in range(0, len(staff), STAFF_PER_CALL)]
        while chunks:
            owners = chunks.pop()
            try:
                for rows in self._client.groups(owners):
                    listing.add(rows)
            except RowError as error:
                if code_of(error) not in SPLITTABLE:
                    raise StreamError(error.message, code=error.code, hint=error.hint, context=error.context) from error
                if len(owners) > 1:
                    chunks += [owners[: len(owners) // 2], owners[len(owners) // 2 :]]
                    continue
                listing.unread_owners.add(owners[0])
                listing.rejects.append(Reject(f"groupchat/list {owners[0]}", code_of(error), error.message))

    # The streams.

    def read_groups(self, state: State) -> Iterator[Page]:  # noqa: ARG002 - every group, every time
        """Give every group."""
        rows: list[tuple[str, dict[str, Any]]] = []
        rejects: list[Reject] = []
        for chat_id, group, reject in self._groups():
            if reject is not None:
                rejects.append(reject)
            elif group is not None:
                rows.append((chat_id, group))
            if len(rows) >= _PAGE:
                yield self._page(rows)
                rows = []
        last = self._page(rows)
        yield Page(records=last.records, rejects=[*self._listing.rejects, *rejects, *last.rejects])

    def _page(self, rows: Sequence[tuple[str, dict[str, Any]]]) -> Page:
        statuses = self._listing.status
        return Page.of(
            rows, lambda row: to_group({"status": statuses.get(row[0], 0)}, row[1]), location="groupchat/get"
        )

    def read_members(self, state: State) -> Iterator[Page]:
        """Give who joined since the last read, and who is missing: group.joined and group.left.

        Args:
            state: the file that holds the last read's members, and when that was.
        """
        known = self._digests.find(state.get("digests"))
        if known is not None:
            self._digests.keep_only(known.name)
        since = dt.datetime.fromisoformat(state["read_at"]) if known else None
        events: list[Event] = []
        rejects: list[Reject] = []
        with self._digests.writer() as writer:
            for old, group, kept in self._side_by_side(known):
                found, refused, now_there = self._changes(old, group, kept=kept, since=since)
                events += found
                rejects += refused
                for digest in now_there:
                    writer.add(digest)
                if len(events) >= _PAGE:
                    # Without a cursor: a read that is interrupted begins again, and gives the same events.
                    yield Page(records=events, rejects=rejects)
                    events, rejects = [], []
            writer.finish()
            cursor = {"digests": writer.name, "read_at": self._runtime.now().isoformat()}
            yield Page(records=events, rejects=rejects, cursor=cursor)

    def _side_by_side(self, known: Path | None) -> Iterator[tuple[list[Digest], dict[str, Any] | None, bool]]:
        """Pair each group's members of last time with the group now; and say whether it must stay as it was."""
        olds = ((chat, list(rows)) for chat, rows in groupby(read_digests(known), key=lambda each: _chat(each.id)))
        news = self._groups()
        old, new = next(olds, None), next(news, None)
        while old is not None or new is not None:
            if new is None or (old is not None and old[0] < new[0]):
                rows = old[1] if old else []
                # The owner's groups could not be listed: nobody knows whether this one still exists.
                yield rows, None, any(self._listing.unread_owners.intersection(row.staff) for row in rows)
                old = next(olds, None)
                continue
            same = old is not None and old[0] == new[0]
            rows = old[1] if old and same else []
            dissolved = new[2] is not None and new[2].code == _DISSOLVED
            yield rows, new[1], new[2] is not None and not dissolved
            old = next(olds, None) if same else old
            new = next(news, None)

    def _changes(
        self, old: Sequence[Digest], group: Mapping[str, Any] | None, *, kept: bool, since: dt.datetime | None
    ) -> tuple[list[Event], list[Reject], list[Digest]]:
        if kept:
            return [], [], list(old)
        members = [member for member in (group or {}).get("member_list") or [] if member.get("type") == 2]
        chat_id, owner = str((group or {}).get("chat_id", "")), str((group or {}).get("owner") or "")
        present = {membership_id(chat_id, member): member for member in members}
        before = {row.id for row in old}
        joined = Page.of(
            [member for key, member in present.items() if key not in before],
            lambda member: to_joined(group or {}, member, self._config.corp_id),
            location=f"groupchat/get {chat_id}",
        )
        gone = sorted(before - present.keys())
        left = [to_left(key, self._runtime.now(), since, self._config.corp_id) for key in gone]
        events = [record for record in joined.records if isinstance(record, Event)]
        now_there = [Digest(key, b"", (owner,)) for key in sorted(present)]
        return [*events, *left], list(joined.rejects), now_there


def _chat(key: str) -> str:
    return key.rsplit(":", 2)[0]


def _unread(chat_id: str, error: RowError) -> dict[str, Any]:
    return {
        "location": f"groupchat/get {chat_id}",
        "code": code_of(error),
        "reason": error.message,
        "source_id": f"group:{chat_id}",
    }
