"""A link model in the hub: trained on its own profiles, tried before it is used, and off unless it is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from people import Street, member, phone

from hub.errors import ConfigError
from hub.pipeline.identity_report import changed_settings, preview
from hub.pipeline.link_model import Trained, load_model, train_model
from hub.records import Customer, Identifier, IdentifierKind

# One process trains the model for all tests.
pytestmark = pytest.mark.xdist_group("twins")

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = "芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红健文辉力"


def street_of_twins(street: Street) -> None:
    """Four hundred people whom two systems know; in the second one only by name, birthday and the visible digits."""
    records: list[Customer] = []
    for n in range(400):
        name = SURNAMES[n % 20] + GIVEN[n % 30] + GIVEN[(n * 7) % 29]
        birthday = f"{1950 + n % 50}-{1 + n % 12:02}-{1 + n % 28:02}"
        number = phone(n).value
        masked = Identifier(kind=IdentifierKind.PHONE_MASKED, value=f"{number[:3]}****{number[-4:]}")
        records.append(member(f"a{n}", phone(n), name=name, birthday=birthday, city="苏州市"))
        records.append(member(f"b{n}", masked, name=name, birthday=birthday if n % 3 else None, city="苏州市"))
    street.tell(*records)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Street, Trained]]:
    folder = tmp_path_factory.mktemp("twins")
    street = Street.open(folder)
    street.hub.settings = replace(
        street.hub.settings, identity=changed_settings(street.hub.settings.identity, ["composites=[]"])
    )
    street_of_twins(street)
    street.resolve()
    yield street, train_model(street.hub)
    street.hub.close()


def test_the_model_is_kept_with_a_card(trained: tuple[Street, Trained]) -> None:
    street, made = trained
    body = json.loads((Path(street.hub.settings.home) / made.file).read_text(encoding="utf-8"))
    assert body["version"] == made.version
    assert (body["card"]["records"], body["card"]["splink"][:2]) == (800, "5.")
    assert set(body["card"]["validation"]) >= {"precision", "recall", "pairs_above"}


def test_it_is_tried_before_it_is_used_and_then_used(trained: tuple[Street, Trained]) -> None:
    street, made = trained
    before = street.groups()
    settings = changed_settings(street.hub.settings.identity, [f'link_model="{made.file}"'])
    tried = preview(street.hub, settings)
    assert street.groups() == before
    street.hub.settings = replace(street.hub.settings, identity=settings)
    report = street.resolve()
    assert dict(report.events) == dict(tried.counts)
    twins = [group for group in street.groups() if len(group) == 2]
    # Who says no birthday has only a name and a few digits in common with the twin: a person decides.
    assert len(twins) == sum(1 for n in range(400) if n % 3)
    assert report.review > 100
    assert all({one[1:] for one in group} == {min(group)[1:]} for group in twins)
    assert dict(street.resolve().events) == {}
    street.tell(member("c0", name=SURNAMES[0] + GIVEN[0] + GIVEN[0], minutes=9))
    after = street.resolve()
    everything = street.everything()
    assert after.changed == 1
    assert dict(street.resolve(full=True).events) == {}
    assert street.everything() == everything


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    street = Street.open(tmp_path)
    settings = changed_settings(street.hub.settings.identity, ['link_model="models/none.json"'])
    with pytest.raises(ConfigError) as caught:
        load_model(replace(street.hub.settings, identity=settings))
    assert caught.value.code == "link_model_unusable"
    street.hub.close()


def test_too_few_profiles_train_nothing(tmp_path: Path) -> None:
    street = Street.open(tmp_path)
    street.tell(member("1", phone(1), name="王芳"))
    street.resolve()
    with pytest.raises(ConfigError) as caught:
        train_model(street.hub)
    assert caught.value.code == "link_model_untrained"
    street.hub.close()
