"""The three files of a container's network: hosts, hostname and resolv.conf, written anew at each start."""

from __future__ import annotations

import os
from ipaddress import IPv4Interface
from pathlib import Path

from django.conf import settings

from controlpanel.objects.models import Container
from engine.errors import SystemFailure
from engine.networks import files

HOST_FILES = {"hosts": Path("/etc/hosts"), "resolv.conf": Path("/etc/resolv.conf")}
MAX_HOST_FILE = 1024 * 1024


def write(container: Container, address: str | None, gateway: IPv4Interface | None) -> None:
    """Write them for a container with ``address``; with None it has the host's network or none."""
    hostname = container.config.get("Hostname") or container.short_id
    texts = {
        "hostname": f"{hostname}\n",
        "hosts": _hosts(container, hostname, address, gateway),
        "resolv.conf": _resolver(container),
    }
    directory = settings.MUELLE_LAYOUT.container(container.id)
    try:
        for name, text in texts.items():
            _replace(directory / name, text)
    except OSError as error:
        raise SystemFailure(f"cannot write {error.filename}: {error.strerror}") from error


def _hosts(container: Container, hostname: str, address: str | None, gateway: IPv4Interface | None) -> str:
    extra = container.host_config.get("ExtraHosts") or []
    host_gateway = str(gateway.ip) if gateway else None
    if container.host_config.get("NetworkMode") == "host":
        return _read("hosts") + files.extra_host_lines(extra, host_gateway)
    names = files.host_names(hostname, container.config.get("Domainname") or "")
    return files.hosts(names, [address] if address else [], extra, host_gateway)


def _resolver(container: Container) -> str:
    host = container.host_config
    own = host.get("Dns") or [], host.get("DnsSearch") or [], host.get("DnsOptions") or []
    if host.get("NetworkMode") == "host" and not any(own):
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
