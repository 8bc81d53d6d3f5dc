"""A claim: who works on a container in a transient state, as the container's row names it."""

from __future__ import annotations

from typing import NamedTuple


class Claim(NamedTuple):
    """A process, told from a later one of its PID by its start time (proc_pid_stat(5)), and the call it works for."""

    pid: int
    start_time: str
    call_id: str

    def __str__(self) -> str:
        return f"{self.pid}:{self.start_time}:{self.call_id}"

    @classmethod
    def parse(cls, text: str) -> Claim | None:
        """None for an empty text, which means that nobody works on the container."""
        pid, _, rest = text.partition(":")
        started, _, call_id = rest.partition(":")
        return cls(int(pid), started, call_id) if pid.isdigit() and started else None


def call_of(text: str) -> str:
    """The call that a row's claim works for; empty when it is none."""
    claim = Claim.parse(text)
    return claim.call_id if claim else ""
