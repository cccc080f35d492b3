"""Finding plugins: what is broken is told and left out; the environment says which are loaded."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from toy import Feed, Toy

from hub.destination import Destination
from hub.errors import DeferError, PluginError, StreamError
from hub.hookspecs import HOOKSPEC_VERSION, hookimpl
from hub.plugins import Loaded, Plugins, contained, load_plugins
from hub.records import Customer
from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.segments import Segment
from hub.source import ConnectionConfig, Source
from hub.titles import Title

Offer = Callable[..., EntryPoint]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Make an entry point to a module with these hooks."""

    def make(name: str, **content: Any) -> EntryPoint:
        module = types.ModuleType(f"made_up_{name}_{len(sys.modules)}")
        for key, value in content.items():
            setattr(module, key, hookimpl(value) if callable(value) else value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, "hub")

    return make


def source_named(label: str) -> type[Source]:
    class Made(Source):
        name = label
        title = Title(label, label)
        Config = ConnectionConfig

        def check(self) -> list[Any]:
            return []

        def streams(self) -> list[Any]:
            return []

    return Made


def sources(*labels: str) -> Callable[[], list[type[Source]]]:
    made = [source_named(label) for label in labels]
    return lambda: made


def nothing() -> list[Any]:
    return []


def states(plugins: Plugins) -> dict[str, str]:
    return {entry.name: entry.state for entry in plugins.loaded}


def entry(plugins: Plugins, name: str) -> Loaded:
    return next(one for one in plugins.loaded if one.name == name)


def test_a_plugin_is_listed_with_its_hooks(offer: Offer) -> None:
    plugins = load_plugins([offer("one", register_sources=sources("one"), register_segments=nothing)])
    assert states(plugins) == {"one": "loaded"}
    assert plugins.loaded[0].hooks == ("register_segments", "register_sources")
    assert list(plugins.sources()) == ["one"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module_anywhere", "ModuleNotFoundError"),
        ("os:no_such_name", "AttributeError"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_told_and_left_out(offer: Offer, value: str, told: str) -> None:
    plugins = load_plugins([EntryPoint("bad", value, "hub"), offer("good", register_sources=sources("good"))])
    assert states(plugins) == {"bad": "broken", "good": "loaded"}
    assert told in entry(plugins, "bad").reason
    assert "Traceback" in entry(plugins, "bad").detail
    assert list(plugins.sources()) == ["good"]


@pytest.mark.parametrize("raised", ["SystemExit(3)", "RuntimeError('token=abcdefgh')", "SyntaxError('x')"])
def test_whatever_a_module_raises_on_import_does_not_stop_the_hub(
    raised: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises_on_import.py").write_text(f"raise {raised}")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = load_plugins([EntryPoint("bad", "raises_on_import", "hub")])
    assert states(plugins) == {"bad": "broken"}
    assert "abcdefgh" not in plugins.loaded[0].reason


def test_a_misspelt_hook_is_told_by_name(offer: Offer) -> None:
    plugins = load_plugins([offer("typo", register_sorces=nothing), offer("good", register_sources=sources("good"))])
    assert states(plugins) == {"good": "loaded", "typo": "broken"}
    assert "register_sorces" in entry(plugins, "typo").reason
    assert list(plugins.sources()) == ["good"]


def test_a_hook_with_arguments_that_do_not_exist_is_told(offer: Offer) -> None:
    plugins = load_plugins([offer("odd", register_sources=lambda colour: [])])
    assert states(plugins) == {"odd": "broken"}
    assert "colour" in plugins.loaded[0].reason


def test_a_plugin_for_a_newer_hub_is_told_what_to_do(offer: Offer) -> None:
    plugins = load_plugins([offer("new", hub_api=HOOKSPEC_VERSION + 1), offer("same", hub_api=HOOKSPEC_VERSION)])
    assert states(plugins) == {"new": "broken", "same": "loaded"}
    assert "update the hub" in entry(plugins, "new").reason
    assert entry(plugins, "new").detail == ""


def test_two_plugins_of_one_name_are_told(offer: Offer) -> None:
    first, second = offer("twin", register_sources=sources("a")), offer("twin", register_sources=sources("b"))
    plugins = load_plugins([first, second])
    assert [one.state for one in plugins.loaded] == ["loaded", "broken"]
    assert "uninstall one" in plugins.loaded[1].reason
    assert list(plugins.sources()) == ["a"]


def test_two_plugins_that_offer_the_same_source_are_told_with_the_way_out(offer: Offer) -> None:
    plugins = load_plugins(
        [offer("one", register_sources=sources("pos")), offer("two", register_sources=sources("pos"))]
    )
    with pytest.raises(PluginError, match=r"Two plugins offer 'pos'.*HUB_PLUGINS_DISABLED"):
        plugins.sources()


def scorer(label: str, *traits: str) -> type[Scorer]:
    class Made(Scorer):
        name = label

        def score(self, inputs: Inputs) -> str:
            return ""

    Made.traits = tuple(Trait(trait, TraitType.INTEGER, Title(trait, trait)) for trait in traits)
    return Made


def test_two_scorers_that_declare_one_trait_are_told(offer: Offer) -> None:
    plugins = load_plugins(
        [
            offer("one", register_scorers=lambda: [scorer("rfm", "recency", "frequency")]),
            offer("two", register_scorers=lambda: [scorer("other", "recency")]),
        ]
    )
    with pytest.raises(PluginError, match="Trait recency is declared by both other and rfm"):
        plugins.traits()


def test_traits_and_segments_of_all_plugins_are_gathered(offer: Offer) -> None:
    segment = Segment("loyal", Title("忠诚", "Loyal"), "recency < 30")
    plugins = load_plugins(
        [offer("one", register_scorers=lambda: [scorer("rfm", "recency")], register_segments=lambda: [segment])]
    )
    assert list(plugins.traits()) == ["recency"]
    assert plugins.segments() == {"loyal": segment}


def _raises() -> list[Any]:
    raise RuntimeError("no licence for 15400001234")


class _Nameless(Source):
    title = Title("x", "x")
    Config = ConnectionConfig

    def check(self) -> list[Any]:
        return []

    def streams(self) -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (_raises, "register_sources raised RuntimeError: no licence for 154****1234"),
        (lambda: [7], "returned 7, which is no Source class"),
        (lambda: [Destination], "which is no Source class"),
        (lambda: [_Nameless], "returned _Nameless, which lacks name"),
        (lambda: 7, "raised TypeError"),
    ],
)
def test_a_plugin_whose_hook_goes_wrong_is_told_and_left_out(offer: Offer, hook: Any, told: str) -> None:
    plugins = load_plugins([offer("bad", register_sources=hook), offer("good", register_sources=sources("good"))])
    assert list(plugins.sources()) == ["good"]
    assert states(plugins) == {"bad": "broken", "good": "loaded"}
    assert told in entry(plugins, "bad").reason


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HUB_PLUGINS", "one, three", {"one": "loaded", "two": "disabled", "three": "loaded"}),
        ("HUB_PLUGINS_DISABLED", "two,", {"one": "loaded", "two": "disabled", "three": "loaded"}),
        ("HUB_PLUGINS", "", {"one": "loaded", "two": "loaded", "three": "loaded"}),
    ],
)
def test_the_environment_says_which_plugins_are_loaded(
    offer: Offer, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: dict[str, str]
) -> None:
    monkeypatch.setenv(variable, value)
    plugins = load_plugins([offer(name, register_sources=sources(name)) for name in expected])
    assert states(plugins) == expected
    assert all(variable in one.reason for one in plugins.loaded if one.state == "disabled")
    assert sorted(plugins.sources()) == sorted(name for name, state in expected.items() if state == "loaded")


def test_a_disabled_plugin_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PLUGINS_DISABLED", "bad")
    assert states(load_plugins([EntryPoint("bad", "no_such_module_anywhere", "hub")])) == {"bad": "disabled"}


@pytest.mark.parametrize(("value", "traced"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_calls_of_hooks_can_be_traced(
    offer: Offer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str, traced: bool
) -> None:
    monkeypatch.setenv("HUB_TRACE_PLUGINS", value)
    caplog.set_level(logging.INFO, "hub.plugins")
    load_plugins([offer("one", register_sources=sources("one"))]).sources()
    assert any("call register_sources" in message and "one" in message for message in caplog.messages) is traced
    assert any("done register_sources" in message for message in caplog.messages) is traced


def test_a_name_that_is_not_there_is_told_with_the_nearest_one(offer: Offer) -> None:
    plugins = load_plugins([offer("one", register_sources=sources("tickets"))])
    with pytest.raises(PluginError, match="Did you mean 'tickets'") as caught:
        plugins.source("ticket")
    assert caught.value.code == "plugin_unknown"
    with pytest.raises(PluginError, match="Installed: none"):
        plugins.destination("anything")


def test_the_toy_of_these_tests_is_a_plugin_like_any_other() -> None:
    plugins = Toy({"pos": {"members": Feed(Customer)}}).plugins
    assert list(plugins.sources()) == list(plugins.destinations()) == ["toy"]


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (ValueError("secret-value and 15400001234"), PluginError, "plugin_failed"),
        (PermissionError(13, "Permission denied"), StreamError, "stream_io"),
        (DeferError("later"), DeferError, "deferred"),
    ],
)
def test_what_a_plugin_raises_becomes_an_error_of_the_hub(raised: Exception, kind: type[Exception], code: str) -> None:
    with pytest.raises(kind) as caught, contained("Reading pos/orders", ["secret-value"]):
        raise raised
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert "secret-value" not in str(caught.value)
    assert "15400001234" not in str(caught.value)


def test_an_interrupt_is_not_taken_for_a_plugin_s_fault() -> None:
    with pytest.raises(KeyboardInterrupt), contained("Reading pos/orders"):
        raise KeyboardInterrupt
