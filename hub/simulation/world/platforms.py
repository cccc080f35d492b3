"""The six places where the chain meets its customers, and the ids each of them gives to a person."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import NOBODY, Bools, Ints
from hub.simulation.world.seeds import key_of, mix, permute
from hub.simulation.world.text import base62, blank, fixed, numbers

__all__ = ["PLATFORMS", "SELLING", "Platform", "card_numbers", "member_ids", "openids", "unionids"]


class Platform(IntEnum):
    """The platforms, by the number used inside the world."""

    POS = 0
    YOUZAN = 1
    WEIMOB = 2
    WECOM = 3
    WECHAT = 4
    MINIPROGRAM = 5

    @property
    def code(self) -> str:
        """The name used everywhere outside: ``pos``, ``youzan`` …"""
        return self.name.lower()


PLATFORMS: Final = tuple(Platform)
#: Where orders are placed, in the order of a profile's ``channel_weights``.
SELLING: Final = (Platform.POS, Platform.YOUZAN, Platform.WEIMOB, Platform.MINIPROGRAM)
_UID_BASE: Final = 360_000_000_000_000_000
_WID_BASE: Final = 10_000_000_000
_BITS: Final = 56
_WID_BITS: Final = 34


def member_ids(seed: int, platform: Platform, key: Ints) -> pa.StringArray:
    """The platform's own id of each account.

    pos: ``customerUid``, 18 digits · youzan: ``yz_open_id``, 8 letters and 18 digits · weimob: ``wid``, 11 digits ·
    wecom: ``external_userid``, ``wm`` and 30 letters · wechat, miniprogram: ``openid``, ``o`` and 27 letters.
    """
    if platform == Platform.POS:
        return fixed(numbers(_UID_BASE + permute(key, _BITS, key_of(seed, "pos")), 18))
    if platform == Platform.WEIMOB:
        return fixed(numbers(_WID_BASE + permute(key, _WID_BITS, key_of(seed, "weimob")), 11))
    if platform == Platform.YOUZAN:
        letters = base62([mix(key, key_of(seed, "yz-letters"))], 8)
        return fixed(letters, numbers(10**17 + permute(key, _BITS, key_of(seed, "youzan")), 18))
    if platform == Platform.WECOM:
        return fixed(b"wm", base62([mix(key, key_of(seed, f"wecom-{turn}")) for turn in range(3)], 30))
    raise ValueError(f"the ids of {platform.code} belong to a WeChat account: use openids")


def openids(seed: int, app: str, person: Ints, wechat: Ints) -> pa.StringArray:
    """The openid of a person's WeChat account (0 or 1) in one app; null where there is no account."""
    return _wechat_ids(seed, f"openid-{app}", person, wechat, wechat != NOBODY)


def unionids(seed: int, person: Ints, wechat: Ints, valid: Bools) -> pa.StringArray:
    """The unionid of a person's WeChat account, the same in all apps of the chain; null where not ``valid``."""
    return _wechat_ids(seed, "unionid", person, wechat, valid & (wechat != NOBODY))


def _wechat_ids(seed: int, name: str, person: Ints, wechat: Ints, valid: Bools) -> pa.StringArray:
    account = person * 2 + np.maximum(wechat, 0)
    words = [mix(account, key_of(seed, f"{name}-{turn}")) for turn in range(3)]
    return blank(fixed(b"o", base62(words, 27)), valid)


def card_numbers(seed: int, key: Ints) -> pa.StringArray:
    """The printed number of a till membership card: ``88`` and ten digits."""
    return fixed(b"88", numbers(permute(key, 32, key_of(seed, "card")), 10))
