"""Options that several commands share."""

from __future__ import annotations

import typer

__all__ = ["LIMIT", "REVEAL", "RUN"]

LIMIT = typer.Option("--limit", min=1, max=10_000, help="Show at most so many, the newest first.")
RUN = typer.Option("--run", metavar="ID", help="Only of this run: its id or the beginning of it, see `hub runs`.")
REVEAL = typer.Option("--reveal", help="Show personal data in full; who did so is written down.")
