"""The settings of one installation, read from MUELLE_* once; and where the checkout is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from engine.layout import Layout
from install.steps import Failure

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = CHECKOUT / ".cache"
VENV = CHECKOUT / ".venv"
DEFAULT_BIND = "127.0.0.1:8000"
USER = "muelle"
# Only the step that makes the first administrator sees it.
PASSWORD = "MUELLE_ADMIN_PASSWORD"


class Settings(NamedTuple):
    layout: Layout
    bind: str
    broker_url: str
    database_url: str
    node: str

    @classmethod
    def from_environment(cls) -> Settings:
        """Read and check MUELLE_HOME, MUELLE_RUN, MUELLE_BIND, MUELLE_BROKER_URL, MUELLE_DATABASE_URL, MUELLE_NODE."""
        settings = cls(
            Layout.from_environment(),
            os.environ.get("MUELLE_BIND") or DEFAULT_BIND,
            os.environ.get("MUELLE_BROKER_URL", ""),
            os.environ.get("MUELLE_DATABASE_URL", ""),
            os.environ.get("MUELLE_NODE") or "local",
        )
        _ = settings.address
        return settings

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the panel."""
        host, colon, port = self.bind.rpartition(":")
        if not colon or not port.isdigit() or not 0 < int(port) < 65536:
            raise Failure(f"MUELLE_BIND={self.bind!r} is not HOST:PORT", f"for example MUELLE_BIND={DEFAULT_BIND}")
        return host.strip("[]"), int(port)

    @property
    def panel(self) -> str:
        """The panel's address for a browser on this machine."""
        host, port = self.address
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
        return f"http://{shown}:{port}/"

    @property
    def docker_host(self) -> str:
        return f"unix://{self.layout.docker_socket}"

    def environment(self) -> dict[str, str]:
        """What the services get: of the caller's shell nothing else, so that they start the same from anywhere."""
        values = {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": f"{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONUNBUFFERED": "1",
            "MUELLE_HOME": str(self.layout.home),
            "MUELLE_RUN": str(self.layout.run),
            "MUELLE_BIND": self.bind,
            "MUELLE_NODE": self.node,
        }
        passed_on = {
            name: value
            for name, value in os.environ.items()
            if value and name != PASSWORD and (name.startswith("MUELLE_") or name == "TZ")
        }
        return passed_on | values
