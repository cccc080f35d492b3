"""The command tree: how a function becomes a command with the options that all commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hub.cli.answer import Answer
from hub.cli.session import Session, perform

__all__ = ["LOOK", "MEND", "SET_UP", "STAGES", "app", "group", "verb"]

SET_UP, STAGES, LOOK, MEND = "Set up", "Stages", "Look", "Mend"
"""Headings that commands stand under in ``hub --help``."""

app = typer.Typer(
    name="hub",
    help="Customer hub: customers, orders and behaviour of a store chain in, one customer, scores and segments back out.",
    epilog="Begin with: hub init",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_COMMON = {
    "config": (
        Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="The hub.toml; else HUB_CONFIG, else the nearest one from here upwards.")],
        None,
    ),
    "as_json": (Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")], False),
    "debug": (Annotated[bool, typer.Option("--debug", help="Log more, and show tracebacks (redacted).")], False),
}  # fmt: skip


def group(name: str, summary: str, panel: str, *, default: str = "") -> typer.Typer:
    """Make a command that only holds sub-commands.

    Args:
        name: the command.
        summary: what it is for.
        panel: heading in ``hub --help``.
        default: the sub-command that is meant when none is named; the help is shown if there is none.
    """

    class Group(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            names_none = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
            return super().parse_args(ctx, [default, *args] if default and names_none else args)

    found = typer.Typer(name=name, help=summary, no_args_is_help=not default, cls=Group)
    app.add_typer(found, rich_help_panel=panel)
    return found


def verb(
    panel: str, *examples: str, name: str | None = None, under: typer.Typer = app
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Make a function a command; its docstring is the help text.

    Args:
        panel: heading in ``hub --help``.
        examples: command lines shown at the end of the command's help.
        name: the command's name; the function's unless given.
        under: the group it belongs to.
    """

    def register(body: Callable[..., Answer]) -> Callable[..., Answer]:
        own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for key, (kind, default) in _COMMON.items()
        ]

        def command(*, config: Path | None, as_json: bool, debug: bool, **options: Any) -> int:
            def work(session: Session) -> Answer:
                return body(session, **options)

            return int(perform(work, config=config, as_json=as_json, debug=debug))

        parameters = [*own, *shared]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        shown = "\n".join(["Example:" if len(examples) == 1 else "Examples:", *(f"  {line}" for line in examples)])
        own_name = name or body.__name__
        under.command(own_name, help=_help_text(body), epilog=_literal(shown), rich_help_panel=panel)(command)
        return body

    return register


def _help_text(body: Callable[..., Answer]) -> str:
    """A docstring's paragraphs, each on one line: the help is wrapped to the terminal, not to the source."""
    paragraphs = inspect.cleandoc(body.__doc__ or "").split("\n\n")
    return _literal("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))


def _literal(text: str) -> str:
    """Keep rich from taking brackets for markup."""
    return text.replace("[", "\\[")
