"""The shape of a topic, and the page as topics see it."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from controlpanel.access.scope import Scope
from controlpanel.objects.models import Container
from controlpanel.panel.messages import Incoming
from controlpanel.panel.window import Window


class Page(Protocol):
    """The connection: checks the user's right anew and sends within the channel's window."""

    async def require(self, action: str) -> Scope:
        """The user's scope at this moment. Raises unless it still allows ``action`` somewhere."""

    def sees(self, project: str, /) -> bool:
        """Whether the user may know of what happens in a project."""

    async def send_message(self, channel: int, message: Any) -> None:
        """Send one of ``messages.Outgoing``; waits while the page lags behind."""

    async def send_bytes(self, channel: int, data: bytes) -> None:
        """Send a terminal's output; waits while the page lags behind."""


class Topic:
    """Runs as one task from ``open`` to ``close``. Leaving ``run`` closes the channel."""

    action: ClassVar[str] = "containers.view"

    def __init__(self, page: Page, channel: int, request: Incoming) -> None:
        self.page = page
        self.channel = channel
        self.request = request
        self.window = Window()
        self.exit_code: int | None = None

    async def run(self) -> None:
        raise NotImplementedError

    def receive(self, data: bytes) -> None:
        """Bytes that the page typed; only a terminal wants them."""

    def resize(self, rows: int, columns: int) -> None:
        """The page's terminal changed its size."""

    async def container(self) -> Container:
        """The container that the request names. Raises NotFound and Forbidden."""
        scope = await self.page.require(self.action)
        return await scope.find_container(self.request.text("container", limit=255), self.action)
