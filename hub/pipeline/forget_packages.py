"""Keep forgotten people out of packages: of those that are there, and of those that platforms still fill with them.

A package is written anew in another folder, the store then points at the new one, and the old one is removed: a process that
dies in between leaves one whole folder, and whoever goes on removes the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from hub.context import Hub
from hub.crashpoints import crash_point
from hub.store.tables import Package
from hub.warehouse.engine import Engine
from hub.warehouse.forgotten import PERSONAL_RECORDS, cut_package, forgotten, package_found
from hub.warehouse.forgotten import Package as Files

__all__ = ["rewrite_package", "screened", "tidy_packages"]

_REWRITTEN = "_rewritten"
"""Folder of packages that were written anew; no connection is called so, and no ingest sweeps it."""


@contextmanager
def screened(hub: Hub, engine: Engine) -> Iterator[bool]:
    """Look for everybody who was forgotten, within the block; yields whether there is anybody."""
    tombstones = hub.store.forgotten.tombstones()
    if not tombstones:
        yield False
        return
    digests, times = zip(*tombstones, strict=True)
    with forgotten(engine, pa.table({"mark": digests, "at": times}), hub.store.forgotten.key()):
        yield True


def rewrite_package(hub: Hub, engine: Engine, package: Package) -> int:
    """Write a package anew without forgotten people, if it holds any; return how many records that were.

    Within :func:`screened` or :func:`hub.warehouse.forgotten.forgotten`.

    Raises:
        StoreError: its files are not there or damaged, or the new ones cannot be written.
    """
    if package.record not in PERSONAL_RECORDS:
        return 0
    files = Files(hub.packages.files(package.location, package.bytes), package.connection, package.record)
    count = package_found(engine, files)
    if count:
        location = f"{_REWRITTEN}/{package.id}-{uuid.uuid4().hex[:8]}"
        with hub.packages.new_folder(location) as folder:
            cut_package(engine, files, folder)
            size = sum(file.stat().st_size for file in folder.iterdir())
        crash_point("forget.rewritten")
        hub.store.packages.move(package, location, size)
        crash_point("forget.moved")
        _remove_old(hub, package)
    return count


def _remove_old(hub: Hub, package: Package) -> None:
    if package.replaced:
        hub.packages.remove([package.replaced])
        hub.store.packages.old_removed(package)
        package.replaced = None


def tidy_packages(hub: Hub) -> None:
    """Remove the folders that a killed process left; only by whoever holds the warehouse."""
    packages = hub.store.packages.all()
    for package in packages:
        _remove_old(hub, package)
    known = {package.location for package in packages}
    hub.packages.remove(name for name in hub.packages.folders(_REWRITTEN) if name not in known)
