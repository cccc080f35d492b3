"""Tokens: unreadable at rest, replaced only by who knows the present one, renewed by one process at a time."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from processes import run, start

from hub.errors import ConfigError, StoreError
from hub.http.testing import VirtualClock
from hub.http.tokens import StoredToken
from hub.store.store import Store
from hub.store.tokens import secret_key

TOKEN = StoredToken(
    "at-plain-and-secret", 1.0, 7200.0, refresh_token="rt-also-secret", extra={"shop": "shop-77"}, version=1
)


def test_a_token_comes_back_as_it_was_put(store: Store) -> None:
    assert store.tokens.get("pos") is None
    assert store.tokens.put("pos", TOKEN, replaces=0)
    assert store.tokens.get("pos") == TOKEN


def test_no_part_of_a_token_stands_in_the_file(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}", tmp_path) as store:
        store.tokens.put("pos", TOKEN, replaces=0)
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert b"pos" in stored
    for secret in (b"at-plain-and-secret", b"rt-also-secret", b"shop-77"):
        assert secret not in stored


def test_only_the_expected_version_is_replaced(store: Store) -> None:
    second = StoredToken("second", version=2)
    assert not store.tokens.put("pos", second, replaces=1)
    assert store.tokens.put("pos", TOKEN, replaces=0)
    assert not store.tokens.put("pos", second, replaces=0)
    assert store.tokens.put("pos", second, replaces=1)
    assert store.tokens.get("pos") == second


def test_of_many_that_put_the_first_token_one_succeeds(store: Store) -> None:
    barrier = threading.Barrier(8)
    stored: list[bool] = []

    def put(number: int) -> None:
        barrier.wait()
        stored.append(store.tokens.put("pos", StoredToken(f"token {number}", version=1), replaces=0))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [False] * 7 + [True]


def test_the_wrong_key_is_told_with_what_to_do(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.tokens.put("pos", TOKEN, replaces=0)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    with (
        Store.open(store.database.url, tmp_path) as other,
        pytest.raises(StoreError, match="cannot be decrypted") as error,
    ):
        other.tokens.get("pos")
    assert error.value.code == "secret_key_wrong"
    assert "old key behind the new one" in error.value.hint


def test_keys_are_rotated_by_putting_the_new_one_first(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("HUB_SECRET_KEY", old)
    with Store.open(store_url, tmp_path) as store:
        store.tokens.put("pos", TOKEN, replaces=0)
    monkeypatch.setenv("HUB_SECRET_KEY", f"{new}, {old},")
    with Store.open(store_url, tmp_path) as store:
        assert store.tokens.get("pos") == TOKEN
        store.tokens.put("pos", StoredToken("renewed", version=2), replaces=1)
    monkeypatch.setenv("HUB_SECRET_KEY", new)
    with Store.open(store_url, tmp_path) as store:
        assert store.tokens.get("pos").value == "renewed"


@pytest.mark.parametrize("key", ["short", "这不是密钥", f"{'A' * 43}=,short"])
def test_a_key_that_is_none_is_told_without_repeating_it(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_SECRET_KEY", key)
    with pytest.raises(ConfigError, match="HUB_SECRET_KEY is not a key") as caught:
        secret_key(tmp_path)
    assert key not in str(caught.value)
    assert "generate_key" in caught.value.hint


def test_without_a_key_one_is_made_that_only_the_owner_reads(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    sealed = secret_key(home).encrypt(b"x")
    assert secret_key(home).decrypt(sealed) == b"x"
    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret.key"]


def test_a_spoilt_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(ConfigError, match=r"secret\.key is not a key"):
        secret_key(tmp_path)


def test_threads_that_make_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    sealed: list[bytes] = []

    def make() -> None:
        barrier.wait()
        sealed.append(secret_key(tmp_path).encrypt(b"x"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [secret_key(tmp_path).decrypt(text) for text in sealed] == [b"x"] * 8


def _renew(url: str, home: Path, diary: Path) -> None:
    with Store.open(url, home) as store:
        for _ in range(3):
            with store.tokens.exclusive("pos"):
                with diary.open("a") as file:
                    file.write("in ")
                version = (store.tokens.get("pos") or StoredToken("", version=0)).version
                assert store.tokens.put("pos", StoredToken("v", version=version + 1), replaces=version)
                with diary.open("a") as file:
                    file.write("out ")


def test_processes_renew_a_token_one_after_the_other(store_url: str, tmp_path: Path) -> None:
    Store.open(store_url, tmp_path).close()
    diary = tmp_path / "diary"
    renewing = [start(_renew, store_url, tmp_path, diary) for _ in range(3)]
    for process in renewing:
        process.join(120)
    assert [process.exitcode for process in renewing] == [0, 0, 0]
    assert diary.read_text() == "in out " * 9
    with Store.open(store_url, tmp_path) as store:
        assert store.tokens.get("pos").version == 9


def _die_renewing(url: str, home: Path) -> None:
    from hub.crashpoints import crash_point

    with Store.open(url, home) as store, store.tokens.exclusive("pos"):
        crash_point("ingest.written")


def test_a_process_that_dies_while_renewing_is_waited_for_no_longer_than_its_lease(
    store_url: str, tmp_path: Path, virtual_time: VirtualClock
) -> None:
    import datetime as dt

    assert run(_die_renewing, store_url, tmp_path, HUB_CRASH_AT="ingest.written") == -9
    now = lambda: dt.datetime.fromtimestamp(virtual_time.time(), dt.UTC)  # noqa: E731
    with Store.open(store_url, tmp_path, now=now, sleep=virtual_time.sleep) as store:
        (lease,) = store.leases.holders()
        with store.database.write() as session:
            lease.process = "another machine's"
            session.merge(lease)
        virtual_time.advance(lease.expires_at.timestamp() - virtual_time.time() - 5)
        with store.tokens.exclusive("pos"):
            assert 4 < sum(virtual_time.sleeps) < 6


def test_a_process_that_dies_beside_us_while_renewing_is_not_waited_for(
    store_url: str, tmp_path: Path, virtual_time: VirtualClock
) -> None:
    import datetime as dt

    assert run(_die_renewing, store_url, tmp_path, HUB_CRASH_AT="ingest.written") == -9
    now = lambda: dt.datetime.fromtimestamp(virtual_time.time(), dt.UTC)  # noqa: E731
    with Store.open(store_url, tmp_path, now=now, sleep=virtual_time.sleep) as store, store.tokens.exclusive("pos"):
        assert sum(virtual_time.sleeps) < 1
