"""The rules of identity resolution as ``[identity]`` and the chain's own numbers make them."""

from __future__ import annotations

from hub.config import IdentitySettings
from hub.warehouse.engine import Engine
from identity import DEFAULT_KINDS, Composite, Rules

__all__ = ["own_phones", "rules_of"]


def rules_of(settings: IdentitySettings, own: frozenset[str] = frozenset()) -> Rules:
    """Return the rules.

    Args:
        settings: ``[identity]``.
        own: phones of shops and staff, see :func:`own_phones`.
    """
    blocked = {kind.name: frozenset(settings.blocked) for kind in DEFAULT_KINDS} if settings.blocked else {}
    rules = Rules(
        blocked=blocked,
        trusted={kind: frozenset(values) for kind, values in settings.trusted.items()},
        own={"phone": own} if own else {},
        max_customer=settings.max_profiles_per_customer,
        late_bridge=settings.late_bridge,
        tenure_gap_days=settings.tenure_gap_days,
        likely_join=settings.likely_join,
        likely_review=settings.likely_review,
        composites=tuple(Composite(name) for name in settings.composites),
    )
    for kind, limits in settings.kinds.items():
        rules = rules.with_kind(kind, **limits.model_dump(exclude_none=True))
    return rules


def own_phones(engine: Engine) -> frozenset[str]:
    """Return the phones of the chain's own shops and staff as their platforms wrote them: they are nobody's identity."""
    rows = engine.rows(
        """SELECT DISTINCT phone FROM (SELECT phone FROM stores UNION ALL SELECT phone FROM staff
           UNION ALL SELECT value FROM staff_identifiers WHERE kind = 'phone') WHERE phone IS NOT NULL"""
    )
    return frozenset(row[0] for row in rows)
