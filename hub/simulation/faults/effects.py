"""What a fault programme can do to one call or to one pushed message.

An effect says what the caller sees; it knows nothing of HTTP frameworks. The server base applies it on a real socket
and in-process alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Busy",
    "CallEffect",
    "Cut",
    "Delay",
    "Drop",
    "ExpireToken",
    "Hang",
    "HoldBack",
    "Lose",
    "PushEffect",
    "Repeat",
    "ServerError",
    "ShiftPage",
    "Throttle",
]


@dataclass(frozen=True, slots=True)
class Throttle:
    """Refuse with the platform's own throttling code."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Refuse with the platform's own "system busy" code."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """Answer ``status`` (5xx) with a proxy's HTML page, as a broken gateway does."""

    status: int


@dataclass(frozen=True, slots=True)
class ExpireToken:
    """End the token used by this call before it is checked: by age, or revoked when ``revoked``."""

    revoked: bool


@dataclass(frozen=True, slots=True)
class ShiftPage:
    """Let the data change just before this page is read; ``seed`` decides what changes."""

    seed: str


@dataclass(frozen=True, slots=True)
class Delay:
    """Do the work, then wait ``seconds`` of the simulator's clock before answering."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Do the work, then never answer: the caller's own time-out ends the call."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Do the work, send only ``share`` (0-1) of the body.

    With ``clean`` the headers announce the shortened length, so that the caller gets a complete answer holding broken
    text; otherwise the connection closes in the middle of the announced body.
    """

    share: float
    clean: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer: before the work, or after it when ``after_work``."""

    after_work: bool


CallEffect: TypeAlias = Throttle | Busy | ServerError | ExpireToken | ShiftPage | Delay | Hang | Cut | Drop


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the same message once more, ``after`` seconds later, whatever the first answer was."""

    after: float


@dataclass(frozen=True, slots=True)
class HoldBack:
    """Send the message ``seconds`` late, so that younger ones overtake it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lose:
    """Never send the message."""


PushEffect: TypeAlias = Repeat | HoldBack | Lose
