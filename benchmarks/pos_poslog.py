"""Read a POSLog of gigabytes in flat memory.

    python benchmarks/pos_poslog.py [--megabytes 2000] [--memory 700]

Writes a POSLog with as many transactions as it takes, reads it with ``pos.poslog`` down to canonical tables, and compares number and amount of
the tickets with what was written. The reference walks over the same file's transactions with lxml's ``iterparse`` and nothing else, in the
same process. Fails when the tickets differ, or when memory grows beyond the limit or beyond what a tenth of the file takes by half.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from lxml import etree

from hub.runtime import Runtime
from plugins.pos.poslog.source import PoslogSource

TICKET = """<Transaction><RetailStoreID>S{shop}</RetailStoreID><WorkstationID>{till}</WorkstationID><SequenceNumber>{number}</SequenceNumber>
<BusinessDayDate>2026-03-02</BusinessDayDate><EndDateTime>2026-03-02T10:{minute:02}:00</EndDateTime><OperatorID>7</OperatorID>
<CurrencyCode>CNY</CurrencyCode><RetailTransaction Version="2.2">{lines}<LineItem><Tender TenderType="Cash"><Amount>{paid}</Amount>
</Tender></LineItem><Total TotalType="TransactionNetAmount">{paid}</Total></RetailTransaction></Transaction>
"""
LINE = """<LineItem><SequenceNumber>{place}</SequenceNumber><Sale ItemType="Stock"><ItemID>P{item}</ItemID><Description>茉莉绿茶 大杯</Description>
<RegularSalesUnitPrice>{price}.00</RegularSalesUnitPrice><ActualSalesUnitPrice>{price}.00</ActualSalesUnitPrice>
<ExtendedAmount>{price}.00</ExtendedAmount><Quantity>1</Quantity></Sale></LineItem>
"""


def write(path: Path, size: int) -> tuple[int, int]:
    """Write a file of about so many bytes; how many tickets it has, and what they come to."""
    written = tickets = amount = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<POSLog>\n')
        while written < size:
            prices = [5 + (tickets + place) % 40 for place in range(3)]
            lines = "".join(
                LINE.format(place=n, item=(tickets * 3 + n) % 5000, price=price) for n, price in enumerate(prices)
            )
            written += file.write(
                TICKET.format(
                    shop=tickets % 50,
                    till=tickets % 4,
                    number=tickets,
                    minute=tickets % 60,
                    lines=lines,
                    paid=sum(prices),
                )
            )
            tickets, amount = tickets + 1, amount + sum(prices)
        file.write("</POSLog>\n")
    return tickets, amount


def read(path: Path, folder: Path) -> tuple[int, Decimal]:
    runtime = Runtime(connection="till", scratch=folder, now=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    source = PoslogSource(PoslogSource.Config.model_validate({"url": str(path)}), runtime)
    tickets, amount = 0, Decimal(0)
    for page in source.read({}):
        if page.rejects:
            raise SystemExit(f"rejected: {page.rejects[:3]}")
        if page.tables:
            tickets += page.tables["orders"].num_rows
            amount += pc.sum(page.tables["orders"]["total_amount"]).as_py()
    return tickets, amount


def bare(path: Path) -> int:
    """Walk over the transactions and forget them; how many there were."""
    tickets = 0
    for _, element in etree.iterparse(str(path), events=("end",), tag="Transaction"):
        tickets += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return tickets


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What some work gave, its seconds by the clock, and those of all processors."""
    clock, processors = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - clock, time.process_time() - processors


def measured(megabytes: int) -> int:
    """Write and read one file in this process; its peak memory in MB."""
    with tempfile.TemporaryDirectory(prefix="pos-poslog-") as place:
        path = Path(place) / "day.xml"
        wanted = write(path, megabytes * 1_000_000)
        _, reference, walked = timed(lambda: bare(path))
        found, seconds, busy = timed(lambda: read(path, Path(place)))
    if found != wanted:
        raise SystemExit(f"wrote {wanted}, read {found}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{megabytes} MB, {wanted[0]:,} tickets: {seconds:.0f} s, {megabytes / seconds:.1f} MB/s ({megabytes / busy:.1f} MB per second of processors), "
        f"{seconds / reference:.1f} times bare iterparse ({busy / walked:.1f} by processors), peak {peak} MB",
        flush=True,
    )
    return peak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--memory", type=int, default=700)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measured(options.megabytes)
        return 0
    peaks = []
    for size in (max(1, options.megabytes // 10), options.megabytes):
        command = [sys.executable, __file__, "--one", "--megabytes", str(size)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(said, end="")
        peaks.append(int(said.split("peak ")[1].split()[0]))
    return 0 if peaks[1] <= options.memory and peaks[1] <= peaks[0] * 1.5 else 1


if __name__ == "__main__":
    sys.exit(main())
