"""Points in time as they are written on a command line."""

from __future__ import annotations

import datetime as dt

from hub.errors import ConfigError

__all__ = ["moment"]


def moment(text: str | None, zone: dt.tzinfo) -> dt.datetime | None:
    """Return the instant a text means; one without an offset is in ``zone``, a bare date is its first moment.

    Raises:
        ConfigError: it is not a time.
    """
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is not a time.",
            code="time_invalid",
            hint="Write it like 2026-04-01, 2026-04-01T08:00 or 2026-04-01T08:00:00+08:00.",
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=zone)
