"""The ASGI application: Django for HTTP, Channels for WebSockets."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")

import django

# Models can be imported only after this.
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from controlpanel.panel import routing as panel  # noqa: E402
from controlpanel.rest import versions  # noqa: E402
from controlpanel.server.handler import Handler  # noqa: E402
from controlpanel.server.scope import PEER, Receive, Scope, Send  # noqa: E402
from controlpanel.streams import routing as streams  # noqa: E402

PAGE = ("/panel/", "/static/")
NOT_FOUND = b'{"message":"page not found"}\n'

views = Handler()


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """The page for browsers exists on TCP only, since a browser has no way to the UNIX socket."""
    _, path = versions.split(scope["path"])
    if PEER in scope and (path == "/" or path.startswith(PAGE)):
        headers = [(b"Content-Type", b"application/json")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": NOT_FOUND})
    else:
        await views(scope, receive, send)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Reject the handshake on a path that nobody serves."""
    await receive()
    await send({"type": "websocket.close"})


# Channels takes ASGI applications where Django's types know views only.
routes = [*panel.websocket_urlpatterns, *streams.websocket_urlpatterns, re_path(r"", refuse)]  # type: ignore[arg-type]
application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(routes)})
