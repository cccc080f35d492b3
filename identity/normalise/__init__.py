"""Pure, versioned normalisers: raw text to the form in which two spellings of one thing are equal.

One value: :func:`phone`, :func:`email`, :func:`number`, :func:`account`, :func:`name`, :func:`birthday`. Whole columns:
:mod:`identity.normalise.bulk`. :data:`VERSION` is raised whenever any answer changes.
"""

from __future__ import annotations

from identity.normalise.contacts import account, email, number
from identity.normalise.dates import Birthday, birthday, birthdays_agree
from identity.normalise.people import Name, NameKind, name
from identity.normalise.phones import mask_of, national, phone
from identity.normalise.text import VERSION, Normal, Status

__all__ = [
    "VERSION",
    "Birthday",
    "Name",
    "NameKind",
    "Normal",
    "Status",
    "account",
    "birthday",
    "birthdays_agree",
    "email",
    "mask_of",
    "name",
    "national",
    "number",
    "phone",
]
