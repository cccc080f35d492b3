"""What a person sees: tables that fit 80 columns and Chinese, lists of facts, notes, errors."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["PIPE_WIDTH", "Screen", "age", "decimal_text", "text_of"]

PIPE_WIDTH = 240
"""Columns of a table in a pipe, where folding a row would break whoever reads line by line."""

_STYLES = {
    "succeeded": "green", "accepted": "green", "loaded": "green", "ok": "green", "on": "green",
    "partial": "yellow", "skipped": "yellow", "deferred": "yellow", "running": "cyan", "interrupted": "yellow",
    "disabled": "yellow", "failed": "red", "rejected": "red", "unknown": "red", "broken": "red", "off": "red",
}  # fmt: skip


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command end as a process does whose reader has gone."""
        raise BrokenPipeError


class Screen:
    """Writes for people.

    Args:
        file: where to; standard output or standard error.
        zone: time zone that instants are shown in.
    """

    def __init__(self, file: IO[str], zone: dt.tzinfo | None = None) -> None:
        self.zone = zone or dt.UTC
        self.console = _Console(file=file, width=_width(file), markup=False, highlight=False, emoji=False)

    def line(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """Write a line; a long one is wrapped and stays indented."""
        shown = Text(text, style=style)
        self.console.print(Padding(shown, (0, 0, 0, indent), expand=False) if indent else shown)

    def verbatim(self, text: str, style: str = "") -> None:
        """Write a text that may hold paths and commands: never broken, so that it can be copied."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def heading(self, text: str) -> None:
        """Write the heading of a section."""
        self.line()
        self.line(text, "bold")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "") -> None:
        """Write a table.

        Args:
            columns: headings; one that begins with ``>`` is for numbers, set to the right.
            rows: the cells; None is shown as nothing, an instant in the screen's time zone, a state in its colour.
            empty: what to write instead when there is no row.
        """
        cells = [[self._cell(value) for value in row] for row in rows]
        if not cells:
            self.line(empty, "dim")
            return
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
        for name in columns:
            right = name.startswith(">")
            table.add_column(name.lstrip(">"), justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in cells:
            table.add_row(*row)
        self.console.print(table)

    def listing(self, rows: Sequence[tuple[Sequence[Any], str]], *, empty: str = "") -> None:
        """Write aligned lines, each with its details indented below it: for details that fit no column.

        Args:
            rows: the cells of a line and its details, which may be several lines or nothing.
            empty: what to write instead when there is no row.
        """
        cells = [[self._cell(value) for value in row] for row, _ in rows]
        widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
        for line, (_, details) in zip(cells, rows, strict=True):
            for cell, width in zip(line[:-1], widths, strict=False):
                cell.pad_right(width - cell.cell_len + 2)
            self.console.print(Text.assemble(*line), soft_wrap=True)
            if details:
                self.line(details, "dim", indent=4)
        if not rows and empty:
            self.line(empty, "dim")

    def facts(self, facts: Mapping[str, Any], *, indent: int = 0) -> None:
        """Write names and values below each other; empty values are left out."""
        shown = {name: value for name, value in facts.items() if value is not None and value != "" and value != []}
        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for name, value in shown.items():
            table.add_row(Text(" " * indent + name), self._cell(value))
        if shown:
            self.console.print(table)

    def notes(self, notes: Iterable[str]) -> None:
        """Write what a person should know besides the figures."""
        for note in notes:
            self.line(f"Note: {note}", "yellow")

    def instant(self, value: dt.datetime | None) -> str:
        """Return an instant as this screen shows it."""
        return value.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S") if value else ""

    def _cell(self, value: Any) -> Text:
        if isinstance(value, dt.datetime):
            return Text(self.instant(value))
        text = text_of(value)
        return Text(text, style=_STYLES.get(text.split(":", 1)[0].split(" ", 1)[0], ""))


def _width(file: IO[str]) -> int:
    if os.environ.get("COLUMNS", "").isdigit():
        return max(40, int(os.environ["COLUMNS"]))
    return max(40, shutil.get_terminal_size((80, 24)).columns) if file.isatty() else PIPE_WIDTH


def text_of(value: Any) -> str:
    """Return a value for people: thousands separated, amounts without trailing zeros, lists with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(item)}" for key, item in value.items())
    return str(value)


def age(seconds: float) -> str:
    """Return a length of time in its largest unit: ``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def decimal_text(value: Decimal) -> str:
    """Return an amount without trailing zeros: ``12.5000`` as ``12.5``, ``100`` as ``100``."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
