"""Stream ``customers``: one profile per external_userid, with every relation; only what changed is given.

The first read is a full one: everything is given, and the hub marks what a completed read did not contain as deleted. Later
reads compare with the digests of the last one, give only changed profiles, and name those that are gone. Between full reads,
callbacks say whom to read again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from hub.errors import RowError
from hub.http import fan_out
from hub.records import Customer
from hub.runtime import Runtime
from hub.source import KEPT, Page, Reject, State, reject_of
from plugins.wecom.client import WecomClient
from plugins.wecom.collection import Collection, Gathered, collect
from plugins.wecom.config import WecomConfig, data_folder
from plugins.wecom.digests import Digest, DigestFolder, DigestWriter, read_digests
from plugins.wecom.errors import NO_RELATION, code_of
from plugins.wecom.inbox import Inbox
from plugins.wecom.library import tag_names
from plugins.wecom.mapping import TagLibrary, to_customer

__all__ = ["CustomerReader"]

_PAGE: Final = 500
_NAMED_AT_ONCE: Final = 100
_GONE: Final = frozenset({*NO_RELATION, "40096"})


@dataclass
class _Delta:
    """What is to be given next, and what was given so far."""

    records: list[Customer] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    changed: int = 0
    gone: int = 0
    total: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.records) + len(self.deletions) + len(self.rejects) >= _PAGE

    def page(self, cursor: State, notes: Sequence[str] = ()) -> Page:
        """Return the page of what was gathered, and begin the next one."""
        page = Page(
            records=self.records, deletions=self.deletions, rejects=self.rejects, cursor=cursor, notes=tuple(notes)
        )
        self.records, self.deletions, self.rejects = [], [], []
        return page


class CustomerReader:
    """Reads customers.

    Args:
        client: the corp's API.
        config: the connection's settings.
        runtime: time and folders.
    """

    def __init__(self, client: WecomClient, config: WecomConfig, runtime: Runtime) -> None:
        self._client = client
        self._config = config
        self._runtime = runtime
        self._folder = data_folder(config, runtime)
        self._digests = DigestFolder(self._folder, "customers")

    @property
    def remembers(self) -> bool:
        """Whether an earlier read left digests, so that changes can be told from what is known."""
        return bool(self._digests.files())

    def read(self, state: State, *, full: bool) -> Iterator[Page]:
        """Read; see the module's description.

        Args:
            state: ``sweep`` and ``after`` while a read is under way; under ``KEPT`` the digests' file name, when it was
                written, and the last callback that was taken into account.
            full: give everything, and leave it to the hub to find what is gone.
        """
        kept: Mapping[str, Any] = state.get(KEPT) or {}
        known = self._digests.find(kept.get("digests"))
        if known is not None:
            self._digests.keep_only(known.name)
        inbox = Inbox(self._folder) if self._config.callback else None
        try:
            if inbox and known and not full and "sweep" not in state and not self._is_sweep_due(kept):
                yield from self._read_named(inbox, dict(kept))
            else:
                yield from self._sweep(state, dict(kept), inbox, full=full)
        finally:
            if inbox:
                inbox.close()

    def _is_sweep_due(self, kept: Mapping[str, Any]) -> bool:
        age = self._runtime.now() - dt.datetime.fromisoformat(kept["swept_at"])
        return age >= dt.timedelta(hours=self._config.full_read_hours)

    # A full read.

    def _sweep(self, state: State, kept: dict[str, Any], inbox: Inbox | None, *, full: bool) -> Iterator[Page]:
        collection = Collection(self._folder / "customers.db")
        try:
            if not collection.can_go_on(state.get("sweep"), self._runtime.now()):
                staff = sorted(set(self._client.follow_users()))
                collection.begin(staff, self._runtime.now(), inbox.last() if inbox else 0)
            collect(self._client, collection, self._runtime.now)
            progress = {"sweep": collection.id, KEPT: kept}
            # Only what this very gathering gave before may be passed over.
            after = str(state.get("after", "")) if collection.id == state.get("sweep") else ""
            given = inbox.given(kept.get("digests", "")) if inbox else set()
            with self._digests.writer() as writer:
                yield from self._compare(collection, writer, progress, after, given, full=full)
            collection.remove()
        finally:
            collection.close()

    def _compare(
        self,
        collection: Collection,
        writer: DigestWriter,
        progress: dict[str, Any],
        after: str,
        given: set[str],
        *,
        full: bool,
    ) -> Iterator[Page]:
        kept = progress[KEPT]
        delta = _Delta(rejects=[_unread(each.userid, each.code, each.reason) for each in collection.unread()])
        unread = {each.userid for each in collection.unread()}
        trusted = self._digests.find(kept.get("digests")) is not None and not full
        for old, new in self._side_by_side(collection, kept, given, full=full):
            identifier = new.id if new else old.id if old else ""
            digest = self._judge(old, new, delta, unread, trusted=trusted, silent=identifier <= after)
            if digest is not None:
                writer.add(digest)
            if delta.is_full:
                yield delta.page({**progress, "after": identifier})
        writer.finish()
        done = {
            "digests": writer.name, "swept_at": collection.begun_at.isoformat(), "callback": collection.callback
        }  # fmt: skip
        note = (
            f"{delta.total} customers, {collection.relations()} relations: {delta.changed} changed, {delta.gone} gone."
        )
        yield delta.page({KEPT: done}, [note])

    def _side_by_side(
        self, collection: Collection, kept: Mapping[str, Any], given: set[str], *, full: bool
    ) -> Iterator[tuple[Digest | None, Gathered | None]]:
        """Pair what was given last time with what is there now, by id; both come in order of the id."""
        files = [] if full else self._digests.files()
        # Digests that the state does not name still tell which ids may have been given.
        path = self._digests.find(kept.get("digests")) or (files[-1] if files else None)
        olds = _merged(read_digests(None if full else path), sorted(given))
        news = collection.customers()
        old, new = next(olds, None), next(news, None)
        while old is not None or new is not None:
            if new is None or (old is not None and old.id < new.id):
                yield old, None
                old = next(olds, None)
            elif old is None or new.id < old.id:
                yield None, new
                new = next(news, None)
            else:
                yield old, new
                old, new = next(olds, None), next(news, None)

    def _judge(
        self, old: Digest | None, new: Gathered | None, delta: _Delta, unread: set[str], *, trusted: bool, silent: bool
    ) -> Digest | None:
        """Put a difference into the delta; return what is to be remembered."""
        if old is not None and unread.intersection(old.staff):
            # Somebody who follows this customer could not be read: what was known stays as it was.
            delta.total += 1
            return old
        if new is None:
            if old is not None and not silent:
                delta.deletions.append(old.id)
                delta.gone += 1
            return None
        delta.total += 1
        try:
            record = to_customer(new.contact, new.follows, self._config.corp_id, self._tags)
        except (RowError, ValueError, TypeError, LookupError, AttributeError) as error:
            if not silent:
                delta.rejects.append(_refused(error, new))
            return None
        digest = Digest(new.id, _digest(record), tuple(relation.staff_id for relation in record.relations))
        is_new = not trusted or old is None or old.digest != digest.digest
        if is_new and not silent:
            delta.records.append(record)
            delta.changed += 1
        return digest

    @property
    def _tags(self) -> TagLibrary:
        if not hasattr(self, "_tag_names"):
            self._tag_names = tag_names(self._client)
        return self._tag_names

    # Between two full reads.

    def _read_named(self, inbox: Inbox, kept: dict[str, Any]) -> Iterator[Page]:
        """Read again whom callbacks have named since."""
        inbox.forget_given_before(kept["digests"])
        while events := inbox.after(int(kept.get("callback", 0)), _NAMED_AT_ONCE):
            named = sorted({event.fields["ExternalUserID"] for event in events if event.fields.get("ExternalUserID")})
            inbox.note_given(kept["digests"], named)
            delta = _Delta()
            for result in fan_out(self._client.contact, named, workers=self._config.concurrency):
                if result.error is not None and code_of(result.error) in _GONE:
                    delta.deletions.append(result.item)
                elif result.error is not None:
                    delta.rejects.append(
                        Reject("externalcontact/get", code_of(result.error), result.error.message, None, result.item)
                    )
                else:
                    self._add_named(result.item, result.unwrap(), delta)
            kept = {**kept, "callback": events[-1].number}
            yield delta.page({KEPT: kept})

    def _add_named(self, identifier: str, answer: Mapping[str, Any], delta: _Delta) -> None:
        gathered = Gathered(identifier, answer.get("external_contact") or {}, answer.get("follow_user") or [])
        if not gathered.follows:
            delta.deletions.append(identifier)
            return
        try:
            record = to_customer(gathered.contact, gathered.follows, self._config.corp_id, self._tags)
        except (RowError, ValueError, TypeError, LookupError, AttributeError) as error:
            delta.rejects.append(_refused(error, gathered))
        else:
            delta.records.append(record)


def _merged(digests: Iterator[Digest], given: Sequence[str]) -> Iterator[Digest]:
    """Give the digests, and in their place ids that were given without one."""
    extra = iter(given)
    more = next(extra, None)
    for digest in digests:
        while more is not None and more < digest.id:
            yield Digest(more, b"")
            more = next(extra, None)
        if more == digest.id:
            more = next(extra, None)
        yield digest
    if more is not None:
        yield Digest(more, b"")
        yield from (Digest(identifier, b"") for identifier in extra)


def _digest(record: Customer) -> bytes:
    content = orjson.dumps(record.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(content, digest_size=16).digest()


def _unread(userid: str, code: str, reason: str) -> Reject:
    return Reject(f"batch/get_by_user {userid}", code, reason)


def _refused(error: Exception, row: Gathered) -> Reject:
    found = reject_of(error, {"external_contact": row.contact, "follow": list(row.follows)}, "batch/get_by_user")
    return Reject(found.location, found.code, found.reason, found.column, row.id, found.raw)
