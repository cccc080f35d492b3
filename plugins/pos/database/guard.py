"""Only queries pass: what a mapping's SQL may be, checked before anything is sent to a till."""

from __future__ import annotations

from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

__all__ = ["GLOT", "complaint"]

GLOT: Final = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mysql", "mssql": "tsql"}
"""The translator's name of each dialect."""

_WRITES: Final = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Command, exp.Into, exp.Lock,
    exp.Set, exp.Pragma, exp.Copy, exp.Transaction, exp.Commit, exp.Rollback, exp.Use,
)  # fmt: skip
_ROUTINES: Final = ("nextval", "setval", "pg_sleep", "sleep", "benchmark", "load_file", "lo_import", "lo_export", "xp_cmdshell",
                    "pg_terminate_backend", "pg_cancel_backend", "pg_read_file", "dblink", "load_extension", "get_lock")  # fmt: skip


def complaint(sql: str, dialect: str) -> str | None:
    """Return why a mapping's SQL may not be sent to a database, or None if it is one plain query.

    The session is read-only besides (:mod:`plugins.pos.database.session`); this tells the mistake before there is a session,
    and holds where the server knows no read-only sessions.

    Args:
        sql: the query.
        dialect: ``sqlite``, ``postgresql``, ``mysql`` or ``mssql``.
    """
    try:
        statements = [each for each in sqlglot.parse(sql, read=GLOT[dialect]) if each is not None]
    except SqlglotError as error:
        return f"the SQL cannot be read: {str(error).splitlines()[0]}"
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        return "it must be one SELECT"
    for node in statements[0].walk():
        if isinstance(node, _WRITES):
            return f"it must only read; {type(node).__name__.upper()} is not allowed"
        if isinstance(node, exp.Func) and node.name.lower() in _ROUTINES:
            return f"the function {node.name} is not allowed"
    return None
