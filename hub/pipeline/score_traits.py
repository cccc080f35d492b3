"""The wide traits table: what all scorers found is put together, compared with what stands, and written where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

from hub.pipeline.score_scope import Scope
from hub.scorer import Scorer
from hub.warehouse.engine import Engine, quoted

__all__ = ["gather_traits", "replace_traits"]

_VALUES_PER_GB: Final = 25_000_000
"""Traits that are put together at a time for each GB of memory: joined tables must fit in, and every further part reads them again."""
_MOST: Final = 1 / 3
"""Share of the customers from which writing the table anew is quicker than deleting and adding rows."""


def gather_traits(engine: Engine, scorers: Mapping[str, type[Scorer]], scope: Scope) -> bool:
    """Put the results of all scorers together in the temporary table ``new_traits``, some customers at a time.

    Call it outside a transaction: DuckDB reads with one thread what a transaction has not committed yet.

    Args:
        engine: the warehouse, with a table ``score_NAME`` of each scorer.
        scorers: all scorers.
        scope: whom this run scored.

    Returns:
        Whether everybody is in it: those whom no scorer looked at are left out.
    """
    partly = not scope.everybody and scope.per_customer == set(scorers)
    if not partly:
        for name in scope.per_customer:
            _fill_up(engine, scorers[name])
    columns = "".join(
        f", {quoted(f'score_{name}')}.{quoted(trait.name)}" for name, kind in scorers.items() for trait in kind.traits
    )
    whom = "customers SEMI JOIN touched USING (customer_id)" if partly else "customers"
    width = sum(len(kind.traits) for kind in scorers.values())
    for nth, part in enumerate(_parts(engine, "touched" if partly else "customers", width)):
        joins = "".join(
            f" LEFT JOIN (FROM {quoted(f'score_{name}')} WHERE {part}) AS {quoted(f'score_{name}')} USING (customer_id)"
            for name in scorers
        )
        begun = "INSERT INTO new_traits" if nth else "CREATE OR REPLACE TEMP TABLE new_traits AS"
        engine.execute(f"{begun} SELECT customer_id{columns} FROM (SELECT customer_id FROM {whom} WHERE {part}){joins}")
    for name in scorers:
        engine.execute(f"DROP TABLE temp.{quoted(f'score_{name}')}")
    return not partly


def _parts(engine: Engine, table: str, width: int) -> list[str]:
    """Conditions that cut the customers of a table into parts: a row has hundreds of traits, and joining all at once needs all in memory."""
    values = int(engine.value(f"SELECT count(*) FROM {table}")) * width
    parts = max(1, ceil(values / (_VALUES_PER_GB * engine.memory() / 10**9)))
    return ["true"] if parts == 1 else [f"hash(customer_id) % {parts} = {part}" for part in range(parts)]


def _fill_up(engine: Engine, scorer: type[Scorer]) -> None:
    """Add the traits, as they stand, of those a scorer did not look at."""
    columns = ", ".join(["customer_id", *(quoted(trait.name) for trait in scorer.traits)])
    engine.execute(
        f"INSERT INTO {quoted(f'score_{scorer.name}')} BY NAME SELECT {columns} FROM main.traits "
        f"ANTI JOIN touched USING (customer_id)"
    )


def replace_traits(engine: Engine, *, whole: bool) -> int:
    """Make the table ``traits`` say what ``new_traits`` does; return for how many customers it said otherwise.

    Rows are compared by a hash of 64 bits each. A table that differs in most rows is written anew, in one statement: rows that
    are added bit by bit lie in many small groups, which DuckDB would join at the end of this run and of those to come.

    Args:
        engine: the warehouse, with ``new_traits``.
        whole: whether ``new_traits`` holds everybody.
    """
    columns = engine.columns("new_traits")
    if engine.columns("traits") != columns:
        return _write_anew(engine)
    listed = ", ".join(map(quoted, columns))
    rows = f"SELECT customer_id, hash({listed}) AS row_hash FROM"
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE moved AS SELECT customer_id FROM ({rows} new_traits) AS n
            LEFT JOIN ({rows} traits SEMI JOIN new_traits USING (customer_id)) AS t USING (customer_id)
            WHERE n.row_hash IS DISTINCT FROM t.row_hash"""
    )
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT customer_id FROM traits ANTI JOIN customers USING (customer_id)"
    )
    moved, gone = (int(engine.value(f"SELECT count(*) FROM {table}")) for table in ("moved", "gone"))
    if whole and moved + gone > _MOST * int(engine.value("SELECT count(*) FROM new_traits")):
        _write_anew(engine)
    elif moved or gone:
        engine.execute("DELETE FROM traits WHERE customer_id IN (SELECT customer_id FROM moved UNION ALL FROM gone)")
        engine.execute("INSERT INTO traits BY NAME FROM new_traits SEMI JOIN moved USING (customer_id)")
    return moved + gone


def _write_anew(engine: Engine) -> int:
    engine.execute("CREATE OR REPLACE TABLE traits AS FROM new_traits")
    return int(engine.value("SELECT count(*) FROM traits"))
