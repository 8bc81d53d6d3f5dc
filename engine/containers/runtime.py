"""Starts, signals and forgets containers: the worker's side of launcher and shim.

Everything here is synchronous and safe to repeat. What a container did is read from its directory, so it can be learned
whatever process died meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from engine import rfc3339
from engine.archives.trees import remove_tree
from engine.containers import wire
from engine.containers.shim import reaper
from engine.containers.spec import Spec
from engine.errors import InvalidArgument, MuelleError, NotFound, Unavailable
from engine.kernel.cgroups import Cgroup, Resources
from engine.kernel.processes import start_time
from engine.layout import Layout
from engine.undo import undone_on_failure

START_SECONDS = 90.0
SHIM_SECONDS = 2.0
KILLED = reaper.KILLED  # a shim that died took its container along (PDEATHSIG) and could not write how it ended
_ERROR_PREFIX = "failed to create task for container: OCI runtime create failed: unable to start container process: "

# Called while the container's mounts are made, with its network namespace and a netlink socket inside it.
Configure = Callable[[int, int], None]


class Started(NamedTuple):
    pid: int
    started_at: str


class State(NamedTuple):
    """A container that was started: its first process, named for good by PID and start time (proc_pid_stat(5)).

    So is its shim; one that was started before this was written down has no start time.
    """

    pid: int
    shim_pid: int
    start_time: int
    started_at: str
    shim_start_time: int | None = None


class Exit(NamedTuple):
    exit_code: int
    finished_at: str
    oom_killed: bool
    signalled_by_api: bool
    oom_told: bool = False  # by a notice, when it happened


class StartFailed(InvalidArgument):
    """The container could not be set up or its command not be run; ``exit_code`` is what Docker records for it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def cgroup(layout: Layout, container_id: str) -> Cgroup:
    return Cgroup(f"{layout.cgroup_parent}/{container_id}")


def start(
    layout: Layout, container_id: str, spec: Spec, limits: Resources, configure: Configure | None = None
) -> Started:
    """Start the container that ``spec`` describes; returns when its command runs.

    ``configure`` is left out for a host's or shared network. On any failure everything is undone; a command that cannot
    be run raises StartFailed.
    """
    directory = layout.container(container_id)
    with undone_on_failure("start") as undo:
        group = cgroup(layout, container_id)
        undo.callback(group.delete)
        group.create()
        group.apply(limits)
        paths = {"join": group.join_paths(), "oom": group.oom_path(), "procs": group.processes_path()}
        _prepare_directory(directory)
        _write_json(directory / "spec.json", {**spec, "cgroup": paths})
        return _launch(layout, container_id, directory, configure)


def _prepare_directory(directory: Path) -> None:
    for name in ("upper", "work", "root"):
        (directory / name).mkdir(mode=0o755, exist_ok=True)
    (directory / "exit.json").unlink(missing_ok=True)


def _launch(layout: Layout, container_id: str, directory: Path, configure: Configure | None) -> Started:
    with wire.connect(layout.launcher_socket, START_SECONDS) as launcher:
        try:
            wire.send(launcher, {"container": container_id, "directory": str(directory)})
            _, fds = _answer(launcher)
            try:
                if configure and fds:
                    configure(fds[0], fds[1])
            finally:
                wire.close_all(fds)
            wire.send(launcher, {"go": True})
            reply, _ = _answer(launcher)
        except (OSError, EOFError) as error:
            raise Unavailable(f"the launcher or the container's shim went away: {error!r}") from error
    return Started(reply["pid"], reply["started"])


def _answer(launcher: socket.socket) -> tuple[wire.Message, list[int]]:
    message, fds = wire.receive(launcher)
    if "error" in message:
        error = MuelleError.from_json(message["error"])
        raise StartFailed(_ERROR_PREFIX + error.message, message.get("exit_code", 128))
    return message, fds


def signal_container(layout: Layout, container_id: str, number: int) -> None:
    """Send a signal to the first process. Raises Unavailable when no shim serves the container."""
    wire.call(layout.shim_socket(container_id), {"op": "signal", "signal": number})


def stop(layout: Layout, container_id: str, number: int, timeout: float | None) -> None:
    """Send ``number`` now and SIGKILL after ``timeout`` seconds (None: never). Returns at once: the shim keeps time."""
    wire.call(layout.shim_socket(container_id), {"op": "stop", "signal": number, "timeout": timeout})


def state(layout: Layout, container_id: str) -> State | None:
    """What the last start recorded, or None; the processes may have ended since, see `alive`."""
    value = _read_json(layout.container(container_id) / "state.json")
    return State(**value) if value else None


def exit_of(layout: Layout, container_id: str) -> Exit | None:
    """How the last run ended, or None while it runs, before the first run, and when its shim was killed."""
    value = _read_json(layout.container(container_id) / "exit.json")
    return Exit(**value) if value else None


def alive(layout: Layout, container_id: str) -> bool:
    """Whether the shim serves and the recorded process is the one that runs now."""
    return process_lives(layout, container_id) and bool(_shim_says(layout, container_id).get("running"))


def process_lives(layout: Layout, container_id: str) -> bool:
    """Whether the process of the last start still exists; its PID may be another's by now."""
    recorded = state(layout, container_id)
    return recorded is not None and _process_lives(recorded)


def _process_lives(run: State) -> bool:
    return start_time(run.pid) == run.start_time


def _shim_lives(run: State) -> bool:
    started = start_time(run.shim_pid)
    return started is not None and run.shim_start_time in {started, None}


def looks_ended(layout: Layout, container_id: str) -> bool:
    """A quick look at the disk and at /proc, without asking the shim."""
    return exit_of(layout, container_id) is not None or not process_lives(layout, container_id)


def open_shim(run: State) -> int | None:
    """A descriptor of a run's shim, readable when it has ended (pidfd_open(2)); None when it has. Raises OSError."""
    return _open(run.shim_pid, lambda: _shim_lives(run))


def open_process(run: State) -> int | None:
    """Likewise a descriptor of its first process."""
    return _open(run.pid, lambda: _process_lives(run))


def _open(pid: int, lives: Callable[[], bool]) -> int | None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if lives():  # it did when the number was opened, which no other process had then
        return pidfd
    os.close(pidfd)
    return None


def has_begun(layout: Layout, container_id: str) -> State | None:
    """What a start has recorded whose caller died: the container runs, or ran; None when it never came to that."""
    recorded = state(layout, container_id)
    if recorded and (exit_of(layout, container_id) or process_lives(layout, container_id)):
        return recorded
    return None


def find_end(layout: Layout, container_id: str) -> Exit | None:
    """How the run of a container that was started ended, also without its shim's word; None while it goes on."""
    known = exit_of(layout, container_id)
    # A shim whose container has ended may still be writing the log and the record; it will send a notice.
    if known or process_lives(layout, container_id) or _shim_says(layout, container_id):
        return known
    # The shim stops listening before it writes its record, and may have finished that since the first look.
    await_last_word(layout, container_id)
    return exit_of(layout, container_id) or Exit(KILLED, rfc3339.now(), oom_killed=False, signalled_by_api=False)


def _shim_says(layout: Layout, container_id: str) -> wire.Message:
    """The shim's account of the state; empty when none listens."""
    try:
        return wire.call(layout.shim_socket(container_id), {"op": "state"}, timeout=SHIM_SECONDS)
    except MuelleError:
        return {}


def kill_remains(layout: Layout, container_id: str, patience: float = 5.0) -> None:
    """Kill what is left in the container's cgroup, as after the death of its shim, and wait until it is gone."""
    group = cgroup(layout, container_id)
    deadline = time.monotonic() + patience
    with contextlib.suppress(MuelleError):
        group.thaw()
    while (pids := group.pids()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def await_last_word(layout: Layout, container_id: str, patience: float = 2.0) -> None:
    """Let a shim that lives record the exit, for which it may have stopped listening already.

    Without its word the exit code is lost, and it must not write into a directory that is being removed.
    """
    recorded = state(layout, container_id)
    deadline = time.monotonic() + patience
    while recorded and _shim_lives(recorded) and time.monotonic() < deadline:
        if exit_of(layout, container_id):
            return
        time.sleep(0.002)


def release(layout: Layout, container_id: str) -> None:
    """Give back what a run of the container held in the kernel and in the run directory; its files stay."""
    kill_remains(layout, container_id)
    await_last_word(layout, container_id)
    cgroup(layout, container_id).delete()
    (layout.container(container_id) / "state.json").unlink(missing_ok=True)


def delete(layout: Layout, container_id: str) -> None:
    """Remove every trace: cgroup, socket, directory. Repeating it is fine."""
    release(layout, container_id)
    layout.shim_socket(container_id).unlink(missing_ok=True)
    remove_tree(layout.container(container_id))


def delete_parent(layout: Layout) -> None:
    """Remove the cgroup above all containers, when the engine leaves the machine."""
    Cgroup(layout.cgroup_parent).delete()


def resize(layout: Layout, container_id: str, height: int, width: int) -> None:
    """Set the terminal's size in characters."""
    try:
        wire.call(layout.shim_socket(container_id), {"op": "resize", "exec": None, "height": height, "width": width})
    except NotFound:
        return


def _write_json(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value
