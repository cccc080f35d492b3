"""Target ``tag``: a customer's segments become tags of the follower, within the hub's own; nothing else is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus, RemoteRow
from hub.errors import RowError
from hub.http import fan_out
from hub.redaction import redact
from plugins.wechat.client import DETAILS_PER_CALL, OPENIDS_PER_TAGGING, WechatClient
from plugins.wechat.errors import code_of
from plugins.wechat.halves import in_halves
from plugins.wechat.tagbook import LONGEST_NAME, TagBook

__all__ = ["Tagger", "wanted_tags"]

_MOST_TAGS: Final = 20
"""Most tags of one follower, the platform's and other people's included."""
_TAG_GONE: Final = "45159"
_STRANGERS: Final = frozenset({"40003", "46004", "49003", "50005", "not_following"})
"""Who is no follower has no tags: nothing is left to be taken away."""


def wanted_tags(values: Mapping[str, Any]) -> frozenset[str]:
    """Return what a row's mapped values want as tags: segments or other values, before they are given their tag's name.

    A list gives each of its texts, ``true`` the field's own name, a text itself; ``false`` and nothing give none.

    Raises:
        ValueError: a value is none of these.
    """
    found: set[str] = set()
    for name, value in values.items():
        if value is None or value is False or value == "":
            continue
        if value is True:
            found.add(name)
        elif isinstance(value, str):
            found.add(value)
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            found.update(value)
        else:
            kind = "a number" if isinstance(value, int | Decimal) else "something else"
            raise ValueError(f"{name} is {kind}; a tag needs a text, a list of texts, true or false")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Change:
    """One call: a tag given to, or taken from, up to 50 followers."""

    tag: int
    openids: Sequence[str]
    takes: bool


class _Tally:
    """What is still to be done for each row, and what went wrong."""

    def __init__(self) -> None:
        self.open: dict[str, int] = defaultdict(int)
        self.errors: dict[str, RowError] = {}

    def expect(self, changes: Iterable[_Change]) -> None:
        """Count the changes of each follower."""
        for change in changes:
            for openid in change.openids:
                self.open[openid] += 1

    def close(self, openids: Sequence[str], error: RowError | None) -> Iterator[str]:
        """Note one done change of these followers, and give those that have no more to come."""
        for openid in openids:
            self.open[openid] -= 1
            if error is not None:
                self.errors.setdefault(openid, error)
            if self.open[openid] == 0:
                yield openid


class Tagger:
    """Writes target ``tag``.

    Args:
        client: the account's API.
        book: the hub's tags.
        workers: calls at once.
    """

    def __init__(self, client: WechatClient, book: TagBook, workers: int) -> None:
        self._client = client
        self._book = book
        self._workers = workers

    def write(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Bring each follower to just the wanted tags of the hub.

        What each has now is read first, a hundred per call; then one call per tag and 50 followers, taking before giving.

        Raises:
            HubError: what concerns all rows; outcomes known by then are given first.
        """
        wanted: dict[str, frozenset[str]] = {}
        rows: dict[str, Operation] = {}
        for operation in operations:
            try:
                wanted[operation.key] = self._names(operation)
                rows[operation.key] = operation
            except ValueError as error:
                yield _invalid(operation, str(error))
        self._book.ensure(name for names in wanted.values() for name in names)
        takes: dict[int, list[str]] = defaultdict(list)
        gives: dict[int, list[str]] = defaultdict(list)
        for openid, state in self._states(list(rows)):
            outcome = self._plan(rows[openid], wanted[openid], state, takes, gives)
            if outcome:
                yield outcome
        yield from self._carry_out(rows, [_changes(takes, takes=True), _changes(gives, takes=False)])

    def _names(self, operation: Operation) -> frozenset[str]:
        if operation.kind is OperationKind.DELETE:
            return frozenset()
        names = frozenset(map(self._book.name_of, wanted_tags(operation.values)))
        for name in names:
            if len(name) > LONGEST_NAME:
                raise ValueError(
                    f"a tag's name has at most {LONGEST_NAME} characters, {name[:LONGEST_NAME]}… has {len(name)}; "
                    "give it a shorter one under tags.names"
                )
        return names

    def _states(self, openids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any] | RowError]]:
        """Give what each follower is like now."""
        chunks = [openids[start : start + DETAILS_PER_CALL] for start in range(0, len(openids), DETAILS_PER_CALL)]
        for result in fan_out(self._look, chunks, workers=self._workers):
            found = dict(result.unwrap())
            for openid in result.item:
                yield openid, found.get(openid) or {"subscribe": 0}

    def _look(self, openids: Sequence[str]) -> list[tuple[str, Mapping[str, Any] | RowError]]:
        found: list[tuple[str, Mapping[str, Any] | RowError]] = []
        for group, answer in in_halves(openids, self._client.follower_details):
            if isinstance(answer, RowError):
                found += [(openid, answer) for openid in group]
            else:
                found += [(str(row["openid"]), row) for row in answer]
        return found

    def _plan(
        self,
        operation: Operation,
        names: frozenset[str],
        state: Mapping[str, Any] | RowError,
        takes: dict[int, list[str]],
        gives: dict[int, list[str]],
    ) -> Outcome | None:
        """Note which tags are to be taken and given; return the outcome where nothing is."""
        if isinstance(state, RowError):
            return _refused(operation, state)
        if int(state.get("subscribe", 1)) == 0:
            return _refused(operation, RowError("The person does not follow the account.", code="not_following"))
        refused = [self._book.refused[name] for name in names if name in self._book.refused]
        if refused:
            return _refused(operation, refused[0])
        there = {int(tag) for tag in state.get("tagid_list") or []}
        own, target = set(self._book.ids.values()), {self._book.ids[name] for name in names}
        if len((there - own) | target) > _MOST_TAGS:
            full = RowError(f"The follower would have more than {_MOST_TAGS} tags.", code="too_many_tags")
            return _refused(operation, full)
        for tag in (there & own) - target:
            takes[tag].append(operation.key)
        for tag in target - there:
            gives[tag].append(operation.key)
        return Outcome(operation.id, OutcomeStatus.UNCHANGED) if there & own == target else None

    def _carry_out(self, rows: Mapping[str, Operation], rounds: Sequence[Sequence[_Change]]) -> Iterator[Outcome]:
        tally = _Tally()
        for changes in rounds:
            tally.expect(changes)
        for changes in rounds:
            for result in fan_out(self._change, changes, workers=self._workers):
                for openids, error in result.unwrap():
                    for openid in tally.close(openids, error):
                        yield self._outcome(rows[openid], tally.errors.get(openid))

    def _change(self, change: _Change) -> list[tuple[Sequence[str], RowError | None]]:
        call = self._client.untag if change.takes else self._client.tag
        return [(group, answer) for group, answer in in_halves(change.openids, lambda part: call(change.tag, part))]

    def _outcome(self, operation: Operation, error: RowError | None) -> Outcome:
        if error is None:
            return Outcome(operation.id, OutcomeStatus.ACCEPTED)
        if code_of(error) == _TAG_GONE:
            self._book.forget()
            return Outcome(operation.id, OutcomeStatus.DEFERRED, _TAG_GONE, "The tag was deleted meanwhile.")
        return _refused(operation, error)

    def read_back(self) -> Iterator[RemoteRow]:
        """Give every follower with a tag of the hub; ``values`` holds their names as ``tags``."""
        self._book.forget()
        names = sorted(self._book.ids)
        # One number per follower, a bit per tag: there are at most a hundred.
        held: dict[str, int] = defaultdict(int)
        for place, name in enumerate(names):
            for openids in self._client.tagged(self._book.ids[name]):
                for openid in openids:
                    held[openid] |= 1 << place
        for openid, bits in held.items():
            yield RemoteRow(openid, {"tags": [name for place, name in enumerate(names) if bits >> place & 1]})

    def holds(self, operation: Operation | None, rows: Sequence[RemoteRow]) -> bool:
        """Tell whether a follower has just the wanted tags of the hub.

        Args:
            operation: what is wanted; None for a follower who is to have none.
            rows: what :meth:`read_back` gave for the follower.
        """
        try:
            wanted = self._names(operation) if operation is not None else frozenset()
        except ValueError:
            # What cannot be written is not there; the push says why.
            return False
        return {name for row in rows for name in row.values["tags"]} == wanted


def _changes(by_tag: Mapping[int, Sequence[str]], *, takes: bool) -> list[_Change]:
    return [
        _Change(tag, openids[start : start + OPENIDS_PER_TAGGING], takes)
        for tag, openids in sorted(by_tag.items())
        for start in range(0, len(openids), OPENIDS_PER_TAGGING)
    ]


def _invalid(operation: Operation, reason: str) -> Outcome:
    text = redact(f"{reason[:1].upper()}{reason[1:]}.")
    return Outcome(operation.id, OutcomeStatus.INVALID, "value_not_a_tag", text)


def _refused(operation: Operation, error: RowError) -> Outcome:
    code = code_of(error)
    if operation.kind is OperationKind.DELETE and code in _STRANGERS:
        return Outcome(operation.id, OutcomeStatus.UNCHANGED)
    text = redact(f"{error.message} {error.hint}".strip())
    return Outcome(operation.id, OutcomeStatus.REJECTED, code, text).answered(error)
