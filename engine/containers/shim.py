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
from typing import Any, NoReturn

from engine.containers import init, wire
from engine.containers.birth import Birth
from engine.containers.logfile import LogFile, timestamp
from engine.containers.loop import READ, Loop
from engine.containers.reaper import reap
from engine.containers.requests import Requests
from engine.containers.session import Session
from engine.containers.stdio import Pipes, Stdio, make_pipes
from engine.kernel import libc

LINGER_SECONDS = 10.0  # for clients that have not read everything when the container ends
_CLONE_FLAGS = {
    "network": libc.CLONE_NEWNET,
    "pid": libc.CLONE_NEWPID,
    "ipc": libc.CLONE_NEWIPC,
    "uts": libc.CLONE_NEWUTS,
}


class Shim:
    """Starts the container described by ``spec.json`` and stays until it has ended."""

    def __init__(
        self,
        directory: str,
        starter: socket.socket,
        listener: socket.socket,
        attachments: list[tuple[wire.Message, int]],
    ) -> None:
        self.directory, self.starter = directory, starter
        with open(f"{directory}/spec.json", encoding="utf-8") as file:
            self.spec: dict[str, Any] = json.load(file)
        self.id: str = self.spec["id"]
        self.loop = Loop()
        self.sessions: dict[str, Session] = {}
        self.exit_codes: dict[str, int] = {}
        self.stdio: Stdio
        self.pid, self.pidfd = 0, -1
        self.started_at = ""
        self.ended = False
        self.signalled = False
        self._attachments = attachments
        self._log = _open_log(self.spec["log"])
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.setblocking(False)
        self._requests = Requests(self, listener)
        self._birth: Birth
        self._pipes: Pipes | None = None
        self._is_ready = self._may_go = False

    def run(self) -> None:
        """Start the container and serve until it has ended and everyone has been told."""
        self._clone()
        self.loop.watch(self.starter.fileno(), READ, self._starter_ready)
        self.loop.run()

    @property
    def running(self) -> bool:
        return bool(self.started_at) and not self.ended

    # -- birth

    def _clone(self) -> None:
        self._pipes = None if self.spec["process"]["tty"] else make_pipes(self.spec["stdin"])
        theirs = self._pipes.theirs if self._pipes else None
        channel, child_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        flags = libc.CLONE_NEWNS
        for name, flag in _CLONE_FLAGS.items():
            flags |= flag if self.spec["namespaces"][name] == "private" else 0
        self.pid, self.pidfd = libc.clone3(flags, signal.SIGCHLD)
        if not self.pid:
            init.run(self.spec, child_channel, theirs)
        child_channel.close()
        wire.close_all(theirs or ())
        self._birth = Birth(
            self.loop,
            channel,
            on_created=self._created,
            on_ready=self._ready,
            on_started=self._started,
            on_failed=self._failed,
        )

    def _created(self, _message: wire.Message, fds: list[int]) -> None:
        try:
            wire.send(self.starter, {"created": self.pid}, fds)
        except OSError:
            self._call_off()
        wire.close_all(fds)

    def _ready(self, fds: list[int]) -> None:
        log = self._log.write if self._log else None
        if fds:
            self.stdio = Stdio.terminal(self.loop, fds[0], log=log)
        else:
            assert self._pipes is not None
            stdin, outputs, _ = self._pipes
            once = self.spec["stdin_once"]
            self.stdio = Stdio(self.loop, stdin=stdin, outputs=outputs, tty=False, log=log, end_with_client=once)
        self.stdio.on_output = self._requests.log_grew
        self.stdio.on_detach = lambda: self.notify("detached", exec=None)
        for request, client in self._attachments:
            self.stdio.attach(client, request)
        self._attachments = []
        self._is_ready = True
        self._go_if_both()

    def _starter_ready(self, _events: int) -> None:
        """The worker says go, or goes away, which calls the start off."""
        try:
            message, _ = wire.receive(self.starter)
        except (OSError, EOFError):
            message = {}
        if "go" in message:
            self.loop.forget(self.starter.fileno())
            self._may_go = True
            self._go_if_both()
        else:
            self._call_off()

    def _go_if_both(self) -> None:
        if self._is_ready and self._may_go:
            self.started_at = timestamp(time.time_ns())
            state = {"pid": self.pid, "shim_pid": os.getpid(), "start_time": start_time(self.pid)}
            self._write("state.json", state | {"started_at": self.started_at})
            self._birth.go()

    def _started(self) -> None:
        with contextlib.suppress(OSError):
            wire.send(self.starter, {"started": self.started_at, "pid": self.pid})
        self.starter.close()
        self._requests.serve()
        # Not watched earlier: a command that ends at once must be seen to start first.
        self.loop.watch(self.pidfd, READ, self._exited)

    def _failed(self, message: wire.Message) -> None:
        """The container could not be set up or its command not be run: leave no state, then tell the worker."""
        self._call_off(message)

    def _call_off(self, answer: wire.Message | None = None) -> NoReturn:
        self._birth.abandon()
        self.kill_all()
        reap(self.pid)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.directory}/state.json")
        self._requests.close()
        if answer:
            with contextlib.suppress(OSError):
                wire.send(self.starter, answer)
        os._exit(1)

    # -- life

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process."""
        self.signalled = True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

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

    def begin_session(self, request: wire.Message, client: int | None, connection: Any) -> None:
        """Start an exec session; the answer is sent on ``connection`` when the command runs or has failed."""
        session = Session(self.loop, request, client, self._session_ended)
        self.sessions[session.id] = session
        session.begin(self.spec, self.pidfd, connection.reply)

    def _session_ended(self, session: Session) -> None:
        del self.sessions[session.id]
        self.exit_codes[session.id] = session.exit_code or 0
        if len(self.exit_codes) > 1024:
            self.exit_codes.pop(next(iter(self.exit_codes)))
        self.notify("exec_died", exec=session.id, exit_code=session.exit_code)

    def notify(self, notice: str, **fields: Any) -> None:
        """Tell the monitor. It may be away: what matters is also on disk."""
        message = {"container": self.id, "notice": notice, **fields}
        with contextlib.suppress(OSError):
            self._notices.sendto(json.dumps(message).encode(), self.spec["notice_socket"])

    # -- end

    def kill_all(self) -> None:
        """Kill the first process and, where it shares its PID namespace, whatever else is in the cgroup."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        if self.spec["namespaces"]["pid"] != "private":
            for pid in _processes(self.spec["cgroup"]["procs"]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _exited(self, _events: int) -> None:
        self.loop.forget(self.pidfd)
        self.kill_all()
        exit_code = reap(self.pid)
        self.ended = True
        self.stdio.read_remaining()
        if self._log:
            self._log.flush()
        self._record(exit_code)
        self.notify("exited")
        self._requests.close()
        self.stdio.finish()
        self._leave_when_delivered(time.monotonic() + LINGER_SECONDS)

    def _record(self, exit_code: int) -> None:
        self._write(
            "exit.json",
            {
                "exit_code": exit_code,
                "finished_at": timestamp(time.time_ns()),
                "oom_killed": _oom_kills(self.spec["cgroup"]["oom"]) > 0,
                "signalled_by_api": self.signalled,
            },
        )

    def _leave_when_delivered(self, deadline: float) -> None:
        sessions = any(session.stdio and session.stdio.attached for session in self.sessions.values())
        if (self.stdio.attached or sessions) and time.monotonic() < deadline:
            self.loop.later(0.02, lambda: self._leave_when_delivered(deadline))
        else:
            self.loop.stop()

    def _write(self, name: str, value: dict[str, Any]) -> None:
        path = f"{self.directory}/{name}"
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(path + ".new", path)


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat: with the PID it names a process for good; proc_pid_stat(5)."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def _open_log(log: dict[str, Any] | None) -> LogFile | None:
    return LogFile(log["path"], log["max_size"], log["max_files"], log["group"]) if log else None


def _oom_kills(path: str) -> int:
    """``oom_kill N`` in memory.oom_control (cgroup v1) or memory.events (v2)."""
    try:
        with open(path, encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0


def _processes(path: str) -> list[int]:
    try:
        with open(path, encoding="ascii") as file:
            return [int(line) for line in file]
    except OSError:
        return []


def main(
    directory: str, starter: socket.socket, listener: socket.socket, attachments: list[tuple[wire.Message, int]]
) -> NoReturn:
    """Run a shim in a process that the launcher has just forked."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        libc.set_process_name("muelle-shim")
        Shim(directory, starter, listener, attachments).run()
        status = 0
    finally:
        os._exit(status)
