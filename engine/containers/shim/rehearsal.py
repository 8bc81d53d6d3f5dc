"""Runs a few shims in the launcher itself before it forks any.

What the interpreter does on first use (specialise code, fill caches of look-ups, compute hashes) writes to memory.
Done here, it is done for all shims, and they go on to share those pages; docs/decisions/0025.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
from typing import NoReturn

from engine.containers import wire
from engine.containers.shim import shim
from engine.containers.shim.sockets import listen

_TIMES = 8  # calls after which the interpreter specialises a function; more has been measured to gain nothing
_FILES = ("exit.json", "log", "shim")
_CLIENT = {"stdin": False, "stdout": True, "stderr": True, "framed": True, "detach_keys": []}


def rehearse(run_directory: str, group: int) -> None:
    """Leaves no file and no descriptor behind; to be called while only the standard streams are open.

    That it cannot be done, on a full disk or without memory for its helper, is no reason not to start.
    """
    directory = f"{run_directory}/rehearsal"
    with contextlib.suppress(OSError, EOFError, KeyError):
        os.makedirs(directory, 0o700, exist_ok=True)
        for _ in range(_TIMES):
            _perform(directory, group)
    gc.collect()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for name in _FILES:
        with contextlib.suppress(OSError):
            os.unlink(f"{directory}/{name}")
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _perform(directory: str, group: int) -> None:
    """One shim's life, with a container that prints a line and ends, and a client that is attached."""
    worker, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client, audience = socket.socketpair()
    listener = listen(f"{directory}/shim", 0o600, group)
    message, fds = shim.start(directory, worker, listener, _play)
    with peer, audience:
        shim.Shim(directory, listener, message["born"], fds).run([(_CLIENT, client.detach())])


def _play(directory: str, _worker: socket.socket, channel: socket.socket, _shim_path: str) -> NoReturn:
    """In the place of `engine.containers.shim.starter`: this helper is the container, too."""
    try:
        (output, their_output), (errors, _) = os.pipe(), os.pipe()
        os.write(their_output, b"a line\n")
        log = {"path": f"{directory}/log", "max_size": 0, "max_files": 1, "group": os.getegid()}
        facts = {
            "id": "rehearsal",
            "pid": os.getpid(),
            "tty": False,
            "stdin": False,
            "stdin_once": False,
            "log": log,
            "notice_socket": f"{directory}/nobody",
            "processes": "",
            "oom": 0,
        }
        wire.send(channel, {"born": facts}, [os.pidfd_open(os.getpid()), output, errors])
    finally:
        os._exit(0)
