"""Everything that makes identity hard in real stores, each with its own rate; 0 switches one off.

Every difficulty draws from its own random stream, so that switching one on or off leaves all others as they were.
The same table, in words, is in docs/simulated-chain.md (a test compares the two).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from hub.simulation.world.arrays import Bools
from hub.simulation.world.seeds import Part, key_of, stream

__all__ = ["Difficulties", "Difficulty"]


@dataclass(frozen=True)
class Difficulty:
    """One entry of the catalogue: its switch, its rate, what the rate is a share of, and what happens."""

    name: str
    rate: float
    share_of: str
    happens: str


def _rate(default: float, share_of: str, happens: str) -> Any:
    return field(default=default, metadata={"share_of": share_of, "happens": happens})


_PERSON = "people"
_PHONED = "profiles that ask for a phone (pos, youzan, weimob, miniprogram)"
_POS = "till memberships"
_NAMED = "profiles with a name field (pos, youzan, weimob)"
_TICKETS = "till tickets"


@dataclass(frozen=True)
class Difficulties:
    """Rates of all difficulties, each between 0 and 1; ``Difficulties(masked_phone=0)`` switches one off."""

    household_phone: float = _rate(
        0.08, "people who are not the first of their household", "give the family's number where it is typed by hand"
    )
    recycled_phone: float = _rate(
        0.03,
        "people who arrive after the 120th day",
        "hold a number that somebody else gave up at least 90 days before",
    )
    changed_phone: float = _rate(
        0.08, _PERSON, "change their number within the first two years; most old profiles keep the old one"
    )
    second_phone: float = _rate(0.05, _PERSON, "own two numbers and use either")
    shop_phone: float = _rate(0.02, _POS, "staff typed the shop's number for the customer")
    staff_phone: float = _rate(0.005, _POS, "staff typed their own or a colleague's number for the customer")
    default_phone: float = _rate(0.01, _POS, "the till's filler number 15400000000")
    mistyped_phone: float = _rate(0.01, _POS, "one digit is wrong; the number may be somebody else's")
    missing_phone: float = _rate(0.08, _PHONED, "no phone")
    formatted_phone: float = _rate(
        0.10, "numbers typed by hand", "+86, 86, 0086, spaces, dashes, full-width digits or an apostrophe"
    )
    masked_phone: float = _rate(0.10, "profiles with a phone", "the platform shows 154****1234")
    missing_name: float = _rate(0.12, _NAMED, "no name")
    nickname: float = _rate(0.10, _NAMED, "a nickname in the name field (WeCom and mini-program names always are)")
    honorific: float = _rate(0.10, _NAMED, "surname and title only: 王女士, 李先生, 张姐, 小陈")
    homophone: float = _rate(
        0.03, "names whose first given character has a twin", "another character of the same sound: 涵 for 晗"
    )
    traditional: float = _rate(0.02, _NAMED, "traditional characters: 劉偉")
    missing_birthday: float = _rate(0.45, _NAMED, "no birthday")
    birthday_without_year: float = _rate(0.08, _NAMED, "month and day only")
    placeholder_birthday: float = _rate(0.05, _NAMED, "1900-01-01, 1970-01-01, 1990-01-01 or 2000-01-01")
    lunar_birthday: float = _rate(0.04, _NAMED, "the day of the Chinese calendar stands in the field")
    missing_gender: float = _rate(0.30, "profiles (pos, youzan, weimob, wecom, miniprogram)", "no gender")
    missing_unionid: float = _rate(
        0.15, "profiles made in WeChat (youzan, weimob, wecom, wechat, miniprogram)", "no unionid"
    )
    two_wechats: float = _rate(
        0.04, _PERSON, "own two WeChat accounts, use either, and may be in WeCom or the mini-program twice"
    )
    duplicate_membership: float = _rate(
        0.05, "memberships (pos, youzan, weimob)", "are followed by a second one of the same person"
    )
    merged_membership: float = _rate(
        0.30, "duplicate memberships (youzan, weimob)", "are merged by the platform some months later"
    )
    shared_card: float = _rate(
        0.03, "till tickets of people who live with others", "are put on the card of somebody of the household"
    )
    staff_card: float = _rate(0.01, "till tickets without a member", "are put on the card of one of the cashiers")
    card_not_shown: float = _rate(0.30, "till tickets of members", "the card is not shown: the ticket is anonymous")
    late_card: float = _rate(0.01, "till tickets with a member", "the member is added up to two days later")
    late_ticket: float = _rate(0.02, _TICKETS, "reach the head office 1 to 72 hours late (the shop was offline)")
    duplicate_ticket: float = _rate(0.002, _TICKETS, "are uploaded a second time, under another number")
    void_ticket: float = _rate(0.004, "till tickets of customers", "are voided within a quarter of an hour")
    wrong_clock: float = _rate(0.002, _TICKETS, "carry a till time that is up to a day off")
    unpaid_order: float = _rate(0.04, "online orders", "were left unpaid first and placed again five minutes later")
    other_receiver: float = _rate(0.15, "delivered orders", "go to another person")
    closed_account: float = _rate(0.02, "profiles", "are closed or deleted within two years")

    def __post_init__(self) -> None:
        """Check every rate.

        Raises:
            ValueError: a rate is not between 0 and 1; the message names it.
        """
        for name, rate in self.rates().items():
            if not 0 <= rate <= 1:
                raise ValueError(f"the rate of {name} must lie between 0 and 1, not at {rate}")

    def rates(self) -> dict[str, float]:
        """Every rate by the name of its switch."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def catalogue(self) -> tuple[Difficulty, ...]:
        """All difficulties with their rates and meanings, in the order of the documentation."""
        return tuple(
            Difficulty(entry.name, getattr(self, entry.name), entry.metadata["share_of"], entry.metadata["happens"])
            for entry in fields(self)
        )

    @classmethod
    def none(cls) -> Difficulties:
        """A world without any difficulty: clean phones, clean names, everybody shows the card."""
        return cls(**{entry.name: 0.0 for entry in fields(cls)})

    @classmethod
    def only(cls, *names: str) -> Difficulties:
        """A world with the named difficulties at their usual rates and no other."""
        return replace(cls.none(), **{name: getattr(cls(), name) for name in names})

    def without(self, *names: str) -> Difficulties:
        """The same rates with the named difficulties switched off."""
        return replace(self, **dict.fromkeys(names, 0.0))

    def hits(self, name: str, seed: int, rows: int, *address: int) -> Bools:
        """Draw which of ``rows`` rows the named difficulty befalls, from the stream that belongs to it alone."""
        draws = stream(seed, Part.DIFFICULTY, key_of(0, name) % 2**32, *address).random(rows)
        hits: Bools = draws < getattr(self, name)
        return hits
