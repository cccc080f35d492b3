"""Taste: what each person likes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.simulation.world.arrays import Floats, Ints
from hub.simulation.world.assortment import Assortment
from hub.simulation.world.people import People
from hub.simulation.world.seeds import Part, stream

__all__ = ["Taste", "draw_taste"]


@dataclass(frozen=True)
class Taste:
    """Per person: the favourite article and its category, how faithful, the usual options, the usual basket."""

    favourite: Ints
    category: Ints
    loyalty: Floats
    #: Usual value per option group, shape (groups, people).
    usual: Ints
    extra_lines: Floats


def draw_taste(assortment: Assortment, people: People, block: int) -> Taste:
    """The taste of the people of one block."""
    setting = assortment.setting
    random = stream(setting.seed, Part.TASTE, block)
    rows = len(people)
    favourite = assortment.favourites(people.frequent, random)
    usual = [random.choice(len(group.values), rows, p=group.weights) for group in setting.profile.options]
    mean = setting.behaviour.loyalty
    return Taste(
        favourite=favourite,
        category=assortment.category[favourite],
        loyalty=random.beta(4 * mean, 4 * (1 - mean), rows),
        usual=np.array(usual).reshape(-1, rows),
        extra_lines=random.gamma(0.8, setting.behaviour.extra_lines / 0.8, rows),
    )
