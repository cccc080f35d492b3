"""``hub demo``: the whole story on simulated platforms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import SET_UP, verb
from hub.cli.run import run_problems, show_run
from hub.cli.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from hub.demo import DayReport
    from hub.show.screen import Screen

__all__ = ["demo", "require_own", "require_simulation"]

_MARK = "# Written by `hub demo`"


@verb(SET_UP, "hub demo", "hub demo --people 500 --days 60 --keep ./demo")
def demo(
    session: Session,
    *,
    people: Annotated[int, typer.Option(min=200, max=200_000, help="Population of the simulated chain.")] = 2_000,
    days: Annotated[int, typer.Option(min=30, max=1_500, help="Days of history.")] = 180,
    seed: Annotated[int, typer.Option(help="The same seed gives the same chain.")] = 7,
    faults: Annotated[
        str, typer.Option(metavar="NAME", help="Fault programme of the platforms; the outcome stays the same.")
    ] = "none",
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this platform; may be repeated. Also one left out.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep everything in this folder, to look at afterwards.")
    ] = None,
) -> Answer:
    """Run the whole way on a simulated chain: two days of business, everything on this machine.

    The first day reads everything; the second shows that only what changed is read and sent. Nothing leaves this machine.
    """
    from hub.cli.outcome import of_run

    require_simulation()
    from hub.demo import open_demo

    with _folder(keep) as folder:
        session.progress.start("simulated chain")
        with open_demo(
            folder, people=people, days=days, seed=seed, programme=faults, only=only or (), progress=session.progress
        ) as running:
            session.progress.finish("simulated chain")
            session.zone = running.zone
            first = running.run_day()
            running.next_day()
            second = running.run_day()
        session.clear()
    reports = (first, second)
    # Rejected rows are part of the story; only a stage or a sync that failed makes the demo fail.
    failed = any(of_run(report.run) and run_problems(report.run) for report in reports)
    document = {"folder": keep.absolute() if keep is not None else None, "days": [_document(one) for one in reports]}
    return Answer(
        document,
        lambda screen: _show(screen, reports, keep),
        ExitCode.PARTIAL if failed else ExitCode.FINE,
        [problem for report in reports for problem in run_problems(report.run)],
    )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        require_own(keep)
        yield keep
        return
    with TemporaryDirectory(prefix="hub-demo-") as folder:
        yield Path(folder) / "chain"


def require_simulation() -> None:
    """The simulated platforms need a web server, which the hub itself does not."""
    from importlib.util import find_spec

    from hub.errors import ConfigError

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The simulated platforms need {' and '.join(missing)}, which is not installed.",
            code="extra_missing",
            hint='Run: pip install "customer-hub[simulation]"',
        )


def require_own(folder: Path) -> None:
    """The demo empties its folder: it must be new, empty, or an earlier demo's."""
    from hub.errors import ConfigError

    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    config = folder / "hub.toml"
    if config.is_file() and config.read_text(encoding="utf-8").startswith(_MARK):
        return
    raise ConfigError(
        f"{folder} holds something else than an earlier demo.",
        code="folder_taken",
        hint="Name a folder that is new or empty: the demo empties it.",
    )


def _document(report: DayReport) -> dict[str, Any]:
    return {
        "moment": report.moment,
        "run": report.run,
        "accuracy": report.accuracy,
        "received": report.received,
        "top": report.top.to_pylist() if report.top is not None else [],
        "partition": [
            {"segment": name, "title": title, "customers": customers, "share": share}
            for name, title, customers, share in report.partition
        ],
    }


def _show(screen: Screen, reports: Sequence[DayReport], keep: Path | None) -> None:
    for number, report in enumerate(reports, start=1):
        screen.heading(f"=== Day {number}: {report.moment:%Y-%m-%d}")
        show_run(screen, report.run)
        screen.heading("Merged right?")
        screen.line(
            f"{report.accuracy.profiles:,} profiles of {report.accuracy.people:,} people became "
            f"{report.accuracy.customers:,} customers: precision {report.accuracy.precision:.2%}, "
            f"recall {report.accuracy.recall:.2%} of pairs; "
            f"anything in the data connects {report.accuracy.findable:.2%} of them."
        )
        _show_received(screen, report.received)
    _show_partition(screen, reports[-1].partition)
    _show_top(screen, reports[-1].top)
    screen.line()
    if keep is not None:
        screen.line(f"Look around: cd {keep}, then hub status, hub deliveries, hub customer …")
    else:
        screen.line("Keep it to look around: hub demo --keep ./demo")


def _show_received(screen: Screen, received: Mapping[str, Mapping[str, int]]) -> None:
    rows = [(platform, what, count) for platform, counts in received.items() for what, count in counts.items()]
    if rows:
        screen.heading("The platforms have received so far")
        screen.table(("Platform", "What", ">Count"), rows)


def _show_partition(screen: Screen, partition: Sequence[tuple[str, str, int, float]]) -> None:
    if partition:
        total = sum(customers for _, _, customers, _ in partition)
        screen.heading(f"{total:,} customers, each in exactly one segment of the tea chain")
        screen.table(
            ("Segment", "名称", ">Customers", ">Share"),
            [(name, title, customers, f"{share:.1%}") for name, title, customers, share in partition],
        )


def _show_top(screen: Screen, top: pa.Table | None) -> None:
    """Show the best customers: simulated people, so nothing is masked."""
    if top is not None and top.num_rows:
        screen.heading("The best customers")
        screen.table(top.column_names, [tuple(row.values()) for row in top.to_pylist()])
