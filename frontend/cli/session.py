"""An attached container or exec session: input, output, size and signals between this terminal and the engine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from .errors import ApiError, CliError
from .terminal import DetachScanner, raw, size

_CHUNK = 256 * 1024
_STDERR, _SYSTEM_ERROR = 2, 3
# Not SIGCHLD, which is ours, and not those that cannot be caught or that Python and the terminal use themselves.
_OWN_SIGNALS = {
    "SIGCHLD",
    "SIGCLD",
    "SIGKILL",
    "SIGSTOP",
    "SIGPIPE",
    "SIGWINCH",
    "SIGURG",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
}


class Session:
    """Runs until the engine closes the connection. ``detach`` is None when no keys detach (no TTY)."""

    def __init__(self, sock: socket.socket, *, tty: bool, stdin: bool, detach: bytes | None = None) -> None:
        self._sock, self._tty, self._stdin = sock, tty, stdin
        self._scanner = DetachScanner(detach) if detach and tty else None
        self.detached = False

    def run(self) -> None:
        """Copy both ways. The terminal is raw meanwhile if the container has a TTY and input is attached."""
        with self._sock, raw(0) if self._tty and self._stdin else contextlib.nullcontext():
            if self._stdin:
                threading.Thread(target=self._send_input, daemon=True).start()
            else:
                self._half_close()
            copy_raw(self._sock.recv) if self._tty else copy_frames(self._sock.recv)

    def _send_input(self) -> None:
        try:
            while data := os.read(0, 32 * 1024):
                if self._scanner:
                    data, self.detached = self._scanner.feed(data)
                self._sock.sendall(data)
                if self.detached:
                    self._sock.shutdown(socket.SHUT_RDWR)
                    return
            self._half_close()
        except OSError:
            return  # the container has ended, or our input is gone; the other direction tells

    def _half_close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)


def copy_raw(receive: Callable[[int], bytes]) -> None:
    """Write a TTY's bytes as they come."""
    with contextlib.suppress(ConnectionResetError):
        while data := receive(_CHUNK):
            _write(1, data)


def copy_frames(receive: Callable[[int], bytes]) -> None:
    """Take Docker's frames apart: ``[stream, 0, 0, 0, size as big-endian uint32]`` and then the payload.

    Payloads that come together for the same stream are written together. Raises CliError for an error in the stream.
    """
    buffer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := receive(_CHUNK):
            buffer = _frames(buffer + data if buffer else data)


def _frames(buffer: bytes) -> bytes:
    """Write the complete frames of ``buffer`` and return the rest."""
    at, end, current, pieces = 0, len(buffer), 0, list[bytes]()
    while end - at >= 8:
        after = at + 8 + int.from_bytes(buffer[at + 4 : at + 8], "big")
        if after > end:
            break
        if buffer[at] != current:
            _flush(current, pieces)
            current = buffer[at]
        pieces.append(buffer[at + 8 : after])
        at = after
    _flush(current, pieces)
    return buffer[at:] if at else buffer


def _flush(stream: int, pieces: list[bytes]) -> None:
    if not pieces:
        return
    data = b"".join(pieces)
    pieces.clear()
    if stream == _SYSTEM_ERROR:
        raise CliError(f"error from daemon in stream: {data.decode(errors='replace')}")
    _write(2 if stream == _STDERR else 1, data)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def copy_file(source: BinaryIO, target: BinaryIO) -> None:
    while data := source.read(_CHUNK):
        target.write(data)
    target.flush()


@contextlib.contextmanager
def forwarded_signals(send: Callable[[str], Any]) -> Iterator[None]:
    """Pass every signal that reaches this process to ``send`` by its name without SIG ("TERM") instead of obeying."""

    def forward(number: int, _frame: object) -> None:
        # On a thread: the handler interrupts code that is using the connection.
        threading.Thread(
            target=quietly, args=(send, signal.Signals(number).name.removeprefix("SIG")), daemon=True
        ).start()

    caught = [each for each in signal.Signals if each.name not in _OWN_SIGNALS and each < signal.SIGRTMIN]
    with handlers({each: forward for each in caught if each.name not in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL")}):
        yield


@contextlib.contextmanager
def resizing(resize: Callable[[int, int], Any]) -> Iterator[None]:
    """Tell the engine the terminal's size now and whenever it changes."""

    def send() -> None:
        rows, columns = size()
        if rows and columns:
            quietly(resize, rows, columns)

    send()
    with handlers({signal.SIGWINCH: lambda *_: threading.Thread(target=send, daemon=True).start()}):
        yield


@contextlib.contextmanager
def handlers(wanted: dict[signal.Signals, Any]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quietly(action: Callable[..., Any], *arguments: Any) -> None:
    """A signal or a size that comes too early or too late is no error of the user's."""
    with contextlib.suppress(ApiError, OSError):
        action(*arguments)


def fail(message: str) -> None:
    sys.stderr.write(message + "\n")
