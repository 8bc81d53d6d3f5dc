"""An engine made of canned answers: an HTTP server on a UNIX socket that remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(NamedTuple):
    status: int = 200
    body: Any = None  # bytes, or something for JSON
    headers: dict[str, str] = {}
    then: Callable[[Any], None] | None = None  # takes over the connection after a 101


class Engine:
    """``answers`` maps "METHOD /path" to an Answer, or to a function of the request that returns one."""

    def __init__(self, path: Path) -> None:
        self.host = f"unix://{path}"
        self.answers: dict[str, Answer | Callable[[Request], Answer]] = {}
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        found = self.answers.get(f"{request.method} {request.path}", Answer(404, {"message": "page not found"}))
        return found if isinstance(found, Answer) else found(request)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    engine: Engine

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        request = Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers), self._body())
        answer = self.server.engine.answer(request)
        if answer.then:
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            answer.then(self.connection)
            self.close_connection = True
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        body = b"" if answer.body is None else body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name in the base class
        return

    def address_string(self) -> str:
        return "unix"

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 -- names that the base class looks for


@contextlib.contextmanager
def serve(path: Path) -> Iterator[Engine]:
    engine = Engine(path)
    with _Server(str(path), _Handler) as server:
        server.engine = engine
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
