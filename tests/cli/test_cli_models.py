"""``hub model``: what is kept, its cards, and using an earlier version again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cli_project import Project

from hub.context import open_hub
from hub.models import Candidate
from hub.store.models import FolderModels

CARD = {
    "purpose": "who to call",
    "decision": "in use",
    "results": {"auc": 0.8123456},
    "tree_rules": "|--- recency\n|   |---",
}


def kept(project: Project) -> list[str]:
    """Two versions of one model; the later one is in use."""
    models = FolderModels(project.folder / ".hub/models")
    days = (dt.date(2026, 3, 1), dt.date(2026, 3, 29))
    return [
        models.offer("churn", Candidate(day, "method 1", {"intercept": n}, CARD), promote=True).version
        for n, day in enumerate(days)
    ]


def test_without_models_the_list_says_how_they_come(project: Project) -> None:
    assert "hub score" in project.run("model", "list").out
    assert project.json("model", "list") == {"models": []}


def test_the_list_tells_versions_and_which_is_in_use(project: Project) -> None:
    older, newer = kept(project)
    document = project.json("model", "list")
    assert [(one["version"], one["in_use"]) for one in document["models"]] == [(newer, True), (older, False)]
    shown = project.run("model", "list").out
    assert older in shown
    assert "in use" in shown


def test_a_card_is_shown_whole(project: Project) -> None:
    older, newer = kept(project)
    shown = project.run("model", "card", "churn").out
    assert newer in shown
    assert "auc: 0.8123" in shown
    assert "|--- recency" in shown
    document = project.json("model", "card", "churn", older[:6])
    assert list(document) == ["name", "version", "state", "fitted_for", "decision", "recipe", "card"]
    assert document["version"] == older
    assert document["card"] == CARD


def test_a_roll_back_is_done_and_written_down(project: Project) -> None:
    older, newer = kept(project)
    assert project.json("model", "rollback", "churn") == {"name": "churn", "withdrawn": newer, "in_use": older}
    again = project.run("model", "rollback", "churn")
    assert again.code == 1
    assert "there is none before it" in again.out
    none_left = project.run("model", "rollback", "churn")
    assert none_left.code == 2
    assert "hub model promote churn VERSION" in none_left.err
    with open_hub() as hub:
        assert [entry.action for entry in hub.store.audit_log()] == ["model_rolled_back"] * 2


def test_a_version_is_promoted_and_later_ones_withdrawn(project: Project) -> None:
    older, newer = kept(project)
    assert project.json("model", "promote", "churn", older) == {"name": "churn", "version": older, "state": "promoted"}
    states = {one["version"]: one["state"] for one in project.json("model", "list")["models"]}
    assert states == {older: "promoted", newer: "withdrawn"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("card", "chum"), "There is no model 'chum'"),
        (("card", "churn", "zzz"), "has no version 'zzz'"),
        (("promote", "churn", "zzz"), "has no version 'zzz'"),
        (("rollback", "chum"), "There is no model 'chum'"),
    ],
)
def test_a_wrong_name_is_told(project: Project, arguments: tuple[str, ...], told: str) -> None:
    kept(project)
    result = project.run("model", *arguments)
    assert result.code == 2
    assert told in result.err


def test_a_damaged_model_is_told_with_what_to_do(project: Project) -> None:
    _, newer = kept(project)
    Path(project.folder / f".hub/models/churn/{newer}.json").write_text("{", encoding="utf-8")
    result = project.run("model", "list")
    assert result.code == 3
    assert "hub score" in result.err
