"""Three segments and scores to every simulated platform: first day, once more, next day.

Checks that each dry run tells what the run then does, that nothing changed means not one call, that the next day sends less than
the first, and that what can be read back is as planned. Prints the rows by day; exit code 1 when a check fails.

Run: .venv/bin/python benchmarks/push_platforms.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "push"))

from platform_days import ALL, live, platforms


def main() -> int:
    """Live through it."""
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="push-platforms-") as folder,
        platforms(Path(folder) / "chain", ALL, days=30) as demo,
    ):
        try:
            planned = live(demo)
        except AssertionError as error:
            print(f"failed: {error}")
            return 1
    for day, syncs in planned.items():
        for sync, rows in syncs.items():
            print(f"{day:>10}  {sync:<24} {rows:>6,} rows")
    print(f"as planned on {len(ALL)} platforms; {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
