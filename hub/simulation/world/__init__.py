"""A synthetic store chain with ground truth: one population, seen through every platform.

>>> world = World.generate(people=2000, seed=7, days=365)
>>> till = world.view("pos")
>>> till.table("orders").num_rows > 0
True
>>> world.truth.profiles.column_names[:3]
['platform', 'member_id', 'person_id']

See docs/simulated-chain.md for what is in it, and :data:`SCHEMAS` for the columns of every table.
"""

from hub.simulation.world.difficulties import Difficulties, Difficulty
from hub.simulation.world.parquet import ORDER_TABLES, write_parquet
from hub.simulation.world.profile import Behaviour, ChainProfile
from hub.simulation.world.schemas import CHAIN_TABLES, SCHEMAS, TABLES_OF
from hub.simulation.world.setting import ZONE
from hub.simulation.world.truth import Truth
from hub.simulation.world.view import View
from hub.simulation.world.world import PROFILES, World, WorldState

__all__ = [
    "CHAIN_TABLES",
    "ORDER_TABLES",
    "PROFILES",
    "SCHEMAS",
    "TABLES_OF",
    "ZONE",
    "Behaviour",
    "ChainProfile",
    "Difficulties",
    "Difficulty",
    "Truth",
    "View",
    "World",
    "WorldState",
    "write_parquet",
]
