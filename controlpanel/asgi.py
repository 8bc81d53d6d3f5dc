"""The ASGI application: Django for HTTP, Channels for WebSockets."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")

import django

django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter

from controlpanel.server.handler import Handler

application = ProtocolTypeRouter({"http": Handler()})
