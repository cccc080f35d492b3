"""Why a file as a whole cannot be used."""

from __future__ import annotations

from hub.errors import HubError, Recovery

__all__ = ["RejectedFileError"]


class RejectedFileError(HubError):
    """This file is put aside with its reason, the other files go on; it is tried again once it, or its mapping, changes."""

    recovery = Recovery.SKIP_ROW
    default_code = "file_refused"
    default_hint = "Send the file again once it is mended; it is tried again when it changes."
