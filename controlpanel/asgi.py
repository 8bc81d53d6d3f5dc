"""The ASGI application: Django for HTTP, Channels for WebSockets."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")

from typing import Any

import django

# Models can be imported only after this.
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from controlpanel.panel import routing as panel  # noqa: E402
from controlpanel.server.handler import Handler  # noqa: E402
from controlpanel.streams import routing as streams  # noqa: E402


async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Reject the handshake on a path that nobody serves."""
    await receive()
    await send({"type": "websocket.close"})


# Channels takes ASGI applications where Django's types know views only.
routes = [*panel.websocket_urlpatterns, *streams.websocket_urlpatterns, re_path(r"", refuse)]  # type: ignore[arg-type]
application = ProtocolTypeRouter({"http": Handler(), "websocket": URLRouter(routes)})
