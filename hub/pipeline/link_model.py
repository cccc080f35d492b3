"""The link model of a hub: trained on its own profiles, measured against what identifiers prove, kept with a card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.config import Settings
from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.identity_state import PREFIX, prepare_identity
from hub.warehouse.engine import DuckDBEngine
from identity import IdentityError, MissingLibraryError
from identity.likely import LinkModel, train_profiles
from identity.likely.profiles import records_query

__all__ = ["Trained", "load_model", "train_model"]

_FOLDER = "models"


@dataclass(frozen=True)
class Trained:
    """A model that was trained.

    Attributes:
        file: where it is, as ``identity.link_model`` names it.
        version: its fingerprint.
        card: what it was trained on and how well it does.
    """

    file: str
    version: str
    card: dict[str, Any]


def load_model(settings: Settings) -> LinkModel | None:
    """Return the model that ``identity.link_model`` names; None when it is off.

    Raises:
        ConfigError: there is no such file, or it is no model.
    """
    if not settings.identity.link_model:
        return None
    try:
        return LinkModel.load(settings.home / settings.identity.link_model)
    except IdentityError as error:
        raise ConfigError(
            error.message,
            code="link_model_unusable",
            context={"key": "identity.link_model"},
            hint="`hub identity train` makes one; an empty text switches it off.",
        ) from error


def train_model(hub: Hub) -> Trained:
    """Train a model on the hub's profiles and keep it; nothing uses it until ``identity.link_model`` names it.

    Raises:
        LeaseHeldError: another process has the warehouse open.
        ConfigError: Splink is not installed, or there are too few profiles.
    """
    with hub.warehouse() as engine:
        prepare_identity(engine)
        records = engine.arrow(records_query(f"{PREFIX}profiles", f"{PREFIX}links"))
        try:
            model = train_profiles(records, at=hub.now())
            pairs = model.pairs(records, least_weight=hub.settings.identity.likely_review)
        except MissingLibraryError as error:
            raise ConfigError(error.message, code="extra_missing", hint=error.hint) from error
        except IdentityError as error:
            raise ConfigError(error.message, code="link_model_untrained", hint=error.hint) from error
        measured = _measure(engine, records, pairs, hub.settings.identity.likely_join)
    model = LinkModel(model.fields, model.blocks, model.settings, {**model.card, "validation": measured})
    name = f"{_FOLDER}/identity-{model.version}.json"
    model.save(Path(hub.settings.home) / name)
    return Trained(name, model.version, dict(model.card))


def _measure(engine: DuckDBEngine, records: pa.Table, pairs: pa.Table, join: float) -> dict[str, Any]:
    """How often the model agrees with what identifiers prove, which it never saw.

    Precision over the pairs that would be joined and whose two profiles carry a full phone, a login or a card of one system
    each: proven when they are one customer. Recall over the pairs of profiles that identifiers have made one customer.
    """
    carries = f"""SELECT DISTINCT profile, kind, scope FROM {PREFIX}links
                  WHERE status = 'key' AND kind NOT LIKE '%+%' AND kind <> 'payment_token'"""
    with engine.register({"trained_record": records.select(["id"]), "trained_pair": pairs}):
        found = engine.rows(
            f"""WITH joined AS (FROM trained_pair WHERE weight > {float(join)}),
                carries AS ({carries}),
                provable AS (SELECT DISTINCT j."left", j."right" FROM joined AS j
                             JOIN carries AS a ON a.profile = j."left"
                             JOIN carries AS b ON b.profile = j."right" AND b.kind = a.kind AND b.scope = a.scope),
                home AS (SELECT profile, customer FROM {PREFIX}memberships WHERE profile IN (SELECT id FROM trained_record)),
                proven AS (SELECT a.profile AS "left", b.profile AS "right" FROM home AS a JOIN home AS b USING (customer)
                           WHERE a.profile < b.profile)
                SELECT (SELECT count(*) FROM joined), (SELECT count(*) FROM provable),
                       (SELECT count(*) FROM provable SEMI JOIN proven USING ("left", "right")),
                       (SELECT count(*) FROM proven), (SELECT count(*) FROM proven SEMI JOIN joined USING ("left", "right"))"""
        )
    joined, provable, right, proven, again = found[0]
    return {
        "likely_join": join,
        "pairs_above": joined,
        "provable": provable,
        "precision": round(right / provable, 4) if provable else None,
        "proven": proven,
        "recall": round(again / proven, 4) if proven else None,
    }
