"""Private folders for temporary files; what a killed process left behind is swept up by the next one.

A folder belongs to whoever holds its lock. The lock dies with its process, however that ended, so that a sweep never has to
guess from ages or process numbers whether a folder is still in use.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["private_folder", "sweep_abandoned"]

_PREFIX = "private-"


@contextmanager
def private_folder(root: Path) -> Iterator[Path]:
    """Make an empty folder below ``root`` for the length of a block.

    It may be moved elsewhere within the block; otherwise it is removed at the end.

    Raises:
        OSError: it cannot be made.
    """
    folder, lock = _make(root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _make(root: Path) -> tuple[Path, int]:
    while True:
        folder = root / f"{_PREFIX}{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A sweep may have taken the folder for abandoned in the instant before it was locked.
        if folder.exists():
            return folder, lock
        os.close(lock)


def sweep_abandoned(root: Path) -> int:
    """Remove the private folders below ``root`` whose process is gone; return how many."""
    if not root.is_dir():
        return 0
    return sum(_remove_if_abandoned(folder) for folder in root.glob(f"{_PREFIX}*"))


def _remove_if_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(lock)
