"""What is measured, one module for each family: `TABLE` holds all rows with their targets."""

from __future__ import annotations

from tests.bench.workloads import archives, lifecycle, memory, network, queries, streams
from tests.bench.workloads.base import Workload

__all__ = ["TABLE", "Workload"]

TABLE: list[Workload] = [
    *lifecycle.ROWS,
    *queries.ROWS,
    *streams.ROWS,
    *archives.ROWS,
    *memory.ROWS,
    *network.ROWS,
]
