"""The three files of a container's network: hosts, hostname and resolv.conf, written anew at each start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.containers.config.objects import HostConfig
from engine.errors import SystemFailure
from engine.networks import endpoint, files
from engine.networks.endpoint import EndpointPlan

if TYPE_CHECKING:
    from engine.containers.spec import Specification
    from engine.layout import Layout

HOST_FILES = {"hosts": Path("/etc/hosts"), "resolv.conf": Path("/etc/resolv.conf")}
MAX_HOST_FILE = 1024 * 1024


def write(layout: Layout, specification: Specification) -> None:
    """Write them into the container's directory; without endpoints it has the host's network, another's, or none."""
    texts = {
        "hostname": f"{specification.hostname}\n",
        "hosts": _hosts(specification, specification.endpoints),
        "resolv.conf": _resolver(specification.host_config),
    }
    directory = layout.container(specification.id)
    try:
        for name, text in texts.items():
            _replace(directory / name, text)
    except OSError as error:
        raise SystemFailure(f"cannot write {error.filename}: {error.strerror}") from error


def _hosts(specification: Specification, endpoints: Sequence[EndpointPlan]) -> str:
    extra = specification.host_config["ExtraHosts"] or []
    way_out = endpoint.gateway_endpoint(endpoints)
    gateway = way_out.gateway if way_out else None
    if specification.host_config["NetworkMode"] == "host":
        return _read("hosts") + files.extra_host_lines(extra, gateway)
    names = files.host_names(specification.hostname, specification.config["Domainname"])
    return files.hosts(names, [plan.ip for plan in endpoints], extra, gateway)


def _resolver(host: HostConfig) -> str:
    own = host["Dns"] or [], host["DnsSearch"] or [], host["DnsOptions"] or []
    if host["NetworkMode"] == "host" and not any(own):
        return _read("resolv.conf")
    return files.container_resolver(files.host_resolver(), *own).text()


def _read(name: str) -> str:
    try:
        with HOST_FILES[name].open(errors="replace") as file:
            return file.read(MAX_HOST_FILE)
    except FileNotFoundError:
        return ""


def _replace(path: Path, text: str) -> None:
    """Write in place: the file may be bind-mounted into a container whose owner has edited it or made it a link."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)
