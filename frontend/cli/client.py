"""HTTP to an engine, over a UNIX socket or TCP.

DOCKER_HOST          unix:///path/docker.sock or tcp://host:port; by default the socket below MUELLE_RUN
DOCKER_API_VERSION   asks for that version of the API; by default the newest the engine has
MUELLE_TOKEN         sent as ``Authorization: Bearer``; needed over TCP
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from .errors import ApiError, CliError, Unreachable

Query = Mapping[str, "str | int | bool | list[str] | None"]
Body = bytes | IO[bytes] | Iterable[bytes] | dict[str, Any] | None

_MAX_HEAD = 64 * 1024
_HEADERS = {"User-Agent": "muelle-cli", "Host": "docker"}


def default_host() -> str:
    run = os.environ.get("MUELLE_RUN", "/run/muelle")
    return os.environ.get("DOCKER_HOST") or f"unix://{run}/docker.sock"


class Client:
    """One engine. Plain calls share a connection; each stream has its own. Errors raise ApiError or Unreachable."""

    def __init__(self, host: str | None = None) -> None:
        self.host = host or default_host()
        version, token = os.environ.get("DOCKER_API_VERSION"), os.environ.get("MUELLE_TOKEN")
        self._prefix = f"/v{version.removeprefix('v')}" if version else ""
        self._headers = _HEADERS | ({"Authorization": f"Bearer {token}"} if token else {})
        self._connection: _Connection | None = None

    def json(self, method: str, path: str, query: Query | None = None, body: Body = None) -> Any:
        """Call and decode the reply; None when it has no body."""
        if self._connection is None:
            self._connection = _Connection(self.host)
        response = self._exchange(self._connection, method, path, query, body, {})
        content = response.read()
        if response.will_close:
            self._connection = None
        return json.loads(content) if content.strip() else None

    def status(self, method: str, path: str, query: Query | None = None) -> int:
        """Call for the status alone: 304 says "already so"."""
        response = self.open(method, path, query)
        response.read()
        return response.status

    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """Call on a connection of its own; the reply is read by the caller."""
        return self._exchange(_Connection(self.host), method, path, query, body, headers or {})

    def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Any]:
        """Decode a reply of JSON objects, one a line, as they come."""
        with self.open(method, path, query, body, headers) as response:
            for line in response:
                if line.strip():
                    yield json.loads(line)

    def hijack(self, path: str, query: Query | None = None, body: dict[str, Any] | None = None) -> socket.socket:
        """POST, and turn the connection into a stream both ways (attach, exec)."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = self._headers | {
            "Connection": "Upgrade",
            "Upgrade": "tcp",
            "Content-Type": "text/plain" if body is None else "application/json",
            "Content-Length": str(len(content)),
        }
        head = f"POST {self._target(path, query)} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        sock = connect(self.host)
        try:
            sock.sendall(head.encode() + b"\r\n" + content)
            _expect_upgrade(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    def _exchange(
        self,
        connection: _Connection,
        method: str,
        path: str,
        query: Query | None,
        body: Body,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        extra = dict(headers)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            extra["Content-Type"] = "application/json"
        elif body is not None and not isinstance(body, bytes):
            extra.setdefault("Content-Type", "application/x-tar")
        try:
            connection.request(method, self._target(path, query), body, self._headers | extra)
            response = connection.getresponse()
        except (BrokenPipeError, ConnectionResetError):
            # The engine may have answered and closed before it had read all of the body.
            response = _early_answer(connection, self.host)
        except http.client.HTTPException as error:
            raise CliError(f"error during connect: {type(error).__name__}: {error}") from error
        if response.status >= 400:
            raise ApiError(response.status, _reason(response.read()))
        return response

    def _target(self, path: str, query: Query | None) -> str:
        pairs = []
        for name, value in (query or {}).items():
            values = value if isinstance(value, list) else [value]
            pairs += [(name, _text(each)) for each in values if each is not None]
        return self._prefix + quote(path, safe="/:@%") + (f"?{urlencode(pairs)}" if pairs else "")


def segment(name: str) -> str:
    """A name as part of a path; image names keep their slashes."""
    if not name:
        raise CliError("invalid container name or ID: value is empty")
    return quote(name, safe="/:@")


def connect(host: str) -> socket.socket:
    """Raises Unreachable, or CliError for an address of another kind."""
    parts = urlsplit(host)
    try:
        if parts.scheme == "unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(parts.netloc + parts.path)
            return sock
        if parts.scheme in ("tcp", "http"):
            return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 8000))
    except OSError as error:
        if isinstance(error, PermissionError):
            raise CliError(
                f"permission denied while trying to connect to the Docker daemon socket at {host}"
            ) from error
        raise Unreachable(host) from error
    raise CliError(f"unable to parse docker host `{host}`")


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str) -> None:
        super().__init__("docker")
        self._engine = host

    def connect(self) -> None:
        self.sock = connect(self._engine)


def _early_answer(connection: _Connection, host: str) -> http.client.HTTPResponse:
    if connection.sock is None:
        raise Unreachable(host)
    response = http.client.HTTPResponse(connection.sock)
    try:
        response.begin()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(host) from error
    return response


def _expect_upgrade(sock: socket.socket) -> None:
    """Read the reply's head, byte for byte at its end: what follows already belongs to the stream."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        seen = sock.recv(4096, socket.MSG_PEEK)
        if not seen or len(head) > _MAX_HEAD:
            raise CliError("error during connect: the connection was closed")
        end = (head[-3:] + seen).find(b"\r\n\r\n")
        head += sock.recv(end + 4 - len(head[-3:]) if end >= 0 else len(seen))
    status = int(head.split(None, 2)[1])
    if status == 101:
        return
    content = b""
    while len(content) < _MAX_HEAD and (more := sock.recv(4096)):
        content += more
        if _complete(head, content):
            break
    raise ApiError(status, _reason(content))


def _complete(head: bytes, content: bytes) -> bool:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(content) >= int(line.partition(b":")[2])
    return False


def _reason(content: bytes) -> str:
    """The message in an error's body. Attach answers in plain text."""
    text = content.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text or "no message"


def _text(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
