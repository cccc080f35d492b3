"""Where packages are put: any fsspec URL will do; a full disk or a damaged file is told and loses nothing."""

from __future__ import annotations

import errno
import random
import resource
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import fsspec
import pytest
from processes import run
from toy import Feed, Toy, alive, facts, member

from hub.errors import StoreError
from hub.pipeline.ingest import ingest, read_connections
from hub.records import Customer, Product
from hub.source import CursorKind, Page
from hub.storage import Storage


@pytest.fixture
def memory_url() -> Iterator[str]:
    """An object store held in memory, emptied after the test."""
    url = f"memory://{uuid.uuid4().hex}/packages"
    yield url
    filesystem, path = fsspec.core.url_to_fs(url)
    if filesystem.exists(path):
        filesystem.rm(path, recursive=True)


def shop(*names: str) -> Toy:
    pages = [Page(records=[member(str(number), name)]) for number, name in enumerate(names, start=1)]
    goods = [Page(records=[Product(source_id=name, name=name)]) for name in names[:2]]
    return Toy({"pos": {"members": Feed(Customer, pages), "goods": Feed(Product, goods, CursorKind.FULL)}})


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_packages_may_live_behind_any_url(kind: str, memory_url: str, tmp_path: Path) -> None:
    url = memory_url if kind == "memory" else f"file://{tmp_path / 'bucket'}"
    with shop("Ada", "Bo").hub(tmp_path / "there", packages=url, batch_rows=1) as hub:
        report = ingest(hub)
        assert (report.failed, report.load_error) == ([], None)
        there = facts(hub)
        hub.settings.warehouse.unlink()
        ingest(hub)
        assert facts(hub) == there
        assert not (tmp_path / "there" / ".hub" / "packages").exists()
    with shop("Ada", "Bo").hub(tmp_path / "here", batch_rows=1) as hub:
        ingest(hub)
        assert facts(hub) == there


def test_a_remote_folder_that_nobody_knows_of_is_swept_up(memory_url: str, tmp_path: Path) -> None:
    with shop("Ada").hub(tmp_path, packages=memory_url) as hub:
        filesystem, path = fsspec.core.url_to_fs(memory_url)
        filesystem.pipe(f"{path}/pos/members/left-over/profiles.parquet", b"half")
        ingest(hub)
        assert set(hub.packages.folders("pos/members")) == hub.store.packages.known("pos", "members")


def test_a_file_system_of_several_names_is_registered_once(tmp_path: Path) -> None:
    storage = Storage("memory://bucket/packages", tmp_path)
    storage._filesystem = type("Several", (type(storage._filesystem),), {"protocol": ("several", "sev")})()
    connection = duckdb.connect()
    storage.register(connection)
    storage.register(connection)
    assert connection.filesystem_is_registered("several")
    connection.close()


def test_a_place_that_refuses_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage("memory://user:open-sesame-15@bucket/packages", tmp_path)

    class ClientError(Exception):
        """As an object store's client would raise it."""

    def refuse(*_: object) -> None:
        raise ClientError("AccessDenied secret=abcdefgh")

    monkeypatch.setattr(type(storage._filesystem), "put_file", refuse)
    with pytest.raises(StoreError, match="ClientError: AccessDenied") as caught, storage.new_folder("a") as folder:
        (folder / "x").write_text("x")
    assert "open-sesame" not in str(caught.value)
    assert "abcdefgh" not in str(caught.value)


def _ingest_with_small_files(home: Path, limit: int) -> None:
    """Ingest where no file may grow beyond a limit: to a process it looks like a full disk."""
    chance = random.Random(7)
    names = [chance.randbytes(5_000).hex() for _ in range(400)]
    toy = shop("Ada", "Bo", *names)
    with toy.hub(home, batch_rows=200) as hub:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        reports = read_connections(hub)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (home / "told").write_text(
        "\n".join(f"{r.stream} {r.packages} {r.error.code} {r.error}" for r in reports if r.error)
    )


def test_a_full_disk_while_sealing_is_told_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop("Ada", "Bo").hub(tmp_path, batch_rows=1) as hub:
        ingest(hub)
    toy = shop("Ada", "Bo", "Cy", "Di")
    write = Storage._put
    left = iter([write])

    def fill(self: Storage, aside: Path, name: str) -> None:
        put = next(left, None)
        if put is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, aside, name)

    with toy.hub(tmp_path, batch_rows=1) as hub, monkeypatch.context() as patch:
        patch.setattr(Storage, "_put", fill)
        failed = ingest(hub).failed
        assert {report.error.code for report in failed} == {"disk_full"}
        assert "No space left on device" in str(failed[0].error)
        assert "Free some space" in str(failed[0].error)
        assert alive(hub) == {"1": "Ada", "2": "Bo", "3": "Cy"}
    with toy.hub(tmp_path, batch_rows=1) as hub:
        assert ingest(hub).failed == []
        assert alive(hub) == {"1": "Ada", "2": "Bo", "3": "Cy", "4": "Di"}


def test_a_file_that_may_not_grow_is_told_as_a_full_disk(tmp_path: Path) -> None:
    with shop("Ada", "Bo").hub(tmp_path, batch_rows=200) as hub:
        ingest(hub)
    assert run(_ingest_with_small_files, tmp_path, 500_000) == 0
    assert (tmp_path / "told").read_text().startswith("members 0 disk_full Writing pos/members/")
    with shop("Ada", "Bo", *(f"name {number}" for number in range(400))).hub(tmp_path) as hub:
        assert ingest(hub).failed == []
        assert len(alive(hub)) == 402


@pytest.mark.parametrize("damage", ["missing", "cut", "spoilt"])
def test_a_damaged_package_stops_only_its_own_records(tmp_path: Path, damage: str) -> None:
    with shop("Ada", "Bo").hub(tmp_path) as hub:
        read_connections(hub)
        package = next(p for p in hub.store.packages.waiting() if p.stream == "members")
        file = tmp_path / ".hub" / "packages" / package.location / "profiles.parquet"
        whole = file.read_bytes()
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes(whole[:50] if damage == "cut" else whole[:4] + bytes(len(whole) - 8) + whole[-4:])
        report = ingest(hub)
        assert report.load_error is not None
        assert report.load_error.code in {"file_unusable", "package_incomplete"}
        assert alive(hub, "products") == {"Ada": "Ada", "Bo": "Bo"}
        run_of_load = hub.store.runs.list(stage="load")[0]
        assert (run_of_load.state, run_of_load.error_code) == ("partial", report.load_error.code)
        file.write_bytes(whole)
        assert ingest(hub).load_error is None
        assert alive(hub) == {"1": "Ada", "2": "Bo"}


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".hub").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="home cannot be made"):
        shop("Ada").hub(tmp_path)
