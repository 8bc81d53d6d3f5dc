"""``docker top``: the host's ps, cut down to a container's processes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable

from django.conf import settings

from controlpanel.contracts import containers
from controlpanel.contracts.containers import Processes
from controlpanel.objects import events, states
from controlpanel.objects.states import Status
from controlpanel.operations.containers import settled
from engine.containers import runtime
from engine.errors import Conflict, InvalidArgument, SystemFailure

PS_SECONDS = 10


@containers.top.implement
def top(container_id: str, ps_args: str) -> Processes:
    """PIDs are the host's."""
    container = settled.container(container_id)
    if container.status == Status.RESTARTING:
        raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
    if container.status not in states.ALIVE:
        raise Conflict(f"container {container.id} is not running")
    pids = {str(pid) for pid in runtime.cgroup(settings.MUELLE_LAYOUT, container.id).pids()}
    if not pids:
        raise Conflict(f"container {container.id} is not running")
    titles, rows = parse(_ps(_words(ps_args), pids))
    column = titles.index("PID")
    events.publish_all([events.of_container(container, "top")])
    return {"Titles": titles, "Processes": [row for row in rows if row[column] in pids]}


def parse(output: str) -> tuple[list[str], list[list[str]]]:
    """Split ps's table; the last column holds spaces. InvalidArgument when there is no PID column."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidArgument("Couldn't find PID field in ps output")
    split = (line.split(None, len(titles) - 1) for line in lines[1:])
    return titles, [row for row in split if len(row) == len(titles)]


def _words(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError as error:
        raise InvalidArgument(f"invalid ps arguments: {error}") from error


def _ps(words: list[str], pids: Iterable[str]) -> str:
    """Have ps read these processes only; its table is empty when they have ended.

    It refuses that (-q, before whatever could swallow it) beside an order, a selection or a forest: then it reads all,
    and the rows are chosen by their PIDs. Columns that are chosen by hand could give that name to anything.
    """
    done = _run(["-q", ",".join(pids), *words])
    if not done.stdout and not _chooses_columns(words):
        done = _run(words)
    if done.returncode and not done.stdout:
        raise SystemFailure(f"error running ps: exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _chooses_columns(words: list[str]) -> bool:
    """Whether there may be one of ps's options o, -o, -O and --format, also in a cluster (axo)."""
    return any(word.startswith("--format") or (word[:2] != "--" and "o" in word.lower()) for word in words)


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run ps without a shell."""
    try:
        return subprocess.run(["ps", *words], capture_output=True, text=True, timeout=PS_SECONDS, check=False)
    except FileNotFoundError as error:
        raise SystemFailure("docker top needs the program ps on the host: install the package procps") from error
    except subprocess.TimeoutExpired as error:
        raise SystemFailure(f"ps did not end within {PS_SECONDS} seconds") from error
