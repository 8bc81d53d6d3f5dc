"""A server with a small ASGI application, on the run directory and port in its environment."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from typing import Any

from controlpanel.server import listeners, threads
from controlpanel.server.service import Server
from controlpanel.streams import connection
from engine.layout import Layout

CHUNK = b"x" * 65536


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    match scope["path"]:
        case "/hijack":
            await hijack(scope)
        case "/stream":
            await stream(send)
        case "/flood":
            await flood(receive, send)
        case "/fail":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            raise RuntimeError("after the head")
        case "/early":
            raise RuntimeError("before the head")
        case "/images/load":
            await answer(send, await upload(scope))
        case "/images/create":
            await answer(send, b"refused")
        case _:
            await answer(send, repr(scope.get(connection.PEER)).encode())


async def answer(send: Any, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def stream(send: Any) -> None:
    """Five pieces over a second and a half: longer than the server's look at half-closed connections takes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(5):
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await asyncio.sleep(0.3)
    await send({"type": "http.response.body"})


async def flood(receive: Any, send: Any) -> None:
    """Write until the client leaves; the number of pieces that were taken stands in a file."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    left = asyncio.create_task(receive())
    for number in itertools.takewhile(lambda _: not left.done(), itertools.count()):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        LAYOUT.run.joinpath("flood").write_text(str(number))


async def hijack(scope: dict[str, Any]) -> None:
    detached = await scope[connection.CONNECTION].detach()
    with socket.socket(fileno=detached.fd) as client:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"HTTP/1.1 101 UPGRADED\r\n\r\n" + detached.surplus)
        while data := await loop.sock_recv(client, 1000):
            await loop.sock_sendall(client, data)
        await loop.sock_sendall(client, b" end")


async def upload(scope: dict[str, Any]) -> bytes:
    """The size of the body, or the name of the error with which it ended."""
    fd = scope[connection.UPLOAD].open()
    result = await asyncio.to_thread(drain, fd)
    LAYOUT.run.joinpath("upload").write_text(result)
    return result.encode()


def drain(fd: int) -> str:
    size = 0
    try:
        while data := os.read(fd, 65536):
            size += len(data)
    except OSError as error:
        return type(error).__name__
    finally:
        os.close(fd)
    return str(size)


LAYOUT = Layout.from_environment()

if __name__ == "__main__":
    bound = listeners.bind(LAYOUT, os.environ["MUELLE_BIND"])
    threads.share()
    Server(application, bound.http, on_start=lambda: None).run()
