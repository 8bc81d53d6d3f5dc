"""``python -m controlpanel.web``: bind as root, become the user muelle, serve until SIGTERM.

MUELLE_BIND (default 127.0.0.1:8000; empty: no TCP), MUELLE_USER (default muelle), and what ``engine.layout`` and
``controlpanel.settings`` read.
"""

from __future__ import annotations

import gc
import os
import socket

from controlpanel.server import descriptors, listeners, privileges, threads
from engine.layout import Layout

DEFAULT_BIND = "127.0.0.1:8000"


def main() -> None:
    layout = Layout.from_environment()
    layout.run.mkdir(parents=True, exist_ok=True)
    http = [listeners.bind_unix(layout.docker_socket, socket.SOCK_STREAM)]
    if address := os.environ.get("MUELLE_BIND", DEFAULT_BIND):
        http.append(listeners.bind_tcp(address))
    # Workers fetch the descriptors of bulk streams here.
    streams = listeners.bind_unix(layout.stream_socket, socket.SOCK_SEQPACKET)
    privileges.drop(os.environ.get("MUELLE_USER", ""))
    _serve(http, streams)


def _serve(http: list[socket.socket], streams: socket.socket) -> None:
    # Everything that reads settings, keys or the database is imported as the user that serves.
    from controlpanel.server.service import Server  # isort: skip  # installs the reactor
    from django.conf import settings

    from controlpanel.asgi import application
    from controlpanel.streams import tickets, uploads

    limits = settings.MUELLE_LIMITS
    descriptors.allow(limits.connections)
    threads.share()
    # What is loaded now stays: the collector need not look through it again whenever a long log makes many objects.
    gc.collect()
    gc.freeze()
    Server(
        application, http, is_upload=uploads.is_upload, on_start=lambda: tickets.listen(streams), limits=limits
    ).run()


if __name__ == "__main__":
    main()
