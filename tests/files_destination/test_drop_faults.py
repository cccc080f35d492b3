"""Crashes, full disks, missing rights: the old file or the new one, never half of one. And memory that stays flat."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import killed_drop
import psutil
import pytest
from drop_rig import Rig, operation, operations, push
from fsspec.implementations.memory import MemoryFileSystem
from processes import KILLED, run

from hub.destination import Operation, OperationKind
from hub.errors import RetryError, StreamError

# Killed processes.

POINTS = ["rows", "before-0", "after-0", "before-1", "after-1", "outcomes"]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What a run that nobody kills leaves, by target: digests by file name."""
    found = {}
    for target in ("audience", "changes"):
        rig = Rig(tmp_path_factory.mktemp(target))
        assert run(killed_drop.work, rig.base, target, "none") == 0
        found[target] = {name: rig.digest(name) for name in rig.names()}
    return found


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_writer_leaves_the_old_or_the_new_audience(
    rig: Rig, point: str, clean: dict[str, dict[str, str]]
) -> None:
    rig.push("audience", operations(10))
    old, new = rig.digest(), clean["audience"]["audience.csv"]
    assert run(killed_drop.work, rig.base, "audience", point) == KILLED
    assert rig.digest() == (old if point in {"rows", "before-0"} else new)
    assert rig.manifest()["sha256"] == (old if point in {"rows", "before-0", "after-0", "before-1"} else new)
    assert run(killed_drop.work, rig.base, "audience", "none") == 0
    assert {name: rig.digest(name) for name in rig.names()} == clean["audience"]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_writer_leaves_one_file_of_changes(rig: Rig, point: str, clean: dict[str, dict[str, str]]) -> None:
    assert run(killed_drop.work, rig.base, "changes", point) == KILLED
    seen = {name: rig.digest(name) for name in rig.names() if not name.startswith(".")}
    assert seen.items() <= clean["changes"].items()
    assert run(killed_drop.work, rig.base, "changes", "none") == 0
    assert {name: rig.digest(name) for name in rig.names()} == clean["changes"]


# Full disks.

_LIMITED = textwrap.dedent(
    """
    import resource, signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from drop_rig import Rig, operations, push
    from hub.errors import StreamError
    rig = Rig(Path(sys.argv[2]))
    destination = rig.connect(format=sys.argv[3])
    def limit(): resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    def rows():
        if sys.argv[4] == "scratch": limit()
        yield from operations(40_000, batch="batch-2")
        if sys.argv[4] == "out": limit()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        push(destination, "audience", rows())
    except StreamError as error:
        print(error.code, error.context["folder"])
    """
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("where", ["scratch", "out"])
def test_a_limit_of_the_disk_is_told_and_leaves_the_old_file(rig: Rig, kind: str, where: str) -> None:
    """The limit is real: the kernel refuses to let any file of the process grow further."""
    rig.push("audience", operations(10), format=kind)
    before = {name: rig.digest(name) for name in rig.names()}
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", _LIMITED, here, str(rig.base), kind, where]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    code, folder = done.stdout.split()
    assert code == "disk_full"
    assert folder.endswith(where)
    assert {name: rig.digest(name) for name in rig.names()} == before
    assert list(rig.scratch.iterdir()) == []


class FaultyFileSystem(MemoryFileSystem):
    """Memory that fails as told."""

    protocol = "faulty"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False
    fault: ClassVar[BaseException | None] = None

    def put_file(self, lpath: str, rpath: str, **more: Any) -> None:
        if self.fault is not None:
            # Half of it has arrived by then.
            self.pipe_file(rpath, Path(lpath).read_bytes()[:10])
            raise self.fault
        super().put_file(lpath, rpath, **more)


@pytest.fixture
def faulty() -> Iterator[type[FaultyFileSystem]]:
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    yield FaultyFileSystem
    FaultyFileSystem.fault = None
    FaultyFileSystem.store.clear()


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StreamError, "disk_full"),
        (OSError(errno.EDQUOT, "Quota exceeded"), StreamError, "disk_full"),
        (PermissionError("Access Denied"), StreamError, "permission_denied"),
        (OSError(errno.EROFS, "Read-only file system"), StreamError, "permission_denied"),
        (OSError("bucket is gone"), StreamError, "folder_unwritable"),
        (ConnectionResetError("reset"), RetryError, "storage_unreachable"),
        (TimeoutError("slow"), RetryError, "storage_unreachable"),
    ],
)
def test_a_fault_of_a_remote_store_is_told_and_leaves_the_old_file(
    rig: Rig, faulty: type[FaultyFileSystem], fault: OSError, kind: type[Exception], code: str
) -> None:
    destination = rig.connect(url="faulty://bucket/drop")
    push(destination, "audience", operations(10))
    before = {path: bytes(entry.getvalue()) for path, entry in faulty.store.items()}
    faulty.fault = fault
    with pytest.raises(kind) as caught:
        push(destination, "audience", operations(11, batch="batch-2"))
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert caught.value.hint  # type: ignore[attr-defined]
    assert {path: bytes(entry.getvalue()) for path, entry in faulty.store.items()} == before
    assert not destination.check()[0].ok
    assert list(rig.scratch.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_told(rig: Rig) -> None:
    rig.out.write_text("not a folder")
    with pytest.raises(StreamError) as caught:
        rig.push("audience", operations(1))
    assert caught.value.code == "folder_unwritable"
    (check,) = rig.connect().check()
    assert not check.ok
    assert rig.out.read_text() == "not a folder"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX rights")
def test_a_folder_without_the_right_to_write_is_told(rig: Rig) -> None:
    # As another user where this one may write everywhere.
    rig.out.mkdir()
    code = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from drop_rig import Rig, operations, push
        from hub.errors import StreamError
        rig = Rig(Path(sys.argv[2]))
        destination = rig.connect()
        destination.targets()
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            push(destination, "audience", operations(1))
        except StreamError as error:
            print(error.code)
        """
    )
    rig.out.chmod(0o555)
    rig.scratch.chmod(0o777)
    for folder in [rig.base, *rig.base.parents][:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, here, str(rig.base)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["permission_denied"], done.stderr
    rig.out.chmod(0o755)
    assert rig.names() == []


def test_an_address_nobody_can_open_is_told(rig: Rig) -> None:
    with pytest.raises(StreamError) as caught:
        rig.push("audience", operations(1), url="nosuch://key:secret@bucket/x")
    assert caught.value.code == "address_unusable"
    assert "secret" not in str(caught.value)


def test_a_fault_while_rows_are_handed_over_is_not_taken_for_a_fault_of_the_disk(rig: Rig) -> None:
    def rows() -> Iterator[Operation]:
        yield operation(1)
        raise OSError(errno.ENOSPC, "the plan cannot be read")

    with pytest.raises(OSError, match="plan"):
        rig.push("audience", rows())
    assert rig.names() == []
    assert list(rig.scratch.iterdir()) == []


def test_a_reader_that_stops_early_leaves_nothing_behind_in_the_scratch_folder(rig: Rig) -> None:
    destination = rig.connect()
    found = destination.write(destination.targets()[0], operations(10))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert list(rig.scratch.iterdir()) == []
    assert len(rig.rows()) == 10


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(rig: Rig) -> None:
    rig.out.mkdir()
    victim = rig.base / "victim"
    victim.write_text("untouched")
    (rig.out / ".audience.csv.part").symlink_to(victim)
    rig.push("audience", operations(1))
    assert victim.read_text() == "untouched"
    assert rig.names() == ["audience.csv", "audience.csv.manifest.json"]


# Memory.


@pytest.mark.parametrize("settings", [{"format": "csv", "gzip": True}, {"format": "parquet"}], ids=["csv", "parquet"])
def test_memory_does_not_grow_with_the_number_of_rows(rig: Rig, settings: dict[str, Any]) -> None:
    def grown(count: int, batch: str) -> int:
        """Push that many rows and return by how many bytes the process was larger at most."""
        process, start, peak = psutil.Process(), psutil.Process().memory_info().rss, 0
        destination = rig.connect(**settings)

        def rows() -> Iterator[Operation]:
            for number in range(count):
                yield operation(number, OperationKind.UPDATE, batch=batch)

        for number, _ in enumerate(destination.write(destination.targets()[0], rows())):
            if number % 10_000 == 0:
                peak = max(peak, process.memory_info().rss)
        return max(peak - start, 0)

    grown(40_000, "warm-up")
    assert grown(160_000, "large") < 40 * 1024 * 1024
    assert rig.manifest("audience.csv.gz" if "gzip" in settings else "audience.parquet")["rows"] == 160_000
