"""Tokens as each platform deals them, cursors, rate limits, and the clock they all live by."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_client import http_for
from tiny_shop import START, TinyShop, names

from hub.simulation.server import (
    Call,
    Cursors,
    Database,
    Limit,
    RealClock,
    Simulator,
    TokenBook,
    TokenRule,
    Trouble,
    TroubleError,
    VirtualClock,
    endpoint,
)
from hub.simulation.server.limits import Limiter
from hub.titles import Title

WECOM = TokenRule(lifetime=7200)
YOUZAN = TokenRule(lifetime=7 * 86400, live=1, grace=3600)
STABLE = TokenRule(lifetime=7200, live=1, renew_before=300, grace=300)
ROTATING = TokenRule(lifetime=7200, live=1, reuse=False)
PARALLEL = TokenRule(lifetime=600, reuse=False)
CODE = TokenRule(lifetime=120, kind="code", reuse=False)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def book(clock: VirtualClock) -> TokenBook:
    return TokenBook(Database(), clock, "seed")


def trouble_with(book: TokenBook, value: str | None, kind: str = "access") -> Trouble:
    with pytest.raises(TroubleError) as caught:
        book.check(value, kind)
    return caught.value.trouble


def test_the_same_token_comes_until_it_expires(book: TokenBook, clock: VirtualClock) -> None:
    first = book.issue("corp", WECOM)
    clock.advance(7199)
    assert book.issue("corp", WECOM).value == first.value
    clock.advance(1)

    assert trouble_with(book, first.value) is Trouble.TOKEN_EXPIRED
    assert book.issue("corp", WECOM).value != first.value


def test_owners_and_apps_have_tokens_of_their_own(book: TokenBook) -> None:
    values = {book.issue(account, WECOM, app=app).value for account in ("a", "b") for app in ("x", "y")}

    assert len(values) == 4


def test_a_forced_token_leaves_the_old_one_its_grace(book: TokenBook, clock: VirtualClock) -> None:
    old = book.issue("shop", YOUZAN)
    new = book.issue("shop", YOUZAN, force=True)
    clock.advance(3599)
    assert book.check(old.value).value == old.value
    clock.advance(1)

    assert trouble_with(book, old.value) is Trouble.TOKEN_EXPIRED
    assert book.check(new.value).account == "shop"


def test_a_forced_token_without_grace_kills_the_old_one_at_once(book: TokenBook) -> None:
    old = book.issue("shop", YOUZAN)
    book.issue("shop", YOUZAN, force=True, grace=0)

    assert trouble_with(book, old.value) is Trouble.TOKEN_REVOKED


def test_a_stable_token_is_renewed_early_and_both_work_meanwhile(book: TokenBook, clock: VirtualClock) -> None:
    old = book.issue("app", STABLE)
    clock.advance(7200 - 300)
    new = book.issue("app", STABLE)

    assert old.value != new.value
    assert {token.value for token in book.valid("app")} == {old.value, new.value}
    clock.advance(300)
    assert [token.value for token in book.valid("app")] == [new.value]


def test_one_live_token_means_the_newest(book: TokenBook) -> None:
    first, second = book.issue("a", ROTATING), book.issue("a", ROTATING)

    assert trouble_with(book, first.value) is Trouble.TOKEN_REVOKED
    assert book.check(second.value).value == second.value


def test_any_number_of_tokens_may_live_side_by_side(book: TokenBook) -> None:
    issued = [book.issue("a", PARALLEL, scopes=("read",), data={"n": number}) for number in range(3)]

    assert [book.check(token.value).data["n"] for token in issued] == [0, 1, 2]
    assert book.check(issued[0].value).scopes == {"read"}
    assert book.revoke_all("a") == 3
    assert book.valid("a") == []


def test_a_code_works_once_and_only_as_a_code(book: TokenBook) -> None:
    code = book.issue("a", CODE)

    assert trouble_with(book, code.value, "access") is Trouble.TOKEN_UNKNOWN
    assert book.redeem(code.value, "code").account == "a"
    assert trouble_with(book, code.value, "code") is Trouble.TOKEN_REVOKED


def test_missing_and_made_up_tokens_are_told_apart(book: TokenBook) -> None:
    assert trouble_with(book, None) is Trouble.TOKEN_MISSING
    assert trouble_with(book, "") is Trouble.TOKEN_MISSING
    assert trouble_with(book, "made-up") is Trouble.TOKEN_UNKNOWN


def test_ending_a_token_says_whether_it_was_alive(book: TokenBook) -> None:
    token = book.issue("a", WECOM)

    assert book.expire(token.value)
    assert not book.expire(token.value)
    assert not book.revoke(token.value)


def test_cursors_give_back_what_was_sealed(clock: VirtualClock) -> None:
    cursors = Cursors(clock, "seed")
    cursor = cursors.seal({"after": 7}, query=["a", 1], lifetime=300)

    assert cursors.open(cursor, query=["a", 1]) == {"after": 7}
    clock.advance(299)
    assert Cursors(clock, "seed").open(cursor, query=["a", 1]) == {"after": 7}


@pytest.mark.parametrize("cursor", ["", "garbage", "!!!", "AAAA" * 10, "中文"])
def test_made_up_cursors_are_refused(clock: VirtualClock, cursor: str) -> None:
    with pytest.raises(TroubleError, match="cursor_invalid"):
        Cursors(clock, "seed").open(cursor)


def test_cursors_of_another_query_seed_or_time_are_refused(clock: VirtualClock) -> None:
    cursors = Cursors(clock, "seed")
    cursor = cursors.seal(7, query="a", lifetime=300)

    for other, query in ((cursors, "b"), (Cursors(clock, "other"), "a")):
        with pytest.raises(TroubleError, match="not of this query"):
            other.open(cursor, query=query)
    clock.advance(300)
    with pytest.raises(TroubleError, match="expired"):
        cursors.open(cursor, query="a")


def call_at(clock: VirtualClock, account: str = "a") -> Call:
    call = Call("GET", "/x", at=clock.time())
    call.caller = type(call.caller)(account)
    return call


def refused(limiter: Limiter, limits: list[Limit], call: Call) -> TroubleError | None:
    try:
        limiter.charge(limits, call)
    except TroubleError as error:
        return error
    return None


def test_several_windows_count_at_once(clock: VirtualClock) -> None:
    limiter = Limiter(Database())
    limits = [Limit(2, "second"), Limit(5, "minute"), Limit(8, "day", trouble=Trouble.QUOTA_SPENT)]
    passed: list[tuple[float, Trouble | None]] = []
    for second in (0, 0, 0, 1, 1, 2, 2, 60, 60, 61, 61):
        clock.advance_to(VirtualClock(START).time() + second)
        error = refused(limiter, limits, call_at(clock))
        passed.append((second, error.trouble if error else None))

    rate, quota = Trouble.RATE_LIMITED, Trouble.QUOTA_SPENT
    assert passed == [
        (0, None), (0, None), (0, rate), (1, None), (1, None), (2, None), (2, rate), (60, None), (60, None), (61, None),
        (61, quota),
    ]  # fmt: skip


def test_a_refusal_says_when_the_window_ends(clock: VirtualClock) -> None:
    limiter = Limiter(Database())
    clock.advance(20)
    limiter.charge([Limit(1, "minute")], call_at(clock))
    clock.advance(10)

    error = refused(limiter, [Limit(1, "minute")], call_at(clock))

    assert error is not None
    assert error.retry_after == 30.0


def test_an_excess_can_block_for_longer_than_its_window(clock: VirtualClock) -> None:
    limiter, limit = Limiter(Database()), Limit(1, "minute", block=3600)
    limiter.charge([limit], call_at(clock))
    assert refused(limiter, [limit], call_at(clock)) is not None
    clock.advance(3599)
    still = refused(limiter, [limit], call_at(clock))
    clock.advance(1)

    assert still is not None
    assert still.retry_after == 1.0
    assert refused(limiter, [limit], call_at(clock)) is None


def test_accounts_do_not_share_a_limit_unless_told_to(clock: VirtualClock) -> None:
    limiter, own, shared = Limiter(Database()), Limit(1, "hour"), Limit(1, "hour", counts=("endpoint",))

    assert refused(limiter, [own], call_at(clock, "a")) is None
    assert refused(limiter, [own], call_at(clock, "b")) is None
    assert refused(limiter, [shared], call_at(clock, "a")) is None
    assert refused(limiter, [shared], call_at(clock, "b")) is not None


def test_a_limit_that_makes_no_sense_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not 'fortnight'"):
        Limit(1, "fortnight")
    with pytest.raises(ValueError, match="cannot count by shop"):
        Limit(1, "day", counts=("account", "shop"))


def test_days_and_months_are_counted_in_china() -> None:
    midnight = dt.datetime.fromisoformat("2026-02-28T16:00:00+00:00").timestamp()

    assert Limit(1, "day").window(midnight - 1)[1] == midnight
    assert Limit(1, "day").window(midnight) == (midnight, midnight + 86400)
    assert Limit(1, "month").window(midnight - 1)[1] == midnight
    assert Limit(1, "month").window(midnight) == (midnight, midnight + 31 * 86400)


def test_quotas_can_be_read_and_cleared(clock: VirtualClock) -> None:
    limiter, limit = Limiter(Database()), Limit(3, "day")
    call = call_at(clock)
    bucket = limit.bucket(call)
    limiter.charge([limit], call)
    assert limiter.take(limit, bucket, call.at) is None
    assert limiter.used(limit, bucket, call.at) == 2
    assert limiter.used(limit, bucket, call.at + 86400) == 0
    limiter.reset(bucket)
    assert limiter.used(limit, bucket, call.at) == 0


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=80), st.integers(1, 5))
def test_no_window_ever_lets_more_calls_through_than_allowed(steps: list[tuple[float, bool]], most: int) -> None:
    clock, limiter, limit = VirtualClock(START), Limiter(Database()), Limit(most, 10.0)
    passed: dict[float, int] = {}
    for pause, _ in steps:
        clock.advance(pause)
        if refused(limiter, [limit], call_at(clock)) is None:
            begin = limit.window(clock.time())[0]
            passed[begin] = passed.get(begin, 0) + 1

    assert all(count <= most for count in passed.values())


def test_limits_of_simulator_and_endpoint_apply_in_the_platforms_words() -> None:
    class Strict(TinyShop):
        limits = (Limit(2, "minute", counts=("client",)),)

    clock = VirtualClock(START)
    with Strict(names(3), clock=clock) as shop, http_for(shop, "in-process") as http:
        codes = [http.get("/api/token", params={"app": "a"}).json()["errcode"] for _ in range(3)]
        clock.advance(60)
        codes.append(http.get("/api/token", params={"app": "a"}).json()["errcode"])

    assert codes == [4100, 4100, 45009, 4100]


def test_status_429_carries_retry_after() -> None:
    class Square(Simulator):
        name = "square"
        title = Title("方", "Square")
        limits = (Limit(1, "minute"),)

        @endpoint("GET", "/v2/customers", public=True)
        def customers(self, call: Call) -> object:
            return {}

    with Square(clock=VirtualClock(START)) as square, http_for(square, "in-process") as http:  # type: ignore[arg-type]
        http.get("/v2/customers")
        answer = http.get("/v2/customers")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_calls_at_the_same_time_are_limited() -> None:
    class Crowded(TinyShop):
        at_once = 1

        @endpoint("GET", "/meet", name="meet", public=True)
        def meet(self, call: Call) -> object:
            # The second call comes while this one is under way.
            with http_for(self, "in-process") as http:
                return http.get("/api/meet").json()

    with Crowded([]) as shop, http_for(shop, "in-process") as http:
        assert http.get("/api/meet").json()["data"]["errcode"] == 45033
        assert http.get("/api/meet").json()["errcode"] == 0


def test_virtual_time_stands_until_it_is_moved(clock: VirtualClock) -> None:
    assert clock.now() == dt.datetime.fromisoformat(START)
    clock.sleep(1.5)
    clock.advance_to(0)
    assert clock.now() - dt.datetime.fromisoformat(START) == dt.timedelta(seconds=1.5)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="needs a time zone"):
        VirtualClock("2026-03-02T09:00:00")


def test_virtual_time_may_be_moved_by_many_threads(clock: VirtualClock) -> None:
    begin = clock.time()

    def move() -> None:
        for _ in range(1000):
            clock.advance(1)

    threads = [threading.Thread(target=move) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.time() - begin == 4000


def test_real_time_goes_on() -> None:
    clock = RealClock()
    before = clock.time()
    clock.sleep(0)

    assert before <= clock.now().timestamp() <= clock.time()
