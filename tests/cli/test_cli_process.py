"""The command as a process: how fast it answers, what it imports, how it dies."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_project import PROGRAM, Project, RunOnce, process_environment, run_process, write_project

MOST_SECONDS = 0.6
HEAVY = ("duckdb", "sqlmodel", "sqlalchemy", "pyarrow", "httpx", "numpy", "pydantic")


def cpu_seconds(*arguments: str, cwd: Path) -> float:
    """Processor time of one command: on a machine that does nothing else, the time until it answers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_process(*arguments, cwd=cwd)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("arguments", [("--help",), ("ingest", "--help"), ("--version",)], ids=" ".join)
def test_help_answers_at_once(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    # Once is enough, if it was not held up by something else the machine did.
    assert any(cpu_seconds(*arguments, cwd=tmp_path) < MOST_SECONDS for _ in range(3))


def test_the_command_line_imports_nothing_heavy() -> None:
    program = f"import hub, hub.cli, sys; print([name for name in {HEAVY!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "[]\n"


def test_a_pipe_gets_no_progress_and_no_colour(run_once: RunOnce) -> None:
    assert run_once.err == ""
    assert "push" in run_once.out.lower()
    assert "\x1b" not in run_once.out


def test_rows_are_not_folded_in_a_pipe(ran: Project) -> None:
    environment = {name: value for name, value in process_environment().items() if name != "COLUMNS"}

    done = subprocess.run(
        [*PROGRAM, "status"], cwd=ran.folder, env=environment, capture_output=True, text=True, timeout=120
    )

    publish = next(line for line in done.stdout.splitlines() if line.startswith("publish"))
    assert "customers 3" in publish
    assert "identity_events 3" in publish


def test_a_terminal_sees_progress_and_then_the_answer(tmp_path: Path) -> None:
    write_project(tmp_path)
    reader, terminal = os.openpty()
    with subprocess.Popen(
        [*PROGRAM, "ingest"],
        cwd=tmp_path,
        env=process_environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
    ) as process:
        os.close(terminal)
        out = process.stdout.read() if process.stdout is not None else ""
        drawn = _all_of(reader)
    assert process.returncode == 0
    assert "pos/orders" in drawn
    assert "\x1b" in drawn
    assert "succeeded" in out
    assert "\x1b" not in out


def _all_of(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other side has closed a terminal
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    write_project(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*PROGRAM, "traits"],
        cwd=tmp_path,
        env=process_environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)

    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_signal_releases_leases_and_closes_the_run(project: Project, number: int, code: int) -> None:
    fifo = project.folder / "shop.json"
    fifo.unlink()
    os.mkfifo(fifo)  # the plugin's read hangs, as a slow platform would
    with (
        subprocess.Popen(
            [*PROGRAM, "ingest", "pos", "--stream", "customers"],
            cwd=project.folder,
            env=process_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        fifo.open("w"),
    ):  # opened: the other side is reading now
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == code
    assert "Traceback" not in errors
    fifo.unlink()
    project.save()
    again = project.run("ingest", "pos", "--stream", "customers")
    assert again.code == 0, again.err
    assert "interrupted" in project.run("runs", "--stage", "ingest").out
