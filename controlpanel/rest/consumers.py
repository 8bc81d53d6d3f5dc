"""What all WebSockets share: an end that always comes, and no change of thread for each message."""

from __future__ import annotations

from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from controlpanel.server.scope import Receive, Scope, Send


class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """``clean_up`` is awaited when the client has left, and also when a handler did not get to hear of that.

    Messages are handled one after the other, so a departure waits behind a handler that waits; after a while the server
    cancels the application, and Channels tells nobody.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.clean_up()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As Channels', whose look at old database connections the pool of threads takes."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    async def clean_up(self) -> None:
        """Let go of whatever the connection has begun."""
