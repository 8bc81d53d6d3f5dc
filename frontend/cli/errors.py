"""What can go wrong for a user of the client, with the exit status it leads to.

CliError            1 unless said otherwise; the message is shown as it is
├── ApiError        the engine answered with an error status
└── Unreachable     no engine answers
"""

from __future__ import annotations


class CliError(Exception):
    """``status`` is the exit status: 125 for the client's own errors in run and exec, as with docker."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class ApiError(CliError):
    """``code`` is the HTTP status, ``reason`` the engine's own text."""

    def __init__(self, code: int, reason: str, status: int = 1) -> None:
        super().__init__(f"Error response from daemon: {reason}", status)
        self.code, self.reason = code, reason


class Unreachable(CliError):
    def __init__(self, host: str) -> None:
        super().__init__(f"Cannot connect to the Docker daemon at {host}. Is the docker daemon running?")
