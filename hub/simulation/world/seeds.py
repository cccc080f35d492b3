"""Randomness with an address: every part of the world draws from its own stream.

A stream is named by the seed, the part, and where it is used (block of people, period, difficulty …). So the world is
the same whatever is asked for first, a change in one part does not reshuffle the others, and day N + 1 cannot change
day N. Codes (phone numbers, ids) are *permutations* of row numbers: they look random and can never collide.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from hub.simulation.world.arrays import Ints

__all__ = ["Part", "key_of", "mix", "permute", "permute_below", "stream"]

_Words = npt.NDArray[np.uint64]
_ROUNDS: Final = 4


class Part(IntEnum):
    """The parts of the world that draw random numbers. Numbers are for ever: changing one changes every world."""

    CHAIN = 1
    CALENDAR = 2
    PEOPLE = 3
    TASTE = 4
    PHONES = 5
    ACCOUNTS = 6
    DIFFICULTY = 7
    CONTACTS = 8
    CAMPAIGNS = 9
    VISITS = 10
    BASKETS = 11
    PAYMENTS = 12
    AFTERSALES = 13
    BROWSING = 14
    FEEDBACK = 15
    TAGS = 16


def stream(seed: int, part: Part, *address: int) -> np.random.Generator:
    """The random stream of one part at one address; calling again starts the same stream anew."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(int(part), *address))))


def key_of(seed: int, name: str) -> int:
    """A 64-bit key for :func:`permute` and :func:`mix` from the seed and a name."""
    return int(np.random.SeedSequence([seed, crc32(name.encode())]).generate_state(1, np.uint64)[0])


def mix(values: Ints | _Words, key: int) -> _Words:
    """Scramble each number to 64 bits that look random (the SplitMix64 finaliser; one to one for a fixed key)."""
    word = values.astype(np.uint64) + np.uint64(key)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def permute(values: Ints, bits: int, key: int) -> Ints:
    """Scramble numbers below ``2**bits`` into other numbers below ``2**bits``, one to one (a Feistel network).

    Args:
        values: whole numbers from 0.
        bits: an even number up to 62.
        key: from :func:`key_of`; another key is another permutation.
    """
    half = np.uint64(bits // 2)
    mask = np.uint64((1 << (bits // 2)) - 1)
    word = values.astype(np.uint64)
    left, right = word >> half, word & mask
    for turn in range(_ROUNDS):
        left, right = right, left ^ (mix(right, (key + turn * 0x9E3779B9) % 2**64) & mask)
    return ((left << half) | right).astype(np.int64)


def permute_below(values: Ints, limit: int, key: int) -> Ints:
    """Scramble numbers below ``limit`` into other numbers below ``limit``, one to one (by walking the cycle)."""
    bits = max(2, (limit - 1).bit_length() + (limit - 1).bit_length() % 2)
    result = permute(values, bits, key)
    outside = np.flatnonzero(result >= limit)
    while len(outside):
        result[outside] = permute(result[outside], bits, key)
        outside = outside[result[outside] >= limit]
    return result
