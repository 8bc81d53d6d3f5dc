"""``./muelle bench [ROW ...] [--runs N] [--running] [--json]``: both engines in the same run, alternating.

``./muelle bench waiting`` is another measurement, see ``waiting``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING

from tests.bench import engines, waiting
from tests.bench.report import Result, Series, table
from tests.bench.workloads import TABLE, Workload

if TYPE_CHECKING:
    from tests.bench.engines import Engine


def main() -> int:
    if sys.argv[1:2] == ["waiting"]:
        return waiting.main(sys.argv[2:])
    options = _options()
    # Told to end, it undoes what it has made, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = [workload for workload in TABLE if not options.rows or workload.name in options.rows]
    with engines.ours(use_running=options.running) as ours, engines.dockerd() as theirs:
        if theirs is None:
            print("dockerd is not installed: measuring this engine alone", file=sys.stderr)
        results = [_measure(workload, ours, theirs, options.runs or workload.runs) for workload in chosen]
    print(json.dumps([result.to_json() for result in results], indent=2) if options.json else table(results))
    return 0


def _options() -> argparse.Namespace:
    names = [workload.name for workload in TABLE]
    parser = argparse.ArgumentParser(
        prog="muelle bench",
        description="Measure this engine, and dockerd beside it.",
        epilog=f"rows: {', '.join(names)}",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure; everything without")
    parser.add_argument("--runs", type=int, help="measurements of each workload on each engine")
    parser.add_argument("--running", action="store_true", help="measure the running installation, not a fresh one")
    parser.add_argument("--json", action="store_true", help="print every single measurement as JSON")
    options = parser.parse_args()
    if unknown := sorted(set(options.rows) - set(names)):
        parser.error(f"no such row: {', '.join(unknown)}")
    return options


def _measure(workload: Workload, ours: Engine, theirs: Engine | None, runs: int) -> Result:
    """One measurement to warm up, then alternating, so that what else the machine does falls on both."""
    print(f"{workload.title} ...", file=sys.stderr, flush=True)
    with contextlib.ExitStack() as stack:
        measures = [stack.enter_context(workload.prepare(engine)) for engine in (ours, theirs) if engine]
        for measure in measures:
            measure()
        values = [[measure() for measure in measures] for _ in range(runs)]
    columns = [Series(tuple(column)) for column in zip(*values, strict=True)]
    return Result(workload, columns[0], columns[1] if theirs else None)


if __name__ == "__main__":
    sys.exit(main())
