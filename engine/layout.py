"""Where one installation keeps its files: the data root, the run directory, and the names it uses in the kernel.

Two installations on one machine differ in ``home`` and ``run`` and therefore in every path, bridge, firewall table and
cgroup. Nothing outside this module joins such a path or makes up such a name.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

DEFAULT_HOME = "/var/lib/muelle"
DEFAULT_RUN = "/run/muelle"


class Layout(NamedTuple):
    """The paths of an installation. ``home`` survives a reboot, ``run`` does not."""

    home: Path
    run: Path

    @classmethod
    def from_environment(cls) -> Layout:
        """Read MUELLE_HOME and MUELLE_RUN."""
        return cls(
            Path(os.environ.get("MUELLE_HOME", DEFAULT_HOME)).absolute(),
            Path(os.environ.get("MUELLE_RUN", DEFAULT_RUN)).absolute(),
        )

    @property
    def images(self) -> Path:
        return self.home / "images"

    @property
    def volumes(self) -> Path:
        return self.home / "volumes"

    def volume(self, name: str) -> Path:
        """What a container sees of a volume: Docker's ``<root>/volumes/<name>/_data``."""
        return self.volumes / name / "_data"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    @property
    def database(self) -> Path:
        return self.home / "db" / "muelle.sqlite3"

    def container(self, container_id: str) -> Path:
        """Directory of one container; its files are listed in docs/architecture.md."""
        return self.home / "containers" / container_id

    def log(self, container_id: str) -> Path:
        return self.container(container_id) / f"{container_id}-json.log"

    @property
    def docker_socket(self) -> Path:
        """Docker Engine API; root and the group muelle."""
        return self.run / "docker.sock"

    @property
    def launcher_socket(self) -> Path:
        """Start requests to the launcher; root only."""
        return self.run / "launcher.sock"

    @property
    def attach_socket(self) -> Path:
        """Attachments to containers that do not run yet, kept by the launcher; root and the group muelle."""
        return self.run / "attach.sock"

    @property
    def notice_socket(self) -> Path:
        """Datagrams from shims to the monitor; root only."""
        return self.run / "notices.sock"

    @property
    def stream_socket(self) -> Path:
        """Where workers fetch the descriptors of bulk streams from the web process; root and the group muelle."""
        return self.run / "streams.sock"

    @property
    def broker_socket(self) -> Path:
        return self.run / "broker.sock"

    @property
    def network_lock(self) -> Path:
        """Held while bridges and published ports change, so that two workers do not decide on the same facts."""
        return self.run / "network.lock"

    def shim_socket(self, container_id: str) -> Path:
        """A shim's own socket. The ID is cut because a UNIX socket's path holds 107 bytes."""
        return self.shims / container_id[:24]

    @property
    def shims(self) -> Path:
        return self.run / "shims"

    @property
    def services(self) -> Path:
        """Supervision of the services: configuration, process IDs, what they were started from."""
        return self.run / "services"

    @property
    def application(self) -> Path:
        """Where the web process finds the checkout, in a mount namespace of its own; empty for everybody else."""
        return self.run / "app"

    @property
    def logs(self) -> Path:
        """Logs of the services, not of containers."""
        return self.home / "logs"

    @property
    def boot_marker(self) -> Path:
        """Made by the monitor at its first start after a reboot, which empties the run directory."""
        return self.run / "booted"

    @property
    def instance(self) -> str:
        """Empty for the default installation, else eight hex digits that tell this one from others on the host."""
        if str(self.home) == DEFAULT_HOME and str(self.run) == DEFAULT_RUN:
            return ""
        return hashlib.sha256(f"{self.home}\0{self.run}".encode()).hexdigest()[:8]

    def kernel_name(self, stem: str) -> str:
        """A name for a kernel object that no other installation uses: ``muelle`` or ``muelle-1f2e3d4c``."""
        return f"{stem}-{self.instance}" if self.instance else stem

    @property
    def bridge(self) -> str:
        """The default bridge's interface name (at most 15 bytes, IFNAMSIZ)."""
        return f"mu{self.instance}" if self.instance else "muelle0"

    @property
    def firewall_table(self) -> str:
        return self.kernel_name("muelle")

    @property
    def cgroup_parent(self) -> str:
        return "/" + self.kernel_name("muelle")
