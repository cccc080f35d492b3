"""The rows a sync wants at its target: who, under which key, with which values.

``desired`` is a view, not a table: most rows are in agreement with the destination and are only looked at in passing, so
their values are worked out, compared as a fingerprint, and never kept.
"""

from __future__ import annotations

from hub.pipeline.push_check import cannot_plan
from hub.pipeline.push_mapping import MappingChange
from hub.pipeline.push_plan_file import INVALID, SUPPRESSED
from hub.pipeline.push_select import Selector
from hub.pipeline.push_values import Mapper, reads_segments, transformed
from hub.sync_settings import SyncSettings
from hub.warehouse.engine import Engine, literal

__all__ = ["Desired"]


class Desired:
    """Writes the SQL of what a sync wants; makes view ``desired``, a row for each key, and table ``unusable``.

    Args:
        engine: a workbench in which the snapshot's tables can be read.
        name: the sync's name.
        sync: its settings, checked.
        selector: knows whom the sync selects.
        change: how the mapping differs from that of the last push, if it does.

    Raises:
        ConfigError: the sync's condition cannot be evaluated.
    """

    def __init__(
        self, engine: Engine, name: str, sync: SyncSettings, selector: Selector, change: MappingChange | None
    ) -> None:
        self.engine = engine
        self.name = name
        self.sync = sync
        self.selector = selector
        self.change = change
        self.mapper = Mapper(sync, {**engine.columns("customers"), **engine.columns("traits")})
        self.by_customer = sync.key == "customer_id"
        self.outdone = False
        if fault := selector.prepare():
            raise cannot_plan(name, [("where", fault)])
        self._choose()
        self.attempt(f"CREATE OR REPLACE TEMP VIEW desired AS {self.rows()}")
        self._find_unusable()

    @property
    def has_first_values(self) -> bool:
        """Whether rows that are not at the destination yet get more than others."""
        removes = self.sync.sync_mode.removes_selected
        return not removes and any(field.set_if_empty for field in self.sync.fields.values())

    def attempt(self, sql: str) -> None:
        """Run a statement in which conditions of the sync are evaluated.

        Raises:
            ConfigError: they cannot be.
        """
        if fault := self.engine.attempt(sql):
            raise cannot_plan(self.name, [("where", fault)])

    def rows(self, only: str = "", *, but_filled: bool = False) -> str:
        """SQL of the wanted rows: key, customer_id, values, first_values, hash, old_hash, carried.

        Args:
            only: SQL behind ``FROM customers``, that narrows them down before their values are worked out.
            but_filled: leave out of the first values the fields that table ``filled`` names for the row's key.
        """
        better = "ANTI JOIN outdone USING (key, customer_id)" if self.outdone else ""
        return f"""
            SELECT key, customer_id, values, first_values, md5(values) AS hash, md5(old_values) AS old_hash,
                   coalesce(old_kept = values, false) AS carried
            FROM (SELECT {self._columns(but_filled=but_filled)} {self._addressed(only, but_filled=but_filled)}) {better}
            WHERE key IS NOT NULL AND missing IS NULL"""

    def _columns(self, *, but_filled: bool) -> str:
        values = "NULL::VARCHAR" if self.sync.sync_mode.removes_selected else self.mapper.values()
        first = self.mapper.first_values("f.names" if but_filled else "") if self.has_first_values else "NULL::VARCHAR"
        old = self.change.before if self.change else "NULL::VARCHAR"
        kept = self.change.kept if self.change else "NULL::VARCHAR"
        return f"""c.customer_id, {self._key()} AS key, {values} AS values, {first} AS first_values,
                   {self._missing()} AS missing, {old} AS old_values, {kept} AS old_kept"""

    def _key(self) -> str:
        return transformed("c.customer_id", self.sync.key_transforms) if self.by_customer else "k.key"

    def _missing(self) -> str:
        return self.mapper.NEVER if self.sync.sync_mode.removes_selected else self.mapper.missing()

    def _addressed(self, only: str = "", *, but_filled: bool = False) -> str:
        """``FROM`` the selected customers, a row for each of their keys, with their segments where values need them."""
        keys = "" if self.by_customer else f"LEFT JOIN {self._keys()} AS k ON k.customer_id = c.customer_id"
        filled = f"LEFT JOIN filled AS f ON f.key = {self._key()}" if but_filled else ""
        return f"FROM {self.selector.customers(only)} AS c {keys} {self._segments_join(only)} {filled}"

    def _segments_join(self, only: str) -> str:
        """Join the segments of each customer, if any value is made of them."""
        reads = [name for field in self.sync.fields.values() for name in field.reads]
        if self.change is None and not any(reads_segments(name) for name in reads):
            return ""
        return f"""LEFT JOIN (SELECT customer_id, list(segment ORDER BY segment) AS names
                   FROM {self.selector.members()} {only} GROUP BY ALL) AS s ON s.customer_id = c.customer_id"""

    def _keys(self) -> str:
        """SQL of customers' keys; those that are the same after their transforms are one."""
        listed = (
            f"""SELECT customer_id, value AS key FROM customer_identifiers
                WHERE kind = {literal(self.sync.key)} AND rank = 1"""
            if self.sync.key != "profile"
            else f"""SELECT customer_id, source_id AS key FROM links
                     WHERE connection = {literal(self.sync.to)} AND source_id NOT LIKE '~%'"""
        )
        if not self.sync.key_transforms:
            return f"({listed})"
        return f"(SELECT DISTINCT customer_id, {transformed('key', self.sync.key_transforms)} AS key FROM ({listed}))"

    # Who cannot be reached.

    def _choose(self) -> None:
        """``outdone``: of several customers with one key, the one with the most profiles gets it; these do not."""
        if self.by_customer and not self.sync.key_transforms:
            return
        addressed = f"""SELECT {self._key()} AS key, c.customer_id, c.profiles {self._addressed()}
                        WHERE {self._missing()} IS NULL AND {self._key()} IS NOT NULL"""
        self.attempt(f"CREATE OR REPLACE TEMP VIEW addressed AS {addressed}")
        place = "dense_rank() OVER (PARTITION BY key ORDER BY profiles DESC, customer_id)"
        self.attempt(
            f"""CREATE OR REPLACE TEMP TABLE outdone AS
                WITH shared AS (SELECT key FROM addressed GROUP BY key HAVING min(customer_id) <> max(customer_id))
                SELECT DISTINCT key, customer_id FROM
                (SELECT *, {place} AS place FROM addressed SEMI JOIN shared USING (key)) WHERE place > 1"""
        )
        self.outdone = bool(self.engine.value("SELECT EXISTS (FROM outdone)"))

    def _find_unusable(self) -> None:
        """``unusable``: customers without any key that is theirs, and those who are held back, each with the reason."""
        held = f"SELECT '~' || customer_id AS key, customer_id, '{SUPPRESSED}' AS kind, code, NULL::VARCHAR AS detail FROM held"
        missing = self._missing()
        if self.by_customer and not self.outdone and missing == self.mapper.NEVER:
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE unusable AS {held}")
            return
        without = f"SELECT c.customer_id, {missing} AS detail, {self._key()} IS NULL AS keyless {self._addressed()}"
        outdone = "UNION ALL SELECT customer_id, 'key_shared', NULL FROM outdone" if self.outdone else ""
        self.attempt(
            f"""CREATE OR REPLACE TEMP TABLE stranded AS
                SELECT customer_id, if(keyless, 'no_key', 'value_missing') AS code, detail
                FROM ({without}) WHERE keyless OR detail IS NOT NULL {outdone}"""
        )
        self.attempt(
            f"""CREATE OR REPLACE TEMP TABLE unusable AS
                SELECT '~' || customer_id AS key, customer_id, '{INVALID}' AS kind, any_value(code) AS code,
                       any_value(detail) AS detail
                FROM stranded {self._but_reached()} GROUP BY customer_id
                UNION ALL {held}"""
        )

    def _but_reached(self) -> str:
        """Leave out whoever is reached under another key."""
        if self.by_customer or not self.engine.value("SELECT EXISTS (FROM stranded)"):
            return ""
        return f"ANTI JOIN ({self.rows('SEMI JOIN stranded USING (customer_id)')}) AS d USING (customer_id)"
