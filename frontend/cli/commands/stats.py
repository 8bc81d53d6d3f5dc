"""``muelle stats`` and ``muelle top``: what containers use and what runs in them."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

import click

from frontend.cli import units
from frontend.cli.client import Client, segment
from frontend.cli.errors import CliError
from frontend.cli.output import Listing, Row, short_id, table

from ._common import Raw, format_option, pass_client

LISTING = Listing(
    ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"),
    {
        "Container": "CONTAINER",
        "ID": "CONTAINER ID",
        "Name": "NAME",
        "CPUPerc": "CPU %",
        "MemUsage": "MEM USAGE / LIMIT",
        "MemPerc": "MEM %",
        "NetIO": "NET I/O",
        "BlockIO": "BLOCK I/O",
        "PIDs": "PIDS",
    },
)
_INTERVAL = 0.5
_CLEAR = "\x1b[H\x1b[J"  # cursor home, erase below


@click.command()
@click.option("-a", "--all", "show_all", is_flag=True, help="Show all containers (default shows just running)")
@format_option
@click.option("--no-stream", is_flag=True, help="Disable streaming stats and only pull the first result")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output")
@click.argument("containers", nargs=-1, metavar="[CONTAINER...]")
@pass_client
def stats(
    client: Client, containers: tuple[str, ...], show_all: bool, form: str | None, no_stream: bool, no_trunc: bool
) -> None:
    """Display a live stream of container(s) resource usage statistics."""
    board = Board(client, follow=not no_stream)
    if no_stream:
        board.watch(containers or _listed(client, show_all))
        board.join()
        board.raise_failure()
        LISTING.show(board.rows(no_trunc), form)
        return
    clear = _CLEAR if sys.stdout.isatty() else ""
    while True:
        # Without names, those that have come since the last look are watched too.
        board.watch(containers or _listed(client, show_all))
        time.sleep(_INTERVAL)
        board.raise_failure()
        sys.stdout.write(clear)
        LISTING.show(board.rows(no_trunc), form)
        sys.stdout.flush()


def _listed(client: Client, show_all: bool) -> list[str]:
    return [each["Id"] for each in client.json("GET", "/containers/json", {"all": show_all or None})]


class Board:
    """The latest sample of each container; one thread reads each stream."""

    def __init__(self, client: Client, *, follow: bool) -> None:
        self._host, self._follow = client.host, follow
        self._samples: dict[str, dict[str, Any] | None] = {}
        self._threads: list[threading.Thread] = []
        self._failure: CliError | None = None

    def watch(self, names: tuple[str, ...] | list[str]) -> None:
        for name in names:
            if name not in self._samples:
                self._samples[name] = None
                thread = threading.Thread(target=self._read, args=(name,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def _read(self, name: str) -> None:
        try:
            query = {"stream": self._follow}
            for sample in Client(self._host).stream("GET", f"/containers/{segment(name)}/stats", query):
                self._samples[name] = sample
        except CliError as error:
            self._failure = error
        except OSError:
            return
        finally:
            with contextlib.suppress(KeyError):
                if self._follow:
                    del self._samples[name]  # it has ended

    def rows(self, no_trunc: bool) -> list[Row]:
        return [row(name, sample, no_trunc) for name, sample in list(self._samples.items()) if sample]


def row(name: str, sample: dict[str, Any], no_trunc: bool) -> Row:
    """One sample as the templates of ``--format`` see it."""
    memory, limit = _memory(sample["memory_stats"])
    networks = (sample.get("networks") or {}).values()
    received, sent = (sum(each[f"{way}_bytes"] for each in networks) for way in ("rx", "tx"))
    read, written = _block(sample)
    identity = sample["id"]
    return {
        "Container": name,
        "ID": identity if no_trunc else short_id(identity),
        "Name": sample["name"].removeprefix("/"),
        "CPUPerc": f"{_cpu(sample):.2f}%",
        "MemUsage": f"{units.binary_size(memory)} / {units.binary_size(limit)}",
        "MemPerc": f"{100 * memory / limit if limit else 0:.2f}%",
        "NetIO": f"{units.decimal_size(received)} / {units.decimal_size(sent)}",
        "BlockIO": f"{units.decimal_size(read)} / {units.decimal_size(written)}",
        "PIDs": str(sample["pids_stats"].get("current", 0)),
    }


def _cpu(sample: dict[str, Any]) -> float:
    """Per cent of one processor, between this sample and the one before."""
    now, before = sample["cpu_stats"], sample["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    return 100 * used / passed * (now.get("online_cpus") or 1) if used > 0 and passed > 0 else 0.0


def _memory(memory: dict[str, Any]) -> tuple[int, int]:
    """Usage without the page cache that would be dropped first, and the limit."""
    usage, details = memory.get("usage", 0), memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return usage - cache if cache < usage else usage, memory.get("limit", 0)


def _block(sample: dict[str, Any]) -> tuple[int, int]:
    entries = (sample["blkio_stats"] or {}).get("io_service_bytes_recursive") or ()
    totals = {"read": 0, "write": 0}
    for entry in entries:
        if entry["op"].lower() in totals:
            totals[entry["op"].lower()] += entry["value"]
    return totals["read"], totals["write"]


@click.command(cls=Raw, context_settings={"ignore_unknown_options": True})
@click.argument("container")
@click.argument("ps_options", nargs=-1, type=click.UNPROCESSED, metavar="[ps OPTIONS]")
@pass_client
def top(client: Client, container: str, ps_options: tuple[str, ...]) -> None:
    """Display the running processes of a container."""
    query = {"ps_args": " ".join(ps_options) or None}
    found = client.json("GET", f"/containers/{segment(container)}/top", query)
    sys.stdout.write(table([found["Titles"], *found["Processes"]], minimum=20))
