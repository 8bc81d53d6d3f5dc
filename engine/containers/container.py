"""A container's way through the engine: its directory, its start in its networks, the end of a run, its removal.

Everything comes in as plain values. Which address, which port, which name is free is decided above, where it is kept
count of; what a restart policy makes of an end is decided in `engine.containers.restart`.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.archives.trees import tree_size
from engine.containers import hostfiles, resources, runtime, spec
from engine.containers.spec import Specification
from engine.kernel import inodes
from engine.networks import bridge, endpoint
from engine.networks.endpoint import EndpointPlan
from engine.undo import undone_on_failure

if TYPE_CHECKING:
    from engine.layout import Layout

REMOVED = ".removed-"  # begins the name of a directory whose container is gone


class Started(NamedTuple):
    """A container that runs. ``endpoints`` are the plans with the ports that were published."""

    pid: int
    started_at: str
    endpoints: tuple[EndpointPlan, ...]


def prepare(layout: Layout, container_id: str) -> Path:
    """Make the directory of a new container; its logs can be read by the group of the directory above."""
    directory = layout.container(container_id)
    directory.parent.mkdir(mode=0o710, parents=True, exist_ok=True)
    inodes.spread(directory.parent)
    directory.mkdir(mode=0o710)
    shutil.chown(directory, group=directory.parent.stat().st_gid)
    return directory


def ensure_bridges(layout: Layout, endpoints: Iterable[EndpointPlan]) -> bool:
    """Make the bridges that are missing, before a start; whether the firewall table had to be made anew with them.

    It does after a reboot or ``nft flush ruleset``, and with it the published ports of all containers were lost. The
    caller hands them to `engine.networks.ports.restore` at once: the start may fail, and nothing would tell again.
    """
    networks = {plan.bridge: plan.subnet for plan in endpoints}
    bridges = [bridge.ensure(layout, subnet, name) for name, subnet in networks.items()]
    return any(made.ports_lost for made in bridges)


def start(layout: Layout, specification: Specification) -> Started:
    """Run a container that was prepared and does not run, on bridges that are there; returns when its command runs.

    On failure nothing is left in the kernel. A command that cannot be run raises `runtime.StartFailed`.
    """
    attached: list[EndpointPlan] = []
    with undone_on_failure("start of a container") as undo:

        def configure(netns_fd: int, netlink_fd: int) -> None:
            endpoint.loopback(netlink_fd)
            for plan in specification.endpoints:
                made = endpoint.attach(layout, plan, netns_fd, netlink_fd)
                undo.callback(endpoint.detach, layout, made)
                attached.append(made)
            way_out = endpoint.gateway_endpoint(attached)
            if way_out:
                endpoint.set_default_route(way_out, netlink_fd)

        hostfiles.write(layout, specification)
        description = spec.build(layout, specification)
        limits = resources.limits(specification.host_config)
        started = runtime.start(layout, specification.id, description, limits, configure)
    return Started(started.pid, started.started_at, tuple(attached))


def tear_down(layout: Layout, container_id: str, endpoints: Iterable[EndpointPlan]) -> None:
    """Give back what a run held: processes that are left, its cgroup, its published ports. Repeating it is fine.

    One failure stops no other step. The interfaces go with their namespace; the caller takes away later, by
    `endpoint.remove_interface`, those in a namespace that another container shares.
    """
    with ExitStack() as steps:  # run in reverse order, whatever fails among them
        for plan in endpoints:
            steps.callback(endpoint.unpublish, layout, plan)
        steps.callback(runtime.release, layout, container_id)


def set_aside(layout: Layout, container_id: str) -> Path:
    """Take the directory's name away at once, and return the name under which it is left to delete.

    Deleting many files takes long, and those who wait for the removal need not see it.
    """
    layout.shim_socket(container_id).unlink(missing_ok=True)
    removed = layout.container(f"{REMOVED}{container_id}")
    with contextlib.suppress(FileNotFoundError):
        layout.container(container_id).rename(removed)
    return removed


def written(layout: Layout, container_id: str) -> int:
    """Bytes that a container has written over its image; one that never ran has nothing."""
    return tree_size(layout.container(container_id) / "upper")
