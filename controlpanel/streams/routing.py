"""WebSocket routes of the Engine API."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from controlpanel.rest import versions
from controlpanel.streams.attach_websocket import AttachConsumer

websocket_urlpatterns: list[URLPattern] = [
    re_path(rf"^(?:{versions.PATTERN}/)?containers/(?P<name>.+)/attach/ws$", AttachConsumer.as_asgi()),
]
