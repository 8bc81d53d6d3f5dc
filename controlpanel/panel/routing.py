"""WebSocket routes of the page."""

from __future__ import annotations

from django.urls import URLPattern, path

from controlpanel.panel.consumers import PanelConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("panel/socket", PanelConsumer.as_asgi()),
]
