"""Medians, spread and ratios of what was measured, as a table or as JSON."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.bench.workloads import Workload

HEADER = ("workload", "muelle", "dockerd", "ratio", "target", "")


class Series(NamedTuple):
    """The measurements of one workload on one engine."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def shown(self) -> str:
        """Median and, in brackets, the least and the greatest."""
        return f"{_number(self.median)} [{_number(min(self.values))}..{_number(max(self.values))}]"


class Result(NamedTuple):
    workload: Workload
    ours: Series
    theirs: Series | None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of measurements taken one after the other, under the same load of the machine."""
        if self.theirs is None:
            return None
        return statistics.median(mine / other for mine, other in zip(self.ours.values, self.theirs.values, strict=True))

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without a target or without dockerd."""
        if self.ratio is None or self.workload.target is None:
            return None
        if self.workload.more_is_better:
            return self.ratio >= self.workload.target
        return self.ratio <= self.workload.target

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.workload.name,
            "title": self.workload.title,
            "unit": self.workload.unit,
            "muelle": list(self.ours.values),
            "dockerd": list(self.theirs.values) if self.theirs else None,
            "ratio": self.ratio,
            "target": self.workload.target,
            "reached": self.reached,
        }


def table(results: list[Result]) -> str:
    rows = [HEADER, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(result: Result) -> tuple[str, ...]:
    workload = result.workload
    sign = ">=" if workload.more_is_better else "<="
    return (
        f"{workload.title}, {workload.unit}",
        result.ours.shown(),
        result.theirs.shown() if result.theirs else "-",
        "-" if result.ratio is None else f"{result.ratio:.2f}",
        "-" if workload.target is None else f"{sign} {workload.target:g}",
        {True: "reached", False: "missed", None: ""}[result.reached],
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
