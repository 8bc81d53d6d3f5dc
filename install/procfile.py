"""The Procfile, and the supervisord configuration made from it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from install import broker
from install.mounts import in_private_checkout
from install.settings import CHECKOUT, VENV, Settings

if TYPE_CHECKING:
    from pathlib import Path

PROCFILE = CHECKOUT / "Procfile"
# supervisord starts lower numbers first: nobody has to wait for what stands before them.
PRIORITIES = {"broker": 10, "launcher": 20, "web": 40}
DEFAULT_PRIORITY = 30
# These give up root themselves, so they need the checkout where the user muelle can read it.
UNPRIVILEGED = {"broker", "web"}
STOP_SECONDS = 10

SUPERVISOR = """\
[supervisord]
logfile={logs}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={services}/supervisord.pid
childlogdir={logs}
directory={checkout}
user=root
umask=022

[unix_http_server]
file={services}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
priority={priority}
autorestart=true
startsecs=1
startretries=100
stopwaitsecs={stop_seconds}
killasgroup={kill_group}
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
redirect_stderr=true
"""


class Service(NamedTuple):
    name: str
    command: str


def services(settings: Settings) -> list[Service]:
    """The Procfile's lines; no broker of our own where another is named."""
    lines = [line.partition(":") for line in PROCFILE.read_text().splitlines() if line and not line.startswith("#")]
    found = [Service(name.strip(), command.strip()) for name, _, command in lines]
    return [service for service in found if service.name != "broker" or not settings.broker_url]


def configuration(settings: Settings) -> str:
    """supervisord's configuration file."""
    layout = settings.layout
    head = SUPERVISOR.format(
        logs=_literal(layout.logs), services=_literal(layout.services), checkout=_literal(CHECKOUT)
    )
    return head + "".join(_program(settings, service) for service in services(settings))


def pid_file(settings: Settings, name: str) -> Path:
    return settings.layout.services / f"{name}.pid"


def _program(settings: Settings, service: Service) -> str:
    return PROGRAM.format(
        name=service.name,
        command=_literal(shlex.join(_argv(settings, service))),
        priority=PRIORITIES.get(service.name, DEFAULT_PRIORITY),
        stop_seconds=STOP_SECONDS,
        # A launcher's group may hold shims, and they stay.
        kill_group="false" if service.name == "launcher" else "true",
        logs=_literal(settings.layout.logs),
    )


def _argv(settings: Settings, service: Service) -> list[str]:
    """The process ID is noted before anything else, so that a service can be found even without its supervisor."""
    root = settings.layout.application if service.name in UNPRIVILEGED else CHECKOUT
    places = VENV / "bin", broker.directory()
    search = ":".join(shlex.quote(str(root / place.relative_to(CHECKOUT))) for place in places)
    note = f"echo $$ >{shlex.quote(str(pid_file(settings, service.name)))}"
    command = f"{note}; PATH={search}:$PATH; exec {service.command}"
    if service.name in UNPRIVILEGED:
        return in_private_checkout(settings, command)
    return ["/bin/sh", "-c", command]


def _literal(value: str | Path) -> str:
    """supervisord expands %(name)s in values."""
    return str(value).replace("%", "%%")
