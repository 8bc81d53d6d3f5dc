"""The end of the process, within ten seconds of the signal, whatever clients, views and threads do.

In turn: no new connections; streams, uploads and WebSockets are cut, since they may last for ever; other requests have
a moment to be answered; then they are cancelled, and their clients told so; answers have a moment to be read. Threads
that still work are not waited for: what they do is a transaction, which the database takes back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from controlpanel.server.loop import loop, reactor

if TYPE_CHECKING:
    from controlpanel.server.exchange import Exchange
    from controlpanel.server.service import Server

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.02


class Shutdown:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._is_asked = False

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not the loop's own handler: that one does not run while a callback blocks the loop.
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        if not self._is_asked:
            self._is_asked = True
            threading.Thread(target=_give_up, args=(self._server.limits.deadline_seconds,), daemon=True).start()
            loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = loop.create_task(self._stop())

    async def _stop(self) -> None:
        try:
            await self._wind_down()
        except Exception:
            logger.exception("stopping failed")
        finally:
            reactor.stop()

    async def _wind_down(self) -> None:
        server, limits = self._server, self._server.limits
        server.is_stopping = True
        for listener in server.listeners:
            listener.close()
        for connection in list(server.connections):
            connection.stop()
        ending = set(server.websockets.stop())
        ending |= cancel(exchange for exchange in server.exchanges if exchange.is_endless)
        await _wait({exchange.task for exchange in server.exchanges} - ending, limits.grace_seconds)
        ending |= cancel(server.exchanges)
        await _wait(ending, limits.end_seconds)
        await self._flush(limits.flush_seconds)

    async def _flush(self, seconds: float) -> None:
        """Let clients read their answers; who does not is cut off."""
        server = self._server
        deadline = loop.time() + seconds
        while (server.connections or server.websockets.connections) and loop.time() < deadline:
            await asyncio.sleep(PAUSE_SECONDS)
        for connection in list(server.connections):
            connection.cut()
        server.websockets.cut()
        await asyncio.sleep(0)

    def leave(self) -> None:
        """The interpreter waits for threads of executors, however long they take; this process does not."""
        threading.Thread(target=_give_up, args=(self._server.limits.threads_seconds,), daemon=True).start()


def cancel(exchanges: Iterable[Exchange]) -> set[asyncio.Task[Any]]:
    tasks = {exchange.task for exchange in exchanges if exchange.task is not None}
    for task in tasks:
        task.cancel()
    return tasks


async def _wait(tasks: Iterable[asyncio.Task[Any] | None], seconds: float) -> None:
    running = [task for task in tasks if task is not None]
    if running:
        await asyncio.wait(running, timeout=seconds)


def _give_up(seconds: float) -> None:
    time.sleep(seconds)
    logger.warning("threads are still at work and are given up")
    logging.shutdown()
    os._exit(0)
