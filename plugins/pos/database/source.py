"""The ``pos.database`` source: pages of tickets by a growing column, late ones by reading a few days again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub.errors import DeferError, StreamError
from hub.records import Order
from hub.redaction import redact
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Page, Source, State, Stream
from hub.titles import Title
from plugins.pos.database import reading
from plugins.pos.database.bulk import UnfitError, bulk_session, is_bulk
from plugins.pos.database.checking import check_columns, check_required
from plugins.pos.database.config import DatabaseConfig, dialect_of
from plugins.pos.database.hours import within
from plugins.pos.database.mapping import Database, Tickets, load_mapping
from plugins.pos.database.session import address, open_engine
from plugins.pos.tickets.assembly import Assembled, Rows, workbench
from plugins.pos.tickets.beside import assembled
from plugins.pos.tickets.fields import LISTS
from plugins.pos.tickets.lists import assemble_list
from plugins.pos.tickets.rules import Clock

__all__ = ["DatabaseSource"]

T = TypeVar("T")
Fetch: TypeAlias = Callable[["sa.Select[Any]"], pa.Table]
"""Answers a query with columns."""

_TITLES: Final = {
    "orders": Title("小票", "Tickets"),
    "customers": Title("会员", "Members"),
    "products": Title("商品", "Products"),
    "stores": Title("门店", "Shops"),
    "staff": Title("店员", "Staff"),
}


class DatabaseSource(Source):
    """Reads tickets and lists from one database, by a preset or by a mapping's own queries.

    A page is one read-only transaction: its tickets, their lines and their payments are of one moment.
    """

    name = "pos.database"
    title = Title("收银数据库", "POS database")
    Config = DatabaseConfig

    def __init__(self, config: DatabaseConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        where = f"mapping of connection {runtime.connection}"
        self._opened: Engine | None = None
        self.mapping: Database = load_mapping(
            config.mapping, runtime.base, dialect_of(config.url.get_secret_value()), where
        )

    # ---- what there is ------------------------------------------------------------------------------------------------

    def streams(self) -> Sequence[Stream]:
        """Tickets, and the lists the mapping has."""
        found = []
        if self.mapping.orders is not None:
            found.append(Stream("orders", Order, self.read_tickets, CursorKind.WINDOW, _TITLES["orders"]))
        for name in self.mapping.lists:
            found.append(Stream(name, LISTS[name], self._reader(name), CursorKind.FULL, _TITLES[name]))
        return found

    def check(self) -> Sequence[Check]:
        """Try whether the database answers, whether its session only reads, and whether every query has the columns it needs."""
        engine = open_engine(self.config, self.runtime.base)
        try:
            with engine.connect() as connection:
                way = "read by columns" if is_bulk(self.config) else "read by rows"
                message = f"{engine.dialect.name}, read-only session, {way}"
                checks = [Check("database answers", ok=True, message=message)]
                return [*checks, *check_required(connection, self.mapping), *check_columns(connection, self.mapping)]
        except SQLAlchemyError as error:
            return [Check("database answers", ok=False, message=_told(error))]
        finally:
            engine.dispose()

    # ---- tickets ------------------------------------------------------------------------------------------------------

    def read_tickets(self, state: State) -> Iterator[Page]:
        """Yield pages of tickets: first those of the last days once more, then the new ones.

        Args:
            state: ``after`` (the last page's place) and ``read_at`` (when a read was last completed).

        Raises:
            StreamError: the database refuses a query, or lacks columns.
        """
        queries = self.mapping.orders
        if queries is None:
            return
        started = self.runtime.now()
        if not within(self.config.hours, self._local(started)):
            yield Page(notes=(f"not read: outside of hours {self.config.hours}",))
            return
        after = _unpacked(state.get("after"))
        # Who spares a database is not read ahead of.
        ahead = self.config.hours is None and not self.config.pause_seconds
        pages = self._ticket_pages(queries, state, after)
        for moved, done in assembled(pages, queries.words, ahead=ahead, spill=str(self.runtime.scratch)):
            after = moved or after
            yield replace(self._page(done), cursor=_state(after, state.get("read_at")))
            if not within(self.config.hours, self._local(self.runtime.now())):
                yield Page(notes=(f"stopped: hours {self.config.hours} are over; the next run goes on",))
                return
            if self.config.pause_seconds:
                self.runtime.sleep(self.config.pause_seconds)
        yield Page(cursor=_state(after, started.isoformat()))

    def _ticket_pages(
        self, queries: Tickets, state: State, after: reading.After | None
    ) -> Iterator[tuple[reading.After | None, Rows, Clock]]:
        """Pages as they came with the place each ends at; None while old ones are read again."""
        since = self._since(queries, state)
        if after is not None and queries.window and since is not None:
            window, place = (queries.window, since), None
            while (
                read := self._one_page(queries, self._asked(queries, after=place, upto=after, window=window))
            ) is not None:
                place = read[0]
                yield None, read[1], self._clock()
        while (read := self._one_page(queries, self._asked(queries, after=after), ranged=(after,))) is not None:
            after = read[0]
            yield after, read[1], self._clock()

    def _asked(self, queries: Tickets, **limits: Any) -> sa.Select[Any]:
        tie = queries.tie or queries.key[-1]
        return reading.page(queries.tickets, queries.cursor, tie, self.config.page_tickets, **limits)

    def _one_page(
        self, queries: Tickets, query: sa.Select[Any], ranged: tuple[reading.After | None] | None = None
    ) -> tuple[reading.After, Rows] | None:
        """One page as it came and the place it ends at, in one transaction.

        Args:
            queries: the mapping's.
            query: of the tickets.
            ranged: the place the page begins behind, if it is the whole range from there on.
        """

        def read(fetch: Fetch) -> tuple[reading.After, Rows] | None:
            tickets = fetch(query)
            if tickets.num_rows == 0:
                return None
            last = (_last(tickets, queries.cursor), _last(tickets, queries.tie or queries.key[-1]))
            return last, self._rows(fetch, queries, tickets, ranged)

        return self._in_one_transaction(read)

    def _rows(
        self, fetch: Fetch, queries: Tickets, tickets: pa.Table, ranged: tuple[reading.After | None] | None
    ) -> Rows:
        """The page's tickets with their lines and payments.

        Where the key is the cursor, a page is a range of keys. Else its tickets are asked for by their keys, which also brings
        the other rows of a ticket that began on the page before.
        """
        link = queries.key[-1]
        start = ranged[0][0] if ranged and ranged[0] else None
        whole = ranged is not None and queries.key == (queries.cursor,)
        keys = [] if whole else tickets.column(link).unique().drop_null().sort().to_pylist()

        def part(sql: str | None) -> pa.Table | None:
            if sql is None:
                return None
            asked = (
                reading.in_range(sql, link, start, _last(tickets, link)) if whole else reading.in_keys(sql, link, keys)
            )
            return reading.together([fetch(query) for query in asked])

        if queries.grouped:
            tickets = reading.only_keys(part(queries.tickets), tickets, queries.key)
        for name, value in self.config.constants.items():
            if name not in tickets.column_names:
                tickets = tickets.append_column(name, pa.array([value] * tickets.num_rows, pa.string()))
        drop = [name for name in (queries.cursor,) if name not in queries.key]
        lines, tenders = part(queries.lines), part(queries.tenders)
        return Rows(tickets, lines, tenders, queries.key, f"{self.runtime.connection}:", drop)

    def _page(self, assembled: Assembled) -> Page:
        return Page(tables=assembled.tables, rejects=assembled.rejects, notes=tuple(assembled.notes))

    # ---- lists --------------------------------------------------------------------------------------------------------

    def _reader(self, name: str) -> Callable[[State], Iterator[Page]]:
        def read(state: State) -> Iterator[Page]:
            return self._read_list(name, state)

        return read

    def _read_list(self, name: str, state: State) -> Iterator[Page]:
        """Yield a list in pages of its key; a completed read leaves an empty state."""
        listing = self.mapping.lists[name]
        if not within(self.config.hours, self._local(self.runtime.now())):
            raise DeferError(f"The database may not be read now: hours are {self.config.hours}.", code="outside_hours")
        after = _unpacked(state.get("after"))
        first, last = listing.key[0], listing.key[-1]
        while True:
            query = reading.page(listing.query, first, last, self.config.page_tickets, after=after)
            rows = self._in_one_transaction(lambda fetch, query=query: fetch(query))  # type: ignore[misc]
            if rows.num_rows == 0:
                break
            after = (_last(rows, first), _last(rows, last))
            with workbench(spill=str(self.runtime.scratch)) as bench:
                location = f"{self.runtime.connection}:"
                listed = assemble_list(bench, name, rows, listing.key, self._clock(), location=location)
            yield replace(self._page(listed), cursor=_state(after, None))
            if self.config.pause_seconds:
                self.runtime.sleep(self.config.pause_seconds)
        yield Page(cursor={})

    # ---- what both need -----------------------------------------------------------------------------------------------

    def _in_one_transaction(self, read: Callable[[Fetch], T]) -> T:
        """Read within one transaction: by columns where that is possible, else by rows."""
        engine = self._engine()
        try:
            if is_bulk(self.config):
                try:
                    with bulk_session(self.config, address(self.config, self.runtime.base)) as session:
                        return read(session.table)
                except UnfitError:
                    pass  # this page has what columns would lose; the session is closed before the other one is opened
            with engine.connect() as connection:
                return read(lambda query: reading.fetch(connection, query, self.config.fetch_rows))
        except SQLAlchemyError as error:
            raise _refused(error) from None

    def _engine(self) -> Engine:
        if self._opened is None:
            self._opened = open_engine(self.config, self.runtime.base)
            try:
                with self._opened.connect() as connection:
                    lacking = [check for check in check_required(connection, self.mapping) if not check.ok]
            except SQLAlchemyError as error:
                raise _refused(error) from None
            if lacking:
                raise StreamError(
                    f"The database is not what the mapping {self.mapping.name} reads: {'; '.join(c.message for c in lacking)}.",
                    code="columns_missing",
                    hint="It may be another edition: extend the mapping with queries of your own.",
                )
        return self._opened

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.dispose()

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.config.timezone) if self.config.timezone else self.runtime.timezone

    def _local(self, instant: dt.datetime) -> dt.time:
        return instant.astimezone(self._zone()).time()

    def _clock(self) -> Clock:
        return Clock(
            zone=self._zone(),
            day_cutoff=self.config.day_cutoff or self.runtime.day_cutoff,
            now=self.runtime.now(),
            scope=self.config.scope or self.runtime.connection,
            currency=self.runtime.currency,
            written=ZoneInfo("UTC") if self.mapping.utc else None,
        )

    def _since(self, queries: Tickets, state: State) -> Any:
        """From when on tickets are read again: some days before the last completed read, on the database's clock."""
        days = queries.reread_days if self.config.reread_days is None else self.config.reread_days
        read_at = state.get("read_at")
        if not read_at or not days:
            return None
        earlier = dt.datetime.fromisoformat(str(read_at)) - dt.timedelta(days=days)
        local = earlier.astimezone(ZoneInfo("UTC") if self.mapping.utc else self._zone()).replace(
            tzinfo=None, microsecond=0
        )
        # SQLite keeps times as text and compares them as such.
        return local.isoformat(" ") if self._engine().dialect.name == "sqlite" else local


def _last(rows: pa.Table, column: str) -> Any:
    return rows.column(column)[-1].as_py()


def _unpacked(after: Any) -> reading.After | None:
    return None if after is None else (reading.unpack(after[0]), reading.unpack(after[1]))


def _state(after: reading.After | None, read_at: object) -> dict[str, Any]:
    place = None if after is None else [reading.pack(after[0]), reading.pack(after[1])]
    return {name: value for name, value in (("after", place), ("read_at", read_at)) if value is not None}


def _refused(error: SQLAlchemyError) -> StreamError:
    return StreamError(
        f"The database refused: {_told(error)}",
        code="database_refused",
        hint="`hub check` tells which query or right is at fault; the next run goes on from the last page.",
    )


def _told(error: SQLAlchemyError) -> str:
    """What the driver said, without the query's parameters and without the address."""
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return redact(text.strip().splitlines()[0] if text.strip() else type(error).__name__)
