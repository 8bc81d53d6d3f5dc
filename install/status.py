"""``status``: what runs, since when, and with how much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from install import memory
from install.api import Api, ApiError
from install.supervisor import ServiceState, Supervisor

if TYPE_CHECKING:
    from install.settings import Settings

MEBIBYTE = 1 << 20


def status(settings: Settings) -> int:
    """Print a table; the result is 0 when everything runs, else 3 as for an init script (LSB)."""
    states = Supervisor(settings).states()
    if not states:
        print("The services do not run; containers, if any, go on. Start the services: ./muelle up -d")
        return 3
    for state in states:
        print(_line(state))
    print(f"\npanel  {settings.panel}\ndocker {settings.docker_host}\nlogs   {settings.layout.logs}")
    print(_containers(settings))
    return 0 if all(state.state == "RUNNING" for state in states) else 3


def _line(state: ServiceState) -> str:
    if state.state != "RUNNING":
        return f"{state.name:18} {state.state.lower()}"
    size = memory.proportional(memory.tree(state.pid)) / MEBIBYTE
    return f"{state.name:18} running  pid {state.pid:<8} {_duration(state.seconds):>9}  {size:6.1f} MiB"


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _containers(settings: Settings) -> str:
    try:
        info = Api(settings.layout.docker_socket, timeout=5.0).json("GET", "/info")
    except (OSError, ApiError) as error:
        return f"engine does not answer: {error}"
    return f"{info['ContainersRunning']} of {info['Containers']} containers running, {info['Images']} images"
