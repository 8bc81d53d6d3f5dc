"""A shim's view of a child between clone3 and execve: the other end of `engine.containers.init`'s channel."""

from __future__ import annotations

import socket
from collections.abc import Callable

from engine.containers import wire
from engine.containers.loop import READ, Loop
from engine.errors import SystemFailure

SETUP_SECONDS = 60.0


class Birth:
    """Follows one child. Exactly one of ``on_started`` and ``on_failed`` is called in the end.

    ``on_created(message, fds)`` gets what the first message carries, ``on_ready(fds)`` the terminal's master if there
    is one; whoever is called owns the descriptors. ``on_failed`` gets ``{"error", "exit_code"}``.
    """

    def __init__(
        self,
        loop: Loop,
        channel: socket.socket,
        *,
        on_created: Callable[[wire.Message, list[int]], None],
        on_ready: Callable[[list[int]], None],
        on_started: Callable[[], None],
        on_failed: Callable[[wire.Message], None],
    ) -> None:
        self._loop, self._channel = loop, channel
        self._on_created, self._on_ready = on_created, on_ready
        self._on_started, self._on_failed = on_started, on_failed
        self._may_run = False
        loop.watch(channel.fileno(), READ, self._receive)
        loop.later(SETUP_SECONDS, self._expire)

    @property
    def over(self) -> bool:
        return self._channel.fileno() < 0

    def go(self) -> None:
        """Let the child run its command."""
        self._may_run = True
        try:
            wire.send(self._channel, {"go": True})
        except OSError:
            return  # it has died; its last message or the end of the channel is about to be read

    def abandon(self) -> None:
        """Close without a callback: the child sees the end of the channel, and dies."""
        if not self.over:
            self._loop.forget(self._channel.fileno())
            self._channel.close()

    def _receive(self, _events: int) -> None:
        try:
            message, fds = wire.receive(self._channel)
        except (OSError, EOFError):
            self._ended()
            return
        if "created" in message:
            self._on_created(message, fds)
        elif "ready" in message:
            self._on_ready(fds)
        else:
            self.abandon()
            self._on_failed(message)

    def _ended(self) -> None:
        """The channel closed: by execve if the child was told to go, else by its death."""
        self.abandon()
        if self._may_run:
            self._on_started()
        else:
            self._fail("the container's first process died during set-up")

    def _expire(self) -> None:
        if not self.over:
            self.abandon()
            self._fail(f"the container was not set up within {SETUP_SECONDS:.0f} seconds")

    def _fail(self, text: str) -> None:
        self._on_failed({"error": SystemFailure(text).to_json(), "exit_code": 128})
