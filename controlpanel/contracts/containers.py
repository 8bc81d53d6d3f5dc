"""Operations on containers. ``container_id`` is always a whole ID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from controlpanel.contracts.results import Changed, Pruned, Warned
from controlpanel.rpc.operation import DISK_SECONDS, Queue, operation
from engine.containers.config.objects import Config, EndpointSettings, HostConfig, Resources, RestartPolicy

# What the answer to a stop may take beyond the container's own time.
MARGIN_SECONDS = 60.0


class Created(TypedDict):
    id: str
    warnings: list[str]


class Processes(TypedDict):
    """Docker's own spelling; each row has as many fields as there are titles."""

    Titles: list[str]
    Processes: list[list[str]]


class Change(TypedDict):
    """``Kind``: 0 modified, 1 added, 2 deleted."""

    Path: str
    Kind: int


class Sizes(TypedDict):
    """Bytes that a container has written, and these with its image's."""

    rw: int
    rootfs: int


class PathStat(TypedDict):
    """``mode`` is Go's os.FileMode; ``mtime`` RFC 3339."""

    name: str
    size: int
    mode: int
    mtime: str
    linkTarget: str


def _until_it_ends(arguments: Mapping[str, Any]) -> float | None:
    """Without end when the client wants no kill, or leaves the time to the container."""
    seconds = arguments.get("timeout")
    return None if seconds is None or seconds < 0 else seconds + MARGIN_SECONDS


@operation(Queue.DISK, DISK_SECONDS)
def create(
    project: str,
    image: int,
    image_name: str,
    config: Config,
    host_config: HostConfig,
    networking: dict[str, EndpointSettings],
    volumes_from: dict[str, str],
    name: str | None = None,
) -> Created:
    """Create a container from checked, complete objects on the image of this row key. Conflict: name taken.

    ``volumes_from`` has the IDs of the containers that VolumesFrom names, by name.
    """


@operation(Queue.LIFECYCLE)
def start(container_id: str) -> Changed:
    """Start a container by hand."""


@operation(Queue.LIFECYCLE, _until_it_ends)
def stop(container_id: str, timeout: int | None = None, signal: str | None = None) -> Changed:
    """Stop by hand. ``timeout`` in seconds, negative waits for ever, None leaves it to the container."""


@operation(Queue.LIFECYCLE, _until_it_ends)
def restart(container_id: str, timeout: int | None = None, signal: str | None = None) -> Changed:
    """Stop if it runs, then start by hand."""


@operation(Queue.LIFECYCLE)
def kill(container_id: str, signal: str | None = None) -> Changed:
    """Send a signal, SIGKILL by default; after that one the answer comes when the container has ended."""


@operation(Queue.LIFECYCLE)
def pause(container_id: str) -> None:
    """Freeze every process."""


@operation(Queue.LIFECYCLE)
def unpause(container_id: str) -> None:
    """Let the processes go on."""


@operation(Queue.DISK, DISK_SECONDS)
def remove(container_id: str, force: bool = False, volumes: bool = False) -> Changed:
    """Remove a container, and with ``volumes`` its anonymous ones; ``force`` kills it first."""


@operation(Queue.DISK, DISK_SECONDS)
def prune(project: str, container_ids: list[str]) -> Pruned:
    """Remove those of the containers that do not run."""


@operation(Queue.LIFECYCLE)
def rename(container_id: str, name: str) -> None:
    """Give a container another name; Conflict when it is taken."""


@operation(Queue.LIFECYCLE)
def update(container_id: str, resources: Resources, restart_policy: RestartPolicy | None = None) -> Warned:
    """Change limits, at once when it runs, and the restart policy. Empty fields of ``resources`` change nothing."""


@operation(Queue.LIFECYCLE)
def top(container_id: str, ps_args: str) -> Processes:
    """The host's ps, cut down to the container's processes."""


@operation(Queue.DISK, DISK_SECONDS)
def sizes(container_ids: list[str]) -> dict[str, Sizes]:
    """By container ID; one that has gone is left out."""


@operation(Queue.TRANSFER, DISK_SECONDS)
def changes(container_id: str) -> list[Change]:
    """What the container has changed in its image's files."""


@operation(Queue.LIFECYCLE)
def archive_stat(container_id: str, path: str) -> PathStat:
    """Docker's stat of a path."""


@operation(Queue.TRANSFER, None)
def archive_get(container_id: str, path: str, ticket: str) -> None:
    """Write a tar of ``path`` to the ticket's reply."""


@operation(Queue.TRANSFER, None)
def archive_put(container_id: str, path: str, ticket: str, no_overwrite_dir_non_dir: bool, copy_uid_gid: bool) -> None:
    """Unpack the ticket's body into the directory ``path``."""


@operation(Queue.TRANSFER, None)
def export(container_id: str, ticket: str) -> None:
    """Write the root file system, without volumes, as a tar to the ticket's reply."""
