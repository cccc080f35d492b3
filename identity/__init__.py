"""Identity resolution: which profiles are one person, explained, reversible, and with ids that last.

Frames in, decisions out: :func:`resolve` takes Arrow tables and the :class:`State` of the last run and gives a
:class:`Resolution`. The library imports nothing of the hub and can be used without it. ``docs/identity.md`` is the guide.
"""

from __future__ import annotations

from identity.changes import KEYS, Change
from identity.crosswalk import CROSSWALK, crosswalk, live_customers
from identity.errors import (
    IdentityError,
    InvalidInputError,
    InvalidRulesError,
    MissingLibraryError,
    UnknownCustomerError,
)
from identity.events import EVENTS
from identity.explain import explain
from identity.finder import Finder
from identity.golden import CONTACTS, FIELDS, REPORTED, GoldenRecords, golden_records
from identity.naming import IdSource, random_ids, sequential_ids
from identity.preview import Preview, preview
from identity.reasons import Clash, Explanation, Reason, Side
from identity.report import Report
from identity.resolve import Resolution, decision_version, resolve
from identity.rules import DEFAULT_KINDS, Assurance, Composite, Kind, Normaliser, Rules, Tier
from identity.tables import CONSTRAINTS, IDENTIFIERS, PAIRS, PROFILES, SCHEMAS, State
from identity.wishes import merge, unmerge

__all__ = [
    "CONSTRAINTS",
    "CONTACTS",
    "CROSSWALK",
    "DEFAULT_KINDS",
    "EVENTS",
    "FIELDS",
    "IDENTIFIERS",
    "KEYS",
    "PAIRS",
    "PROFILES",
    "REPORTED",
    "SCHEMAS",
    "Assurance",
    "Change",
    "Clash",
    "Composite",
    "Explanation",
    "Finder",
    "GoldenRecords",
    "IdSource",
    "IdentityError",
    "InvalidInputError",
    "InvalidRulesError",
    "Kind",
    "MissingLibraryError",
    "Normaliser",
    "Preview",
    "Reason",
    "Report",
    "Resolution",
    "Rules",
    "Side",
    "State",
    "Tier",
    "UnknownCustomerError",
    "crosswalk",
    "decision_version",
    "explain",
    "golden_records",
    "live_customers",
    "merge",
    "preview",
    "random_ids",
    "resolve",
    "sequential_ids",
    "unmerge",
]
