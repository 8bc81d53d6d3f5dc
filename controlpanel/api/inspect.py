"""``GET /containers/{id}/json``: one container in all detail."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from controlpanel.access.scope import Scope
from controlpanel.api import endpoints, mounts
from controlpanel.contracts.containers import Sizes
from controlpanel.objects.models import Container
from controlpanel.objects.states import Status
from engine.containers.config import shown
from engine.containers.config.image import command

RUNNING_EXECS_SHOWN = 1000


def render(scope: Scope, container: Container, sizes: Sizes | None = None) -> dict[str, Any]:
    """Docker's ContainerInspect; with SizeRw and SizeRootFs when ``sizes`` is given."""
    words = command(container.config)
    directory = settings.MUELLE_LAYOUT.container(container.id)
    answer: dict[str, Any] = {
        "Id": container.id,
        "Created": container.created_at,
        "Path": words[0] if words else "",
        "Args": words[1:],
        "State": state(container),
        "Image": container.image_id,
        "ResolvConfPath": str(directory / "resolv.conf"),
        "HostnamePath": str(directory / "hostname"),
        "HostsPath": str(directory / "hosts"),
        "LogPath": _log_path(container),
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "unconfined",
        "ExecIDs": _exec_ids(scope, container),
        "HostConfig": shown(container.host_config),
        "GraphDriver": _graph_driver(container),
    }
    if sizes is not None:
        answer |= {"SizeRw": sizes["rw"], "SizeRootFs": sizes["rootfs"]}
    return answer | {
        "Mounts": mounts.render(container.mounts),
        "Config": shown(container.config),
        "NetworkSettings": network_settings(scope, container),
    }


def state(container: Container) -> dict[str, Any]:
    """State: Running stays true while Paused or Restarting."""
    status = container.docker_status
    return {
        "Status": str(status),
        "Running": container.is_running,
        "Paused": status == Status.PAUSED,
        "Restarting": status == Status.RESTARTING,
        "OOMKilled": container.oom_killed,
        "Dead": status == Status.DEAD,
        "Pid": container.pid if container.is_alive else 0,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": container.started_at,
        "FinishedAt": container.finished_at,
    }


def network_settings(scope: Scope, container: Container) -> dict[str, Any]:
    """NetworkSettings, with the default bridge's endpoint repeated flat for old clients."""
    attached = endpoints.Endpoints.of(scope, container.id)
    mode = container.host_config["NetworkMode"]
    networks = endpoints.networks(container.id, mode, container.networking, attached)
    bridge = networks.get("bridge", endpoints.EMPTY)
    exposed = container.config["ExposedPorts"] or {}
    flat = ("EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen")
    return {
        "Bridge": "",
        "SandboxID": container.id if container.is_alive else "",
        "SandboxKey": f"/proc/{container.pid}/ns/net" if container.is_alive else "",
        "Ports": endpoints.port_map(container.id, exposed, container.is_alive, attached),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{key: bridge[key] for key in (*flat, "IPv6Gateway", "MacAddress")},
        "Networks": networks,
    }


def _log_path(container: Container) -> str:
    logged = container.host_config["LogConfig"]["Type"] == "json-file"
    return str(settings.MUELLE_LAYOUT.log(container.id)) if logged else ""


def _exec_ids(scope: Scope, container: Container) -> list[str] | None:
    """A container that does not run has none that runs, and nobody has to be asked."""
    if not container.is_alive:
        return None
    running = scope.execs().filter(container=container, running=True).order_by("created")
    return list(running.values_list("id", flat=True)[:RUNNING_EXECS_SHOWN]) or None


def _graph_driver(container: Container) -> dict[str, Any]:
    """Where the layers lie. MergedDir is mounted in the container's own mount namespace only."""
    layout = settings.MUELLE_LAYOUT
    directory = layout.container(container.id)
    lower = ":".join(str(layout.images / "layers" / layer) for layer in reversed(container.layers))
    return {
        "Data": {
            "ID": container.id,
            "LowerDir": lower,
            "MergedDir": str(directory / "root"),
            "UpperDir": str(directory / "upper"),
            "WorkDir": str(directory / "work"),
        },
        "Name": "overlay2",
    }
