"""Through which channel, and at which hour, messages are answered best."""

from __future__ import annotations

import datetime as dt
from typing import Any

from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from till import TODAY, Till, order

from hub.records import Event
from plugins.retail.taste import Taste

CHANNELS = ("sms", "wecom", "miniprogram")


def at(days: int, hour: int) -> dt.datetime:
    """An hour of the shop's clock, so many days before today."""
    return TODAY.replace(hour=hour, minute=5) - dt.timedelta(days=days)


def event(kind: str, days: int, hour: int, channel: str | None = None, message: str | None = None) -> Event:
    name = f"{kind}-{days}-{hour}-{channel}-{message}"
    return Event(source_id=name, type=f"message.{kind}", customer_id="anna", occurred_at=at(days, hour), channel=channel, subject_id=message)  # fmt: skip


def message(days: int, hour: int, channel: str | None, *, answered: bool, after: int = 1) -> list[Event]:
    """A message that bears an id, answered some hours later or not at all."""
    sent = event("sent", days, hour, channel, f"m{days}-{hour}")
    return [sent, event("opened", days, hour + after, channel, f"m{days}-{hour}")] if answered else [sent]


def best(till: Till, *events: Event) -> tuple[Any, Any]:
    till.take(order("1", "anna", "30", 10), *events)
    found = till.traits(also=(Taste,), trade="tea")["anna"]
    return found["best_send_channel"], found["best_send_hour"]


def test_the_channel_with_the_highest_rate_and_the_hour_its_messages_were_sent_at(till: Till) -> None:
    texts = [one for n in range(10) for one in message(40 + n, 9, "sms", answered=n < 3)]
    chats = [one for n in range(4) for one in message(10 + n, 18 if n else 12, "wecom", answered=n > 0)]
    assert best(till, *texts, *chats) == ("wecom", 18)


def test_a_channel_that_was_hardly_tried_does_not_win_by_one_answer(till: Till) -> None:
    often = [one for n in range(10) for one in message(20 + n, 9, "wecom", answered=n < 5)]
    assert best(till, *often, *message(5, 20, "sms", answered=True)) == ("wecom", 9)


def test_hours_of_all_channels_count_where_the_best_one_has_few_answers(till: Till) -> None:
    texts = [one for n in range(9) for one in message(40 + n, 9, "sms", answered=n < 2)]
    chats = [one for n in range(2) for one in message(10 + n, 18, "wecom", answered=True)]
    # Two of nine at 9, two of two at 18: wecom is best; it has two answers only, and 18 wins among all hours.
    assert best(till, *texts, *chats) == ("wecom", 18)
    more = [one for n in range(3) for one in message(60 + n, 7, None, answered=True)]
    assert best(till, *texts, *chats, *more) == ("wecom", 7)


def test_a_message_that_is_opened_and_clicked_is_answered_once(till: Till) -> None:
    both = [*message(5, 9, "sms", answered=True), event("clicked", 5, 11, "sms", "m5-9")]
    assert best(till, *both, *message(6, 9, "sms", answered=True)) == (None, None)


def test_what_is_opened_and_clicked_in_an_hour_counts_once_where_messages_bear_no_id(till: Till) -> None:
    told = (("sent", 9), ("opened", 10), ("clicked", 10))
    assert best(till, *(event(kind, day, hour, "sms") for day in (5, 6) for kind, hour in told)) == (None, None)


def test_messages_without_a_channel_tell_the_hour_only(till: Till) -> None:
    assert best(till, *(one for n in range(3) for one in message(5 + n, 9, None, answered=True))) == (None, 9)


def test_messages_that_bear_no_id_are_of_their_own_hours(till: Till) -> None:
    sent = [event("sent", day, 9, "sms") for day in range(5, 9)]
    assert best(till, *sent, *(event("opened", day, 20, "sms") for day in range(5, 8))) == ("sms", 20)


def test_messages_of_more_than_a_year_ago_tell_nothing(till: Till) -> None:
    assert best(till, *(one for n in range(3) for one in message(366 + n, 9, "sms", answered=True))) == (None, None)


sendings = st.lists(
    st.tuples(st.sampled_from(CHANNELS), st.integers(8, 12), st.booleans()), min_size=1, max_size=30
)  # fmt: skip


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=sendings)
def test_the_rule_holds_for_whatever_was_sent(till: Till, sent: list[tuple[str, int, bool]]) -> None:
    till.empty()
    events = [one for n, (via, hour, yes) in enumerate(sent) for one in message(n + 1, hour, via, answered=yes)]

    def highest(of: int, among: list[tuple[str, int, bool]]) -> Any:
        kinds = sorted({one[of] for one in among})
        cells = {kind: [one[2] for one in among if one[of] == kind] for kind in kinds}
        return max(kinds, key=lambda kind: ((sum(cells[kind]) + 1) / (len(cells[kind]) + 4), -kinds.index(kind)))

    expected: tuple[Any, Any] = (None, None)
    if sum(yes for *_, yes in sent) >= 3:
        channel = highest(0, sent)
        own = [one for one in sent if one[0] == channel]
        expected = channel, highest(1, own if sum(yes for *_, yes in own) >= 3 else sent)
    assert best(till, *events) == expected
