"""Exec sessions: made, started, asked and resized; for the Engine API and for the page's terminals alike."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from asgiref.sync import sync_to_async
from django.conf import settings

from controlpanel.objects import events
from controlpanel.objects.models import Container, Exec
from controlpanel.objects.states import Status
from controlpanel.streams import detach, shims
from engine.errors import Conflict, InvalidArgument, MuelleError, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from controlpanel.access.scope import Scope
    from engine.containers.config.objects import ExecConfig

# Docker's exit code of a command that could not be started at all.
NOT_STARTED = 126
# Of one whose container ended with it, as the monitor records it.
KILLED = 128 + signal.SIGKILL
# How long an answer waits for the monitor to record the end of a session whose shim has gone.
RECORD_SECONDS = 1.0
RECORD_PAUSE = 0.01


class State(TypedDict):
    """``exit_code`` is None, and ``pid`` not 0, while it runs."""

    running: bool
    exit_code: int | None
    pid: int


class Stdio(TypedDict):
    """How the session's streams are carried: by what the client says at the start, not by what the session has."""

    stdin: bool
    stdout: bool
    stderr: bool
    framed: bool
    console_size: list[int] | None
    surplus: str


@sync_to_async
def create(scope: Scope, reference: str, config: ExecConfig) -> Exec:
    """Prepare a session in a container that runs; nothing is started yet. Raises Conflict and InvalidArgument."""
    container = scope.container(reference, "containers.exec")
    _require_running(container, reference)
    _check_keys(config["DetachKeys"])
    session = Exec.objects.create(id=secrets.token_hex(32), container=container, config=config, created=time.time_ns())
    command = " ".join(config["Cmd"] or ())
    events.publish_all([events.of_container(container, f"exec_create: {command}", execID=session.id)])
    return session


def _require_running(container: Container, reference: str) -> None:
    if container.status == Status.PAUSED:
        raise Conflict(f"Container {reference} is paused, unpause the container before exec")
    if container.status == Status.RESTARTING:
        raise Conflict(f"Container {reference} is restarting, wait until the container is running")
    if not container.is_alive:
        raise Conflict(f"container {container.id} is not running")


def _check_keys(keys: str) -> None:
    try:
        detach.parse(keys)
    except ValueError as error:
        raise InvalidArgument(f"Invalid escape keys ({keys}) provided") from error


async def claim(session: Exec) -> None:
    """Make sure that nobody has started the session and that nobody else will. Raises Conflict.

    Who is cancelled meanwhile has given the session up: what is claimed and not started would seem to run for ever.
    """
    claiming = asyncio.ensure_future(_claim(session))
    try:
        await asyncio.shield(claiming)
    except asyncio.CancelledError:
        with contextlib.suppress(Conflict):
            await claiming
            await give_up(session)
        raise


@sync_to_async
def _claim(session: Exec) -> None:
    if session.running:
        raise Conflict(f"exec command {session.id} is already running")
    if session.started:
        raise Conflict(f"exec command {session.id} has already run")
    if session.container.status == Status.PAUSED:
        raise Conflict(f"Container {session.container_id} is paused, unpause the container before exec")
    if session.container.status != Status.RUNNING:
        raise Conflict(f"container {session.container_id} is not running")
    if not Exec.objects.filter(pk=session.pk, started=False).update(started=True, running=True):
        raise Conflict(f"exec command {session.id} is already running")
    session.started = session.running = True


async def give_up(session: Exec) -> None:
    """Let a claimed session be over that nobody will start."""
    await Exec.objects.filter(pk=session.pk, running=True).aupdate(running=False, exit_code=NOT_STARTED)


def stdio_of(session: Exec, *, framed: bool, console_size: list[int] | None = None) -> Stdio:
    """The streams that the session was made with."""
    config = session.config
    return {
        "stdin": config["AttachStdin"],
        "stdout": config["AttachStdout"],
        "stderr": config["AttachStderr"],
        "framed": framed,
        "console_size": console_size or config["ConsoleSize"],
        "surplus": "",
    }


async def start(session: Exec, stdio: Stdio, fds: Iterable[int] = ()) -> None:
    """Have the shim run a claimed session; its exit is told by the shim too. Raises the shim's error.

    ``fds`` is the client's connection, or nothing for a detached session.
    """
    command = " ".join(session.config["Cmd"] or ())
    begun = events.of_container(session.container, f"exec_start: {command}", execID=session.id)
    # Beside the start, not before it: an event is not worth a round trip of waiting.
    publishing = asyncio.create_task(sync_to_async(events.publish_all)([begun]))
    try:
        await shims.call(_shim(session), {"op": "exec", "id": session.id, **_process(session), **stdio}, fds)
    except Unavailable:
        # No shim will ever report this one.
        await give_up(session)
        raise Conflict(f"container {session.container_id} is not running") from None
    finally:
        await publishing


def _process(session: Exec) -> dict[str, object]:
    config = session.config
    return {
        "args": config["Cmd"],
        "env": config["Env"] or [],
        "cwd": config["WorkingDir"],
        "user": config["User"],
        "tty": config["Tty"],
        "privileged": config["Privileged"],
        "detach_keys": list(detach.parse(config["DetachKeys"])),
    }


async def state(session: Exec) -> State:
    """What the container's shim knows; what the row knows once the shim is gone or has never seen it."""
    if not session.started:
        return {"running": session.running, "exit_code": session.exit_code, "pid": session.pid}
    try:
        known = await shims.call(_shim(session), {"op": "exec_state", "id": session.id})
    except Unavailable:
        return await _last_known(session, KILLED)
    except NotFound:
        return await _last_known(session, None)
    return {"running": known["running"], "exit_code": known["exit_code"], "pid": known["pid"]}


async def _last_known(session: Exec, lost: int | None) -> State:
    """What the row says, once the monitor has heard of the end: a client may ask sooner than it has.

    ``lost`` is the exit code of a session that the row still takes for running.
    """
    deadline = time.monotonic() + RECORD_SECONDS
    while session.running and time.monotonic() < deadline:
        await asyncio.sleep(RECORD_PAUSE)
        await session.arefresh_from_db(fields=["running", "exit_code", "pid"])
    return {"running": False, "exit_code": lost if session.running else session.exit_code, "pid": session.pid}


async def resize(session: Exec, height: int, width: int) -> None:
    """Set the terminal's size in characters. Raises Conflict when it has none, or not yet, or no more."""
    try:
        await shims.call(_shim(session), {"op": "resize", "exec": session.id, "height": height, "width": width})
    except MuelleError as error:
        # The client resizes right after the start and again until it works.
        raise Conflict(f"exec session {session.id} has no terminal: {error}") from error


def _shim(session: Exec) -> Path:
    path: Path = settings.MUELLE_LAYOUT.shim_socket(session.container_id)
    return path
