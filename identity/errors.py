"""What identity resolution can refuse. It imports nothing else of ours, so these are its own.

A single odd value never raises: it is left out and counted in the report. These errors are for calls that cannot be
right as a whole.
"""

from __future__ import annotations

__all__ = ["IdentityError", "InvalidInputError", "InvalidRulesError", "MissingLibraryError", "UnknownCustomerError"]


class IdentityError(Exception):
    """Base of every error of this library.

    Args:
        message: what is wrong; names columns, kinds and rules, never a person's value.
        hint: what to do about it.
    """

    code = "identity_error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint


class InvalidInputError(IdentityError):
    """A table lacks a column, has one of the wrong type, or names a profile twice."""

    code = "identity_input_invalid"


class InvalidRulesError(IdentityError):
    """The rules contradict themselves, e.g. two kinds of one name or a limit below one."""

    code = "identity_rules_invalid"


class UnknownCustomerError(IdentityError):
    """A profile or customer that the state does not know was asked about."""

    code = "identity_unknown"


class MissingLibraryError(IdentityError):
    """An optional library is needed for what was asked."""

    code = "identity_library_missing"
