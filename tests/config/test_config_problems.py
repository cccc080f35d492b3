"""A wrong hub.toml: every problem at once, each with its line, its key and what to do, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, field_validator
from toy import Toy

from hub.config import Settings, find_config, load_settings
from hub.config_problems import Locator
from hub.errors import ConfigError
from hub.hookspecs import hookimpl
from hub.plugins import Plugins, load_plugins
from hub.segments import Segment
from hub.source import Check, ConnectionConfig, Source
from hub.titles import Title


class Login(BaseModel):
    model_config = {"extra": "forbid"}
    user: str
    phrase: SecretStr


class TillConfig(ConnectionConfig):
    folder: str
    api_key: SecretStr = SecretStr("")
    phrases: tuple[SecretStr, ...] = ()
    login: Login | None = None
    mode: Literal["live", "test"] = "live"
    pages: int = 1
    site: str = ""

    @field_validator("site")
    @classmethod
    def _no_spaces(cls, value: str) -> str:
        if " " in value:
            raise ValueError(f"{value!r} has a space")
        return value


class Till(Source):
    """A source that cannot receive."""

    name = "till"
    title = Title("收银", "Till")
    Config = TillConfig

    def check(self) -> list[Check]:
        return []

    def streams(self) -> list[object]:
        return []


def plugins() -> Plugins:
    class Module:
        @hookimpl
        def register_sources(self) -> list[type[Source]]:
            return [Till]

        @hookimpl
        def register_segments(self) -> list[Segment]:
            return [Segment("loyal", Title("忠诚", "Loyal"), "true")]

    found = load_plugins([])
    found.manager.register(Module(), name="till")
    found.manager.register(Toy().module(), name="toy")
    return found


def load(folder: Path, text: str, **environ: str) -> Settings:
    path = folder / "hub.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ=environ, plugins=plugins())


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environ)
    assert all(problem.file == "hub.toml" for problem in caught.value.problems)
    assert str(caught.value).count("\n  - ") == len(caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


EVERYTHING_WRONG = """\
[hub]
timezone = "Asia/Beijing"
batch_rows = 0
curency = "CNY"

[conections.x]
plugin = "till"

[connections.one]
plugin = "tills"

[connections.two]
plugin = "till"
foldr = "drops"
pages = "many"
api_key = "${TILL_KEY}"

[connections.Three]
plugin = "till"

[scores.rfm]
x = 1

[syncs.back]
to = "too"
target = "people"
segments = ["loyl"]
mode = "mirrored"
"""


def test_every_problem_is_told_at_once_each_with_line_key_and_what_to_do(tmp_path: Path) -> None:
    assert sorted(problems(tmp_path, EVERYTHING_WRONG)) == sorted(
        [
            "hub.toml:6 conections: is not a section of hub.toml. Did you mean 'connections'?",
            "hub.toml:16 connections.two.api_key: the environment variable TILL_KEY is not set. Run: export TILL_KEY=…",
            (
                "hub.toml:2 hub.timezone: not a time zone; use an IANA name such as Asia/Shanghai, found 'Asia/Beijing'. "
                "The chain's time zone (IANA name)."
            ),
            "hub.toml:3 hub.batch_rows: Input should be greater than or equal to 1, found 0. Records sealed into one package.",
            "hub.toml:4 hub.curency: is not a setting. Did you mean 'currency'?",
            "hub.toml:10 connections.one.plugin: no plugin 'tills' is installed. Did you mean 'till'?",
            "hub.toml:12 connections.two.folder: is required but missing.",
            "hub.toml:14 connections.two.foldr: is not a setting. Did you mean 'folder'?",
            "hub.toml:15 connections.two.pages: Input should be a valid integer, unable to parse string as an integer, found 'many'.",
            "hub.toml:18 connections.Three: the name may hold lower-case letters, digits, - and _ and begins with a letter.",
            "hub.toml:21 scores.rfm: no such scorer is installed.",
            "hub.toml:28 syncs.back.mode: Input should be 'insert', 'update', 'upsert', 'mirror', 'add', 'remove' or 'delete', found 'mirrored'. Which rows are created, updated and removed.",
        ]
    )


def test_a_sync_names_a_connection_that_can_receive_and_segments_that_exist(tmp_path: Path) -> None:
    text = """
[connections.shop]
plugin = "till"
folder = "drops"
[connections.crm]
plugin = "toy"
[segments.mine]
where = "true"
[syncs.a]
to = "shop"
target = "people"
[syncs.b]
to = "crn"
target = "people"
segments = ["loyal", "mine", "loyl"]
"""
    assert problems(tmp_path, text) == [
        "hub.toml:10 syncs.a.to: plugin 'till' cannot receive, it is a source only.",
        "hub.toml:13 syncs.b.to: there is no connection 'crn'. Did you mean 'crm'?",
        "hub.toml:15 syncs.b.segments: there is no segment 'loyl'. Did you mean 'loyal'?",
    ]


def test_a_sync_to_a_connection_that_is_wrong_itself_is_not_told_twice(tmp_path: Path) -> None:
    text = '[connections.crm]\nplugin = "toy"\nsize = "big"\n[syncs.a]\nto = "crm"\ntarget = "people"\n'
    [only] = problems(tmp_path, text)
    assert only.startswith("hub.toml:3 connections.crm.size: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[hub]\nhome = .hub\n", "hub.toml:2: Invalid value."),
        ('[hub]\nhome = "a"\nhome = "b"\n', "hub.toml:3: Cannot overwrite a value."),
        ('[hub\nhome = "a"\n', "hub.toml:1: Expected ']' at the end of a table declaration."),
    ],
)
def test_a_fault_of_syntax_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert problems(tmp_path, text) == [f"{told} Texts need quotes; each key may stand once."]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hub = 7", "hub.toml:1 hub: "),
        ('connections = "x"', "hub.toml:1 connections: must hold tables: write [connections.NAME]."),
        ('[connections]\npos = "till"', "hub.toml:2 connections.pos: must be a table: write [connections.pos]."),
        ("[connections.pos]", "hub.toml:1 connections.pos.plugin: is missing. Installed: till, toy."),
        ("[connections.pos]\nplugin = 7", "hub.toml:2 connections.pos.plugin: is missing."),
        (
            '[connections.pos]\nplugin = "toy"\nstreams = "orders"',
            'hub.toml:3 connections.pos.streams: must be a list of stream names. Write streams = ["orders", "customers"].',
        ),
        ('[hub]\nday_cutoff = "4 Uhr"', "hub.toml:2 hub.day_cutoff: "),
        ("[segments.x]", "hub.toml:1 segments.x.where: is required but missing."),
        ('[connections.pos]\nplugin = "till"\nfolder = "x"\nlogin = {usr = "a", phrase = "b"}',
         "hub.toml:4 connections.pos.login.user: is required but missing."),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert any(problem.startswith(told) for problem in problems(tmp_path, text)), problems(tmp_path, text)


SECRET = "hunter2-15400001234-hunter2"


def test_a_window_needs_a_limit_of_its_own_or_a_built_in_one(tmp_path: Path) -> None:
    [only] = problems(tmp_path, "[identity.kinds]\nphone = { window_days = 30 }\nunionid = { window_days = 30 }\n")
    assert "phone: window_days needs per_customer" in only
    loaded = load(tmp_path, "[identity.kinds]\nunionid = { window_days = 30 }\n")
    assert loaded.identity.kinds["unionid"].window_days == 30


@pytest.mark.parametrize(
    "line",
    [
        f'api_key = ["{SECRET}"]',
        f'phrases = [7, "{SECRET}", {{a = "{SECRET}"}}]',
        f'phrases = "{SECRET}"',
        f'login = {{user = "a", phrase = ["{SECRET}"]}}',
        f'login = {{user = "a", phrase = "x", token = "{SECRET}"}}',
        'mode = "${VALUE}"',
        'pages = "${VALUE}"',
        'site = "my ${VALUE}"',
    ],
)
def test_no_secret_is_ever_repeated(tmp_path: Path, line: str) -> None:
    found = problems(tmp_path, f'[connections.pos]\nplugin = "till"\nfolder = "x"\n{line}\n', VALUE=SECRET)
    assert found
    assert all("hunter2" not in problem for problem in found)


def test_a_broken_plugin_is_told_with_its_reason(tmp_path: Path) -> None:
    from importlib.metadata import EntryPoint

    (tmp_path / "hub.toml").write_text('[connections.pos]\nplugin = "bad"\n')
    with pytest.raises(ConfigError, match=r"plugin 'bad' is broken: cannot be imported: ModuleNotFoundError"):
        load_settings(tmp_path / "hub.toml", plugins=load_plugins([EntryPoint("bad", "no_such_module", "hub")]))


def test_references_to_the_environment_are_replaced_in_any_text(tmp_path: Path) -> None:
    text = '[connections.pos]\nplugin = "till"\nfolder = "a/${SHOP}/$${SHOP}"\nphrases = ["${ONE}", "two"]\n'
    config = load(tmp_path, text, SHOP="s1", ONE="first").connections["pos"].config
    assert config.folder == "a/s1/${SHOP}"
    assert [phrase.get_secret_value() for phrase in config.phrases] == ["first", "two"]


def test_an_empty_environment_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "from outside")
    assert "SHOP is not set" in problems(tmp_path, '[hub]\nhome = "${SHOP}"')[0]


def test_a_connection_knows_its_secrets(tmp_path: Path) -> None:
    text = '[connections.pos]\nplugin = "till"\nfolder = "x"\napi_key = "${KEY}"\nlogin = {user = "a", phrase = "p"}\n'
    assert load(tmp_path, text, KEY="k-123").connections["pos"].secrets == ("k-123", "p")


def test_the_settings_say_where_things_are(tmp_path: Path) -> None:
    plain = load(tmp_path, "")
    assert plain.home == tmp_path / ".hub"
    assert plain.store_url == f"sqlite:///{tmp_path / '.hub' / 'store.db'}"
    assert plain.packages_root == str(tmp_path / ".hub" / "packages")
    text = '[hub]\nhome = "/data"\npackages = "s3://bucket/p"\nsnapshots = "snap"\nwarehouse = "w.duckdb"\n'
    given_places = load(tmp_path, text)
    assert given_places.packages_root == "s3://bucket/p"
    assert given_places.snapshots_root == str(tmp_path / "snap")
    assert given_places.warehouse == tmp_path / "w.duckdb"
    assert given_places.store_url == "sqlite:////data/store.db"
    assert load(tmp_path, '[hub]\npackages = "file:///data/p"').packages_root == "/data/p"


def test_the_nearest_file_upwards_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub.toml").write_text("")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_config(below) == tmp_path / "hub.toml"
    monkeypatch.setenv("HUB_CONFIG", str(below / "other.toml"))
    with pytest.raises(ConfigError, match="which is not a file"):
        find_config(tmp_path)
    (below / "other.toml").write_text("")
    assert find_config(tmp_path) == below / "other.toml"


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        load_settings(tmp_path / "none.toml", plugins=plugins())
    assert caught.value.code == "config_missing"
    (tmp_path / "hub.toml").write_bytes("[hub]\nhome = '总部'".encode("gb18030"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_settings(tmp_path / "hub.toml", plugins=plugins())


def test_a_wrong_path_is_told_with_where_the_file_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    assert "`hub init` writes a commented hub.toml" in _hint(tmp_path / "empty" / "hub.toml")
    (tmp_path / "hub.toml").write_text("")
    assert _hint(tmp_path) == f"It is a folder; name the file in it: {tmp_path / 'hub.toml'}."
    assert f"In {tmp_path} there is hub.toml." in _hint(tmp_path / "hubb.toml")
    monkeypatch.setenv("HUB_CONFIG", str(tmp_path / "hubb.toml"))
    with pytest.raises(ConfigError) as caught:
        find_config()
    assert "there is hub.toml." in caught.value.hint


def _hint(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, plugins=plugins())
    assert caught.value.code == "config_missing"
    return caught.value.hint


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text("[hub]\nbatch_rows = 7", encoding="utf-8-sig")
    assert load_settings(tmp_path / "hub.toml", plugins=plugins()).hub.batch_rows == 7


@given(st.text(max_size=80))
def test_any_text_at_all_has_lines_for_its_keys(text: str) -> None:
    lines = len(text.splitlines())
    locator = Locator("hub.toml", text)
    assert all(1 <= line <= lines for key in ("hub", "hub.home", "a.b.c") if (line := locator.line(key)))


def test_keys_are_found_in_dotted_quoted_and_nested_tables() -> None:
    text = '[connections."pos"] # the till\n"folder" = 1\n\n[connections.pos.login]\nuser = 2\n'
    locator = Locator("hub.toml", text)
    assert locator.line("connections.pos.folder") == 2
    assert locator.line("connections.pos.login.user") == 5
    assert locator.line("connections.pos.nothing") == 1
    assert locator.line("nowhere") is None
