"""What nobody foresaw, told as the hub tells everything else."""

from __future__ import annotations

from collections.abc import Iterable

from hub.errors import HubError

__all__ = ["UnexpectedError", "as_hub_error"]


class UnexpectedError(HubError):
    """Something went wrong that the hub did not foresee: a fault of the hub itself."""

    default_code = "unexpected"
    default_hint = (
        "This is a fault of the hub. Nothing that was sealed is lost. "
        "Run the command again with --debug and report what it shows."
    )


def as_hub_error(error: BaseException, secrets: Iterable[str] = ()) -> HubError:
    """Return the error itself, or an :class:`UnexpectedError` that names it without repeating anything personal.

    Args:
        error: what was raised; it stays the cause of what is returned.
        secrets: values that the message must not repeat.
    """
    from hub.redaction import redact

    if isinstance(error, HubError):
        return error
    told = UnexpectedError(f"{type(error).__name__}: {redact(str(error), secrets)}")
    told.__cause__ = error
    return told
