"""How the text of a cell becomes a value: the SQL macros of ``cells.sql``, filled in for one mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

from plugins.files.mapping.fields import Kind

_SQL: Final = files("plugins.files.reading") / "cells.sql"

__all__ = ["TIME_FORMATS", "identifier", "literal", "macros", "sql_list", "value_of"]

TIME_FORMATS = (
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%Y.%m.%d",
    "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d %H:%M",
    "%Y年%m月%d日",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日%H:%M:%S",
    "%Y年%m月%d日%H:%M",
    "%Y年%m月%d日 %H时%M分%S秒",
    "%Y年%m月%d日%H时%M分%S秒",
    "%Y年%m月%d日 %H时%M分",
    "%Y年%m月%d日%H时%M分",
)
"""Forms of date tried after DuckDB's own (``2026-03-01 15:30:12``, ``2026/3/1 15:30``)."""

_WIDE = "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ，．－＋（）％＊：／￥　"
_NARROW = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz,.-+()%*:/¥ "
_BLANKS = b"\\t\\r\\n \\u00a0\\u3000\\ufeff\\u200b".decode("unicode_escape")

_YES = ("1", "是", "y", "yes", "true", "t", "同意", "启用", "正常", "有效", "在售", "上架", "已上架")
_NO = ("0", "否", "n", "no", "false", "f", "拒绝", "停用", "禁用", "无效", "停售", "下架", "已下架", "注销", "删除")


def literal(text: str) -> str:
    """Return ``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def sql_list(texts: Iterable[str]) -> str:
    """Return the texts as an SQL list."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"


def value_of(kind: Kind, cell: str) -> str:
    """Return the SQL that reads a cell as a kind of value."""
    return f"as_{kind.value}({cell})"


def macros(*, timezone: str, null_values: Iterable[str], time_formats: Iterable[str] = (), fen: bool = False) -> str:
    """Return the statements that define the macros ``as_text``, ``as_code``, ``as_number``, ``as_time`` and so on.

    Args:
        timezone: zone of times without an offset; times with one are turned into this zone's wall clock.
        null_values: texts that mean "not known".
        time_formats: strptime formats tried before the usual ones.
        fen: amounts are in 1/100 yuan.
    """
    formats, nulls = tuple(time_formats), tuple(null_values)
    filled = {
        "blanks": literal(_BLANKS),
        "wide": literal(_WIDE),
        "plain": literal(_NARROW),
        "unknown": literal(f"^({'|'.join(map(re.escape, nulls))})$"),
        "nulls": sql_list(nulls),
        "money": "CAST(as_number(v) * 0.01 AS DECIMAL(18,4))" if fen else "as_number(v)",
        "zone": literal(timezone),
        "formats": sql_list(TIME_FORMATS),
        "own_time": f"try_strptime(tidy(v), {sql_list(formats)})" if formats else "NULL::TIMESTAMP",
        "yes": sql_list(_YES),
        "no": sql_list(_NO),
    }
    text = _SQL.read_text(encoding="utf-8")
    for name, sql in filled.items():
        text = text.replace(f"{{{name}}}", sql)
    return text
