"""How much of the time does running the book's notebooks two at a time save?

    python benchmarks/book.py [--quick] [--json]

Runs every cell of the book from an empty cache, in turn two notebooks at a time and one after the other, one BLAS thread
each. The peer is what jupyter-book does by itself: one after the other. Equal outputs are asserted before
anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jupyter_cache import get_cache
from rich.console import Console
from rich.table import Table

from dlcourse.publishing import cache, pages
from dlcourse.publishing.execution import AT_ONCE, execute

ROOT = Path(__file__).parents[1]
GOAL, LIMIT = 0.85, 0.5  # two cores cannot do it in less than half


def book(folder: Path) -> Path:
    """Make a folder that shares the book's pages and has a cache of its own."""
    for name in ("_config.yml", "_toc.yml", "book"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(root: Path, at_once: int) -> float:
    """Run the whole book from an empty cache and return the seconds it took."""
    shutil.rmtree(cache.caches(root), ignore_errors=True)
    started = time.perf_counter()
    done = execute(root, at_once=at_once)
    seconds = time.perf_counter() - started
    assert len(done.ran) == len(pages.notebooks(root)), "some notebooks were not run"
    return seconds


def outputs(root: Path) -> list[str]:
    """Return the text of all outputs, without the ids that widgets draw anew each time."""
    store = get_cache(cache.cache_folder(root))
    texts = []
    for record in store.list_cache_records():
        notebook = store.get_cache_bundle(record.pk).nb
        cells = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
        texts.append(re.sub(r"\b[0-9a-f]{32}\b", "", json.dumps(cells, sort_keys=True)))
    return sorted(texts)


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two rounds instead of nine")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args()
    rounds = 2 if options.quick else 9
    ways = {f"dlcourse, {AT_ONCE} at a time": AT_ONCE, "one after the other": 1}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        root = book(Path(folder))
        made = []
        for at_once in ways.values():
            run(root, at_once)
            made.append(outputs(root))
        assert made[0] == made[1], "the two ways give different outputs"
        for _ in range(rounds):
            for way, at_once in ways.items():
                seconds[way].append(run(root, at_once))
        count = len(pages.notebooks(root))
    ours, peer = seconds.values()
    ratio = statistics.median(a / b for a, b in zip(ours, peer, strict=True))
    case = f"the book's {count} notebooks, cold"
    rows = [
        {
            "case": case,
            "peer": way,
            "seconds": statistics.median(times),
            "ratio": 1.0 if times is ours else 1 / ratio,
        }
        for way, times in seconds.items()
    ]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if options.json:
        json.dump({"machine": machine, "rows": rows}, sys.stdout)
        return
    table = Table(title=f"{case} ({machine}; medians of {rounds} alternating rounds)")
    for name in ("way", "median", "time / ours", "goal", "limit"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for row in rows:
        own = row["peer"] != "one after the other"
        table.add_row(
            str(row["peer"]),
            f"{row['seconds']:.1f} s",
            f"{row['ratio']:.2f}",
            "" if own else f"≥ {1 / GOAL:.2f}",
            "" if own else f"{1 / LIMIT:.2f}",
        )
    Console(width=100).print(table)


main()
