"""A server with a small ASGI application, on the run directory and port in its environment."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import socket
import threading
import time

from controlpanel.server import descriptors, listeners, threads
from controlpanel.server import scope as keys
from controlpanel.server.connection import HttpConnection
from controlpanel.server.exchange import Exchange
from controlpanel.server.limits import Limits
from controlpanel.server.scope import Application, Receive, Scope, Send
from controlpanel.server.service import Server
from controlpanel.server.websockets import WebSocket
from engine.layout import Layout

CHUNK = b"x" * 65536
FOR_EVER = 3600.0


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if scope["type"] == "websocket":
        await websocket(receive, send)
    else:
        await PATHS.get(scope["path"], plain)(scope, receive, send)


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, repr(scope.get(keys.PEER)).encode())


async def counted(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, json.dumps(counts()).encode())


async def objects(scope: Scope, receive: Receive, send: Send) -> None:
    """How many of the server's own objects are in memory."""
    gc.collect()
    kinds = (HttpConnection, Exchange, WebSocket)
    await answer(send, str(sum(isinstance(each, kinds) for each in gc.get_objects())).encode())


async def wait(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(FOR_EVER)


async def soon(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(1)
    await answer(send, b"done")


async def late(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(3)
    await answer(send, b"late")


async def take(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads a body of more than one message."""
    while (await receive()).get("more_body"):
        pass
    await answer(send, b"taken")


async def thread(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.to_thread(time.sleep, FOR_EVER)


async def block(scope: Scope, receive: Receive, send: Send) -> None:
    """What no view should do."""
    time.sleep(FOR_EVER)


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("before the head")


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise RuntimeError("after the head")


async def load(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, await upload(scope))


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"refused")


async def answer(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Five pieces over a second and a half: longer than the server's look at half-closed connections takes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(5):
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await asyncio.sleep(0.3)
    await send({"type": "http.response.body"})


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """As ``docker events`` and ``logs -f``: a head, and then nothing for a long time."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await asyncio.sleep(FOR_EVER)


async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not end when it is cancelled."""
    while True:
        try:
            await asyncio.sleep(FOR_EVER)
        except asyncio.CancelledError:
            continue


async def websocket(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def counts() -> dict[str, int]:
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # only counted
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "connections": SERVER.census.connections,
        "refusals": SERVER.census.refusals,
        "pending": SERVER.census.pending,
    }


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """Write until the client leaves; the number of pieces that were taken stands in a file."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    left = asyncio.ensure_future(receive())
    for number in itertools.takewhile(lambda _: not left.done(), itertools.count()):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        LAYOUT.run.joinpath("flood").write_text(str(number))


async def hijack(scope: Scope, receive: Receive, send: Send) -> None:
    detached = await scope[keys.CONNECTION].detach()
    with socket.socket(fileno=detached.fd) as client:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"HTTP/1.1 101 UPGRADED\r\n\r\n" + detached.surplus)
        while data := await loop.sock_recv(client, 1000):
            await loop.sock_sendall(client, data)
        await loop.sock_sendall(client, b" end")


async def upload(scope: Scope) -> bytes:
    """The size of the body, or the name of the error with which it ended; also in a file, for who has left."""
    return (await asyncio.to_thread(note, scope[keys.UPLOAD].open())).encode()


def note(fd: int) -> str:
    LAYOUT.run.joinpath("opened").write_text("yes")
    result = drain(fd)
    LAYOUT.run.joinpath("upload").write_text(result)
    return result


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


PATHS: dict[str, Application] = {
    "/counts": counted,
    "/objects": objects,
    "/wait": wait,
    "/soon": soon,
    "/late": late,
    "/take": take,
    "/endless": endless,
    "/thread": thread,
    "/stubborn": stubborn,
    "/block": block,
    "/hijack": hijack,
    "/stream": stream,
    "/flood": flood,
    "/fail": fail,
    "/early": early,
    "/images/load": load,
    "/images/create": refuse,
}


def is_upload(method: bytes, path: str) -> bool:
    return path.startswith("/images/")


LAYOUT = Layout.from_environment()

if __name__ == "__main__":
    LAYOUT.run.mkdir(parents=True, exist_ok=True)
    unix = listeners.bind_unix(LAYOUT.docker_socket, socket.SOCK_STREAM)
    tcp = listeners.bind_tcp(os.environ["MUELLE_BIND"])
    threads.share()
    descriptors.allow(1000)
    limits = Limits(**json.loads(os.environ.get("ECHO_LIMITS", "{}")))
    SERVER = Server(application, [unix, tcp], is_upload=is_upload, limits=limits)
    SERVER.run()
