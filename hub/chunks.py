"""Work in chunks, so that memory is bounded by their size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["chunks"]

_T = TypeVar("_T")


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield lists of at most ``size`` items, in order."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
