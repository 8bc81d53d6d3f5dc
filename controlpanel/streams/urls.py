"""Routes of everything that stays open or carries bytes in bulk. Names may hold ``/``, ``:`` and ``@``."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from controlpanel.streams import archive, attach, events, exec_start, images, logs, stats, wait

CONTAINER = r"^containers/(?P<name>.+)"

urlpatterns: list[URLPattern] = [
    re_path(CONTAINER + "/attach$", attach.attach),
    re_path(CONTAINER + "/logs$", logs.logs),
    re_path(CONTAINER + "/stats$", stats.stats),
    re_path(CONTAINER + "/wait$", wait.wait),
    re_path(CONTAINER + "/archive$", archive.archive),
    re_path(CONTAINER + "/export$", archive.export),
    re_path(r"^exec/(?P<name>[^/]+)/start$", exec_start.start),
    re_path(r"^events$", events.events),
    re_path(r"^images/load$", images.load),
    re_path(r"^images/create$", images.create),
    re_path(r"^images/get$", images.save),
    re_path(r"^images/(?P<name>.+)/get$", images.save),
]
