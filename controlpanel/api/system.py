"""``/_ping``, ``/version``, ``/info``, ``/system/df``."""

from __future__ import annotations

import os
import platform
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.response import Response

from controlpanel.api import disk_usage, host, system_answers
from controlpanel.contracts import system as contract
from controlpanel.objects import states
from controlpanel.objects.states import Status
from controlpanel.rest import versions
from controlpanel.rest.openapi import TEXT, Operation, word
from controlpanel.rest.views import EngineView, in_thread
from engine import rfc3339
from engine.errors import InvalidArgument, Unavailable

if TYPE_CHECKING:
    from rest_framework.request import Request

NEVER_CACHE = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}
DF_TYPES = ("container", "image", "volume", "build-cache")


class PingView(EngineView):
    actions = {"GET": "system.view", "HEAD": "system.view"}
    operations = {"GET": Operation("Is it there", answer=TEXT)}

    async def get(self, request: Request) -> HttpResponse:
        # Builder-Version 1: clients then do not look for BuildKit here.
        headers = {**NEVER_CACHE, "Builder-Version": "1", "Swarm": "inactive"}
        body = b"" if request.method == "HEAD" else b"OK"
        return HttpResponse(body, content_type="text/plain; charset=utf-8", headers=headers)


class VersionView(EngineView):
    actions = {"GET": "system.view"}
    operations = {"GET": Operation("Versions of the engine, its API and the kernel", answer=system_answers.Version)}

    async def get(self, request: Request) -> Response:
        flat = {
            "Version": versions.MUELLE,
            "ApiVersion": versions.render(versions.MAXIMUM),
            "MinAPIVersion": versions.render(versions.MINIMUM),
            "GitCommit": "",
            "GoVersion": f"python{platform.python_version()}",
            "Os": "linux",
            "Arch": host.architecture(),
            "KernelVersion": platform.release(),
            "BuildTime": "",
        }
        details = {**{key: value for key, value in flat.items() if key != "Version"}, "Experimental": "false"}
        engine = {"Name": "Engine", "Version": versions.MUELLE, "Details": details}
        return Response({"Platform": {"Name": "Muelle"}, "Components": [engine], **flat})


class InfoView(EngineView):
    actions = {"GET": "system.view"}
    operations = {"GET": Operation("What the host is and can do", answer=system_answers.Info)}

    async def get(self, request: Request) -> Response:
        counts = await in_thread(self._counts)()
        parts = (counts, _storage(), _limits(), _machine(), _software(), _network(self.version))
        answer = {key: value for part in parts for key, value in part.items()}
        return Response({**answer, "Warnings": await self._warnings() or None})

    def _counts(self) -> dict[str, Any]:
        rows = self.scope.containers().values_list("status", "previous_status")
        counts = Counter(states.shown(status, previous) for status, previous in rows)
        total = counts.total()
        running = counts[Status.RUNNING] + counts[Status.RESTARTING]
        return {
            "ID": settings.MUELLE_LAYOUT.instance or "muelle",
            "Containers": total,
            "ContainersRunning": running,
            "ContainersPaused": counts[Status.PAUSED],
            "ContainersStopped": total - running - counts[Status.PAUSED],
            "Images": self.scope.images().count(),
        }

    async def _warnings(self) -> list[str]:
        """What the workers find amiss on this host; that they do not answer is the first thing to say."""
        try:
            return await contract.warnings(self.scope)
        except Unavailable as error:
            return [f"WARNING: {error.message}"]


def _storage() -> dict[str, Any]:
    home = settings.MUELLE_LAYOUT.home
    return {
        "Driver": "overlay2",
        "DriverStatus": [
            ["Backing Filesystem", host.backing_filesystem(home)],
            ["Supports d_type", "true"],
            ["Native Overlay Diff", "true"],
            ["userxattr", "false"],
        ],
        "DockerRootDir": str(home),
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "null"],
            "Authorization": None,
            "Log": ["json-file", "none"],
        },
        "LoggingDriver": "json-file",
    }


def _limits() -> dict[str, Any]:
    have = host.controllers()
    memory, cpu = "memory" in have, "cpu" in have
    unified = host.limits().cgroup_v2
    return {
        "MemoryLimit": memory,
        "SwapLimit": memory and host.swap_accounting(),
        "CpuCfsPeriod": cpu,
        "CpuCfsQuota": cpu,
        "CPUShares": cpu,
        "CPUSet": "cpuset" in have,
        "PidsLimit": "pids" in have,
        "OomKillDisable": memory and not unified,
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if unified else "1",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    }


def _machine() -> dict[str, Any]:
    name, version = host.operating_system()
    return {
        "KernelVersion": platform.release(),
        "OperatingSystem": name,
        "OSVersion": version,
        "OSType": "linux",
        "Architecture": platform.machine(),
        "NCPU": host.limits().cpus,
        "MemTotal": host.memory(),
        "Name": platform.node(),
        "SystemTime": rfc3339.now(),
        "GenericResources": None,
    }


def _software() -> dict[str, Any]:
    unknown = {"ID": "N/A"}
    return {
        "Debug": False,
        "NFd": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # only counted
        "NGoroutines": 0,
        "NEventsListener": 0,
        "Labels": [],
        "ExperimentalBuild": False,
        "ServerVersion": versions.MUELLE,
        "ProductLicense": "",
        "Runtimes": {"runc": {"path": "muelle"}, "io.containerd.runc.v2": {"path": "muelle"}},
        "DefaultRuntime": "runc",
        "Isolation": "",
        "InitBinary": "docker-init",
        "ContainerdCommit": unknown,
        "RuncCommit": unknown,
        "InitCommit": unknown,
        # Containers outlive the engine's processes, which is what Docker calls live restore.
        "LiveRestoreEnabled": True,
        "CDISpecDirs": [],
    }


def _network(version: versions.Version) -> dict[str, Any]:
    registry = {
        "IndexConfigs": {"docker.io": {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True}},
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "Mirrors": [],
    }
    swarm = {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    }
    return {
        "IPv4Forwarding": host.forwarding(),
        **({} if version >= (1, 50) else {"BridgeNfIptables": False, "BridgeNfIp6tables": False}),
        "FirewallBackend": {"Driver": "nftables"},
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": registry,
        "Swarm": swarm,
    }


class DiskUsageView(EngineView):
    actions = {"GET": "system.view"}
    operations = {
        "GET": Operation(
            "Bytes on disk",
            query=(word("type", "one of container, image, volume, build-cache", many=True),),
            answer=system_answers.DiskUsage,
        )
    }

    async def get(self, request: Request) -> Response:
        wanted = request.query_params.getlist("type") if self.version >= (1, 42) else []
        for name in wanted:
            if name not in DF_TYPES:
                raise InvalidArgument(f"unknown object type: {name}")
        return Response(await disk_usage.collect(self.scope, frozenset(wanted or DF_TYPES), self.version))
