"""Calls about many people of whom one may spoil all: halved until the one is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from hub.errors import RowError
from plugins.wechat.errors import SPLITTABLE, code_of

__all__ = ["in_halves"]

R = TypeVar("R")


def in_halves(
    openids: Sequence[str], work: Callable[[Sequence[str]], R]
) -> Iterator[tuple[Sequence[str], R | RowError]]:
    """Do the work for all at once, or for halves of them where one person is at fault.

    Args:
        openids: who; at least one.
        work: one call; all or nothing.

    Yields:
        Groups with the result of their call, or with the refusal that concerns the whole group.

    Raises:
        HubError: what concerns everybody.
    """
    try:
        result = work(openids)
    except RowError as error:
        if len(openids) == 1 or code_of(error) not in SPLITTABLE:
            yield openids, error
            return
    else:
        yield openids, result
        return
    middle = len(openids) // 2
    yield from in_halves(openids[:middle], work)
    yield from in_halves(openids[middle:], work)
