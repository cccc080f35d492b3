"""A block of people with everything about them that does not change with time, and their own random streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.simulation.world.accounts import AccountBook, open_accounts
from hub.simulation.world.arrays import Bools
from hub.simulation.world.assortment import Assortment
from hub.simulation.world.chain import Chain
from hub.simulation.world.people import People, draw_people
from hub.simulation.world.phones import Phones, draw_phones
from hub.simulation.world.profile import ChainProfile
from hub.simulation.world.seeds import Part, stream
from hub.simulation.world.setting import Setting
from hub.simulation.world.taste import Taste, draw_taste

__all__ = ["Block"]


@dataclass(frozen=True)
class Block:
    """Up to 50 000 people of one chain. Rows of people and accounts are numbers within the block."""

    chain: Chain
    assortment: Assortment
    number: int
    people: People
    phones: Phones
    book: AccountBook
    taste: Taste

    @classmethod
    def of(cls, chain: Chain, assortment: Assortment, number: int) -> Block:
        """Draw the people of one block, their numbers, accounts and tastes."""
        people = draw_people(chain, number)
        phones = draw_phones(chain.setting, people, number)
        book = open_accounts(chain.setting, people, phones, number)
        return cls(chain, assortment, number, people, phones, book, draw_taste(assortment, people, number))

    @property
    def setting(self) -> Setting:
        """What the world is made from."""
        return self.chain.setting

    @property
    def profile(self) -> ChainProfile:
        """The trade."""
        return self.chain.setting.profile

    def stream(self, part: Part, *address: int) -> np.random.Generator:
        """The random stream of one part at one address (usually the period) within the block."""
        return stream(self.setting.seed, part, self.number, *address)

    def hits(self, name: str, rows: int, *address: int) -> Bools:
        """Which of ``rows`` rows a difficulty befalls, at one address within the block."""
        return self.setting.difficulties.hits(name, self.setting.seed, rows, self.number, *address)
