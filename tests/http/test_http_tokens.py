"""One token for everybody, renewed by exactly one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from http_sharing import PROCESSES, FileTokenStore, run_processes

from hub.errors import AuthError, ConfigError, RetryError
from hub.http import MemoryTokenStore, NewToken, StaticToken, StoredToken, TokenCache
from hub.http.testing import VirtualClock


class Platform:
    """Counts how often it is asked for a token."""

    def __init__(self, expires_in: float | None = 7200, *, rotates: bool = False) -> None:
        self.asked_with: list[str | None] = []
        self._expires_in = expires_in
        self._rotates = rotates
        self._guard = threading.Lock()

    def __call__(self, previous: StoredToken | None) -> NewToken:
        with self._guard:
            self.asked_with.append(previous.refresh_token if previous else None)
            number = len(self.asked_with)
        return NewToken(f"token-{number}", self._expires_in, f"refresh-{number}" if self._rotates else None)


def test_a_token_is_fetched_once_and_then_used_until_shortly_before_it_expires(clock: VirtualClock) -> None:
    platform = Platform(expires_in=7200)
    cache = TokenCache("shop", platform, MemoryTokenStore(), clock=clock, margin=300)
    assert cache.current().value == "token-1"
    clock.advance(6899)
    assert cache.current().value == "token-1"
    clock.advance(1)
    assert cache.current().value == "token-2"


def test_a_token_shorter_lived_than_the_margin_is_used_for_half_its_life(clock: VirtualClock) -> None:
    cache = TokenCache("shop", Platform(expires_in=100), MemoryTokenStore(), clock=clock, margin=300)
    cache.current()
    clock.advance(49)
    assert cache.current().value == "token-1"
    clock.advance(1)
    assert cache.current().value == "token-2"


def test_a_token_without_expiry_is_used_until_it_is_refused(clock: VirtualClock) -> None:
    cache = TokenCache("shop", Platform(expires_in=None), MemoryTokenStore(), clock=clock)
    token = cache.current()
    clock.advance(10**9)
    assert cache.current() is token
    assert cache.renew(token)
    assert cache.current().value == "token-2"


def test_another_process_finds_the_stored_token(clock: VirtualClock) -> None:
    store, platform = MemoryTokenStore(), Platform()
    TokenCache("shop", platform, store, clock=clock).current()
    assert TokenCache("shop", platform, store, clock=clock).current().value == "token-1"
    assert len(platform.asked_with) == 1


def test_a_rotated_refresh_token_is_stored_before_the_new_token_is_used(clock: VirtualClock) -> None:
    store, platform = MemoryTokenStore(), Platform(expires_in=1000, rotates=True)
    cache = TokenCache("shop", platform, store, clock=clock)
    for _ in range(3):
        token = cache.current()
        assert store.get("shop") == token
        clock.advance(1000)
    assert platform.asked_with == [None, "refresh-1", "refresh-2"]


def test_a_refresh_token_that_does_not_rotate_is_kept(clock: VirtualClock) -> None:
    store = MemoryTokenStore()
    store.put("shop", StoredToken("old", 0, 0, refresh_token="refresh-0", version=1), replaces=0)
    platform = Platform(expires_in=1000)
    cache = TokenCache("shop", platform, store, clock=clock)
    cache.current()
    clock.advance(1000)
    cache.current()
    assert platform.asked_with == ["refresh-0", "refresh-0"]


def test_a_process_that_dies_before_storing_leaves_the_old_token_in_place(clock: VirtualClock) -> None:
    store = MemoryTokenStore()

    def dies(previous: StoredToken | None) -> NewToken:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TokenCache("shop", dies, store, clock=clock).current()
    assert store.get("shop") is None
    assert TokenCache("shop", Platform(), store, clock=clock).current().value == "token-1"


# One renewal for all.


def test_many_threads_at_once_fetch_one_token(clock: VirtualClock) -> None:
    platform = Platform()
    cache = TokenCache("shop", platform, MemoryTokenStore(), clock=clock)
    values = in_threads(12, lambda: cache.current().value)
    assert values == ["token-1"] * 12
    assert len(platform.asked_with) == 1


def test_many_threads_refused_with_one_token_renew_it_once(clock: VirtualClock) -> None:
    platform = Platform()
    cache = TokenCache("shop", platform, MemoryTokenStore(), clock=clock)
    refused = cache.current()

    def renew() -> str:
        cache.renew(refused)
        return cache.current().value

    assert in_threads(12, renew) == ["token-2"] * 12
    assert len(platform.asked_with) == 2


def test_a_second_client_refused_with_the_old_token_takes_the_one_that_was_renewed_meanwhile(
    clock: VirtualClock,
) -> None:
    store, platform = MemoryTokenStore(), Platform()
    first, second = (TokenCache("shop", platform, store, clock=clock) for _ in range(2))
    old = second.current()
    first.renew(first.current())
    second.renew(old)
    assert second.current().value == "token-2"
    assert len(platform.asked_with) == 2


def in_threads(count: int, work: Any) -> list[Any]:
    results: list[Any] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait(10)
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def renew_in_threads(results: Any, folder: Path, asked: Any, start: Any, together: Any) -> None:
    """Four threads of one process, all refused with the same old token."""

    def fetch(previous: StoredToken | None) -> NewToken:
        # If turns were not taken, the other process would be in here too before this one is done.
        together.acquire(timeout=0.3)
        with asked.get_lock():
            asked.value += 1
            return NewToken(f"token-{asked.value}", 7200)

    cache = TokenCache("shop", fetch, FileTokenStore(folder), clock=VirtualClock())
    old = cache.current()
    start.wait(30)

    def renew() -> tuple[str, int]:
        cache.renew(old)
        token = cache.current()
        return token.value, token.version

    results.put(in_threads(4, renew))


def test_threads_of_several_processes_renew_a_revoked_token_once(tmp_path: Path) -> None:
    asked, start, together = PROCESSES.Value("i", 0), PROCESSES.Barrier(2), PROCESSES.Semaphore(0)
    gathered = run_processes(renew_in_threads, [(tmp_path, asked, start, together)] * 2)
    assert {token for tokens in gathered for token in tokens} == {("token-2", 2)}
    assert asked.value == 2


def test_a_turn_that_ran_out_yields_to_what_was_stored_meanwhile(clock: VirtualClock) -> None:
    class LostTurn(MemoryTokenStore):
        """Somebody else stores a token just before we do, as after an expired lease."""

        @contextmanager
        def exclusive(self, name: str) -> Iterator[None]:
            yield

    store = LostTurn()

    def fetch(previous: StoredToken | None) -> NewToken:
        store.put("shop", StoredToken("theirs", version=1), replaces=0)
        return NewToken("ours")

    assert TokenCache("shop", fetch, store, clock=clock).current().value == "theirs"


# Refusals.


@pytest.mark.parametrize("error", [AuthError("wrong secret"), ConfigError("wrong corp id")])
def test_a_refused_credential_is_not_tried_again_for_a_while(
    error: AuthError | ConfigError, clock: VirtualClock
) -> None:
    tries: list[int] = []

    def refuse(previous: StoredToken | None) -> NewToken:
        tries.append(1)
        raise error

    cache = TokenCache("shop", refuse, MemoryTokenStore(), clock=clock, failure_pause=60)
    for _ in range(5):
        with pytest.raises(type(error), match=error.message):
            cache.current()
    assert len(tries) == 1
    clock.advance(60)
    with pytest.raises(type(error)):
        cache.current()
    assert len(tries) == 2


def test_a_token_stored_by_somebody_else_ends_the_pause_after_a_refusal(clock: VirtualClock) -> None:
    store = MemoryTokenStore()

    def refuse(previous: StoredToken | None) -> NewToken:
        raise AuthError("wrong secret")

    cache = TokenCache("shop", refuse, store, clock=clock)
    with pytest.raises(AuthError):
        cache.current()
    store.put("shop", StoredToken("mended", version=1), replaces=0)
    assert cache.current().value == "mended"


def test_a_passing_fault_while_fetching_is_tried_again_next_time(clock: VirtualClock) -> None:
    answers: Iterator[RetryError | NewToken] = iter([RetryError("busy"), NewToken("token-1")])

    def fetch(previous: StoredToken | None) -> NewToken:
        answer = next(answers)
        if isinstance(answer, RetryError):
            raise answer
        return answer

    cache = TokenCache("shop", fetch, MemoryTokenStore(), clock=clock)
    with pytest.raises(RetryError):
        cache.current()
    assert cache.current().value == "token-1"


def test_the_values_of_this_and_the_last_token_are_known_as_secrets(clock: VirtualClock) -> None:
    cache = TokenCache("shop", Platform(rotates=True), MemoryTokenStore(), clock=clock)
    cache.renew(cache.current())
    assert set(cache.secrets()) == {"token-1", "refresh-1", "token-2", "refresh-2"}


def test_a_fixed_token_cannot_be_renewed() -> None:
    token = StaticToken("fixed")
    assert not token.renew(token.current())


def test_a_store_refuses_to_replace_another_version_than_the_one_that_was_read() -> None:
    store = MemoryTokenStore()
    assert store.put("shop", StoredToken("a", version=1), replaces=0)
    assert not store.put("shop", StoredToken("b", version=1), replaces=0)
    assert store.put("shop", StoredToken("c", version=2), replaces=1)
