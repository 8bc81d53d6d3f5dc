"""Routes of everything that stays open or carries bytes in bulk. Names may hold ``/``, ``:`` and ``@``."""

from __future__ import annotations

from django.urls import re_path

from controlpanel.streams import archive, attach, events, exec_start, images, logs, stats, wait

# Below the path that each list is named for.
SYSTEM = [re_path(r"^events$", events.events)]
CONTAINERS = [
    re_path(r"^(?P<name>.+)/attach$", attach.attach),
    re_path(r"^(?P<name>.+)/logs$", logs.logs),
    re_path(r"^(?P<name>.+)/stats$", stats.stats),
    re_path(r"^(?P<name>.+)/wait$", wait.wait),
    re_path(r"^(?P<name>.+)/archive$", archive.archive),
    re_path(r"^(?P<name>.+)/export$", archive.export),
]
EXECS = [re_path(r"^(?P<name>[^/]+)/start$", exec_start.start)]
IMAGES = [
    re_path(r"^load$", images.load),
    re_path(r"^create$", images.create),
    re_path(r"^get$", images.save),
    re_path(r"^(?P<name>.+)/get$", images.save),
]
