"""The helper that starts a container, where its shim is killed meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from engine.containers.shim import starter
from engine.containers.shim.starter import Starter

SPEC = {
    "id": "x",
    "cgroup": {"oom": "/nowhere", "procs": "/nowhere"},
    "namespaces": {"pid": "private"},
    "tty": True,
    "stdin": False,
    "stdin_once": False,
    "log": None,
    "notice_socket": "/nowhere",
}


def test_a_command_whose_shim_has_just_died_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel would not end it, if it was executed with rights of its own or before it asked for that."""
    monkeypatch.setattr(starter, "read_spec", lambda _: SPEC)
    monkeypatch.setattr(Starter, "_clone", lambda _: None)
    monkeypatch.setattr(Starter, "_await_both", lambda _: [])
    monkeypatch.setattr(Starter, "_let_run", lambda _: "now")
    shim, gone = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    gone.close()
    worker, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with shim, worker, peer, subprocess.Popen(["sleep", "60"]) as command:
        start = Starter(str(tmp_path), worker, shim, str(tmp_path / "shim"))
        start._pid, start._pidfd = command.pid, os.pidfd_open(command.pid)
        try:
            with pytest.raises(BrokenPipeError):
                start.start()
            assert command.wait(5) < 0
        finally:
            command.kill()
            os.close(start._pidfd)
