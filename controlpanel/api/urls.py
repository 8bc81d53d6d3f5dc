"""Every path of the Engine API 1.51; names may hold ``/`` and ``:``, so special paths stand before general ones.

What is asked most stands first: Django looks through the patterns in their order, for each request.
"""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from controlpanel.api import (
    containers,
    execs,
    images,
    lifecycle,
    networks,
    swarm,
    system,
    unbuilt,
    volumes,
)
from controlpanel.rest.views import page_not_found
from controlpanel.streams import urls as streams

SYSTEM = [
    re_path(r"^_ping$", system.PingView.as_view()),
    re_path(r"^version$", system.VersionView.as_view()),
    re_path(r"^info$", system.InfoView.as_view()),
    re_path(r"^system/df$", system.DiskUsageView.as_view()),
]
CONTAINERS = [
    re_path(r"^json$", containers.ContainerListView.as_view()),
    re_path(r"^create$", containers.ContainerCreateView.as_view()),
    re_path(r"^prune$", containers.ContainerPruneView.as_view()),
    re_path(r"^(?P<reference>.+)/json$", containers.ContainerInspectView.as_view()),
    re_path(r"^(?P<reference>.+)/top$", containers.ContainerTopView.as_view()),
    re_path(r"^(?P<reference>.+)/changes$", containers.ContainerChangesView.as_view()),
    re_path(r"^(?P<reference>.+)/rename$", containers.ContainerRenameView.as_view()),
    re_path(r"^(?P<reference>.+)/update$", containers.ContainerUpdateView.as_view()),
    re_path(r"^(?P<reference>.+)/start$", lifecycle.StartView.as_view()),
    re_path(r"^(?P<reference>.+)/stop$", lifecycle.StopView.as_view()),
    re_path(r"^(?P<reference>.+)/restart$", lifecycle.RestartView.as_view()),
    re_path(r"^(?P<reference>.+)/kill$", lifecycle.KillView.as_view()),
    re_path(r"^(?P<reference>.+)/pause$", lifecycle.PauseView.as_view()),
    re_path(r"^(?P<reference>.+)/unpause$", lifecycle.UnpauseView.as_view()),
    re_path(r"^(?P<reference>.+)/resize$", lifecycle.ResizeView.as_view()),
    re_path(r"^(?P<reference>.+)/exec$", execs.ExecCreateView.as_view()),
    re_path(r"^(?P<reference>.+)$", containers.ContainerView.as_view()),
]
EXECS = [
    re_path(r"^(?P<reference>.+)/json$", execs.ExecInspectView.as_view()),
    re_path(r"^(?P<reference>.+)/resize$", execs.ExecResizeView.as_view()),
]
IMAGES = [
    re_path(r"^json$", images.ImageListView.as_view()),
    re_path(r"^prune$", images.ImagePruneView.as_view()),
    re_path(r"^(?P<name>.+)/json$", images.ImageInspectView.as_view()),
    re_path(r"^(?P<name>.+)/history$", images.ImageHistoryView.as_view()),
    re_path(r"^(?P<name>.+)/tag$", images.ImageTagView.as_view()),
    re_path(r"^(?P<name>.+)$", images.ImageView.as_view()),
]
NETWORKS = [
    re_path(r"^create$", networks.NetworkCreateView.as_view()),
    re_path(r"^prune$", networks.NetworkPruneView.as_view()),
    re_path(r"^(?P<reference>.+)/connect$", networks.NetworkConnectView.as_view()),
    re_path(r"^(?P<reference>.+)/disconnect$", networks.NetworkDisconnectView.as_view()),
    re_path(r"^(?P<reference>.+)$", networks.NetworkView.as_view()),
]
VOLUMES = [
    re_path(r"^create$", volumes.VolumeCreateView.as_view()),
    re_path(r"^prune$", volumes.VolumePruneView.as_view()),
    re_path(r"^(?P<name>.+)$", volumes.VolumeView.as_view()),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *SYSTEM,
    *streams.SYSTEM,
    re_path(r"^containers/", include([*streams.CONTAINERS, *unbuilt.CONTAINERS, *CONTAINERS])),
    re_path(r"^exec/", include([*streams.EXECS, *EXECS])),
    re_path(r"^images/", include([*streams.IMAGES, *unbuilt.IMAGES, *IMAGES])),
    re_path(r"^networks/?$", networks.NetworkListView.as_view()),
    re_path(r"^networks/", include(NETWORKS)),
    re_path(r"^volumes$", volumes.VolumeListView.as_view()),
    re_path(r"^volumes/", include(VOLUMES)),
    *unbuilt.OTHER,
    *swarm.urlpatterns,
    re_path(r"", page_not_found),
]
