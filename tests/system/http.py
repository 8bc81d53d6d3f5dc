"""Bytes straight to the host's socket, for requests that no client would send."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """The text of an error; it must come as JSON, or the docker command would print the raw body."""
        assert self.headers["content-type"] == "application/json", self
        text: str = json.loads(self.body)["message"]
        return text


def connect(host: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(host.removeprefix("unix://"))
    return connection


def send(host: str, data: bytes) -> Answer:
    """Send bytes as they are and read one response."""
    with connect(host) as connection:
        connection.sendall(data)
        return read(connection)


def read(connection: socket.socket) -> Answer:
    with HTTPResponse(connection) as response:
        response.begin()
        body = response.read()
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, body)


def call(host: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """A request; ``body`` is bytes, or anything else as JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {"Host": "docker", "Connection": "close", "Content-Length": str(len(data))}
    if body is not None:
        fields["Content-Type"] = "application/json"
    fields |= {key.replace("_", "-"): value for key, value in headers.items()}
    head = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
    return send(host, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
