"""The parent of one container: it owns the streams, the log, the exit status and the exec sessions.

Forked by the launcher, one per container, it needs nothing of the rest to go on: web process, workers, broker,
monitor and launcher may all die and come back. What it knows is in the container's directory. Protocol:
docs/architecture.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from engine import rfc3339
from engine.containers import wire
from engine.containers.shim import starter
from engine.containers.shim.logfile import LogFile
from engine.containers.shim.loop import READ, Loop
from engine.containers.shim.oom import OutOfMemory
from engine.containers.shim.reaper import reap
from engine.containers.shim.requests import Requests
from engine.containers.shim.session import Session
from engine.containers.shim.stdio import Stdio
from engine.kernel.processes import is_ending

if TYPE_CHECKING:
    from engine.containers.shim.requests import Connection

LINGER_SECONDS = 10.0  # for clients that have not read everything when the container ends
MAX_EXIT_CODES = 1024
Attachment = tuple[wire.Message, int]
Helper = Callable[[str, socket.socket, socket.socket, str], NoReturn]


class Shim:
    """Serves one running container until it has ended. ``facts`` and ``fds`` come from the starter."""

    def __init__(self, directory: str, listener: socket.socket, facts: dict[str, Any], fds: list[int]) -> None:
        self.id: str = facts["id"]
        self.pid: int = facts["pid"]
        self.loop = Loop()
        self.sessions: dict[str, Session] = {}
        self.exit_codes: dict[str, int] = {}
        self.ended = False
        self._directory, self._facts = directory, facts
        self._pidfd, *rest = fds
        memory, ends = rest[: facts["oom"]], rest[facts["oom"] :]
        self._log = _open_log(facts["log"])
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.setblocking(False)
        self._signalled = False
        self._requests = Requests(self, listener)
        self.stdio = Stdio.of(
            self.loop,
            ends,
            tty=facts["tty"],
            stdin=facts["stdin"],
            log=self._log.write if self._log else None,
            end_with_client=facts["stdin_once"],
        )
        self._memory = OutOfMemory(self.loop, memory, self._ran_out_of_memory)
        self.stdio.on_output = self._requests.log_grew
        self.stdio.on_detach = self._detached

    def run(self, attachments: list[Attachment]) -> None:
        """Serve until the container has ended and everyone has been told."""
        for request, client in attachments:
            self.stdio.attach(client, request)
        self.loop.watch(self._pidfd, READ, self._exited)
        self._requests.serve()
        self.loop.run()

    @property
    def running(self) -> bool:
        return not self.ended

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process."""
        self._signalled = True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def stop(self, number: int, timeout: float | None) -> None:
        """Ask the container to end, and make it end after ``timeout`` seconds.

        The deadline lives here, so that it holds whatever happens to the worker that asked.
        """
        self.signal(number)
        if timeout is not None:
            self.loop.later(timeout, self._kill_at_deadline)

    def _kill_at_deadline(self) -> None:
        if not self.ended:
            self.signal(signal.SIGKILL)

    def begin_session(self, request: wire.Message, client: int | None, connection: Connection) -> None:
        """Start an exec session; the answer is sent on ``connection`` when the command runs or has failed."""
        session = Session(self.loop, request, client, connection.reply, self._session_ended, self._is_ending)
        session.begin(self.id, self._directory, self._pidfd)
        self.sessions[session.id] = session

    def _is_ending(self) -> bool:
        return self.ended or is_ending(self.pid)

    def _session_ended(self, session: Session) -> None:
        del self.sessions[session.id]
        self.exit_codes[session.id] = session.exit_code or 0
        if len(self.exit_codes) > MAX_EXIT_CODES:
            self.exit_codes.pop(next(iter(self.exit_codes)))
        self.notify("exec_died", exec=session.id, exit_code=session.exit_code)

    def notify(self, notice: str, **fields: Any) -> bool:
        """Tell the monitor. It may be away (then the answer is false): what matters is also on disk."""
        message = {"container": self.id, "notice": notice, **fields}
        try:
            self._notices.sendto(json.dumps(message).encode(), self._facts["notice_socket"])
        except OSError:
            return False
        return True

    def _ran_out_of_memory(self) -> bool:
        return self.notify("oom")

    def _detached(self) -> None:
        self.notify("detached", exec=None)

    def _kill_all(self) -> None:
        """Kill what is left where the container shares its PID namespace: elsewhere the kernel does it."""
        for pid in _processes(self._facts["processes"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _exited(self, _events: int) -> None:
        self.loop.forget(self._pidfd)
        self._kill_all()
        exit_code = reap(self.pid)
        self.ended = True
        self.stdio.read_remaining()
        if self._log:
            self._log.flush()
        # The name goes first: once the exit is recorded, a new start may put its own socket there.
        self._requests.stop_listening()
        self._record(exit_code)
        self.notify("exited")
        self._memory.close()
        self._requests.close()
        self.stdio.finish()
        self._leave_when_delivered(time.monotonic() + LINGER_SECONDS)

    def _record(self, exit_code: int) -> None:
        starter.write_json(
            f"{self._directory}/exit.json",
            {
                "exit_code": exit_code,
                "finished_at": rfc3339.render_fixed(time.time_ns()),
                "oom_killed": self._memory.kills > 0,
                "oom_told": self._memory.told,
                "signalled_by_api": self._signalled,
            },
        )

    def _leave_when_delivered(self, deadline: float) -> None:
        sessions = any(session.stdio and session.stdio.attached for session in self.sessions.values())
        if (self.stdio.attached or sessions) and time.monotonic() < deadline:
            self.loop.later(0.02, lambda: self._leave_when_delivered(deadline))
        else:
            self.loop.stop()


def _open_log(log: dict[str, Any] | None) -> LogFile | None:
    return LogFile(log["path"], log["max_size"], log["max_files"], log["group"]) if log else None


def _processes(path: str) -> list[int]:
    try:
        with open(path, encoding="ascii") as file:
            return [int(line) for line in file]
    except OSError:
        return []


def _set_name(name: str) -> None:
    """proc_pid_comm(5). A call through ctypes writes to a quarter of a megabyte that shims share otherwise."""
    fd = os.open("/proc/self/comm", os.O_WRONLY)
    os.write(fd, name.encode())
    os.close(fd)


def main(directory: str, worker: socket.socket, listener: socket.socket, attachments: list[Attachment]) -> NoReturn:
    """Run a shim in a process that the launcher has just forked."""
    status = 1
    try:
        os.setsid()
        _set_name("muelle-shim")
        message, fds = start(directory, worker, listener)
        if "born" in message:
            Shim(directory, listener, message["born"], fds).run(attachments)
            status = 0
        elif message["failed"]:
            reap(message["failed"])
    finally:
        os._exit(status)


def start(
    directory: str, worker: socket.socket, listener: socket.socket, helper: Helper = starter.run
) -> tuple[wire.Message, list[int]]:
    """Have a helper start the container, and wait for its report. Closes ``worker``. EOFError when the helper dies."""
    channel, helper_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        helper(directory, worker, helper_channel, listener.getsockname())
    helper_channel.close()
    worker.close()
    try:
        with channel:
            return wire.receive(channel)
    finally:
        reap(pid)
