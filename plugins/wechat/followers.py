"""Reads the followers of an official account: the list page by page, and their details, a hundred at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from hub.errors import RowError
from hub.http import fan_out
from hub.runtime import Runtime
from hub.source import KEPT, Page, Reject, State
from plugins.wechat.client import CHINA, DETAILS_PER_CALL, WechatClient
from plugins.wechat.config import WechatConfig
from plugins.wechat.errors import code_of
from plugins.wechat.halves import in_halves
from plugins.wechat.mapping import SYSTEM_TAGS, to_follower, to_tag

__all__ = ["FollowerReader"]

_LOCATION: Final = "user/info/batchget"

_Group = tuple[Sequence[str], list[dict[str, Any]] | RowError]


class FollowerReader:
    """Streams ``followers`` and ``tags``.

    Args:
        client: the account's API.
        config: the connection's settings.
        runtime: the present instant.
    """

    def __init__(self, client: WechatClient, config: WechatConfig, runtime: Runtime) -> None:
        self._client = client
        self._config = config
        self._runtime = runtime

    def read_followers(self, state: State) -> Iterator[Page]:
        """Everybody who follows now.

        Args:
            state: ``page``, the openid that the list page under way begins behind, and ``after``, the last one of it that was
                given. The list is asked for again when a read goes on: it may have moved meanwhile.
        """
        names = {int(tag["id"]): str(tag.get("name") or tag["id"]) for tag in self._client.tags()}
        begin, after = str(state.get("page", "")), str(state.get("after", ""))
        while (listed := self._client.follower_page(begin)).openids:
            yield from self._details(_behind(listed.openids, after), begin, names)
            if not listed.next or listed.next == begin:
                return
            begin, after = listed.next, ""

    def _details(self, openids: Sequence[str], begin: str, names: Mapping[int, str]) -> Iterator[Page]:
        chunks = [openids[start : start + DETAILS_PER_CALL] for start in range(0, len(openids), DETAILS_PER_CALL)]
        for result in fan_out(self._ask, chunks, workers=self._config.concurrency):
            yield self._page(result.unwrap(), names, {"page": begin, "after": result.item[-1]})

    def _ask(self, openids: Sequence[str]) -> list[_Group]:
        return list(in_halves(openids, self._client.follower_details))

    def _page(self, groups: Sequence[_Group], names: Mapping[int, str], cursor: State) -> Page:
        rejects = [
            Reject(_LOCATION, code_of(answer), f"{answer.message} {answer.hint}".strip(), source_id=openid)
            for openids, answer in groups
            if isinstance(answer, RowError)
            for openid in openids
        ]
        rows = [row for _, answer in groups if not isinstance(answer, RowError) for row in answer]
        mapping = partial(to_follower, appid=self._config.appid, tags=names, own_prefix=self._config.tags.prefix)
        page = Page.of([row for row in rows if _follows(row)], mapping, location=_LOCATION)
        # Who went away between the list and the details.
        gone = [str(row["openid"]) for row in rows if not _follows(row) and row.get("openid")]
        return Page(records=page.records, rejects=[*page.rejects, *rejects], deletions=gone, cursor=cursor)

    def read_tags(self, state: State) -> Iterator[Page]:
        """Every tag of the account that is neither the platform's nor the hub's own.

        Args:
            state: the day each tag was seen first, by id; kept from one read to the next.
        """
        today = self._runtime.now().astimezone(CHINA).date().isoformat()
        known: Mapping[str, str] = state.get(KEPT) or {}
        rows = [row for row in self._client.tags() if self._is_listed(row)]
        seen = {str(row["id"]): known.get(str(row["id"]), today) for row in rows}

        def mapping(row: Mapping[str, Any]) -> Any:
            return to_tag(row, dt.date.fromisoformat(seen[str(row["id"])]), self._config.appid)

        yield Page.of(rows, mapping, cursor={KEPT: seen}, location="tags/get")

    def _is_listed(self, row: Mapping[str, Any]) -> bool:
        is_own = str(row.get("name") or "").startswith(self._config.tags.prefix)
        return int(row["id"]) not in SYSTEM_TAGS and not is_own


def _follows(row: Mapping[str, Any]) -> bool:
    return int(row.get("subscribe", 1)) != 0


def _behind(openids: Sequence[str], after: str) -> Sequence[str]:
    """Return what stands behind an openid; everything where it is not in the list any more."""
    return openids[openids.index(after) + 1 :] if after in openids else openids
