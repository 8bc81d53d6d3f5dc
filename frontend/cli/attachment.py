"""Attaching to a container, starting it, and leaving with its exit status: what run, start -a and attach share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import NamedTuple

from . import terminal
from .client import Client
from .errors import ApiError, CliError
from .session import Session, forwarded_signals, quietly, resizing


class Streams(NamedTuple):
    """Which of a container's streams are wanted, and how its terminal is treated."""

    tty: bool
    stdin: bool
    stdout: bool = True
    stderr: bool = True
    detach_keys: str | None = None
    signals: bool = True


def attach(client: Client, identity: str, streams: Streams, condition: str | None, *, start: bool) -> int:
    """Attach to a container, start it if asked to, and stay until it ends or the user detaches (which counts as 0).

    ``condition`` is what the exit status waits for: ``next-exit``, ``removed`` or None for "not running".
    """
    keys = terminal.parse_detach_keys(streams.detach_keys)
    query = {
        "stream": True,
        "stdin": streams.stdin or None,
        "stdout": streams.stdout or None,
        "stderr": streams.stderr or None,
        "detachKeys": streams.detach_keys,
    }
    place = f"/containers/{identity}"
    sock = client.hijack(f"{place}/attach", query)
    try:
        # Its headers come at once; without waiting first, a short container could be gone before we ask.
        waiting = client.open("POST", f"{place}/wait", {"condition": condition})
        if start:
            start_container(client, identity, streams.detach_keys)
    except BaseException:
        sock.close()
        raise
    session = Session(sock, tty=streams.tty, stdin=streams.stdin, detach=keys)
    with _forwarding(client, identity, streams):
        session.run()
    if session.detached:
        return 0
    with waiting:
        return exit_status(waiting.read())


def start_container(client: Client, identity: str, detach_keys: str | None = None) -> None:
    """Raises ApiError with docker's exit status for a start that failed."""
    try:
        client.json("POST", f"/containers/{identity}/start", {"detachKeys": detach_keys})
    except ApiError as error:
        raise ApiError(error.code, error.reason, start_failure(error.reason)) from error


def start_failure(reason: str) -> int:
    """126 for what cannot be run, 127 for what is not there; the API tells them apart by text only."""
    if "executable file not found" in reason or "no such file or directory" in reason:
        return 127
    if "permission denied" in reason or "is a directory" in reason:
        return 126
    return 125


def exit_status(content: bytes) -> int:
    """The status in a reply to ``wait``. Raises CliError when the container could not be waited for."""
    if not content.strip():
        raise CliError("the connection to the engine was lost", 125)
    result = json.loads(content)
    if result.get("Error"):
        raise CliError(result["Error"]["Message"], 125)
    return int(result["StatusCode"])


@contextlib.contextmanager
def _forwarding(client: Client, identity: str, streams: Streams) -> Iterator[None]:
    place = f"/containers/{identity}"

    def send(name: str) -> None:
        Client(client.host).json("POST", f"{place}/kill", {"signal": name})

    def resize(rows: int, columns: int) -> None:
        Client(client.host).json("POST", f"{place}/resize", {"h": rows, "w": columns})

    with contextlib.ExitStack() as stack:
        if streams.signals:
            stack.enter_context(forwarded_signals(send))
        if streams.tty:
            stack.enter_context(resizing(resize))
        yield


def redraw(client: Client, identity: str) -> None:
    """Change a terminal's size and back, so that the program in it draws its screen again."""
    rows, columns = terminal.size()
    if rows and columns:
        quietly(client.json, "POST", f"/containers/{identity}/resize", {"h": rows + 1, "w": columns + 1})
