"""The whole story on local simulators: a chain's data in, customers and scores, segments back out, and the next day.

The same plugins and stages as in production; only addresses differ. Nothing leaves this machine.
"""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from hub.context import Hub, open_hub
from hub.pipeline.identity_state import PREFIX
from hub.pipeline.publish import snapshot_views
from hub.pipeline.run import RunReport, run
from hub.plugins import Plugins, installed_plugins
from hub.progress import Progress
from hub.simulation import faults
from hub.simulation.simulated import SimulatedPlatform
from hub.simulation.world import ZONE, World

__all__ = ["Accuracy", "DayReport", "Demo", "open_demo"]

_FIRST_DAY = dt.date(2025, 1, 1)

_HEAD = """# Written by `hub demo`: the simulated chain on this machine.
[hub]
timezone = "Asia/Shanghai"
day_cutoff = "04:00"

[scores.retail]
trade = "tea"
"""


class DemoClock:
    """The simulated chain's time: runs on by itself, and waiting costs nothing.

    Shared by the hub and the platforms, so that tokens, rate limits and back-off behave as they would in real time.

    Args:
        start: the first instant.
    """

    def __init__(self, start: dt.datetime) -> None:
        self._start = start
        self._began = time.monotonic()
        self._skipped = 0.0
        self._turn = threading.Lock()

    def now(self) -> dt.datetime:
        """Return the chain's present instant."""
        return self._start + dt.timedelta(seconds=self.monotonic())

    def time(self) -> float:
        """Return the chain's present instant in Unix seconds."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """Return seconds since the clock was started, with those that were slept through."""
        return time.monotonic() - self._began + self._skipped

    def sleep(self, seconds: float) -> None:
        """Let that many seconds have passed."""
        with self._turn:
            self._skipped += max(seconds, 0.0)

    def move_to(self, moment: dt.datetime) -> None:
        """Go to an instant; one that has passed changes nothing."""
        self.sleep((moment - self.now()).total_seconds())


@dataclass(frozen=True)
class Accuracy:
    """How well profiles were merged, judged by pairs of profiles against the truth.

    Attributes:
        precision: share of pairs put together that are one person.
        recall: share of pairs of one person that were put together.
        findable: share of pairs of one person that anything in the data connects: what a perfect judge could put together.
        profiles: profiles judged.
        people: true people behind them.
        customers: customers they became.
    """

    precision: float
    recall: float
    findable: float
    profiles: int
    people: int
    customers: int


@dataclass
class DayReport:
    """One run of the whole pipeline.

    Attributes:
        moment: the instant it was run for.
        run: what each stage did.
        accuracy: how well identities were resolved.
        received: what each simulated platform counts as sent to it, since the beginning.
        top: the best customers, with their scores, as a person would look at them.
        partition: the chain's own segments, every customer in exactly one: segment, title, customers, share.
    """

    moment: dt.datetime
    run: RunReport
    accuracy: Accuracy
    received: dict[str, dict[str, int]] = field(default_factory=dict)
    top: pa.Table | None = None
    partition: tuple[tuple[str, str, int, float], ...] = ()


class Demo:
    """A running demo. Use :func:`open_demo`.

    Attributes:
        folder: where ``hub.toml`` and everything else is.
        world: the simulated chain.
        platforms: the simulated platforms that take part.
        moment: the present instant of the chain.
        zone: its time zone.
    """

    def __init__(
        self,
        folder: Path,
        world: World,
        platforms: Sequence[SimulatedPlatform],
        clock: DemoClock,
        progress: Progress | None,
    ) -> None:
        self.folder = folder
        self.world = world
        self.platforms = platforms
        self.moment = world.end
        self.zone = ZONE
        self._progress = progress
        self._clock = clock

    @property
    def config(self) -> Path:
        """The demo's ``hub.toml``."""
        return self.folder / "hub.toml"

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """Open the demo's hub; its clock runs on from the chain's present instant."""
        with open_hub(self.config, now=self._clock.now, sleep=self._clock.sleep, progress=self._progress) as hub:
            yield hub

    def run_day(self) -> DayReport:
        """Run every stage for the present instant."""
        self._clock.move_to(self.moment)
        for platform in self.platforms:
            platform.move_to(self.moment)
        with self.hub() as hub:
            report = run(hub, as_of=self.moment)
            received = {str(platform.title): dict(platform.received()) for platform in self.platforms}
            return DayReport(self.moment, report, self._accuracy(hub), received, _top(hub), _partition(report))

    def wait(self, seconds: float) -> None:
        """Let time pass within the day, e.g. until a platform's quota is free again."""
        self._clock.sleep(seconds)

    def next_day(self) -> None:
        """Let one day pass."""
        self.moment += dt.timedelta(days=1)

    def _accuracy(self, hub: Hub) -> Accuracy:
        state = self.world.at(self.moment)
        parts = [
            table.append_column("connection", pa.array([name] * table.num_rows, pa.string()))
            for platform in self.platforms
            for name, table in platform.people(state).items()
        ]
        with hub.warehouse() as engine, engine.register({"truth": pa.concat_tables(parts).unify_dictionaries()}):
            row = engine.rows(_ACCURACY)[0]
        together, right, alike, connected, profiles, people, customers = (int(value or 0) for value in row)
        shares = right / max(together, 1), right / max(alike, 1), connected / max(alike, 1)
        return Accuracy(*shares, profiles, people, customers)


_PAIRS = "count(*) * (count(*) - 1) // 2"

_ACCURACY = f"""
    WITH judged AS (
        SELECT l.customer_id, t.person_id, m.component FROM links AS l JOIN truth AS t USING (connection, source_id)
        JOIN {PREFIX}memberships AS m ON m.profile = l.connection || ':' || l.source_id),
    alike_both AS (SELECT {_PAIRS} AS pairs FROM judged GROUP BY customer_id, person_id),
    put AS (SELECT {_PAIRS} AS pairs FROM judged GROUP BY customer_id),
    alike AS (SELECT {_PAIRS} AS pairs FROM judged GROUP BY person_id),
    connected AS (SELECT {_PAIRS} AS pairs FROM judged GROUP BY person_id, component)
    SELECT (SELECT sum(pairs) FROM put)::BIGINT, (SELECT sum(pairs) FROM alike_both)::BIGINT,
           (SELECT sum(pairs) FROM alike)::BIGINT, (SELECT sum(pairs) FROM connected)::BIGINT, (SELECT count(*) FROM judged),
           (SELECT count(DISTINCT person_id) FROM judged), (SELECT count(DISTINCT customer_id) FROM judged)"""


def _top(hub: Hub) -> pa.Table | None:
    snapshot = hub.store.snapshots.current()
    if snapshot is None:
        return None
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        return engine.arrow(
            "SELECT customer_id, name, phone, profiles, rfm_code, rfm_f, net_value_life, last_order_date "
            "FROM customers JOIN traits USING (customer_id) ORDER BY net_value_life DESC NULLS LAST, customer_id LIMIT 5"
        )


_FAMILY = "tea"
"""Family of the segments that the simulated chain sorts its customers into."""


def _partition(report: RunReport) -> tuple[tuple[str, str, int, float], ...]:
    if report.segment is None:
        return ()
    sizes = [size for size in report.segment.sizes if size.segment.family == _FAMILY]
    total = sum(size.members for size in sizes)
    return tuple(
        (size.segment.name, size.segment.title.zh, size.members, size.members / max(total, 1))
        for size in sorted(sizes, key=lambda size: -size.members)
    )


@contextmanager
def open_demo(
    folder: Path,
    *,
    people: int = 2_000,
    days: int = 180,
    seed: int = 7,
    programme: str = "none",
    only: Sequence[str] = (),
    in_real_time: bool = False,
    progress: Progress | None = None,
    plugins: Plugins | None = None,
) -> Iterator[Demo]:
    """Start the simulated platforms and write a ``hub.toml`` for them.

    Args:
        folder: emptied and used for everything.
        people: population of the chain.
        days: days of history before the demo's first day.
        seed: same seed, same chain.
        programme: fault programme of the platforms; see ``docs/simulators.md``.
        only: names of the platforms that take part; when empty all but those that show again what another one shows.
        in_real_time: the chain's last day is yesterday and the platforms keep the machine's time; for those who talk to
            them from outside. Else the days are the same whenever the demo runs, and waiting costs nothing.
        progress: told how far the stages have come.
        plugins: plugins to use instead of the installed ones.

    Raises:
        ConfigError, PluginError: a fault programme or a platform is not known.
    """
    faults.programme(programme)  # a misspelt name is told before anything is emptied
    kinds = {name: (plugins or installed_plugins()).simulator(name) for name in only or _names(plugins)}
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "platforms").mkdir(parents=True)
    (folder / "hub.toml").write_text(_HEAD, encoding="utf-8")
    start = dt.datetime.now(ZONE).date() - dt.timedelta(days=days) if in_real_time else _FIRST_DAY
    world = World.generate(people=people, seed=seed, days=days, start=start)
    clock = DemoClock(world.end)
    with ExitStack() as closing:
        platforms: list[SimulatedPlatform] = []
        for name, kind in sorted(kinds.items()):
            platform = kind(
                world,
                state=folder / "platforms" / name,
                seed=seed,
                programme=programme,
                clock=None if in_real_time else clock,
            )
            closing.callback(platform.close)
            platforms.append(platform.start())
        tables = "\n".join(platform.hub_toml().strip() + "\n" for platform in platforms)
        (folder / "hub.toml").write_text(f"{_HEAD}\n{tables}", encoding="utf-8")
        yield Demo(folder, world, platforms, clock, progress)


def _names(plugins: Plugins | None) -> Sequence[str]:
    known = (plugins or installed_plugins()).simulators()
    return sorted(name for name, kind in known.items() if getattr(kind, "in_demo", True))
