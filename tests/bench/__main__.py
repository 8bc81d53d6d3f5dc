"""``./muelle bench [--only NAME] [--runs N] [--running] [--json]``: both engines in the same run, alternating."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import TYPE_CHECKING

from tests.bench import engines
from tests.bench.report import Result, Series, table
from tests.bench.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from tests.bench.engines import Engine


def main() -> int:
    options = _options()
    chosen = [workload for workload in WORKLOADS if not options.only or workload.name in options.only]
    with engines.ours(use_running=options.running) as ours, engines.dockerd() as theirs:
        if theirs is None:
            print("dockerd is not installed: measuring this engine alone", file=sys.stderr)
        results = [_measure(workload, ours, theirs, options.runs or workload.runs) for workload in chosen]
    print(json.dumps([result.to_json() for result in results], indent=2) if options.json else table(results))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="muelle bench", description="Measure this engine, and dockerd beside it.")
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--only", action="append", choices=names, help="measure only this; may be given again")
    parser.add_argument("--runs", type=int, help="measurements of each workload on each engine")
    parser.add_argument("--running", action="store_true", help="measure the running installation, not a fresh one")
    parser.add_argument("--json", action="store_true", help="print every single measurement as JSON")
    return parser.parse_args()


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
