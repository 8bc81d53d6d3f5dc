"""``python -m controlpanel.server``: bind as root, become the user muelle, serve until SIGTERM.

MUELLE_BIND (default 127.0.0.1:8000; empty: no TCP), MUELLE_USER (default muelle), and what ``engine.layout`` and
``controlpanel.settings`` read.
"""

from __future__ import annotations

import gc
import os

from controlpanel.server import listeners, privileges, threads
from engine.layout import Layout

DEFAULT_BIND = "127.0.0.1:8000"


def main() -> None:
    bound = listeners.bind(Layout.from_environment(), os.environ.get("MUELLE_BIND", DEFAULT_BIND))
    privileges.drop(os.environ.get("MUELLE_USER", ""))
    # Everything that reads settings, keys or the database is imported as the user that serves.
    from controlpanel.server.service import Server  # isort: skip  # installs the reactor
    from controlpanel.asgi import application
    from controlpanel.streams import tickets

    threads.share()
    # What is loaded now stays: the collector need not look through it again whenever a long log makes many objects.
    gc.collect()
    gc.freeze()
    Server(application, bound.http, on_start=lambda: tickets.listen(bound.streams)).run()


if __name__ == "__main__":
    main()
