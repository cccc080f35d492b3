"""``hub model``: the models that scorers have learnt; show their cards, use an earlier version again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import LOOK, MEND, group, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.models import Model
    from hub.show.screen import Screen

__all__ = ["card", "list_", "promote", "rollback"]

_group = group("model", "The models that scores come from: versions, cards, promote, roll back.", LOOK)
_NAME = Annotated[str, typer.Argument(help="A model; `hub model list` shows them.")]


@verb(LOOK, "hub model list", name="list", under=_group)
def list_(session: Session) -> Answer:
    """List every model's versions, and which of them is in use."""
    with session.hub() as hub:
        found = [one for name in hub.models.names() for one in reversed(hub.models.versions(name))]
        used = {one.version for name in hub.models.names() if (one := hub.models.current(name, hub.now().date()))}
    rows = [{**_document(one), "in_use": one.version in used} for one in found]
    return Answer({"models": rows}, lambda screen: _show_list(screen, rows))


def _document(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": model.version,
        "state": model.state,
        "fitted_for": model.fitted_for,
        "decision": model.card.get("decision", ""),
    }


def _show_list(screen: Screen, rows: Sequence[Mapping[str, Any]]) -> None:
    screen.table(
        ("Model", "Version", "Fitted for", "State", "Why"),
        [
            (
                row["name"],
                row["version"],
                row["fitted_for"],
                "in use" if row["in_use"] else row["state"],
                row["decision"],
            )
            for row in rows
        ],
        empty="There is no model yet: `hub score` fits them when there is enough data.",
    )


@verb(LOOK, "hub model card churn", "hub model card churn 3f2a", under=_group)
def card(
    session: Session,
    name: _NAME,
    version: Annotated[
        str | None, typer.Argument(help="A version, or its beginning; the one in use by default.")
    ] = None,
) -> Answer:
    """Show a model's card: what it is for, what it saw, how good it was, how well its probabilities fit."""
    with session.hub() as hub:
        if version is not None:
            found = hub.models.version(name, version)
        else:
            found = hub.models.current(name, hub.now().date()) or hub.models.versions(name)[-1]
    document = {**_document(found), "recipe": found.recipe, "card": found.card}
    return Answer(document, lambda screen: _show_card(screen, found))


def _show_card(screen: Screen, model: Model) -> None:
    screen.heading(f"{model.name} {model.version} ({model.state.value}, fitted for {model.fitted_for.isoformat()})")
    _show_section(screen, model.card, 0)


def _show_section(screen: Screen, section: Mapping[str, Any], indent: int) -> None:
    for key, value in section.items():
        title = key.replace("_", " ")
        if isinstance(value, Mapping):
            screen.line(f"{title}:", "cyan", indent=indent)
            _show_section(screen, value, indent + 2)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            screen.line(f"{title}:", "cyan", indent=indent)
            for one in value:
                screen.line(", ".join(f"{name} {_text(item)}" for name, item in one.items()), indent=indent + 2)
        elif isinstance(value, str) and "\n" in value:
            screen.line(f"{title}:", "cyan", indent=indent)
            for line in value.rstrip().splitlines():
                screen.line(line, indent=indent + 2)
        else:
            screen.line(f"{title}: {_text(value)}", indent=indent)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "-" if value is None else str(value)


@verb(MEND, "hub model promote churn 3f2a", under=_group)
def promote(
    session: Session,
    name: _NAME,
    version: Annotated[str, typer.Argument(help="A version, or its beginning.")],
) -> Answer:
    """Use a version from now on, in place of later ones; the next fit competes with it.

    Who did it is written down.
    """
    with session.hub() as hub:
        chosen = hub.models.promote(name, version)
        hub.store.audit("model_promoted", name, {"version": chosen.version})
    document = {"name": name, "version": chosen.version, "state": chosen.state}
    return Answer(document, lambda screen: screen.line(f"Model {name} {chosen.version} is in use from its day on."))


@verb(MEND, "hub model rollback churn", under=_group)
def rollback(session: Session, name: _NAME) -> Answer:
    """Withdraw the version of a model that is in use; the one before it is used again.

    Without one before, the scores of this model stay empty until the next fit. Who did it is written down.
    """
    with session.hub() as hub:
        withdrawn, used = hub.models.roll_back(name)
        now_used = used.version if used else None
        hub.store.audit("model_rolled_back", name, {"version": withdrawn.version, "in_use": now_used})
    document = {"name": name, "withdrawn": withdrawn.version, "in_use": now_used}
    code = ExitCode.FINE if used else ExitCode.PARTIAL
    return Answer(document, lambda screen: _show_rollback(screen, name, withdrawn, used), code)


def _show_rollback(screen: Screen, name: str, withdrawn: Model, used: Model | None) -> None:
    after = f"{used.version} is used again" if used else "there is none before it"
    screen.line(f"Model {name} {withdrawn.version} is withdrawn; {after}. Work the scores out anew: hub score")
