"""Fault programmes: what may go wrong between a connector and a platform, on demand and from a seed.

    from hub.simulation import faults

    simulator.use_faults(faults.programme("throttling+slow", seed=1, rate=0.3))

``faults.PROGRAMMES`` lists them; ``docs/simulators.md`` says what each does.
"""

from hub.simulation.faults.effects import (
    Busy,
    CallEffect,
    Cut,
    Delay,
    Drop,
    ExpireToken,
    Hang,
    HoldBack,
    Lose,
    PushEffect,
    Repeat,
    ServerError,
    ShiftPage,
    Throttle,
)
from hub.simulation.faults.programme import (
    MOST_IN_A_ROW,
    BurstRule,
    CallFacts,
    Hit,
    Programme,
    PushFacts,
    PushRule,
    Rule,
    dice,
)
from hub.simulation.faults.registry import PROGRAMMES, ProgrammeKind, programme

__all__ = [
    "MOST_IN_A_ROW",
    "PROGRAMMES",
    "BurstRule",
    "Busy",
    "CallEffect",
    "CallFacts",
    "Cut",
    "Delay",
    "Drop",
    "ExpireToken",
    "Hang",
    "Hit",
    "HoldBack",
    "Lose",
    "Programme",
    "ProgrammeKind",
    "PushEffect",
    "PushFacts",
    "PushRule",
    "Repeat",
    "Rule",
    "ServerError",
    "ShiftPage",
    "Throttle",
    "dice",
    "programme",
]
