"""How many connections and how much of unread heads the server takes, and for how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from controlpanel.server.scope import Peer


class Limits(NamedTuple):
    """Sizes in bytes, times in seconds. A connection that was handed on (hijack) counts no more.

    ``per_client``: per user ID on the UNIX socket, per address on TCP; a proxy in front of the server is one address.
    """

    connections: int = 6144
    per_client: int = 5120
    # As Go's server: Docker's clients send long filters and credentials.
    head: int = 1024 * 1024
    # Of a body that is read before the application sees it, by anybody's request: it may lie in a temporary file.
    body: int = 16 * 1024 * 1024 + 1
    # Of all connections together: heads that are not complete, and requests sent ahead of an answer.
    pending: int = 64 * 1024 * 1024
    # From the first byte of a head to its end; on TCP also from the connection to the first byte.
    head_seconds: float = 30.0
    head_seconds_unix: float = 300.0
    # For a client on the network that neither sends nor waits for anything. On the UNIX socket there is no limit, as in
    # Docker: clients reuse connections after any pause.
    idle_seconds: float = 600.0
    # Connections above the limits that are told so; further ones are closed without a word.
    refusals: int = 256
    refusal_seconds: float = 2.0
    # From SIGTERM: for requests to be answered, for views to end, for answers to be read.
    grace_seconds: float = 2.0
    end_seconds: float = 3.0
    flush_seconds: float = 1.0
    threads_seconds: float = 2.0
    # And for all of it, should the event loop not come to run what follows the signal.
    deadline_seconds: float = 9.0


Client = int | str


def client_of(peer: Peer | None, address: str) -> Client:
    return address if peer is None else peer.uid


class Place:
    """A counted connection; whoever owns the connection gives it back, once."""

    __slots__ = ("_give_back", "is_refusal")

    def __init__(self, give_back: Callable[[], None], *, is_refusal: bool) -> None:
        self._give_back: Callable[[], None] | None = give_back
        self.is_refusal = is_refusal

    def give_back(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class Census:
    """Counts connections, in all and of each client, and the bytes that are read and not yet used."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._clients: Counter[Client] = Counter()
        self.connections = 0
        self.refusals = 0
        self.pending = 0

    def admit(self, client: Client) -> Place | None:
        """A place among the connections; else one among those that are told that there is none; else nothing."""
        if self.connections < self._limits.connections and self._clients[client] < self._limits.per_client:
            self.connections += 1
            self._clients[client] += 1
            return Place(partial(self._leave, client), is_refusal=False)
        if self.refusals < self._limits.refusals:
            self.refusals += 1
            return Place(self._leave_refused, is_refusal=True)
        return None

    def hold(self, change: int) -> bool:
        """Note ``change`` more bytes (less, when negative); False when that is too much."""
        self.pending += change
        return change <= 0 or self.pending <= self._limits.pending

    def _leave(self, client: Client) -> None:
        self.connections -= 1
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]

    def _leave_refused(self) -> None:
        self.refusals -= 1
