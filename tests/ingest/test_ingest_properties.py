"""Rules of loading, tried on random histories against a model of a dozen lines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy import MORNING, Feed, Toy, at, facts, member

from hub.columns import tables_of
from hub.pipeline.ingest import ingest
from hub.pipeline.package import Buffer, write_files
from hub.records import Customer
from hub.source import Page
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.load import PackageFiles, load_packages
from hub.warehouse.schema import prepare

IDS = ("1", "2", "3")
NAMES = ("Ada", "Bo", "Cy")


@dataclass
class Model:
    """What the tables must say: by source id, the name, the time of change and whether it is deleted."""

    rows: dict[str, tuple[str, float | None, bool]] = field(default_factory=dict)

    def take(self, pages: list[Page]) -> None:
        for page in pages:
            for record in page.records:
                minutes = None if record.updated_at is None else (record.updated_at - MORNING).total_seconds() / 60
                _, known, _ = self.rows.get(record.source_id, ("", None, False))
                if known is None or minutes is None or minutes >= known:
                    self.rows[record.source_id] = (record.name, minutes, False)
            for source_id in page.deletions:
                if source_id in self.rows:
                    self.rows[source_id] = (*self.rows[source_id][:2], True)

    def as_profiles(self) -> list[tuple[str, str, object, bool]]:
        return sorted(
            (source_id, name, None if minutes is None else at(minutes), deleted)
            for source_id, (name, minutes, deleted) in self.rows.items()
        )


@st.composite
def pages(draw: st.DrawFn, *, deletions: bool = True) -> Page:
    """A page: each record at most once, then deletions."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=3))
    times = st.one_of(st.none(), st.integers(0, 4))
    records = [member(number, draw(st.sampled_from(NAMES)), draw(times)) for number in ids]
    gone = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=1)) if deletions else []
    return Page(records=records, deletions=gone)


HISTORIES = st.lists(pages(), max_size=8)
SLOW = settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _profiles(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted((row[2], row[6], row[3], row[4]) for row in rows)


@SLOW
@given(history=HISTORIES, batch_rows=st.integers(1, 5), stops=st.sets(st.integers(0, 8), max_size=2))
def test_any_history_ends_in_the_model_s_tables_however_it_is_cut(
    history: list[Page], batch_rows: int, stops: set[int]
) -> None:
    folder = Path(tempfile.mkdtemp())
    model = Model()
    model.take(history)
    try:
        feed = Feed(Customer)
        with Toy({"pos": {"members": feed}}).hub(folder, batch_rows=batch_rows) as hub:
            for stop in sorted({*(stop for stop in stops if stop < len(history)), len(history)}):
                feed.pages = history[:stop]
                ingest(hub)
            found = facts(hub)
    finally:
        shutil.rmtree(folder)
    assert _profiles(found.get("profiles", [])) == model.as_profiles()
    assert len(found.get("profiles_identifiers", [])) == len(model.rows)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """A warehouse with nothing in it, one for all examples."""
    engine = DuckDBEngine(None, tmp_path_factory.mktemp("scratch"))
    prepare(engine)
    yield engine
    engine.close()


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    known=st.lists(pages(deletions=False), max_size=2),
    history=st.lists(pages(deletions=False), min_size=2, max_size=5),
)
def test_many_small_packages_loaded_at_once_give_what_one_by_one_gives(
    warehouse: DuckDBEngine, known: list[Page], history: list[Page]
) -> None:
    folder = Path(tempfile.mkdtemp())
    packages = [_package(folder, number, page) for number, page in enumerate([*known, *history], start=1)]
    try:
        together = _loaded(warehouse, [[one] for one in packages[: len(known)]] + [packages[len(known) :]])
        apart = _loaded(warehouse, [[one] for one in packages])
    finally:
        shutil.rmtree(folder)
    assert together == apart


def _package(folder: Path, number: int, page: Page) -> PackageFiles:
    buffer = Buffer(Customer)
    buffer.add(page)
    place = folder / f"{number}"
    place.mkdir()
    write_files(buffer, place)
    files = {file.stem: str(file) for file in place.iterdir()}
    return PackageFiles(f"p{number}", number, "pos", "members", "profiles", files)


def _loaded(
    engine: DuckDBEngine, groups: list[list[PackageFiles]]
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Load the groups into an empty warehouse, look at it, and empty it again."""
    for group in groups:
        load_packages(engine, group, MORNING)
    rows = engine.rows("SELECT source_id, name, updated_at, deleted, row_hash FROM profiles ORDER BY ALL")
    found = rows, engine.rows("SELECT source_id, position, value FROM profiles_identifiers ORDER BY ALL")
    for table in ("_packages", *(table.name for table in tables_of(Customer))):
        engine.execute(f"DELETE FROM {table}")
    return found
