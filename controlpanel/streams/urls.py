"""Routes of everything that stays open or carries bytes in bulk. Names may hold ``/``, ``:`` and ``@``."""

from __future__ import annotations

from django.urls import re_path

from controlpanel.streams import archive, attach, events, exec_start, images, logs, stats, wait

# Below the path that each list is named for.
SYSTEM = [re_path(r"^events$", events.EventsView.as_view())]
CONTAINERS = [
    re_path(r"^(?P<name>.+)/attach$", attach.AttachView.as_view()),
    re_path(r"^(?P<name>.+)/logs$", logs.LogsView.as_view()),
    re_path(r"^(?P<name>.+)/stats$", stats.StatsView.as_view()),
    re_path(r"^(?P<name>.+)/wait$", wait.WaitView.as_view()),
    re_path(r"^(?P<name>.+)/archive$", archive.ArchiveView.as_view()),
    re_path(r"^(?P<name>.+)/export$", archive.ExportView.as_view()),
]
EXECS = [re_path(r"^(?P<name>[^/]+)/start$", exec_start.ExecStartView.as_view())]
IMAGES = [
    re_path(r"^load$", images.LoadView.as_view()),
    re_path(r"^create$", images.CreateView.as_view()),
    re_path(r"^get$", images.SaveView.as_view()),
    re_path(r"^(?P<name>.+)/get$", images.SaveView.as_view()),
]
